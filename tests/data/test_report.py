"""The checks of a data set, its counts, and its fingerprint."""

import shutil

import numpy as np
import pytest
from tiny_data import FPS, NUM_FRAMES, STRIDE, read_database, tiny_recipe, write_annotations, write_tiny_data

from afkit.data.report import SAMPLE_BYTES, fingerprint, inspect_data, summarise


@pytest.fixture
def root(tmp_path):
    """A data root with the tiny data set."""
    write_tiny_data(tmp_path)
    return tmp_path


def change(root, video, **entries):
    """Change entries of a video in the annotation file."""
    database = read_database(root)
    database[video] |= entries
    write_annotations(root, database)


def only_problem(root, **overrides):
    """The one thing that is wrong with the data set."""
    _, problems = inspect_data(tiny_recipe(**overrides).data, root)
    assert len(problems) == 1, problems
    return problems[0]


def test_nothing_is_wrong_with_a_good_data_set(root):
    table, problems = inspect_data(tiny_recipe().data, root)
    assert problems == []
    assert table["video"].tolist() == [f"video{number}" for number in range(8)]
    assert table["subset"].tolist() == ["training"] * 6 + ["test"] * 2
    for row in table.itertuples():
        entry = read_database(root)[row.video]
        assert row.steps == len(np.load(root / f"tiny/features/{row.video}.npy"))
        assert row.actions == len(entry["annotations"])
        assert row.duration_sec == entry["duration"]
    assert table["covered"].tolist() == pytest.approx([1.0] * 8)


def test_a_label_out_of_range(root):
    rows = [{"segment": [0, 1], "label": "x", "label_id": label} for label in (7, 7, 1, 3)]
    change(root, "video1", annotations=rows)
    _, problems = inspect_data(tiny_recipe().data, root)
    assert problems == [f"video 'video1': label {n} is outside 0 to 2 (data.num_classes)" for n in (3, 7)]
    assert inspect_data(tiny_recipe(data__num_classes=1).data, root)[1] == []  # proposals: labels do not matter


def test_a_segment_after_the_end(root):
    change(root, "video1", annotations=[{"segment": [500.0, 501.0], "label": "x", "label_id": 1}])
    assert "video 'video1': the segment 500.0 to 501.0 s begins after the video's" in only_problem(root)


def test_features_that_are_not_finite(root):
    path = root / "tiny/features/video2.npy"
    features = np.load(path)
    features[17, 3] = np.inf
    np.save(path, features)
    message = only_problem(root)
    assert "video 'video2': features are not finite from step 17 on" in message
    assert "video2.npy" in message


@pytest.mark.parametrize("overrides", [{"data__stride_frames": 2}, {"data__fps": 25}])
def test_a_stride_or_frame_rate_that_does_not_fit(root, overrides):
    _, problems = inspect_data(tiny_recipe(**overrides).data, root)
    assert len(problems) == 8
    assert "feature vectors cover" in problems[0]
    steps, fps = len(np.load(root / "tiny/features/video0.npy")), overrides.get("data__fps", FPS)
    duration = ((steps - 1) * STRIDE + NUM_FRAMES) / FPS
    fitting = (duration * fps - NUM_FRAMES) / (steps - 1)
    assert f"a stride of {fitting:.2f} frames would fit (data.stride_frames is" in problems[0]


def test_an_unknown_duration_cannot_be_compared(root):
    change(root, "video0", duration=None)
    table, problems = inspect_data(tiny_recipe().data, root)
    assert problems == []
    assert table["covered"].isna().tolist() == [True] + [False] * 7


def test_a_missing_file_is_a_problem_unless_it_is_skipped(root):
    (root / "tiny/features/video5.npy").unlink()
    table, problems = inspect_data(tiny_recipe().data, root)
    assert problems == []
    assert table.loc[table["video"] == "video5", "steps"].item() == 0
    assert "video5.npy does not exist" in only_problem(root, data__skip_missing=False)


def test_an_unreadable_file_and_a_wrong_width(root):
    (root / "tiny/features/video5.npy").write_bytes(b"abc")
    assert "video5.npy is not a readable feature file" in only_problem(root)
    np.save(root / "tiny/features/video5.npy", np.zeros((50, 4)))
    assert "features of video 'video5' have 4 channels" in only_problem(root)


def test_a_missing_frame_rate(root):
    change(root, "video5", fps=None)
    assert "video 'video5' has no 'fps'" in only_problem(root)


def test_several_problems_are_all_listed(root):
    (root / "tiny/features/video5.npy").write_bytes(b"abc")
    change(root, "video1", annotations=[{"segment": [500.0, 501.0], "label": "x", "label_id": 9}])
    problems = inspect_data(tiny_recipe().data, root)[1]
    assert len(problems) == 3


def test_an_unknown_subset_is_refused(root):
    with pytest.raises(ValueError, match="has no video of the subset 'nothing'"):
        inspect_data(tiny_recipe(data__test_subsets=["nothing"]).data, root)


def test_counts_per_subset(root):
    rows = [{"segment": [0, 1], "label": "x", "label_id": 1}] * 2 + [{"segment": [2, 2], "label": "x", "label_id": 2}]
    for video in ("video6", "video7"):
        change(root, video, annotations=rows)
    (root / "tiny/features/video7.npy").unlink()
    config = tiny_recipe().data
    summary = summarise(config, root, inspect_data(config, root)[0])
    database = read_database(root)
    seconds = database["video6"]["duration"] + database["video7"]["duration"]
    assert summary["subsets"]["test"] == {
        "videos": 2,
        "videos_without_features": 1,
        "hours": round(seconds / 3600, 3),
        "actions": 6,
        "actions_after_cleaning": 2,
        "classes": 1,
    }
    assert summary["subsets"]["training"]["videos"] == 6
    assert summary["fingerprint"] == fingerprint(config, root)


# ---- fingerprint


def test_the_fingerprint_is_of_the_data_and_not_of_its_place(root, tmp_path_factory):
    config = tiny_recipe().data
    copy = tmp_path_factory.mktemp("other") / "root"
    shutil.copytree(root, copy)
    first = fingerprint(config, root)
    assert first == fingerprint(config, root) == fingerprint(config, copy)
    (copy / "tiny/features/unused.npy").write_bytes(b"not in the annotation file")
    assert first == fingerprint(config, copy)


def test_every_change_shows_in_the_fingerprint(root):
    config = tiny_recipe().data
    path = root / "tiny/features/video4.npy"
    seen = {fingerprint(config, root)}

    def is_new():
        seen.add(fingerprint(config, root))
        return len(seen) - 1

    whole = np.load(path)
    first, last = whole.copy(), whole.copy()
    first[0, 0] += 1
    last[-1, -1] += 1
    for number, content in enumerate((first, last, whole[:-1]), start=1):
        np.save(path, content)
        assert is_new() == number
    path.unlink()
    assert is_new() == 4
    change(root, "video0", duration=1.0)
    assert is_new() == 5


def test_beginning_and_end_of_large_files_count(root):
    path = root / "tiny/features/video4.npy"
    content = bytearray(3 * SAMPLE_BYTES)
    seen = set()
    for position in (None, 0, SAMPLE_BYTES - 1, 2 * SAMPLE_BYTES, 3 * SAMPLE_BYTES - 1):
        changed = bytearray(content)
        if position is not None:
            changed[position] = 1
        path.write_bytes(changed)
        seen.add(fingerprint(tiny_recipe().data, root))
    assert len(seen) == 5
