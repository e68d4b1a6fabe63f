"""`predict --stream`: rows of a pipe become lines of JSON, those of the whole recording, or one sentence."""

import io
import json
import os
import sys
import threading

import numpy as np
import pytest
from run_folders import write_trained
from tiny_data import CHANNELS, FPS, TRIDET, tiny_recipe, write_tiny_data

import afkit
from afkit.__main__ import main
from afkit.files import write_json
from afkit.workbench.own_data.signals import raw_windows
from afkit.workbench.runs.predicting import open_predictor
from afkit.workbench.streaming.pipe import longest_labelled, predict_stream
from afkit.workbench.streaming.rows import rows_of

RECIPE = tiny_recipe(model__class_prior=0.3)
STEP_SEC = 0.4


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("streams")
    write_tiny_data(root, training=1, test=1)
    return root


@pytest.fixture(scope="module")
def run(root):
    return write_trained(root / "run", root, RECIPE)


@pytest.fixture
def go(run, tmp_path):
    """Predicts rows with the run; the lines as objects, and what was said."""

    def go(text, where=run, **options):
        path = tmp_path / "pipe"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        lines, go.said = [], []
        go.lines = lines
        predict_stream(where, path, say=go.said.append, write=lambda line: lines.append(json.loads(line)), **options)
        return lines

    return go


VECTORS = np.random.default_rng(5).normal(size=(90, CHANNELS)).round(5)


def text_of(vectors, times=None, between=" "):
    """A row for each vector, with its time where there are some."""
    rows = vectors if times is None else np.column_stack([times, vectors])
    return "".join(between.join(f"{value:.6f}" for value in row) + "\n" for row in rows)


def times(count, start=0.0):
    """Of vectors that come as they should."""
    return start + STEP_SEC * np.arange(count)


def offline(run, vectors, least, start_sec=0.0):
    """Start, end, label and score of the whole recording, by start."""
    predictor, _ = open_predictor(run, "ema", min_score=least)
    end_sec = (len(vectors) - 1) * STEP_SEC + 0.8
    found = afkit.predict(predictor.model, RECIPE, vectors, fps=FPS, duration=end_sec)
    found = found[found["score"] >= least].sort_values(["start_sec", "end_sec"])
    starts = [found[name] + start_sec for name in ("start_sec", "end_sec")]
    return np.column_stack([*starts, found["label"], found["score"]])


def table(lines):
    """The same of final lines."""
    rows = [
        (line["start_sec"], line["end_sec"], int(line["label"][-1]), line["score"]) for line in lines if line["final"]
    ]
    return np.array(sorted(rows)).reshape(-1, 4)


def assert_same(lines, *expected):
    found, expected = table(lines), np.array(sorted(np.concatenate(expected).tolist()))
    assert found.shape == expected.shape and len(found) > 5
    np.testing.assert_allclose(found, expected, atol=2e-3)


# ---- what is written


def test_rows_become_the_detections_of_the_whole_recording(run, go):
    lines = go(text_of(VECTORS, between=", "), min_score=0.35, longest_sec=40.0, provisional_sec=10.0)
    assert_same(lines, offline(run, VECTORS, 0.35))
    ahead = [line for line in lines if not line["final"]]
    assert [round(line["at_sec"]) for line in ahead] == [10, 20, 30] and ahead[-1]["detections"]
    assert set(ahead[-1]["detections"][0]) == {"start_sec", "end_sec", "score", "label"}
    assert go.said[0].startswith(
        "weights 'ema', 10 frames per second, kept: scores from 0.35; waits 14 s that the netw"
    )
    assert lines[-1]["at_sec"] == pytest.approx(36.4) and lines[-1]["final"]


def test_samples_become_vectors_as_in_the_training(root, go, tmp_path):
    recipe = tiny_recipe(
        model__class_prior=0.3, data__input_dims=[16], data__stride_frames=4, data__num_frames=8, data__fps=FPS
    )
    run = write_trained(tmp_path / "run", root, recipe)
    sensors = [{"name": "both", "rate_hz": FPS, "channels": 2}]
    settings = {"sensors": sensors, "window": 8, "stride": 4, "rate_hz": FPS, "normalise": "none"}
    folder = root / recipe.data.features[0]
    write_json(folder / "signals.json", settings)
    samples = np.random.default_rng(0).normal(size=(203, 2)).round(4)
    by_sample = go(text_of(samples), run, signal=True, min_score=0.3)
    assert by_sample == go(text_of(raw_windows(samples, 8, 4)), run, min_score=0.3) and len(by_sample) > 5
    assert go(text_of(samples[:7]), run, signal=True) == []
    assert go.said[1] == "it ended after 7 rows, before its first vector: nothing was looked for in them"
    with pytest.raises(ValueError, match="samples of recipe 'tiny' come 10 times a second, not 20"):
        go(text_of(samples), run, signal=True, fps=20)
    write_json(folder / "signals.json", settings | {"normalise": "recording"})
    with pytest.raises(ValueError, match="deviation 1 over whole recordings, which a stream does not know"):
        go(text_of(samples), run, signal=True)
    (folder / "signals.json").unlink()


def test_where_the_time_jumps_one_recording_ends_and_another_begins(run, go):
    clock = np.concatenate([times(50, 100.0), times(40, 500.0)])
    lines = go(text_of(VECTORS, clock), min_score=0.35, longest_sec=40.0)
    assert_same(lines, offline(run, VECTORS[:50], 0.35, 100.0), offline(run, VECTORS[50:], 0.35, 500.0))
    assert go.said[1:] == ["the clock jumps from 119.6 to 500 s: a new recording begins"]


