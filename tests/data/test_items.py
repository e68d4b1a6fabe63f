"""Items: the original's data sets read from disk, crops with its random numbers, and what a crop depends on."""

import random
import re

import numpy as np
import pytest
import torch
from golden_files import OWN, arrays, content
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_data import (
    change_video,
    read_database,
    seconds_of,
    tiny_recipe,
    training_set,
    write_annotations,
    write_tiny_data,
)

from afkit.config import DataConfig
from afkit.data.items import CROP_TRIES, Dataset, Item, crop
from afkit.workbench.original import recipe_from_original

CROP_FOLDERS = ("truncate", "truncate_tridet")
DATA_SETS = sorted(path.name for path in (OWN / "dataset").iterdir() if not path.name.startswith("truncate"))


def data_config(tag):
    """(expected.json, the `data` section of a recipe with its arguments)."""
    expected = content(f"dataset/{tag}/expected.json")
    model = {"backbone_arch": [2, 2, 3], "regression_range": [[0, 4], [4, 8], [8, 16], [16, 10000]]}
    source = {"dataset_name": expected["kind"], "dataset": expected["args"], "model": model}
    if expected["kind"] == "hacs":
        source["model_name"], model["n_sgp_win_size"] = "TriDet", 1
    return expected, recipe_from_original(source).data


@pytest.mark.parametrize("tag", DATA_SETS)
def test_items_equal_the_original(tag):
    expected, config = data_config(tag)
    saved = arrays(f"dataset/{tag}/expected.npz")
    for run in expected["runs"]:
        dataset = Dataset(config, OWN / "dataset" / tag, run["split"], training=run["is_training"])
        assert len(dataset) == run["n_items"] == len(run["items"])
        assert {name: label for label, name in dataset.label_names.items()} == run["label_dict"]
        assert config.tious == pytest.approx(run["attributes"]["tiou_thresholds"])
        for item, wanted in zip((dataset[i] for i in range(len(dataset))), run["items"], strict=True):
            key = f"{'train' if run['is_training'] else 'eval'}.{wanted['index']}"
            assert item.video == wanted["video_id"]
            unknown = wanted["duration"] == 1e8  # the original's stand-in
            assert (item.fps, item.duration) == (wanted["fps"], None if unknown else wanted["duration"])
            assert item.stride == pytest.approx(wanted["feat_stride"], rel=1e-12)
            assert item.num_frames == pytest.approx(wanted["feat_num_frames"], rel=1e-12)
            np.testing.assert_array_equal(item.features, saved[f"{key}.feats"])
            assert item.features.dtype == torch.float32
            assert (item.segments is not None) == wanted["has_gt"] == (f"{key}.segments" in saved)
            if wanted["has_gt"]:
                np.testing.assert_allclose(item.segments, saved[f"{key}.segments"], rtol=0, atol=1e-5)
                np.testing.assert_array_equal(item.labels, saved[f"{key}.labels"])
                assert (item.segments.dtype, item.labels.dtype) == (torch.float32, torch.int64)


def test_the_goldens_hold_nine_data_sets():
    assert len(DATA_SETS) == 9


# ---- crops


class Replayed:
    """Gives recorded numbers, and insists on the recorded limits."""

    def __init__(self, calls):
        self.calls = list(calls)

    def randint(self, low, high):
        """The next recorded number."""
        expected_low, expected_high, value = self.calls.pop(0)
        assert (low, high) == (expected_low, expected_high)
        return value


CROPS = [(folder, case) for folder in CROP_FOLDERS for case in content(f"dataset/{folder}/truncate.json")]


