"""Files of features, each kind: what is read, from where, and messages that name a file that is hostile or broken."""

import pickle

import h5py
import numpy as np
import pytest
import safetensors.numpy
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import tiny_recipe

from afkit.data.feature_formats import SUFFIXES, array_names, open_array
from afkit.data.features import feature_files, has_features, locate, open_features, read_features


@pytest.fixture
def features():
    """(20, 6) float32."""
    return np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)


def config(**settings):
    """A `data` section with the folder `feats`."""
    return tiny_recipe(
        **{"data__features": ["feats"]} | {f"data__{key}": value for key, value in settings.items()}
    ).data


@pytest.fixture
def folder(tmp_path):
    """The folder of features below the root."""
    folder = tmp_path / "feats"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", ">f8", ">i2", "<u8", "?"])
def test_npy(folder, features, kind):
    np.save(folder / "p_v.npy", features.astype(kind))
    found = read_features(config(prefix="p_"), folder.parent, "v")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, features.astype(kind).astype(np.float32))
    found[0] = 7  # a copy
    np.testing.assert_array_equal(np.load(folder / "p_v.npy"), features.astype(kind))


def test_folders_are_joined_in_order_and_cut_to_the_shortest(tmp_path, features):
    for name, part in (("b", features[:, :4]), ("a", features[:15, 4:])):
        (tmp_path / name).mkdir()
        np.save(tmp_path / name / "v.npy", part)
    settings = config(features=["b", "a"], input_dims=[4, 2])
    np.testing.assert_array_equal(read_features(settings, tmp_path, "v"), features[:15])
    assert feature_files(settings, tmp_path, "v") == [tmp_path / "b" / "v.npy", tmp_path / "a" / "v.npy"]
    assert has_features(settings, tmp_path, "v")
    (tmp_path / "a" / "v.npy").unlink()
    assert not has_features(settings, tmp_path, "v")
    with pytest.raises(ValueError, match=r"a.v\.npy does not exist; put the features there, or correct data\.features"):
        read_features(settings, tmp_path, "v")


def test_a_wrong_width_is_named(folder, features):
    np.save(folder / "v.npy", features)
    message = r"video 'v' have 6 channels, the recipe's data\.input_dims add up to 7 \(.*v\.npy\)"
    with pytest.raises(ValueError, match=message):
        read_features(config(input_dims=[4, 3], features=["feats"]), folder.parent, "v")


def test_files_with_the_wrong_ending_are_named(folder, features):
    np.savez(folder / "a.npz", feats=features)
    (folder / "a.npz").rename(folder / "a.npy")
    np.save(folder / "b.npy", features)
    (folder / "b.npy").rename(folder / "b.npz")
    for video, suffix in (("a", ".npy"), ("b", ".npz")):
        with pytest.raises(ValueError, match=rf"{video}\{suffix}"):
            read_features(config(suffix=suffix), folder.parent, video)


def test_the_root_may_be_the_data_set_itself(tmp_path):
    root = tmp_path / "thumos"
    (root / "annotations").mkdir(parents=True)
    (root / "annotations" / "a.json").touch()
    expected = root / "annotations" / "a.json"
    assert locate(tmp_path, "thumos/annotations/a.json") == expected
    assert locate(root, "thumos/annotations/a.json") == expected
    assert locate(tmp_path, "thumos/none.json") == root / "none.json"
    other = tmp_path / "epic"
    other.mkdir()
    assert locate(other, "thumos/annotations/a.json") == other / "thumos" / "annotations" / "a.json"


TABLE = np.array([[1.5, -2.0, 3.0], [4.0, 5.25, 6.0]])


