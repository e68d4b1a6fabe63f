"""Feature files that would run code, read other files, take all memory, or hold no numbers."""

import io
import math
import struct
import zipfile

import h5py
import numpy as np
import pytest
from hostile import MB, Runs, in_child, npy_bytes
from tiny_data import tiny_recipe, write_tiny_data

from afkit.data.feature_formats import array_names, holds_array, open_array
from afkit.data.features import RawFeatures, has_features, open_features, read_features
from afkit.workbench.datasets.sensors import sensor_arguments

SECTION = "Hostile and broken files"
TABLE = np.arange(24, dtype=np.float32).reshape(6, 4)


def rows(path):
    return RawFeatures([open_array(path, "video", "video")], [path], "video").rows()


def refused(path, match, tally, row="features", read=rows):
    """One sentence with the file, after little memory."""

    def attempt():
        with pytest.raises(ValueError, match=match) as caught:
            read(path)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)

    ended = in_child(attempt, seconds=20)
    assert ended.end == "done", ended
    assert ended.memory_mb < 100
    tally(SECTION, row, cases=1, refused=1, code_run=0, other_exceptions=0)


def header(text, version=b"\x01\x00"):
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode() + bytes(96)


HEADERS = {
    "a giant shape": header("{'descr': '<f4', 'fortran_order': False, 'shape': (10000000000000, 4)}\n"),
    "a shape beyond all numbers": header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**40}, 4)}}\n"),
    "negative shape": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-6, -4)}\n"),
    "no literal": header("__import__('os').mkdir('ran')\n"),
    "deep brackets": header("(" * 3000 + "\n"),
    "open brackets": header("{'descr': ('<f4', \n"),
    "version 9": header("{'descr': '<f4', 'fortran_order': False, 'shape': (6, 4)}\n", b"\x09\x00"),
    "a header that is longer than the file": b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{}",
    "objects": header("{'descr': '|O', 'fortran_order': False, 'shape': (3, 4)}\n"),
    "structures": npy_bytes(np.zeros((6, 4), [("x", "<f4"), ("y", "<f4")])),
    "texts": npy_bytes(np.full((6, 4), "abc")),
    "dates": npy_bytes(np.zeros((6, 4), "datetime64[s]")),
    "complex numbers": npy_bytes(np.zeros((6, 4), complex)),
    "no rows": npy_bytes(np.zeros((0, 4))),
    "one dimension": npy_bytes(np.zeros(4)),
}


@pytest.mark.parametrize("kind", HEADERS)
@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_hostile_headers(tmp_path, monkeypatch, kind, ending, tally):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"video.{ending}"
    path.write_bytes(HEADERS[kind] if ending == "npy" else zipped({"feats.npy": HEADERS[kind]}))
    refused(path, "not a readable feature file|must be", tally)
    assert not (tmp_path / "ran").exists()


def zipped(members, kind=zipfile.ZIP_DEFLATED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", kind) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return buffer.getvalue()


@pytest.mark.parametrize("ending", ["npy", "npz"])
def test_pickled_objects_are_not_read(tmp_path, ending, tally):
    trace, path = tmp_path / "ran", tmp_path / f"video.{ending}"
    array = np.array([[Runs(trace)] * 4] * 6, dtype=object)
    if ending == "npy":
        path.write_bytes(npy_bytes(array, allow_pickle=True))
    else:
        np.savez(path, feats=array)
    refused(path, "pickle", tally)
    assert not trace.exists()


@pytest.mark.parametrize(
    "array",
    [
        TABLE.astype(">f8"),
        np.asfortranarray(TABLE),
        TABLE.astype(">i2"),
        TABLE.astype("<u8"),
        TABLE.astype(np.float16),
        TABLE > 3,
    ],
    ids=str,
)
def test_other_orders_of_bytes_and_numbers_are_read_right(tmp_path, array):
    for name in ("video.npy", "video.npz"):
        path = tmp_path / name
        (np.save if name.endswith("npy") else np.savez)(path, array)
        found = rows(path)
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, array.astype(np.float32))