@pytest.mark.parametrize(("folder", "case"), CROPS, ids=str)
def test_crops_equal_the_original(folder, case):
    saved = arrays(f"dataset/{folder}/truncate.npz")
    names = ("feats", "segments", "labels")
    features, segments, labels = (torch.from_numpy(saved[f"c{case['case']}.{name}"]) for name in names)
    config = tiny_recipe().data.model_copy(
        update={
            "max_seq_len": case["max_seq_len"],
            "crop_min_overlap": case["trunc_thresh"],
            "crop_ratio": case["crop_ratio"],
            "crop_margin": folder == "truncate",
        }
    )
    item = Item("v", features, segments, labels, 1.0, 1.0, 1.0, 2 * case["offset"])
    draws = Replayed(case["randint_calls"])
    found = crop(item, config, draws)
    assert not draws.calls
    np.testing.assert_array_equal(found.features, saved[f"c{case['case']}.out_feats"])
    np.testing.assert_allclose(found.segments, saved[f"c{case['case']}.out_segments"], rtol=0, atol=1e-5)
    np.testing.assert_array_equal(found.labels, saved[f"c{case['case']}.out_labels"])


def numbered(length, segments, margin=1.0):
    """An item whose features count the steps."""
    features = torch.arange(float(length))[None]
    labels = torch.arange(len(segments))
    segments = torch.tensor(segments, dtype=torch.float32).reshape(-1, 2)
    return Item("v", features, segments, labels, 1.0, 1.0, 1.0, 2 * margin)


def crop_config(**settings):
    """A `data` section whose limits need not fit a network."""
    return DataConfig(**(tiny_recipe().data.model_dump() | {"max_seq_len": 10} | settings))


@settings(max_examples=150)
@given(
    st.integers(0, 10**6),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 50), st.integers(1, 20)), min_size=1, max_size=5),
    st.sampled_from([None, (0.5, 1.0), (0.9, 1.0), (0.3, 0.6)]),
    st.sampled_from([0.0, 0.3, 0.5, 1.0]),
)
def test_a_crop_is_a_window_with_what_lies_in_it(seed, length, actions, ratio, overlap):
    item = numbered(length, [(onset, onset + extent) for onset, extent in actions])
    config = crop_config(max_seq_len=30, crop_ratio=ratio, crop_min_overlap=overlap)
    found = crop(item, config, random.Random(seed))
    steps, start = found.features.shape[1], int(found.features[0, 0])
    assert found.features[0].tolist() == list(range(start, start + steps))
    if length > 30:
        assert steps == 30
    elif ratio is None:
        assert found is item
    else:
        assert max(round(ratio[0] * length), 1) <= steps <= min(round(ratio[1] * length), length)
    if steps == length:
        assert torch.equal(found.segments, item.segments)
        return
    expected = []
    for label, (onset, end) in enumerate(item.segments.tolist()):
        first, last = (min(max(time, start - 1.0), start + steps + 1.0) for time in (onset, end))
        if last - first >= overlap * (end - onset):
            expected.append((first - start, last - start, label))
    assert [
        (*segment, label) for segment, label in zip(found.segments.tolist(), found.labels.tolist(), strict=True)
    ] == expected


def test_a_hopeless_crop_ends_with_the_last_try():
    calls = [(0, 90, 0)] * CROP_TRIES
    found = crop(numbered(100, [(80, 90)]), crop_config(), draws := Replayed(calls))
    assert (len(found.labels), found.features.shape[1], draws.calls) == (0, 10, [])


def test_a_video_without_annotation_is_cropped_only_where_it_is_too_long():
    short, long = (numbered(length, [])._replace(segments=None, labels=None) for length in (10, 15))
    assert crop(short, crop_config(crop_ratio=(0.5, 0.6)), Replayed([])) is short
    found = crop(long, crop_config(), Replayed([(0, 5, 3)]))
    assert found.features[0].tolist() == list(range(3, 13))
    assert found.segments is None and found.labels is None


def test_ignored_spans_are_on_the_grid_and_move_with_a_crop(tmp_path):
    write_tiny_data(tmp_path)
    change_video(
        tmp_path, "video0", annotated=[seconds_of(4), seconds_of(20)], ignored=[[seconds_of(9), seconds_of(11)]]
    )
    dataset = training_set(tmp_path, tiny_recipe())
    item = dataset.unread(0)
    torch.testing.assert_close(item.ignored, torch.tensor([[-torch.inf, 4], [9, 11], [20, torch.inf]]))
    found = crop(item, crop_config(), Replayed([(0, item.features.shape[1] - 10, 3)] * CROP_TRIES))
    torch.testing.assert_close(found.ignored, torch.tensor([[-torch.inf, 1], [6, 8], [17, torch.inf]]))
    assert dataset.unread(1).ignored is None


