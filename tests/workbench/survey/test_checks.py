"""The checks of a data set: each finds its own break, names file, video and remedy, and changes nothing."""

import h5py
import numpy as np
import pytest
from tiny_data import FPS, NUM_FRAMES, STRIDE, change_video, read_database, tiny_recipe

from afkit.workbench.survey.checks import check_settings, count_findings, count_notes, inspect_data, raise_on_errors

TRAINING = [f"video{number}" for number in range(6)]
TEST = ["video6", "video7"]


def contents(root):
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def only_finding(root, **overrides):
    """The one thing that is found; nothing is changed on disk."""
    before = contents(root)
    _, findings = inspect_data(tiny_recipe(**overrides).data, root)
    assert contents(root) == before
    assert len(findings) == 1, findings
    return findings[0]


def errors(root, **overrides):
    """{check: message} of what stops a run."""
    _, findings = inspect_data(tiny_recipe(**overrides).data, root)
    return {finding.check: finding.message for finding in findings if finding.level == "error"}


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


STEP_SEC = STRIDE / FPS


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
        (
            {"annotations": rows((1, 500)), "duration": None},
            "note",
            "segments outside the video",
            "is outside its features, which cover 25.2 s; check its times, or data.fps",
        ),
        ({"annotations": rows((-5, 2))}, "note", "segments outside the video", "segment -5 to 2 s is outside"),
        (
            {"annotations": rows((1, 2), (3, 4)), "annotated": [[0, 2], [3.4, 9]], "ignored": [3.6, 4]},
            "note",
            "actions where nothing is judged",
            "annotation 1: segment 3 to 4 s lies where nobody labelled; left out",
        ),
        ({"fps": None}, "error", "unreadable features", "has no 'fps' in the annotation file; add it"),
        (
            {"annotations": rows((1, 1 + 0.9 * STEP_SEC), (3, 3 + 1.1 * STEP_SEC))},
            "note",
            "actions shorter than a step",
            "annotation 0: segment 1 to 1.36 s is shorter than a step of the features (0.4 s)",
        ),
    ],
)
def test_annotations_that_do_not_fit(root, entries, level, check, message):
    change_video(root, "video1", **entries)
    finding = only_finding(root)
    assert (finding.level, finding.check) == (level, check)
    assert message in finding.message and "video1" in finding.message
    assert "annotations.json" in finding.message or check == "unreadable features"


def test_labels_of_the_whole_file_and_people_are_noted(root):
    finding = only_finding(root, data__num_classes=30)
    assert (finding.level, finding.check) == ("note", "label ids without annotation")
    assert "label ids 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, ... (27 of data.num_classes = 30)" in finding.message
    change_video(root, "video1", annotations=rows((1, 2), label_id=70))
    assert inspect_data(tiny_recipe(data__num_classes=1).data, root)[1] == [], "they do not matter for proposals"
    path = root / "tiny" / "annotations.json"
    text = (
        path.read_text().replace("action 1", "Preparação").replace("action 2", "Preparacao").replace("action 70", "x")
    )
    for number in (0, 7):  # one of the training, one of the test
        text = text.replace(f'"video{number}"', f'"s01_{number}"')
        (root / f"tiny/features/video{number}.npy").rename(root / f"tiny/features/s01_{number}.npy")
    path.write_text(text)
    found = {finding.check: finding.message for finding in inspect_data(tiny_recipe(data__num_classes=1).data, root)[1]}
    assert found.keys() == {"labels that look alike", "people in training and test"}
    assert "'Preparacao' and 'Preparação'" in found["labels that look alike"]
    assert "of 's01', as s01_0 and s01_7, are in training and test" in found["people in training and test"]