@pytest.mark.parametrize(
    "members",
    [
        {"feats.npy": b"no array"},
        {"feats.npy": b""},
        {"readme.txt": b"x"},
        {"a.npy": npy_bytes(TABLE), "b.npy": npy_bytes(TABLE)},
        {"../feats.npy": b"\x93NUMPY"},
        {},
    ],
)
def test_npz_without_an_array(tmp_path, members, tally):
    path = tmp_path / "video.npz"
    path.write_bytes(zipped(members))
    refused(path, "not a readable feature file|has no array", tally)


def test_an_npz_bomb(tmp_path, tally):
    path = tmp_path / "video.npz"
    np.savez_compressed(path, feats=np.zeros((25_000_000, 4), np.float32))
    assert path.stat().st_size < MB
    refused(path, "unpacks to 400000128 bytes, more than 100 times", tally)


# ---- HDF5


def hdf5(path, write):
    with h5py.File(path, "w") as file:
        write(file)
    return path


def external_values(file):
    secret = file.filename + ".secret"
    with open(secret, "wb") as other:  # noqa: PTH123
        other.write(bytes(96))
    file.create_dataset("video", (6, 4), "<f4", external=[(secret, 0, 96)])


def virtual(file):
    layout = h5py.VirtualLayout((6, 4), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "video", (6, 4))
    file.create_virtual_dataset("video", layout)


def loop(file):
    file["video"], file["b"] = h5py.SoftLink("/b"), h5py.SoftLink("/video")


def objects(dtype):
    return lambda file: file.create_dataset("video", (6, 4), dtype)


def link_in_a_group(file):
    file["a"] = h5py.ExternalLink("other.h5", "/")


HOSTILE_HDF5 = {
    "a link to another file": (
        lambda file: file.__setitem__("video", h5py.ExternalLink("other.h5", "video")),
        "is a link",
    ),
    "a link in a circle": (loop, "is a link"),
    "a link that leads nowhere": (lambda file: file.__setitem__("video", h5py.SoftLink("/b")), "is a link"),
    "values in another file": (external_values, "lie in other files"),
    "a virtual array of another file": (virtual, "lie in other files"),
    "references": (objects(h5py.ref_dtype), "type object, which is no number"),
    "texts": (objects(h5py.string_dtype()), "type object, which is no number"),
    "lists": (objects(h5py.vlen_dtype(np.float32)), "type object, which is no number"),
    "structures": (objects([("x", "<f4")]), "which is no number"),
    "a group": (lambda file: file.create_group("video"), "is a group"),
    "nothing": (lambda file: None, "has no array"),
    "an empty array": (lambda file: file.create_dataset("video", data=h5py.Empty("f4")), "is empty"),
    "a number": (lambda file: file.create_dataset("video", data=3.0), "must be"),
    "a million million numbers": (
        lambda file: file.create_dataset("video", (250 * 10**9, 4), "<f4", chunks=(1000, 4), compression="gzip"),
        "unpacks to 4000000000000 bytes",
    ),
    "zeros": (
        lambda file: file.create_dataset("video", data=np.zeros((10**7, 4), "<f4"), compression="gzip"),
        "unpacks to",
    ),
    "a huge chunk": (
        lambda file: file.create_dataset("video", (6, 4), "<f4", chunks=(6 * 10**7, 4), maxshape=(None, 4)),
        "unpacks to 960000000 bytes",
    ),
}


@pytest.mark.parametrize("kind", HOSTILE_HDF5)
def test_hostile_hdf5(tmp_path, monkeypatch, kind, tally):
    monkeypatch.chdir(tmp_path)
    hdf5(tmp_path / "other.h5", lambda file: file.create_dataset("video", data=TABLE))
    write, match = HOSTILE_HDF5[kind]
    refused(hdf5(tmp_path / "video.h5", write), match, tally, "features in HDF5")


def test_a_link_on_the_way_to_an_array_is_not_followed(tmp_path, monkeypatch, tally):
    monkeypatch.chdir(tmp_path)
    hdf5(tmp_path / "other.h5", lambda file: file.create_dataset("video", data=TABLE))
    path = hdf5(tmp_path / "all.h5", link_in_a_group)
    refused(path, "is a link", tally, "features in HDF5", lambda path: open_array(path, "a/video", "a/video"))
    assert array_names(path) == [] and holds_array(path, "a/video") and not holds_array(path, "b")