def write(path, table, name="feats"):
    """Write a table in the format that the path's ending tells."""
    if path.suffix in (".h5", ".hdf5"):
        with h5py.File(path, "w") as file:
            file[name] = table
    elif path.suffix == ".npz":
        np.savez(path, **{name: table})
    elif path.suffix == ".safetensors":
        safetensors.numpy.save_file({name: np.ascontiguousarray(table)}, path)
    elif path.suffix == ".csv":
        path.write_text("".join(",".join(map(repr, row)) + "\n" for row in table.tolist()))
    elif path.suffix == ".pkl":
        tensors = [torch.from_numpy(part.T.copy())[None] for part in np.split(table, [2], axis=1)]
        path.write_bytes(pickle.dumps(dict(zip(("slow_feature", "fast_feature"), tensors, strict=True))))
    else:
        np.save(path, table)
    return path


def read(path):
    """All of the table."""
    return np.asarray(open_array(path, path.stem, "v")[:])


def refused(path):
    """The message of a file that must not be read."""
    with pytest.raises(ValueError) as caught:
        read(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    return message


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["feats", "whatever"])
def test_the_only_array_of_a_file_is_its_video(tmp_path, suffix, name):
    np.testing.assert_array_equal(read(write(tmp_path / f"v{suffix}", TABLE, name)), TABLE)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_recipe_names_the_format_by_the_ending(tmp_path, suffix):
    (tmp_path / "feats").mkdir()
    write(tmp_path / "feats" / f"p_v{suffix}", TABLE)
    config = tiny_recipe(data__features=["feats"], data__input_dims=[3], data__prefix="p_", data__suffix=suffix).data
    rows = open_features(config, tmp_path, "v").rows()
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, TABLE)
    assert has_features(config, tmp_path, "v") and not has_features(config, tmp_path, "w")


@pytest.mark.parametrize("suffix", [".npz", ".h5", ".safetensors"])
def test_of_several_arrays_the_one_called_feats_is_read(tmp_path, suffix):
    arrays = {"times": TABLE[:, :1], "feats": TABLE}
    for path, chosen in ((tmp_path / f"a{suffix}", arrays), (tmp_path / f"b{suffix}", {"x": TABLE, "y": TABLE})):
        if suffix == ".npz":
            np.savez(path, **chosen)
        elif suffix == ".safetensors":
            safetensors.numpy.save_file(chosen, path)
        else:
            with h5py.File(path, "w") as file:
                file.update(chosen)
    np.testing.assert_array_equal(read(tmp_path / f"a{suffix}"), TABLE)
    assert "feats" in refused(tmp_path / f"b{suffix}")


def test_an_hdf5_file_of_many_videos_never_gives_another_video(tmp_path):
    path = write(tmp_path / "all.h5", TABLE, "a")
    np.testing.assert_array_equal(open_array(path, "a", "a")[:], TABLE)
    with pytest.raises(ValueError, match=r"all\.h5 .*'b'") as error:
        open_array(path, "b", "b")
    with h5py.File(path, "a") as file:  # the error does not keep it open
        file.create_group("group")
    assert error.value.__traceback__ is not None
    with pytest.raises(ValueError, match=r"'group' is a group in it, not an array"):
        open_array(path, "group", "group")
    assert array_names(path) == ["a"]


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64, torch.int16, torch.bool])
def test_safetensors_of_any_number_type(tmp_path, kind):
    values = torch.tensor([[0, 1], [1, 0]]).to(kind)
    safetensors.torch.save_file({"feats": values}, tmp_path / "v.safetensors")
    assert read(tmp_path / "v.safetensors").astype(np.float32).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("head", ["", "x,y,z\n", "\ufeffx,y,z\n", "\ufeff"])
def test_tables_with_and_without_names_of_columns(tmp_path, separator, head):
    text = head + "1.5,-2,3e0\n\n 4 , 5.25,6\n"
    (tmp_path / "v.csv").write_bytes(text.replace(",", separator).replace("\n", "\r\n").encode())
    np.testing.assert_array_equal(read(tmp_path / "v.csv"), TABLE)


