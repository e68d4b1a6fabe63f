"""Annotation files: what is read, what is cleaned, and messages that name file, video and row."""

import json

import numpy as np
import pandas as pd
import pytest

from afkit.data.annotations import groups_of, leave_out_ignored, load_annotations, read_annotations, to_frame


def action(start, end, label_id=0, label="a"):
    """One annotation."""
    return {"segment": [start, end], "label": label, "label_id": label_id}


@pytest.fixture
def write(tmp_path):
    """Writes {"video": entry} (subset "test" unless given) and returns the path."""

    def write(**videos):
        database = {name: {"subset": "test"} | entry for name, entry in videos.items()}
        path = tmp_path / "annotations.json"
        path.write_text(json.dumps({"database": database}))
        return path

    return write


def test_everything_is_read_in_the_order_of_the_file(write):
    path = write(
        zulu={"subset": "Training", "duration": 12.5, "fps": 29.97, "annotations": [action(1, 2, 7, "x")]},
        alpha={"subset": "TEST", "annotations": [action(3, 4, 2, "y"), action(5.5, 6, 7, "x")]},
        mike={"annotations": None},
    )
    file = read_annotations(str(path))
    assert list(file.videos) == ["zulu", "alpha", "mike"]
    assert file.label_names == {2: "y", 7: "x"}
    zulu, alpha, mike = file.videos.values()
    assert (zulu.subset, zulu.duration_sec, zulu.fps) == ("training", 12.5, 29.97)
    assert (alpha.subset, alpha.duration_sec, alpha.fps) == ("test", None, None)
    assert alpha.segments_sec.tolist() == [[3, 4], [5.5, 6]]
    assert (alpha.segments_sec.dtype, alpha.labels.dtype) == (np.float64, np.int64)
    assert mike.segments_sec.shape == (0, 2)
    assert [video.name for video in file.of_subsets(["TEST"])] == ["alpha", "mike"]


def test_a_group_is_a_name_and_may_be_missing(write):
    file = read_annotations(write(a={"group": "Ann"}, b={"group": 7}, c={"group": None}, d={"group": ""}, e={}))
    assert groups_of(file.videos.values()) == {"a": "Ann", "b": "7"}
    for wrong in (["Ann"], True, 1.5, {}):
        with pytest.raises(ValueError, match="video 'a': 'group' must be the name of a person, animal or site, not"):
            read_annotations(write(a={"group": wrong}))


def test_table_of_a_subset(write):
    path = write(
        b={"annotations": [action(1, 2, 7)]},
        other={"subset": "training", "annotations": [action(1, 9, 3)]},
        a={"annotations": [action(3, 4.5, 2), action(0, 1, 2)]},
    )
    table = load_annotations(path, "TesT")
    assert table.columns.tolist() == ["video", "start_sec", "end_sec", "label"]
    assert table.to_numpy().tolist() == [["b", 1, 2, 7], ["a", 3, 4.5, 2], ["a", 0, 1, 2]]
    assert [table[name].dtype for name in ("start_sec", "end_sec", "label")] == [np.float64, np.float64, np.int64]
    assert len(load_annotations(path)) == len(load_annotations(path, ["test", "training"])) == 4


def test_empty_subset_gives_an_empty_table(write):
    table = load_annotations(write(v={"annotations": []}), "test")
    assert len(table) == 0
    assert table["label"].dtype == np.int64
    assert table["start_sec"].dtype == np.float64


def test_repetitions_and_empty_segments_are_removed(write):
    rows = [
        action(1, 2),
        action(1.0009, 2.0009),  # both ends within a millisecond
        action(1.0011, 2.0),  # not both
        action(1, 2, 1),  # another label
        action(5, 5.0005),
        action(9, 8),
        action(5, 5.002),
    ]
    path = write(v={"annotations": rows}, w={"annotations": [action(1, 2)]})
    kept = load_annotations(path)
    assert kept.to_numpy().tolist() == [
        ["v", 1, 2, 0],
        ["v", 1.0011, 2, 0],
        ["v", 1, 2, 1],
        ["v", 5, 5.002, 0],
        ["w", 1, 2, 0],
    ]
    assert len(to_frame(read_annotations(path).videos.values(), clean=False)) == 8


def test_names_of_videos_survive(tmp_path):
    names = ["Ünïcode 影片", "a b", "", "1.5", "nan", "v_'\"\\"]
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({"database": {name: {"subset": "x", "annotations": [action(0, 1)]} for name in names}}))
    assert load_annotations(path)["video"].tolist() == names


# ---- messages


