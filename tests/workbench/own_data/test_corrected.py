"""A corrected annotation file: new segments where asked for, everything else as it was."""

import json

import numpy as np
import pandas as pd
import pytest

from afkit.data.annotations import Video, read_annotations
from afkit.workbench.own_data.corrected import join_labelled, video_facts, write_corrected

JUMP = {"label": 'say "jump"', "segment": [1.5, 4], "label_id": 0, "by": "Ann"}
THROW = {"label": "throw", "segment": [6.0, 9.0], "label_id": 1}
CONTENT = {
    "version": 3,
    "database": {
        "a": {"subset": "Test", "duration": 20.0, "url": None, "annotations": [THROW, JUMP]},
        "b": {"subset": "Training", "annotations": [JUMP]},
        "empty": {"subset": "Test", "annotations": None},
    },
}


def segments(*rows):
    return pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label", "name"])


@pytest.fixture
def source(tmp_path):
    (tmp_path / "old.json").write_text(json.dumps(CONTENT))
    return tmp_path / "old.json"


def test_only_the_segments_of_the_named_videos_change(source, tmp_path):
    new = segments(("a", 1.5, 4.0, 0, "jump"), ("a", 5.0, 9.0, 1, "throw"), ("b", 0.0, 1.0, 1, "throw"))
    write_corrected(tmp_path / "new.json", source, ["a"], new)
    moved = {"label": "throw", "segment": [5.0, 9.0], "label_id": 1}
    expected = json.loads(json.dumps(CONTENT))
    expected["database"]["a"]["annotations"] = [JUMP, moved]
    assert json.loads((tmp_path / "new.json").read_text()) == expected, "an annotation as it was keeps its other keys"
    assert json.loads(source.read_text()) == CONTENT

    rows = segments(("empty", 0.0, 2.0, 1, "throw"), *[("b", 1.5, 4.0, 0, 'say "jump"')] * 2)
    write_corrected(tmp_path / "more.json", source, ["a", "empty", "b"], rows)
    database = json.loads((tmp_path / "more.json").read_text())["database"]
    again = {"label": 'say "jump"', "segment": [1.5, 4.0], "label_id": 0}
    assert database["b"]["annotations"] == [JUMP, again], "equal ones are kept as often as they are asked for"
    videos = read_annotations(tmp_path / "more.json").videos
    assert videos["a"].segments_sec.shape == (0, 2) and videos["empty"].segments_sec.tolist() == [[0, 2]]


def test_what_lies_where_nobody_was_shown_anything_stays(source, tmp_path):
    content = json.loads(json.dumps(CONTENT))
    content["database"]["a"]["annotated"] = [5, 20]
    source.write_text(json.dumps(content))
    write_corrected(tmp_path / "new.json", source, ["a"], segments(("a", 6.5, 9.0, 1, "throw")))
    moved = {"label": "throw", "segment": [6.5, 9.0], "label_id": 1}
    assert json.loads((tmp_path / "new.json").read_text())["database"]["a"]["annotations"] == [moved, JUMP]


def test_wrong_input_writes_nothing(source, tmp_path):
    (tmp_path / "there.json").write_text("mine")
    for name, videos, message in (
        ("old.json", "a", "exists; give the name of a new file"),
        ("there.json", "a", "exists; give the name of a new file"),
        ("new.txt", "a", r"ends in \.json, not as in 'new\.txt'"),
        ("new.json", "ac", r"old\.json has no video 'c'"),
    ):
        with pytest.raises(ValueError, match=message):
            write_corrected(tmp_path / name, source, videos, segments())
    assert (tmp_path / "there.json").read_text() == "mine" and json.loads(source.read_text()) == CONTENT
    source.unlink()
    with pytest.raises(ValueError, match=r"old\.json does not exist"):
        write_corrected(tmp_path / "new.json", source, ["a"], segments())
    assert [path.name for path in tmp_path.iterdir()] == ["there.json"]


def test_facts_of_a_video_leave_out_what_is_not_known():
    nothing = np.zeros((0, 2)), np.zeros(0, np.int64)

    def facts(*arguments, **more):
        return video_facts(Video("a", "test", *arguments, **more), {0: "x"})

    assert facts(20.0, 25.0, *nothing) == {"subset": "test", "duration": 20.0, "fps": 25.0}
    assert facts(None, None, *nothing) == {"subset": "test"}
    assert facts(None, None, *nothing, group="ann") == {"subset": "test", "group": "ann"}
    two = np.array([[1.0, 2.0], [5.0, 6.0]]), np.array([0, 0])
    hidden = {"annotations": [{"label": "x", "segment": [5.0, 6.0], "label_id": 0}]}
    ignored = np.array([[4.5, 7.0]])
    assert facts(None, None, *two, ignored_sec=ignored) == {"subset": "test", "ignored": [[4.5, 7.0]]} | hidden
    outside = np.array([[-np.inf, 0.5], [2.5, 3.0], [4.0, np.inf]])
    assert (
        facts(None, None, *two, ignored_sec=outside)
        == {"subset": "test", "annotated": [[0.5, 2.5], [3.0, 4.0]]} | hidden
    )


def labelled(tmp_path, **videos):
    """A file of labelled recordings, each with one jump unless its actions are given."""
    database = {name: {"subset": "any", "annotations": [JUMP]} | more for name, more in videos.items()}
    (tmp_path / "labelled.json").write_text(json.dumps({"database": database}))
    return tmp_path / "labelled.json"


def test_labelled_recordings_join_the_training_set_and_test_recordings_stay(source, tmp_path):
    content = json.loads(source.read_text())
    content["database"]["waiting"] = {"subset": "unlabelled", "duration": 9.0, "annotations": []}
    source.write_text(json.dumps(content))
    given = labelled(
        tmp_path, fresh={"fps": 25}, b={"annotations": [THROW]}, a={}, waiting={}, idle={"annotations": []}
    )
    said = []
    join_labelled(tmp_path / "new.json", source, given, "Training", said.append)
    new = json.loads((tmp_path / "new.json").read_text())
    expected = content | {"database": {**content["database"]}}
    expected["database"] |= {
        "fresh": {"subset": "Training", "annotations": [JUMP], "fps": 25},
        "b": {"subset": "Training", "annotations": [THROW]},
        "waiting": {"subset": "Training", "duration": 9.0, "annotations": [JUMP]},
    }
    assert new == expected, "a is of the test, and idle has no labels"
    assert said == ["3 recordings joined 'Training'; left as they are: a"]


@pytest.mark.parametrize(
    ("videos", "message"),
    [
        ({"a": {}}, "no recording of .*labelled.json has labels and is new, in 'training' or in a subset without"),
        ({"c": {"annotations": [THROW | {"label_id": 7}]}}, "has class 7 'throw', .* has None for 7 and 1 for 'throw'"),
        ({"c": {"annotations": [THROW | {"label_id": 0}]}}, "has class 0 'throw', .* for 0 and 1 for 'throw'; give"),
    ],
)
def test_what_cannot_join_is_told_and_nothing_is_written(source, tmp_path, videos, message):
    with pytest.raises(ValueError, match=message):
        join_labelled(tmp_path / "new.json", source, labelled(tmp_path, **videos))
    assert not (tmp_path / "new.json").exists()
    with pytest.raises(ValueError, match=r"old\.json exists; give the name of a new file"):
        join_labelled(source, source, labelled(tmp_path, c={}))
