"""What a data set says about itself, by hand-made numbers."""

from dataclasses import replace

import h5py
import numpy as np
import pytest
from tiny_data import FPS, NUM_FRAMES, STRIDE, change_video, read_database, tiny_recipe, write_annotations

from afkit.data.annotations import read_annotations
from afkit.workbench.survey.facts import Grid, choose_subsets, durations_of, find_grid, measure, read_shapes

GRID = Grid(4, 8, False)


def entry(subset, segments, duration=40.0, labels=None):
    """A video at 10 frames per second; 2.5 steps of the grid make a second."""
    labels = labels or [0] * len(segments)
    rows = [{"segment": s, "label": f"l{label}", "label_id": label} for s, label in zip(segments, labels, strict=True)]
    return {"subset": subset, "duration": duration, "fps": FPS, "annotations": rows}


@pytest.fixture
def hand_made(tmp_path):
    """A function from videos to the annotation file that holds them."""

    def write(**videos):
        write_annotations(tmp_path, videos)
        return read_annotations(tmp_path / "tiny" / "annotations.json")

    return write


def test_facts_are_those_of_the_training_videos(hand_made):
    file = hand_made(
        a=entry("training", [[0, 4], [2, 6], [10, 10.0005]], labels=[0, 0, 0]),
        b=entry("training", [[0, 4], [0, 4], [2, 6]], labels=[1, 1, 2], duration=20.0),
        c=entry("training", []),
        d=entry("test", [[0, 30]], labels=[6]),
    )
    facts = measure(file, ["training"], GRID)
    assert facts.lengths.tolist() == [99, 49, 99]  # (400 - 8) // 4 + 1 and (200 - 8) // 4 + 1
    assert facts.actions.tolist() == [2, 3, 0], "an action of half a millisecond is none"
    np.testing.assert_allclose(facts.durations_grid, [10] * 5)  # 4 s x 10 frames / 4
    np.testing.assert_allclose(facts.neighbours, [1 / 3, 1 / 3, 0, 0, 0], err_msg="a repetition is no neighbour")
    assert facts.num_classes == 7, "the test's labels must have a place, too"
    facts = measure(file, ["training"], GRID, lengths={"a": 50, "b": 0})
    assert (facts.lengths.tolist(), facts.actions.tolist()) == ([50], [2]), "videos without features are left out"
    assert measure(file, ["training"], GRID, fps=20).durations_grid.tolist() == [20] * 5, "before the file's rate"


@pytest.mark.parametrize(
    ("changes", "arguments", "message"),
    [
        ({"annotations": []}, {}, "no action to learn from"),
        ({}, {"lengths": {}}, "no action to learn from"),
        ({"duration": None}, {}, "video 'a' has no duration; add it, or give its features"),
        ({"fps": None}, {}, "video 'a' has no 'fps'"),
    ],
)
def test_what_cannot_be_measured_is_named(hand_made, changes, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(hand_made(a=entry("training", [[0, 4]]) | changes), ["training"], GRID, **arguments)


@pytest.mark.parametrize(
    ("there", "given", "chosen"),
    [
        (["training", "test"], ([], []), (["training"], ["test"])),
        (["validation", "train"], ([], []), (["train"], ["validation"])),
        (["validation", "test"], (["validation"], ["test"]), (["validation"], ["test"])),
        (["training", "validation", "test"], (["training", "validation"], ["test"]), None),
    ],
)
def test_subsets_go_by_their_names_where_these_say_it(hand_made, there, given, chosen):
    file = hand_made(**{f"v{i}": entry(subset, [[0, 4]]) for i, subset in enumerate(there)})
    assert choose_subsets(file, *given) == (chosen or given)


@pytest.mark.parametrize(
    ("there", "given", "message"),
    [
        (["validation", "test"], ([], []), "has the subsets 'test', 'validation'; say which are for training and"),
        (["training", "validation", "test"], ([], []), "has the subsets 'test', 'training', 'validation'; say"),
        (["training"], ([], []), "has the subsets 'training'; say"),
        (["training", "test"], (["training"], []), "say which are for training and which for test"),
        (["training", "test"], (["training"], ["tset"]), "no video of the subset 'tset'; did you mean 'test'"),
    ],
)
def test_subsets_that_must_be_given(hand_made, there, given, message):
    file = hand_made(**{f"v{i}": entry(subset, [[0, 4]]) for i, subset in enumerate(there)})
    with pytest.raises(ValueError, match=message):
        choose_subsets(file, *given)


def test_the_stride_is_found_from_lengths_and_durations(hand_made):
    file = hand_made(**{name: entry("training", []) for name in "abc"})  # 400 frames each
    videos = file.of_subsets(["training"])
    assert find_grid(videos, None, 4.0, 8.0, None) == Grid(4, 8, False)
    assert find_grid(videos, None, 4.5, None, None) == Grid(4.5, 4.5, False), "vectors side by side"
    assert find_grid(videos, None, None, 8, {"a": 99, "b": 99, "c": 50}) == Grid(4, 8, True)  # 392 / 98; median
    assert find_grid(videos, None, None, 100, dict.fromkeys("abc", 76)) == Grid(4, 100, True)  # 300 / 75
    assert find_grid(videos, None, None, None, dict.fromkeys("abc", 99)) == Grid(4, 4, True)  # 400 / 99 = 4.04
    assert find_grid(videos, None, None, None, dict.fromkeys("abc", 90)) == Grid(4.444, 4.444, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((None, None, None, None), "the stride cannot be told without lengths and durations"),
        ((None, None, None, {"b": 3}), "the stride cannot be told without lengths and durations"),
        ((None, 0, None, None), "stride_frames is 0; give a number above 0"),
        ((None, 4, -1, None), "num_frames is -1; give a number above 0"),
        ((0, 4, None, None), "fps is 0; give a number above 0"),
        ((float("nan"), 4, None, None), "fps is nan; give a number above 0"),
    ],
)
def test_grids_that_cannot_be(hand_made, arguments, message):
    videos = hand_made(a=entry("training", [])).of_subsets(["training"])
    with pytest.raises(ValueError, match=message):
        find_grid(videos, *arguments)