# ---- the data set


def same_items(a, b):
    """Whether two items hold the same features and segments."""
    return (
        a.features.shape == b.features.shape
        and torch.equal(a.features, b.features)
        and torch.equal(a.segments, b.segments)
    )


def test_crops_depend_on_seed_epoch_and_index_alone(root):
    recipe = tiny_recipe()
    first, again, other = (training_set(root, recipe, seed=seed) for seed in (3, 3, 4))
    items = [first[index] for index in range(6)]
    random.seed(5)
    torch.manual_seed(5)
    assert all(same_items(items[index], again[index]) for index in (4, 0, 5, 2, 1, 3))
    assert all(same_items(items[index], first[index]) for index in range(6))
    assert not all(same_items(items[index], other[index]) for index in range(6))
    again.epoch = 1
    assert not all(same_items(items[index], again[index]) for index in range(6))
    again.epoch = 0
    assert all(same_items(items[index], again[index]) for index in range(6))


def test_the_recipe_frame_rate_wins(root):
    assert Dataset(tiny_recipe(data__fps=25).data, root, ["test"])[0].fps == 25


def test_without_any_frame_rate_the_video_is_named(root):
    database = read_database(root)
    del database["video6"]["fps"]
    write_annotations(root, database)
    with pytest.raises(
        ValueError, match=r"video 'video6' has no 'fps' in the annotation file; add it, or set data\.fps"
    ):
        Dataset(tiny_recipe().data, root, ["test"])[0]


def test_one_class_of_many_labels(root):
    item = Dataset(tiny_recipe(data__num_classes=1).data, root, ["test"])[0]
    assert set(item.labels.tolist()) == {0}


def test_videos_without_features_are_left_out_or_reported(root):
    (root / "tiny/features/video2.npy").unlink()
    dataset = training_set(root, tiny_recipe())
    assert dataset.missing == ["video2"]
    assert [video.name for video in dataset.videos] == ["video0", "video1", "video3", "video4", "video5"]
    strict = training_set(root, tiny_recipe(data__skip_missing=False))
    assert (len(strict), strict.missing) == (6, [])
    with pytest.raises(ValueError, match=r"video2\.npy does not exist; put the features there"):
        strict[2]


def test_what_is_left_out_is_counted_and_more_than_allowed_is_an_error(root):
    assert training_set(root, tiny_recipe()).counted == "6 videos"
    training_set(root, tiny_recipe(data__max_missing=0)).check_missing()
    (root / "tiny/features/video2.npy").unlink()
    dataset = training_set(root, tiny_recipe())
    assert dataset.counted == "5 videos (1 more have no features and are left out)"
    message = (
        f"1 of 6 videos of training have no features in {root / 'tiny/features'} (e.g. 'video2'), more than "
        "data.max_missing = 0.1 allows; add them, or set data.max_missing=0.17"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        dataset.check_missing()
    for share in (0.17, 1 / 6, 1):
        training_set(root, tiny_recipe(data__max_missing=share)).check_missing()
    Dataset(tiny_recipe(data__max_missing=0.125).data, root, ["training", "test"]).check_missing()  # 1 of 8


def test_a_data_set_without_any_features_is_refused(root):
    recipe = tiny_recipe(data__prefix="other_")
    with pytest.raises(
        ValueError, match=r"no video of training in .*annotations\.json has a feature file in .*features"
    ):
        training_set(root, recipe)


def test_a_missing_annotation_file_is_named(tmp_path):
    with pytest.raises(
        ValueError, match=r"annotation file .*tiny.annotations\.json does not exist; prepare the data set"
    ):
        training_set(tmp_path, tiny_recipe())