def test_groups_in_training_and_test_are_counted_and_told_by_the_file_rather_than_by_names(root):
    for number in range(8):
        change_video(root, f"video{number}", group=f"animal {number % 5}")
    _, findings = inspect_data(tiny_recipe().data, root)
    assert [finding.check for finding in findings] == ["groups in training and test"] * 2  # 6 and 7 are of 1 and 2
    assert "of 'animal 1', as video1 and video6, are in training and test; a result on others may be" in str(
        findings[0]
    )
    assert count_notes(findings) == "2 notes on the data: 2 groups in training and test"
    both = tiny_recipe(data__train_subsets=["training", "Test"]).data  # what is trained on as a whole is no group apart
    assert [finding.check for finding in inspect_data(both, root)[1]] == ["groups in training and test"] * 2
    both = tiny_recipe(data__train_subsets=["TEST"]).data
    assert inspect_data(both, root)[1] == []
    for number in (6, 7):
        change_video(root, f"video{number}", group="animal 9")
    assert inspect_data(tiny_recipe().data, root)[1] == []


@pytest.mark.parametrize(
    ("overrides", "messages"),
    [
        ({}, []),
        ({"data__train_subsets": ["training", "Test"]}, ["data.test_subsets has 'test', which is trained on, too"]),
        ({"optim__final_rate": 1}, ["optim.final_rate 1.0 is above optim.learning_rate 0.001, so that the rate rises"]),
        ({"optim__schedule_epochs": [1]}, ["optim.schedule_epochs [1] do nothing with a cosine"]),
        ({"optim__schedule": "multistep"}, ["optim.schedule_epochs [] let the rate never fall in 2 epochs"]),
        ({"optim__schedule": "multistep", "optim__schedule_epochs": [2]}, ["[2] let the rate never fall in 2 epochs"]),
        ({"optim__schedule": "multistep", "optim__schedule_epochs": [1, 5]}, []),
        ({"optim__final_rate": 1e-4}, []),
    ],
)
def test_settings_that_do_not_do_what_they_seem_to_say_are_noted(overrides, messages):
    found = check_settings(tiny_recipe(**overrides))
    assert [finding.level for finding in found] == ["note"] * len(messages)
    for finding, message in zip(found, messages, strict=True):
        assert message in finding.message


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


def test_missing_features_are_an_error_where_too_many_or_where_the_data_set_must_be_whole(root):
    broken(root, "missing")
    (error,) = errors(root).values()
    assert error == (
        f"1 of 6 videos of training have no features in {root / 'tiny/features'} (e.g. 'video5'), more than "
        "data.max_missing = 0.1 allows; add them, or set data.max_missing=0.17"
    )
    assert only_finding(root, data__max_missing=0.17).level == "note", "as the message says"
    assert only_finding(root, data__max_missing=1 / 6).level == "note"
    finding = only_finding(root, data__skip_missing=False)
    assert finding.level == "error" and "add it, or set data.skip_missing" in finding.message
    seen = "no video has a feature file in tiny/features; check data.features"
    assert errors(root, data__prefix="other_") == {"no features at all": seen}
    for path in (root / "tiny/features").iterdir():
        path.write_bytes(b"no array")
    assert errors(root, data__max_missing=1).keys() == {"unreadable features"}, "they are there"
    with pytest.raises(ValueError, match=r"has no video of the subset 'trainin'; did you mean 'training'\?"):
        inspect_data(tiny_recipe(data__train_subsets=["trainin"]).data, root)


TWO_FOLDERS = {"data__features": ["tiny/features", "tiny/more"], "data__input_dims": [6, 6]}


def write_second_folder(root, cut):
    (root / "tiny/more").mkdir(exist_ok=True)
    for path in (root / "tiny/features").iterdir():
        np.save(root / "tiny/more" / path.name, cut(path.stem, np.load(path)))


