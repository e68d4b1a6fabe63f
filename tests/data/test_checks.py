"""The checks of a data set: each finds its own break, names file, video and remedy, and changes nothing."""

import numpy as np
import pytest
from tiny_data import FPS, NUM_FRAMES, STRIDE, change_video, read_database, tiny_recipe

from afkit.data.checks import count_findings, inspect_data, raise_on_errors


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def only_finding(root, **overrides):
    """The one thing that is found; nothing is changed on disk."""
    before = contents(root)
    _, findings = inspect_data(tiny_recipe(**overrides).data, root)
    assert contents(root) == before
    assert len(findings) == 1, findings
    return findings[0]


def test_nothing_is_found_in_a_good_data_set(root):
    table, findings = inspect_data(tiny_recipe().data, root)
    assert findings == []
    raise_on_errors(findings)
    assert table["video"].tolist() == [f"video{number}" for number in range(8)]
    assert table["subset"].tolist() == ["training"] * 6 + ["test"] * 2
    for row in table.itertuples():
        entry = read_database(root)[row.video]
        assert row.steps == len(np.load(root / f"tiny/features/{row.video}.npy"))
        assert (row.actions, row.duration_sec) == (len(entry["annotations"]), entry["duration"])
    assert table["covered"].tolist() == pytest.approx([1.0] * 8)


def rows(*segments, label_id=0):
    return [{"segment": list(segment), "label": f"action {label_id}", "label_id": label_id} for segment in segments]


@pytest.mark.parametrize(
    ("entries", "level", "check", "message"),
    [
        ({"annotations": rows((1, 2), label_id=7)}, "error", "label ids out of range", "label_id 7 is outside 0 to 2"),
        ({"annotations": rows((1, 2), label_id=-1)}, "error", "label ids out of range", "set data.num_classes"),
        ({"annotations": []}, "note", "videos without annotation", "it is background only"),
        ({"annotations": rows((1, 1))}, "note", "segments without length", "segment 1 to 1 s is shorter than 1 ms"),
        ({"annotations": rows((3, 2))}, "note", "segments without length", "or reversed; left out"),
        ({"annotations": rows((1, 2), (1, 2))}, "note", "duplicates", "annotation 1: segment 1 to 2 s repeats"),
        ({"annotations": rows((1, 500))}, "note", "segments outside the video", "check its times or the duration"),
        ({"annotations": rows((-5, 2))}, "note", "segments outside the video", "segment -5 to 2 s is outside"),
        ({"fps": None}, "error", "unreadable features", "has no 'fps' in the annotation file; add it"),
    ],
)
def test_annotations_that_do_not_fit(root, entries, level, check, message):
    change_video(root, "video1", **entries)
    finding = only_finding(root)
    assert (finding.level, finding.check) == (level, check)
    assert message in finding.message and "video1" in finding.message
    assert "annotations.json" in finding.message or check == "unreadable features"


def test_labels_do_not_matter_for_proposals(root):
    change_video(root, "video1", annotations=rows((1, 2), label_id=70))
    assert inspect_data(tiny_recipe(data__num_classes=1).data, root)[1] == []


def test_label_ids_without_annotation_are_counted(root):
    finding = only_finding(root, data__num_classes=30)
    assert (finding.level, finding.check) == ("note", "label ids without annotation")
    assert "label ids 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ... (27 of data.num_classes = 30)" in finding.message


def broken(root, kind):
    path = root / "tiny/features/video5.npy"
    if kind == "missing":
        path.unlink()
    elif kind == "not finite":
        features = np.load(path)
        features[17, 3] = np.nan
        np.save(path, features)
    elif kind == "wrong width":
        np.save(path, np.load(path)[:, :4])
    elif kind == "damaged":
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "empty":
        np.save(path, np.zeros((0, 6), np.float32))
    elif kind == "short":
        np.save(path, np.load(path)[:20])


@pytest.mark.parametrize(
    ("kind", "level", "check", "message"),
    [
        ("missing", "note", "missing features", "video5.npy does not exist for video 'video5'; left out"),
        ("not finite", "error", "features not finite", "video5.npy: NaN or infinite at step 17 of video 'video5'"),
        ("wrong width", "error", "unreadable features", "have 4 channels, the recipe's data.input_dims add up to 6"),
        ("damaged", "error", "unreadable features", "video5.npy is not a readable feature file"),
        ("empty", "error", "unreadable features", "video5.npy: features must be (T, C) with T >= 1"),
        ("short", "note", "features shorter or longer than the video", "video5.npy: 20 steps cover 0."),
    ],
)
def test_feature_files_that_do_not_fit(root, kind, level, check, message):
    broken(root, kind)
    finding = only_finding(root, data__max_missing=0.5)
    assert (finding.level, finding.check) == (level, check)
    assert message in finding.message and "video5" in finding.message


