"""Odd files that are read right, whose size is bounded, or whose names lead nowhere."""

import gzip
import io

import h5py
import numpy as np
import pytest
import torch
from hostile import in_child, saved
from readers import TABLE, feature_rows, read_recipe, resume_training, training_checkpoint
from test_hostile_files import HUGE, ROW, one_video, prediction
from tiny_data import tiny_recipe, write_tiny_data

from afkit.data.annotations import read_annotations, to_frame
from afkit.data.feature_formats import array_names, holds_array, open_array
from afkit.data.features import has_features, open_features, read_features
from afkit.files import read_json
from afkit.model.checkpoints import load_weights
from afkit.recipes import recipe
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.datasets.sensors import sensor_arguments
from afkit.workbench.sweeps.sweep_file import read_sweep

# ---- annotations and predictions


def test_negative_zero_and_repeated_numbers_stay(tmp_path):
    path = tmp_path / "theirs.json"
    path.write_text(one_video(rows=ROW.replace("0, 1", "-0.0, 1e-320")))
    assert read_annotations(path).videos["a"].segments_sec.tolist() == [[0.0, 1e-320]]


def test_many_videos(tmp_path, hostile):
    """A million took 1.4 GB and a minute of a busy processor; time and memory are in proportion."""
    path = tmp_path / "many.json"
    with path.open("w") as file:
        file.write('{"database": {')
        file.writelines(f'"v{i}": {{"subset": "x", "annotations": [{ROW}]}},' for i in range(2 * 10**4))
        file.write('"last": {"subset": "x"}}}')
    ended = in_child(lambda: len(to_frame(read_annotations(path).videos.values(), clean=False)), 4096, 60)
    assert ended.end == "done" and ended.said == 2 * 10**4 and ended.memory_mb < 80, ended
    hostile("annotations", refused=0)


def test_a_compressed_bomb(tmp_path, refused):
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(b" " * 2**28, 9))
    refused("predictions", read_json, path, "unpacks to more than 67108864 bytes", grown_mb=200)


def test_numbers_that_are_no_ids_are_unknown_labels(tmp_path):
    path = tmp_path / "p.json"
    for label in (HUGE, '"' + "9" * 5000 + '"', "1e300", "-5"):
        path.write_text(prediction(label=label))
        assert read_predictions(path, {0: "walk"}, "keep")["label"].tolist() == [-1]


# ---- settings


def test_aliases_and_merges_of_ordinary_size_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("recipes: [watch]\nseeds: &s [1, 2]\noverrides: {optim.epochs: *s}\n")
    assert len(read_sweep(path).cells) == 4
    run = "{recipe: watch, overrides: {<<: *fold, optim.epochs: %d}}"
    text = f"runs:\n- recipe: watch\n  overrides: &fold {{model.windows: 7}}\n- {run % 3}\n- {run % 4}\n"
    path.write_text(text)
    assert [cell.overrides.get("model.windows") for cell in read_sweep(path).cells] == [7, 7, 7]
    path.write_text(
        "base: watch\nmodel: {regression_ranges: [[0, &a 4], [*a, 8], [8, 16], [16, 32], [32, 64], [64, 1e4]]}\n"
    )
    assert read_recipe(path)["model"]["regression_ranges"][1] == (4, 8)


# ---- features


def hdf5(path, **options):
    with h5py.File(path, "w") as file:
        file.create_dataset("video", **{"data": TABLE} | options)
    return path


def test_a_link_on_the_way_to_an_array_is_not_followed(tmp_path, monkeypatch, refused):
    monkeypatch.chdir(tmp_path)
    hdf5(tmp_path / "other.h5")
    with h5py.File(path := tmp_path / "all.h5", "w") as file:
        file["a"] = h5py.ExternalLink("other.h5", "/")
    refused("features in HDF5", lambda path: open_array(path, "a/video", "a/video"), path, "is a link")
    assert array_names(path) == [] and holds_array(path, "a/video") and not holds_array(path, "b")


@pytest.mark.parametrize("name", ["video", "/video", "\ud800", "", ".", "..", "video/x", "a" * 100_000])
def test_odd_names_in_hdf5(tmp_path, name):
    path = hdf5(tmp_path / "all.h5")
    if name.strip("/") == "video":
        assert holds_array(path, name) and open_array(path, name, "x").shape == (6, 4)
    else:
        with pytest.raises(ValueError, match=r"all\.h5"):
            open_array(path, name, "x")
        assert holds_array(path, name) in (True, False)


def test_compressed_features_with_many_zeros_are_read(tmp_path):
    table = np.zeros((10**5, 4), np.float32)
    np.testing.assert_array_equal(feature_rows(hdf5(tmp_path / "video.h5", data=table, compression="gzip")), table)


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a/../../x", ".."])
def test_a_name_does_not_lead_out_of_the_folder(tmp_path, name, hostile):
    write_tiny_data(tmp_path)
    np.save(tmp_path.parent / "x.npy", TABLE)
    config = tiny_recipe().data
    for read in (has_features, open_features, read_features):
        with pytest.raises(ValueError, match="leads out of the folder") as caught:
            read(config, tmp_path, name if name != ".." else "../features/video0")
        assert name in str(caught.value)
    for data_set in ("watch", "hapt"):
        with pytest.raises(ValueError, match="leads out of the folder"):
            sensor_arguments(recipe(data_set).data, tmp_path, "../x")
    hostile("names of videos")


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
def test_hostile_sensor_signals(tmp_path, array, hostile):
    for data_set, places in {"watch": ["signals"], "hapt": ["acceleration", "rotation"]}.items():
        for place in places:
            folder = tmp_path / data_set / place
            folder.mkdir(parents=True)
            np.save(folder / "video.npy", array, allow_pickle=True)
        with pytest.raises(ValueError, match="the signal of 'video' cannot be read"):
            sensor_arguments(recipe(data_set).data, tmp_path, "video")
        hostile("sensor signals")


# ---- weights and tables


def test_weights_of_half_precision_are_read(tmp_path):
    path, model = tmp_path / "a.pth.tar", torch.nn.Linear(4, 3)
    path.write_bytes(saved({"state_dict_ema": {"weight": torch.full((3, 4), 0.5).half(), "bias": torch.ones(3)}}))
    load_weights(model, path)
    assert model.weight.dtype == torch.float32 and bool((model.weight == 0.5).all())


def test_training_checkpoints_of_another_kind(tmp_path, refused):
    good = torch.load(io.BytesIO(training_checkpoint(tmp_path)), weights_only=True)
    path = tmp_path / "step000000001.pt"
    path.write_bytes(saved(good))
    assert resume_training(path)
    changes = {"step": ["x", None], "validation": [3], "random": [[{}], None], "execution": [3], "model": [3]}
    for name, values in (changes | {"optimizer": [{}], "metrics": [None], "schedule": [[]]}).items():
        for value in values:
            path.write_bytes(saved(good | {name: value}))
            refused("training checkpoints", resume_training, path, "does not fit this version")