def test_a_clock_that_is_late_now_and_then_or_drifts_slowly_does_not_matter(run, go):
    late = times(90) + np.random.default_rng(0).uniform(0, 0.2, 90)
    assert_same(go(text_of(VECTORS, late + 1e-3 * times(90)), min_score=0.35), offline(run, VECTORS, 0.35, late[0]))


def test_what_is_left_out_is_said(go):
    go(text_of(VECTORS), min_score=0.3, longest_sec=0.2)
    assert go.said[-1].endswith("candidates longer than 0.2 s were left out; raise --longest")


def test_the_longest_action_is_that_of_the_labels_or_of_the_recipe(root, run, go):
    labelled = longest_labelled(run)
    assert 1 < labelled < 5 and longest_labelled(run, root) == labelled
    go(text_of(VECTORS))
    assert "6.4 s of the longest action" in go.said[0], "twice 8 steps of 0.4 s"


# ---- what cannot be taken


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1 2 nan 4 5 6\n", "row 31 has NaN or infinity in column 3; correct it, or leave out the row and send times"),
        ("1 2 3\n", "row 31 has 3 numbers, the rows before it had 6"),
        ("1 2 3", "row 31 was cut short after 3 numbers and is left out; each row ends with a line break"),
        ("1 2 3 4 5 6", "row 31 was cut short after 6 numbers and is left out"),
        ("\n", "row 31 has 0 numbers"),
        ("1 2 x 4 5 6\n", "row 31: 'x' is no number; send numbers alone"),
        (9 * "0000000" + 9 * "1" * 64, "row 31 is too long and is left out"),
        (b"\x93NUMPY\x01\x00", "row 31 is no text; send numbers as text, a line for each row"),
    ],
)
def test_what_came_before_a_row_that_does_not_fit_is_written(run, go, row, message):
    text = text_of(VECTORS[:30]).encode()
    with pytest.raises(ValueError, match=message):
        go(text + (row if isinstance(row, bytes) else row.encode()), min_score=0.35, longest_sec=40.0)
    assert_same(go.lines, offline(run, VECTORS[:30], 0.35))


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        (times(90) * 0.9, r"row \d+: those since 0 s come 2\.778 times a second, not 2\.5; send them at that rate, or"),
        (times(90) * 1.1, r"row \d+: those since 0 s come 2\.\d+ times a second, not 2\.5"),
        (
            np.append(times(50), times(40)),
            r"row 51 is of 0 s, not after the row before \(19\.6 s\); send rows in their",
        ),
        (1000 * times(90), r"row 4: times rise by 400 a row, not 0\.4; send seconds"),
    ],
)
def test_a_clock_that_runs_at_another_rate_or_falls_is_refused(go, clock, message):
    with pytest.raises(ValueError, match=message):
        go(text_of(VECTORS, clock))


def test_a_pipe_that_cannot_be_read(root, run, go, tmp_path):
    with pytest.raises(ValueError, match="pipe held no row; send a line of 6 numbers for each vector"):
        go("")
    with pytest.raises(ValueError, match="row 1 has 5 numbers; send 6, or the time in seconds and 6"):
        go("1 2 3 4 5\n")
    with pytest.raises(ValueError, match="nothing does not exist; name a pipe or file, or - for standard input"):
        predict_stream(run, tmp_path / "nothing", say=print)
    tridet = write_trained(tmp_path / "tridet", root, tiny_recipe(**TRIDET))
    with pytest.raises(ValueError, match=r"cannot be streamed exactly: model\.backbone 'sgp' takes means"):
        go(text_of(VECTORS), tridet)
    go(text_of(VECTORS), tridet, window_steps=64)


def test_commas_semicolons_and_blanks_are_the_same():
    rows = list(rows_of(io.BytesIO(b"1,2\r\n3;\t4\n 5 , 6 \n"), 2))
    assert [row.values.tolist() for row in rows] == [[1, 2], [3, 4], [5, 6]]
    assert [row.number for row in rows] == [1, 2, 3] and rows[0].time_sec is None
    (row,) = rows_of(io.BytesIO(b"9 1 2\n"), 2)
    assert row.time_sec == 9 and row.values.tolist() == [1, 2]


# ---- the command


def test_detections_are_there_while_standard_input_is_still_open(run, monkeypatch):
    out, into = os.pipe()
    seen, early = threading.Event(), []

    def send():
        with os.fdopen(into, "wb") as pipe:
            pipe.write(text_of(VECTORS).encode())
            pipe.flush()
            early.append(seen.wait(60))

    sender = threading.Thread(target=send)
    sender.start()
    with os.fdopen(out) as standard_input:
        monkeypatch.setattr(sys, "stdin", standard_input)
        predict_stream(run, min_score=0.35, longest_sec=4.0, say=print, write=lambda line: seen.set())
    sender.join()
    assert early == [True]


def test_the_command_prints_lines_of_json_and_nothing_else(run, tmp_path, capsys):
    (tmp_path / "pipe").write_text(text_of(VECTORS))
    assert main(["predict", str(run), "--stream", str(tmp_path / "pipe"), "--min-score", "0.35", "--longest", "4"]) == 0
    said = capsys.readouterr()
    assert len([json.loads(line) for line in said.out.splitlines()]) > 5 and said.err.startswith("weights 'ema', 10")


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["x.npy", "--longest", "3"],
        ["x.npy", "--stream", "-"],
        ["--stream", "-", "--out", "x"],
        ["--stream=-", "--exclusive"],
    ],
)
def test_options_of_files_and_of_streams_do_not_mix(run, capsys, words):
    assert main(["predict", str(run), *words]) == 2
    assert "--stream" in capsys.readouterr().err
