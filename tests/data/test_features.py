"""Feature files: formats, several folders, and messages that name the file."""

import numpy as np
import pytest
from tiny_data import tiny_recipe

from afkit.data.features import feature_files, has_features, locate, read_features


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


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int16])
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


class Canary:
    """A pickle of this ends the test with an error when it is read."""

    def __reduce__(self):
        return pytest.fail, ("a pickled object was read",)


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_pickled_objects_are_refused(folder, suffix):
    content = np.array([[Canary()] * 6] * 3, dtype=object)
    np.save(folder / "v.npy", content, allow_pickle=True) if suffix == ".npy" else np.savez(
        folder / "v.npz", feats=content
    )
    with pytest.raises(ValueError, match="is not a readable feature file"):
        read_features(config(suffix=suffix), folder.parent, "v")


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