def test_a_table_of_one_column_or_one_row(tmp_path):
    (tmp_path / "v.csv").write_text("x\n1\n2\n")
    assert read(tmp_path / "v.csv").tolist() == [[1], [2]]
    (tmp_path / "v.csv").write_text("0,1,2\n1.5,2,3\n")
    assert read(tmp_path / "v.csv").tolist() == [[1.5, 2, 3]], "the first row counts the columns"


@given(table=st.lists(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2), min_size=1))
@settings(max_examples=50)
def test_a_table_gives_its_numbers_back(tmp_path_factory, table):
    path = write(tmp_path_factory.mktemp("csv") / "v.csv", np.array(table))
    np.testing.assert_array_equal(read(path), table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n\n3,nan\n", "row 3: 'nan' is no finite number; correct it"),
        ("x,y\n1,2\n3,inf\n", "row 3: 'inf' is no finite number"),
        ("1,2\n3,1e999\n", "row 2: '1e999' is no finite number"),
        ("1,2\n3\n", "row 2 has 1 cells, those before it 2; correct it"),
        ("1,2\n3,4,5\n", "row 2 has 3 cells, those before it 2"),
        ("1,2\n3,\n", "row 2: '' is no finite number"),
        ("1,2\nx,4\n", "row 2: 'x' is no finite number"),
        ("1,x\n3,4\n", "row 1: 'x' is no finite number"),
        ("1;2,5\n3;4.5\n", "decimal commas and with decimal points; write them alike"),
        ("1,2\n3,4 # note\n", "row 2: '4 # note' is no finite number"),
        ("", "it holds no row of numbers"),
        ("x,y\n\n", "it holds no row of numbers"),
        ("1_0,2\n", "row 1: '1_0' is no finite number"),
        (
            "t,x\n" + "".join(f"{i},1\n" for i in range(20)),
            "the column 't' rises in each row, as a clock or a count does",
        ),
        ("0,1,2\n1,2,2\n", "row 1 (0, 1, 2, ...) may be names or numbers; remove it, or write names"),
    ],
)
def test_a_bad_row_of_a_table_is_named(tmp_path, text, message):
    (tmp_path / "v.csv").write_text(text)
    assert message in refused(tmp_path / "v.csv")


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"abc", b"\xff\xfe\x00", b"\x08\x00\x00\x00\x00\x00\x00\x00{}", b"\xff" * 8 + b"{"),
        *(b"\x93NUMPY", b"PK\x03\x04", b"garbage " * 50),
    ],
)
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_broken_files_are_named(tmp_path, suffix, content):
    (tmp_path / f"v{suffix}").write_bytes(content)
    assert "is not a readable feature file" in refused(tmp_path / f"v{suffix}")


@pytest.mark.parametrize("suffix", SUFFIXES[:-1])
def test_files_that_were_cut_short_are_named(tmp_path, suffix):
    path = write(tmp_path / f"v{suffix}", np.tile(TABLE, (100, 1)))
    path.write_bytes(path.read_bytes()[:-200])
    refused(path)


@pytest.mark.parametrize("values", [np.array([["1", "2"]]), np.array([[1j, 2]]), np.zeros((2, 2), "datetime64[s]")])
def test_what_is_no_real_number_is_refused(tmp_path, values):
    np.save(tmp_path / "v.npy", values)
    assert "which is no number" in refused(tmp_path / "v.npy")
    safetensors.torch.save_file({"feats": torch.zeros(2, 2, dtype=torch.complex64)}, tmp_path / "v.safetensors")
    assert "which is no number" in refused(tmp_path / "v.safetensors")
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["feats"] = np.array([[b"1", b"2"]], object)
    assert "which is no number" in refused(tmp_path / "v.h5")


@pytest.mark.parametrize("shape", [(0, 3), (2, 0), (3,), (2, 2, 3), (1, 0, 3)])
@pytest.mark.parametrize("suffix", [".npy", ".h5", ".safetensors"])
def test_a_wrong_shape_is_named(tmp_path, suffix, shape):
    assert "features must be (T, C)" in refused(write(tmp_path / f"v{suffix}", np.zeros(shape)))