def test_missing_and_unreadable_files(tmp_path):
    path = tmp_path / "a.json"
    with pytest.raises(ValueError, match=r"a\.json does not exist"):
        load_annotations(path)
    for text, message in (
        ("{", "not a readable JSON file"),
        ("[]", "no 'database'"),
        ('{"database": 3}', "no 'database'"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message) as caught:
            load_annotations(path)
        assert "a.json" in str(caught.value)


@pytest.mark.parametrize(
    "row",
    [
        {"segment": [1, 2], "label": "a"},
        {"segment": [1, 2], "label_id": 0},
        {"label": "a", "label_id": 0},
        {"segment": [1], "label": "a", "label_id": 0},
        {"segment": ["one", 2], "label": "a", "label_id": 0},
        {"segment": [1, 2], "label": "a", "label_id": "walk"},
        {"segment": [1, 2], "label": "a", "label_id": 1.7},
        "walk",
    ],
)
def test_a_wrong_row_is_named(write, row):
    path = write(good={"annotations": [action(1, 2)]}, bad={"annotations": [action(1, 2), row]})
    with pytest.raises(ValueError, match=r"video 'bad', annotation 1: expected 'segment' \[start, end\]") as caught:
        load_annotations(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("rows", [5, "abc", {"segment": [1, 2]}, True])
def test_annotations_that_are_no_list_are_named(write, rows):
    with pytest.raises(ValueError, match="video 'bad'"):
        load_annotations(write(bad={"annotations": rows}))


@pytest.mark.parametrize("key", ["duration", "fps"])
@pytest.mark.parametrize("value", [0, -3, "long", [1], float("nan")])
def test_duration_and_frame_rate_must_be_positive(write, key, value):
    with pytest.raises(ValueError, match=f"video 'bad': '{key}' must be a number above 0, not "):
        load_annotations(write(bad={key: value, "annotations": []}))


@pytest.mark.parametrize("subset", [None, 3, ["test"]])
def test_a_video_needs_a_subset(write, subset):
    with pytest.raises(ValueError, match="video 'bad': 'subset' is missing; give each video the name of its subset"):
        load_annotations(write(bad={"subset": subset}))


def test_an_unknown_subset_is_refused_with_the_nearest_name(write):
    path = write(v={"subset": "validation"}, w={"subset": "testing"})
    with pytest.raises(ValueError, match=r"no video of the subset 'valid'; did you mean 'validation'\?") as caught:
        load_annotations(path, "Valid")
    assert str(path) in str(caught.value)
    with pytest.raises(ValueError, match="choose from: testing, validation"):
        load_annotations(path, ["testing", "zzz"])


def test_a_part_that_was_annotated_and_spans_that_are_ignored(write):
    path = write(
        part={"annotated": [1.5, 8.5], "annotations": [action(0, 2), action(1, 3), action(8, 9.5)]},
        parts={"annotated": [[5, 6], [1, 2]], "ignored": [[1.5, 3]], "annotations": [action(1.1, 1.4)]},
        whole={"annotations": [action(0, 2)]},
    )
    videos = read_annotations(path).videos
    assert videos["part"].ignored_sec.tolist() == [[-np.inf, 1.5], [8.5, np.inf]]
    assert videos["parts"].ignored_sec.tolist() == [[-np.inf, 1], [1.5, 5], [6, np.inf]]
    assert videos["whole"].ignored_sec.shape == (0, 2)
    assert videos["part"].judged_sec(9.0) == 7.0
    assert (videos["whole"].judged_sec(9.0), videos["part"].judged_sec(None)) == (9.0, None)
    table = load_annotations(path)  # of the first three, one lies mostly inside
    assert table[["video", "start_sec"]].to_numpy().tolist() == [["part", 1.0], ["parts", 1.1], ["whole", 0.0]]
    assert len(to_frame(videos.values(), clean=False)) == 5
    found = pd.DataFrame([("part", 0.0, 2.9), ("part", 0.0, 3.1), ("gone", 0.0, 1.0), ("whole", 0.0, 1.0)])
    found.columns = ["video", "start_sec", "end_sec"]
    assert leave_out_ignored(found, videos.values())["end_sec"].tolist() == [3.1, 1.0, 1.0]


@pytest.mark.parametrize(
    "spans", [[3], [3, 1], [1, 2, 3], "1-2", [[1, 2], [3]], [["a", 2]], [[1, float("inf")]], {"a": 1}]
)
def test_spans_that_are_none_are_named(write, spans):
    with pytest.raises(ValueError, match=r"video 'v': 'annotated' must be \[start, end\] in seconds, or a list"):
        read_annotations(write(v={"annotated": spans, "annotations": []}))
