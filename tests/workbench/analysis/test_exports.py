"""Detections for other tools: a reader for every format gives back what went in, however odd the labels and ids are."""

import csv
import html
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_tables import random_predictions

from afkit.opening import safe_names
from afkit.workbench.analysis.exports import FORMATS, export_detections
from afkit.workbench.analysis.result_files import read_predictions

NAMES = {3: "Jump", 7: "Läufer & <b>Co</b>", 20: "20-metre\trun\n\n00:00:01,000 --> 00:00:02,000", 21: 'say "hi", x'}
COLUMNS = ["video", "start_sec", "end_sec", "label", "score"]
ODD_NAMES = ["", "NOTE", "WEBVTT", "1", "a --> b", "x\r\ny", "&lt;", "<v Bob>", "(0.500)", "STYLE\u2028", "Jump [2]"]
ODD_NAMES += ["=1+1", "-1", "Jump"]


def forward(predictions):
    """Without the reversed rows that random tables have."""
    return predictions[predictions["end_sec"] >= predictions["start_sec"]]


def to_ms(hours, minutes, seconds, ms):
    assert int(minutes) < 60 and int(seconds) < 60
    return ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(ms)


CLOCK = r"(\d\d+):(\d\d):(\d\d){}(\d\d\d)"


def read_times(line, point):
    times = re.fullmatch(f"{CLOCK.format(point)} --> {CLOCK.format(point)}", line).groups()
    return to_ms(*times[:4]), to_ms(*times[4:])


def read_text(text):
    name, score = re.fullmatch(r"(.*) \((\d+\.\d{3})\)", text).groups()
    return name, float(score)


def read_srt(path):
    """[(start ms, end ms, name, score)] by the usual rules: numbered blocks between blank lines."""
    cues = []
    for block in filter(None, path.read_bytes().decode().split("\n\n")):
        number, times, text = block.rstrip("\n").split("\n")
        assert int(number) == len(cues) + 1
        assert "-->" not in text and "<" not in text
        cues.append((*read_times(times, ","), *read_text(text)))
    return cues


def read_vtt(path):
    """The same; characters are escaped, and cues come by start (W3C, WebVTT)."""
    head, *blocks = path.read_bytes().decode().split("\n\n")
    assert head.rstrip("\n") == "WEBVTT"
    cues = []
    for block in blocks:
        times, text = block.rstrip("\n").split("\n")
        assert "-->" not in text and "<" not in text and not re.search("&(?!(amp|lt|gt);)", text)
        cues.append((*read_times(times, r"\."), *read_text(html.unescape(text))))
    assert [cue[0] for cue in cues] == sorted(cue[0] for cue in cues)
    return cues


def read_elan(path):
    """The same; no annotations of a tier overlap."""
    cues, tiers = [], {}
    for line in path.read_bytes().decode().splitlines():
        tier, begin, end, text = line.split("\t")
        times = [to_ms(*re.fullmatch(CLOCK.format(r"\."), time).groups()) for time in (begin, end)]
        name, score = read_text(text)
        assert tier == name or re.fullmatch(re.escape(name) + r" \[\d+\]", tier)
        tiers.setdefault(tier, []).append(times)
        cues.append((*times, name, score))
    for times in tiers.values():
        assert all(a[1] <= b[0] for a, b in zip(sorted(times), sorted(times)[1:], strict=False))
    return cues


READERS = {"srt": (read_srt, "srt"), "vtt": (read_vtt, "vtt"), "elan": (read_elan, "txt")}


def expected_cues(predictions, names, kind):
    """{video: [(start ms, end ms, name, score)]} as the docstring promises them."""
    cues = {}
    for row in predictions.itertuples():
        start = max(round(row.start_sec * 1000), 0)
        end = max(round(row.end_sec * 1000), start + 1)
        name = " ".join(names[row.label].split())
        if kind == "srt":
            name = name.replace("<", "\u2039").replace(">", "\u203a")
        cues.setdefault(row.video, []).append((start, end, name, round(row.score, 3)))
    return {video: sorted(some, key=lambda cue: cue[:2]) for video, some in cues.items()}


def check_cues(folder, predictions, names):
    for kind, (read, ending) in READERS.items():
        expected = expected_cues(predictions, names, kind)
        stems = safe_names(expected)
        assert {path.name for path in (folder / kind).iterdir()} == {f"{stem}.{ending}" for stem in stems.values()}
        for video, cues in expected.items():
            found = read(folder / kind / f"{stems[video]}.{ending}")
            assert [cue[:3] for cue in found] == [cue[:3] for cue in cues]
            assert [cue[3] for cue in found] == pytest.approx([cue[3] for cue in cues], abs=0.001)