def test_folders_of_unequal_length_are_noted_and_those_of_another_stride_an_error(root):
    write_second_folder(root, lambda name, array: array[: len(array) - (8 if name == "video3" else 0)])
    finding = only_finding(root, **TWO_FOLDERS)
    assert finding.level == "note" and finding.check == "folders of unequal length"
    assert "for video 'video3'; cut to the shortest" in finding.message
    write_second_folder(root, lambda name, array: array[:-1])
    _, findings = inspect_data(tiny_recipe(**TWO_FOLDERS).data, root)
    assert {(finding.level, finding.check) for finding in findings} == {("note", "folders a few steps apart")}
    write_second_folder(root, lambda name, array: array[::2])
    found = errors(root, **TWO_FOLDERS)["folders of unequal length"]
    assert "8 of 8 videos have feature folders of unequal length; all must have the same stride" in found


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
    with pytest.raises(ValueError, match="1 error in the data:\n1 x wrong stride or frame rate: features of 8 of 8"):
        raise_on_errors(findings)
    for name in TRAINING[:3]:
        path = root / f"tiny/features/{name}.npy"
        np.save(path, np.repeat(np.load(path), 2, axis=0))
    found = errors(root)["wrong stride or frame rate"]
    assert found.startswith("features of 3 of 8 videos cover 1.9") and "a stride of 1.9" in found


def test_files_with_exchanged_axes_are_told_beside_the_stride(root):
    for number in range(8):
        np.save(root / f"tiny/features/video{number}.npy", np.zeros((6, 50), np.float32))
        change_video(root, f"video{number}", duration=(49 * STRIDE + NUM_FRAMES) / FPS, annotations=rows((1, 2)))
    found = errors(root, data__input_dims=[50])["wrong stride or frame rate"]
    assert "a stride of 39.20 frames would fit; set it, or data.fps; or the files are (C, T): 50 steps would" in found


def test_an_unknown_duration_cannot_be_compared(root):
    before, _ = inspect_data(tiny_recipe().data, root)
    change_video(root, "video0", duration=None)
    table, findings = inspect_data(tiny_recipe().data, root)
    assert findings == []
    assert table["covered"].isna().tolist() == [True] + [False] * 7
    assert table["duration_sec"].tolist() == pytest.approx(before["duration_sec"].tolist())  # told by the features
    (root / "tiny/features/video0.npy").unlink()
    table, _ = inspect_data(tiny_recipe().data, root)
    assert table["duration_sec"].isna().tolist() == [True] + [False] * 7


def test_findings_are_counted_and_errors_listed(root):
    broken(root, "damaged")
    change_video(root, "video1", annotations=rows((1, 2), (1, 2), (1, 2), label_id=9))
    _, findings = inspect_data(tiny_recipe().data, root)
    counts = count_findings(findings).set_index("check")["number"].to_dict()
    assert counts == {"label ids out of range": 3, "unreadable features": 1, "duplicates": 2}
    assert count_notes(findings) == "2 notes on the data: 2 duplicates"
    with pytest.raises(ValueError) as caught:
        raise_on_errors(findings)
    head, *lines = str(caught.value).splitlines()
    assert head == "4 errors in the data:"
    assert [line.partition(": ")[0] for line in lines] == ["3 x label ids out of range", "1 x unreadable features"]
    assert "annotation 0: label_id 9" in lines[0] and "video5.npy is not" in lines[1]


def test_an_array_missing_in_a_file_of_all_videos_is_noted(root):
    with h5py.File(root / "tiny/all.h5", "w") as file:
        for number in range(7):
            file[f"video{number}"] = np.load(root / f"tiny/features/video{number}.npy")
    finding = only_finding(root, data__features=["tiny/all.h5"], data__suffix=".h5", data__max_missing=0.5)
    assert finding.check == "missing features"
    assert "all.h5 has no array 'video7' for video 'video7'; left out" in finding.message


# ---- notes that hold for much of the data


def change_times(root, videos, change):
    """Change the segment [start, end] of each annotation of some videos."""
    for name, entry in read_database(root).items():
        if name in videos:
            rows = [row | {"segment": change(*row["segment"])} for row in entry["annotations"]]
            change_video(root, name, annotations=rows)