@pytest.mark.parametrize("name", ["video", "/video", "\ud800", "", ".", "..", "video/x", "a" * 100_000])
def test_odd_names_in_hdf5(tmp_path, name):
    path = hdf5(tmp_path / "all.h5", lambda file: file.create_dataset("video", data=TABLE))
    if name.strip("/") == "video":
        assert holds_array(path, name) and open_array(path, name, "x").shape == (6, 4)
    else:
        with pytest.raises(ValueError, match=r"all\.h5"):
            open_array(path, name, "x")
        assert holds_array(path, name) in (True, False)


def test_compressed_features_with_many_zeros_are_read(tmp_path):
    table = np.zeros((10**5, 4), np.float32)
    path = hdf5(tmp_path / "video.h5", lambda file: file.create_dataset("video", data=table, compression="gzip"))
    np.testing.assert_array_equal(rows(path), table)


# ---- tables


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a,b\n",
        "1,2\n3\n",
        "1,x\n",
        "1,nan\n",
        "1,1e400\n",
        "\x00",
        "1,2\n\x00,3\n",
        "9" * 5000 + ",y",
        "\ufeff",
        "=cmd|' /C calc'!A0,1",
        "1;2,3\n4;5.6",
    ],
)
def test_hostile_tables(tmp_path, text, tally):
    path = tmp_path / "video.csv"
    path.write_text(text)
    refused(path, "not a readable feature file", tally)


# ---- names


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/../../x", ".."])
def test_a_name_does_not_lead_out_of_the_folder(tmp_path, name, tally):
    write_tiny_data(tmp_path)
    np.save(tmp_path.parent / "x.npy", TABLE)
    config = tiny_recipe().data
    for read in (has_features, open_features, read_features):
        with pytest.raises(ValueError, match="leads out of the folder") as caught:
            read(config, tmp_path, name if name != ".." else "../features/video0")
        assert name in str(caught.value)
    for data_set in ("watch", "hapt"):
        with pytest.raises(ValueError, match="leads out of the folder"):
            sensor_arguments(f"{data_set}/annotations/x.json", tmp_path, "../x")
    tally(SECTION, "names of videos", cases=1, refused=1, code_run=0, other_exceptions=0)


def test_a_name_may_name_a_folder_inside(tmp_path):
    write_tiny_data(tmp_path)
    folder = tmp_path / "tiny" / "features"
    (folder / "a").mkdir()
    (folder / "video0.npy").rename(folder / "a" / "b.npy")
    assert read_features(tiny_recipe().data, tmp_path, "a/b").shape[1] == 6


@pytest.mark.parametrize("name", ["x\x00", "\ud800", "x" * 5000, "CON", "<script>", "\u202egnp", "\x1b[31m"])
def test_odd_names_have_no_features(tmp_path, name):
    write_tiny_data(tmp_path)
    if len(name) > 255:
        with pytest.raises(ValueError, match="too long for a file"):
            has_features(tiny_recipe().data, tmp_path, name)
    else:
        assert not has_features(tiny_recipe().data, tmp_path, name)
    with pytest.raises(ValueError, match="video"):
        read_features(tiny_recipe().data, tmp_path, name)


@pytest.mark.parametrize(
    "array",
    [np.zeros((7, 6), object), np.zeros(7), np.zeros((0, 6)), np.full((7, 6), "x"), np.array(3)],
    ids=["objects", "a row", "nothing", "texts", "a number"],
)
def test_hostile_sensor_signals(tmp_path, array, tally):
    for data_set, places in {"watch": ["signals"], "hapt": ["acceleration", "rotation"]}.items():
        for place in places:
            folder = tmp_path / data_set / place
            folder.mkdir(parents=True)
            np.save(folder / "video.npy", array, allow_pickle=True)
        with pytest.raises(ValueError, match="the signal of 'video' cannot be read"):
            sensor_arguments(f"{data_set}/annotations/x.json", tmp_path, "video")
    tally(SECTION, "sensor signals", cases=2, refused=2, code_run=0, other_exceptions=0)


def test_numbers_beyond_float32_become_infinite_and_are_found_by_the_checks(tmp_path):
    path = tmp_path / "video.npy"
    np.save(path, np.full((6, 4), 1e300))
    with np.errstate(over="ignore"):
        assert rows(path)[0, 0] == math.inf