def test_every_format_comes_back(tmp_path):
    predictions = forward(random_predictions(0)).astype({"label": "Int64"})
    before = predictions.copy()
    written = export_detections(tmp_path, predictions, NAMES)
    pd.testing.assert_frame_equal(predictions, before)
    assert sorted(written) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(written) == 2 + 3 * 5
    check_cues(tmp_path, predictions, NAMES)
    cues = read_vtt(tmp_path / "vtt" / "a.vtt")
    export_detections(tmp_path, predictions, NAMES, ["srt", "vtt", "elan"], videos=["none", "a"])
    assert [read(tmp_path / kind / f"none.{ending}") for kind, (read, ending) in READERS.items()] == [[]] * 3
    assert read_vtt(tmp_path / "vtt" / "a.vtt") == cues
    with (tmp_path / "detections.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["video", "start_sec", "end_sec", "label", "name", "score"]
    for column, kind in zip(COLUMNS, (str, float, float, int, float), strict=True):
        assert [kind(row[column]) for row in rows] == predictions[column].tolist()
    assert [row["name"] for row in rows] == [NAMES[label] for label in predictions["label"]]
    back = read_predictions(tmp_path / "detections.json", NAMES)
    by_video = predictions.sort_values(COLUMNS)[COLUMNS].to_numpy().tolist()
    assert back.sort_values(COLUMNS).to_numpy().tolist() == by_video


times = st.floats(-2, 20_000) | st.integers(0, 400_000).map(float) | st.sampled_from([3599.9996, 59.9995, 0.0004])


@settings(deadline=None, max_examples=20)
@given(st.lists(st.tuples(st.sampled_from(["a/b", "A/b", "x"]), times, st.sampled_from([0, 0.0001, 1.5, 30]),
                          st.integers(0, 12), st.floats(0, 1)), max_size=25), st.text(max_size=20))  # fmt: skip
def test_odd_times_and_names_come_back(rows, text):
    names = dict(enumerate([*ODD_NAMES, text]))
    rows = [(video, start, start + length, label, score) for video, start, length, label, score in rows]
    predictions = pd.DataFrame(rows, columns=COLUMNS).astype({"video": str, "label": int, "score": float})
    with tempfile.TemporaryDirectory() as folder:
        export_detections(folder, predictions, names, ["srt", "vtt", "elan"], videos=set(predictions["video"]) or ["x"])
        if rows:
            check_cues(Path(folder), predictions, names)
        else:
            assert [read(Path(folder) / kind / f"x.{ending}") for kind, (read, ending) in READERS.items()] == [[]] * 3


def test_bad_input_is_named_before_anything_is_written(tmp_path):
    predictions = forward(random_predictions(0)).set_axis([f"p{i}" for i in range(len(forward(random_predictions(0))))])
    with pytest.raises(ValueError, match="there is no format 'xml'; choose from: csv, json, srt, vtt, elan"):
        export_detections(tmp_path, predictions, NAMES, ["csv", "xml"])
    with pytest.raises(ValueError, match="no name for label 21"):
        export_detections(tmp_path, predictions, {3: "a", 7: "b", 20: "c"})
    wrong = predictions.copy()
    wrong.loc["p4", ["start_sec", "end_sec"]] = 7.0, 6.9
    for kind in FORMATS:
        with pytest.raises(ValueError, match="row p4 of predictions ends before it starts"):
            export_detections(tmp_path, wrong, NAMES, [kind])
    with pytest.raises(ValueError, match="row p0 of predictions has start_sec nan"):
        export_detections(tmp_path, predictions.assign(start_sec=np.nan), NAMES)
    with pytest.raises(ValueError, match="lacks the columns label, score"):
        export_detections(tmp_path, predictions.drop(columns=["label", "score"]), NAMES)
    assert list(tmp_path.iterdir()) == []


def test_a_file_appears_only_when_it_is_complete(tmp_path, monkeypatch):
    predictions = forward(random_predictions(0))
    export_detections(tmp_path, predictions, NAMES)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    export_detections(tmp_path, predictions, NAMES)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    monkeypatch.setattr(pd.DataFrame, "to_csv", lambda self, file, **_: file.write(b"half") and 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export_detections(tmp_path, predictions, NAMES, ["csv"])
    assert (tmp_path / "detections.csv").read_bytes() == before[tmp_path / "detections.csv"]


def test_only_the_table_and_the_result_file_wait_for_the_disk(tmp_path, monkeypatch):
    """Of thousands of small files, each would take milliseconds."""
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    predictions = forward(random_predictions(0))
    assert len(export_detections(tmp_path, predictions, NAMES)) == 2 + 3 * 5
    assert len(synced) == 2