def test_shapes_are_those_of_the_files(root):
    videos = read_annotations(root / "tiny" / "annotations.json").of_subsets(["training", "test"])
    lengths = {name: round((v["duration"] * FPS - NUM_FRAMES) / STRIDE) + 1 for name, v in read_database(root).items()}
    (root / "tiny" / "features" / "video3.npy").unlink()
    found = read_shapes(root, ["tiny/features", "tiny/features"], "", videos)
    assert (found.suffix, found.widths) == (".npy", [6, 6])
    assert found.lengths == {name: length for name, length in lengths.items() if name != "video3"}


def test_the_format_is_that_of_most_videos_and_one_file_can_hold_all(root):
    videos = read_annotations(root / "tiny" / "annotations.json").of_subsets(["training", "test"])
    for number in range(4):
        path = root / "tiny" / "features" / f"video{number}.npy"
        np.savez(path.with_name(f"v_video{number}.npz"), feats=np.load(path)[:5, :3])
    found = read_shapes(root, ["tiny/features"], "v_", videos)
    assert found == (".npz", [3], {f"video{number}": 5 for number in range(4)})
    with h5py.File(root / "all.h5", "w") as file:
        file["video6"] = np.zeros((7, 2), np.float32)
    assert read_shapes(root, ["all.h5"], "", videos)[1:] == ([2], {"video6": 7})
    (root / "short").mkdir()
    np.save(root / "short" / "video6.npy", np.zeros((7, 2), np.float32))
    for features in (["tiny/features", "short"], ["short", "tiny/features"]):
        assert read_shapes(root, features, "", videos).lengths["video6"] == 7, "the shortest folder counts"


def test_features_that_do_not_fit_are_named(root):
    videos = read_annotations(root / "tiny" / "annotations.json").of_subsets(["training"])
    with pytest.raises(ValueError, match=r"no video has features in tiny/features; put x_video0\.npy or the like"):
        read_shapes(root, ["tiny/features"], "x_", videos)
    np.save(root / "tiny" / "features" / "video2.npy", np.zeros((50, 5), np.float32))
    with pytest.raises(ValueError, match=r"video2\.npy has 5 channels, other videos have 6; extract 'video2' again"):
        read_shapes(root, ["tiny/features"], "", videos)
    with pytest.raises(ValueError, match="the stride cannot be told"):
        find_grid([replace(videos[0], duration_sec=None)], None, None, NUM_FRAMES, {"video0": 50})


# ---- durations


def found(root, **overrides):
    return durations_of(
        tiny_recipe(**overrides).data, root, read_annotations(root / "tiny/annotations.json").of_subsets(["test"])
    )


def test_the_file_goes_before_the_features_and_where_neither_tells_there_is_none(root):
    database = read_database(root)
    change_video(root, "video6", duration=7.5)
    change_video(root, "video7", duration=None)
    assert found(root) == {"video6": 7.5, "video7": pytest.approx(database["video7"]["duration"])}
    assert found(root, data__fps=20)["video7"] == pytest.approx(database["video7"]["duration"] / 2)
    assert found(root, data__stride_frames=-1)["video7"] is None  # of features of fixed length, it is not known
    (root / "tiny/features/video7.npy").unlink()
    assert found(root) == {"video6": 7.5, "video7": None}