@pytest.mark.parametrize("with_durations", [True, False])
@pytest.mark.parametrize(
    ("factor", "cause"),
    [
        (FPS, "divided by 10 they fit: their times are probably frames, convert them to seconds"),
        (1000, "divided by 1000 they fit: their times are probably milliseconds, convert"),
        (1e6, "divided by 1e+06 they fit: their times are probably microseconds, convert"),
    ],
)
def test_times_in_another_unit_are_an_error_that_names_the_unit(root, factor, cause, with_durations):
    for name in [] if with_durations else [*TRAINING, *TEST]:
        change_video(root, name, duration=None)
    change_times(root, TEST, lambda start, end: [16 * factor * share for share in (0.8, 1.0)])
    found = errors(root)["segments outside the video"]
    assert found.startswith("6 of 6 segments of the subset 'test' lie outside their videos; ")
    assert cause in found


def test_times_of_another_frame_rate_are_an_error_with_the_factor(root):
    for name in [*TRAINING, *TEST]:
        change_video(root, name, duration=None)
    change_times(root, TEST, lambda start, end: [35.0, 40.0])  # every video has 40 steps or more
    found = errors(root, data__fps=20)["segments outside the video"]
    assert "divided by 5 they fit: their times are probably feature vectors, convert" in found
    for name in TEST:
        steps = len(np.load(root / f"tiny/features/{name}.npy"))
        end_sec = ((steps - 1) * STRIDE + NUM_FRAMES) / FPS
        change_times(root, [name], lambda start, end, end_sec=end_sec: [end_sec, 1.25 * end_sec])
    found = errors(root)["segments outside the video"]
    assert "times 0.8 they fit: correct the times, or the durations" in found
    assert "if features tell these, perhaps data.fps 8 instead of 10" in found


def test_the_subset_alone_counts_and_a_third_is_not_too_much(root):
    change_times(root, TEST, lambda start, end: [1000.0, 1010.0])
    assert list(errors(root)) == ["segments outside the video"]
    assert "the subset 'test'" in errors(root)["segments outside the video"]
    segments = [(1000, 1010)] * 2 + [(0, 1), (1, 2), (2, 3), (3, 4)]
    change_video(root, "video6", annotations=rows(*segments[:1], *segments[2:4]))
    change_video(root, "video7", annotations=rows(*segments[1:2], *segments[4:6]))
    assert errors(root) == {}


def test_swapped_columns_files_read_twice_and_times_before_the_beginning(root):
    change_times(root, TRAINING, lambda start, end: [end, start])
    assert "19 of 19 segments of the subset 'training' end before they start" in errors(root)["segments without length"]
    for name in TEST:
        change_video(root, name, annotations=2 * read_database(root)[name]["annotations"])
    assert "6 of 12 segments of the subset 'test' repeat an earlier one" in errors(root)["duplicates"]
    change_times(root, TEST, lambda start, end: [start - 1000, end - 1000])
    assert "many begin before 0: do their times count from another moment" in errors(root)["segments outside the video"]


def test_background_alone_is_no_error_but_nothing_to_learn_from_is(root):
    for name in TRAINING[1:] + TEST[:1]:
        change_video(root, name, annotations=[])
    assert errors(root) == {}
    (root / "tiny/features/video0.npy").unlink()
    assert "no video of training has both features and an annotation" in errors(root)["nothing for training"]
    (root / "tiny/features/video7.npy").unlink()
    assert "no video of test has both" in errors(root)["nothing for test"]
    change_video(root, "video7", annotations=[])
    assert "nothing for test" not in errors(root), "without labels: predictions only"


def test_ends_that_nobody_may_have_labelled_are_noted(root):
    for number in range(3, 8):
        change_video(root, f"video{number}", annotations=[])
    for number in range(3):
        duration = read_database(root)[f"video{number}"]["duration"]
        change_video(root, f"video{number}", annotations=rows((2, 2.5), (2.6, 3), (2.2, 4), (4.4, duration - 0.5)))
    _, findings = inspect_data(tiny_recipe().data, root)
    found = [finding.message for finding in findings if finding.check == "empty ends"]
    assert (
        len(found) == 1 and "the time before the first action (2 s, median) is more than twice any between" in found[0]
    )
    change_video(root, "video0", annotated=[2, 4])
    assert "empty ends" not in {finding.check for finding in inspect_data(tiny_recipe().data, root)[1]}
