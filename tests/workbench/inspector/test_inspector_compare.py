"""Runs above each other: what they share, and what makes them impossible to compare."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from afkit.workbench.inspector.comparison import make_comparable, write_comparison
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.tracks import Tracks

NAMES = {0: "jump", 1: "throw", 2: "fall"}
TRACKS = Tracks(lambda video: (np.arange(2.0), np.ones((2, 3))), lambda video: {}, Path())


def run(title, videos="ab", predicted=0, names=NAMES):
    """A jump and a throw in each video, and one prediction of a class in each."""
    rows = [(video, start, start + 5.0, label) for video in videos for label, start in enumerate((0.0, 10.0))]
    gt = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label"])
    predictions = gt.iloc[::2].assign(score=0.9, label=predicted)
    return Inspected(gt, predictions, names, dict.fromkeys(videos, 30.0), title, tracks=TRACKS)


def test_the_videos_that_all_have_are_kept_in_order_and_the_others_counted():
    runs = make_comparable([run("x", "cab"), run("y", "bcd"), run("z", "bc")])
    assert [one.videos for one in runs] == [["c", "b"]] * 3
    assert runs[0].remark == "2 videos are not in every run, and left out." and runs[1].remark == ""
    assert set(runs[0].gt["video"]) == set(runs[1].predictions["video"]) == {"b", "c"}
    assert make_comparable([run("x", "ab"), run("y", "b")])[0].remark == "1 video is not in every run, and left out."
    first = replace(run("x", "ab"), remark="Not done.")
    assert make_comparable([first, run("y", "b")])[0].remark == "Not done. 1 video is not in every run, and left out."


def test_all_have_the_same_classes_and_the_first_one_their_files():
    second = run("y", predicted=2)
    second = replace(second, gt=second.gt.iloc[::-1])  # the order does not matter
    runs = make_comparable([run("x", names={0: "jump"}), second])
    assert [one.names() for one in runs] == [["jump", "throw", "fall"]] * 2 and runs[0].remark == ""
    assert [list(one.tracks.offered().values()) for one in runs] == [[True, True, True], [True, False, False]]
    assert [one.title for one in make_comparable([run("x"), run("y"), run("x")])] == ["x (1)", "y", "x (2)"]


def changed(**values):
    other = run("y")
    return replace(other, gt=other.gt.assign(**{key: other.gt[key].replace(pair) for key, pair in values.items()}))


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ([], "takes two or more runs, not 1"),
        ([run("y", "cd")], "x and y have no video in common"),
        ([changed(end_sec={15.0: 15.5})], "the ground truth of x and y differs in the video 'a'; compare runs of one"),
        ([changed(label={1: 2})], "the ground truth of x and y differs in the video 'a'"),
        ([run("y", names={0: "jump", 1: "run"})], "label 1 is 'throw' in x and 'run' in y; compare runs of one data"),
        ([run("z"), run("y", names={0: "run"})], "label 0 is 'jump' in x and 'run' in y"),
    ],
)
def test_what_cannot_be_compared_is_named_and_nothing_is_written(tmp_path, others, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write_comparison(tmp_path / "a.html", [run("x"), *others])
    assert list(tmp_path.iterdir()) == []


def test_the_page_holds_all_runs(tmp_path):
    runs = [replace(one, tracks=Tracks()) for one in (run("x"), run("y", predicted=2))]
    write_comparison(tmp_path / "a.html", runs)
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    data = json.loads(re.search(r'<script type="application/json" id="segments">(.*?)</script>', text, re.S)[1])
    assert [one["info"]["title"] for one in data["runs"]] == ["x", "y"]
    assert len({one["facts"] for one in data["runs"]}) == 2
    assert "media-src" not in text
