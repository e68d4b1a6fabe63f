"""The page holds everything itself, and names in it are never markup."""

import base64
import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import write_inspector

EVIL = "</script><script>alert(1)</script>"


def inspected(name="v"):
    gt = pd.DataFrame({"video": [name], "start_sec": [0.0], "end_sec": [5.0], "label": [0]})
    return Inspected(gt, gt.assign(score=0.9), {0: EVIL}, {name: 10.0, "empty": 5.0}, f"run {EVIL}", "Not <b>done</b>.")


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'<script type="application/json" id="segments">(.*?)</script>', text, re.S)[1])


def test_segments_are_inside_and_the_list_of_videos_says_how_many(tmp_path):
    write_inspector(tmp_path / "a.html", inspected(), tious=[0.3, 0.7])
    data = data_of(tmp_path / "a.html")
    assert data["info"]["tious"] == [0.3, 0.5, 0.7] and data["info"]["classes"] == [EVIL]
    facts = np.frombuffer(base64.b64decode(data["facts"]), "<f8").reshape(5, 2)
    assert facts[1].tolist() == [5, 5]
    assert [video["ground_truths"] + video["predictions"] for video in data["info"]["videos"]] == [0, 2][::-1]


def test_scores_begin_where_03_eval_chose_or_as_asked(tmp_path):
    for chosen, asked, first in ((0.45, None, 0.45), (0.45, 0.1, 0.1), (None, None, 0.2)):
        write_inspector(tmp_path / "a.html", replace(inspected(), operating_score=chosen), min_score=asked)
        assert data_of(tmp_path / "a.html")["info"]["min_score"] == first


def test_nothing_is_fetched_and_no_name_ends_the_script(tmp_path):
    write_inspector(tmp_path / "a.html", inspected())
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert text.count("</script>") == 2 and EVIL not in text
    assert "default-src 'none'" in text
    assert not re.search(r"(src|href)=|@import|url\(|https?://", text)


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for name in "ab":
        write_inspector(tmp_path / f"{name}.html", inspected())
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_wrong_input_writes_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.html, not as in 'a\.htm'"):
        write_inspector(tmp_path / "a.htm", inspected())
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        write_inspector(tmp_path / "a.html", inspected(), tious=[1.5])
    assert list(tmp_path.iterdir()) == []