def test_missing_features_are_an_error_where_the_data_set_must_be_whole(root):
    broken(root, "missing")
    finding = only_finding(root, data__skip_missing=False)
    assert finding.level == "error" and "add it, or set data.skip_missing" in finding.message


def test_more_missing_features_than_allowed_are_an_error_that_says_how_to_allow_them(root):
    broken(root, "missing")
    _, findings = inspect_data(tiny_recipe().data, root)
    errors = [finding.message for finding in findings if finding.level == "error"]
    assert len(errors) == 1 and errors[0] == (
        f"1 of 6 videos of training have no features in {root / 'tiny/features'} (e.g. 'video5'), more than "
        "data.max_missing = 0.1 allows; add them, or set data.max_missing=0.17"
    )
    assert only_finding(root, data__max_missing=0.17).level == "note", "as the message says"
    assert only_finding(root, data__max_missing=1 / 6).level == "note"


def test_without_any_features_one_error_says_so(root):
    _, findings = inspect_data(tiny_recipe(data__prefix="other_").data, root)
    assert [finding.check for finding in findings if finding.level == "error"] == ["no features at all"]


def test_folders_of_unequal_length_are_noted(root):
    features = root / "tiny/features"
    (root / "tiny/more").mkdir()
    for path in features.iterdir():
        array = np.load(path)
        np.save(root / "tiny/more" / path.name, array[: len(array) - (path.stem == "video3")])
    two = {"data__features": ["tiny/features", "tiny/more"], "data__input_dims": [6, 6]}
    finding = only_finding(root, **two)
    assert finding.check == "folders of unequal length"
    assert "for video 'video3'; cut to the shortest" in finding.message


@pytest.mark.parametrize("overrides", [{"data__stride_frames": 2}, {"data__fps": 25}])
def test_a_wrong_stride_or_frame_rate_is_named_with_the_stride_that_fits(root, overrides):
    _, findings = inspect_data(tiny_recipe(**overrides).data, root)
    (error,) = [finding for finding in findings if finding.level == "error"]
    assert error.check == "wrong stride or frame rate"
    fps = overrides.get("data__fps", FPS)
    fitting = []
    for number in range(8):
        steps = len(np.load(root / f"tiny/features/video{number}.npy"))
        duration = ((steps - 1) * STRIDE + NUM_FRAMES) / FPS
        fitting.append((duration * fps - NUM_FRAMES) / (steps - 1))
    assert f"a stride of {np.median(fitting):.2f} frames would fit; set it, or data.fps" in error.message
    with pytest.raises(ValueError, match="1 errors in the data:\nfeatures cover"):
        raise_on_errors(findings)


def test_an_unknown_duration_cannot_be_compared(root):
    change_video(root, "video0", duration=None)
    table, findings = inspect_data(tiny_recipe().data, root)
    assert findings == []
    assert table["covered"].isna().tolist() == [True] + [False] * 7


def test_no_features_at_all_is_an_error(root):
    for path in (root / "tiny/features").iterdir():
        path.unlink()
    _, findings = inspect_data(tiny_recipe().data, root)
    assert findings[-1].level == "error"
    assert "no video has a feature file in tiny/features; check data.features" in findings[-1].message


def test_an_empty_or_misspelt_subset_is_refused_with_the_nearest_name(root):
    with pytest.raises(ValueError, match=r"has no video of the subset 'trainin'; did you mean 'training'\?"):
        inspect_data(tiny_recipe(data__train_subsets=["trainin"]).data, root)


def test_findings_are_counted_and_errors_listed(root):
    broken(root, "damaged")
    change_video(root, "video1", annotations=rows((1, 2), (1, 2), (1, 2), label_id=9))
    _, findings = inspect_data(tiny_recipe().data, root)
    counts = count_findings(findings).set_index("check")["number"].to_dict()
    assert counts == {"label ids out of range": 3, "unreadable features": 1, "duplicates": 2}
    with pytest.raises(ValueError, match="4 errors in the data") as caught:
        raise_on_errors(findings, most=2)
    assert str(caught.value).endswith("... and 2 more")
