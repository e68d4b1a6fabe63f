"""The journal of labelling: what is in it after crashes, full disks and undo, and who may write it."""

import errno
import json
import os
import subprocess
import sys
from contextlib import ExitStack

import pytest

from afkit.files import write_json
from afkit.workbench.labelling.journal import Edit, Segment, append_line, header_of, journal_of, line_of, read_journal
from afkit.workbench.labelling.turns import ENDED, TAKEN, Turn, hold, hold_for_ever

WALK, SIT = Segment(1.0, 2.0, "walk"), Segment(3.0, 4.5, "sit", "slowly")


@pytest.fixture
def annotations(tmp_path):
    write_json(tmp_path / "labels.json", {"database": {}})
    return tmp_path / "labels.json"


@pytest.fixture
def path(annotations):
    return journal_of(annotations)


@pytest.fixture
def header(annotations):
    return header_of(annotations)


def keep(path, header, recording, segments, step="edit", state="to do", **more):
    append_line(path, line_of(recording, segments, state, step, **more), header)


def test_the_last_line_of_a_recording_counts_and_undo_goes_back_through_the_others(path, header):
    assert path.name == "labels.journal.jsonl"
    assert read_journal(path, header).segments == {}
    keep(path, header, "a", [WALK], duration_sec=9.5)
    keep(path, header, "a", [WALK, SIT])
    keep(path, header, "b", None, "state", "unsure")
    keep(path, header, "a", [WALK], "undo")
    keep(path, header, "a", [WALK], "state", "done")
    journal = read_journal(path, header)
    assert journal.segments == {"a": [WALK]} and journal.states == {"a": "done", "b": "unsure"}
    assert journal.durations_sec == {"a": 9.5}
    assert journal.undo == [Edit("a", None, [WALK])] and journal.redo == [Edit("a", [WALK], [WALK, SIT])]
    keep(path, header, "a", [WALK, SIT], "redo")
    assert read_journal(path, header).undo[-1] == Edit("a", [WALK], [WALK, SIT])
    keep(path, header, "a", [], "edit")
    journal = read_journal(path, header)
    assert journal.segments == {"a": []} and journal.redo == [] and len(journal.undo) == 3


def test_what_a_crash_cut_off_is_left_out_and_said_and_the_next_line_is_whole(path, header):
    keep(path, header, "a", [WALK])
    keep(path, header, "a", [SIT])
    path.write_bytes(path.read_bytes()[:-20])
    journal = read_journal(path, header)
    assert journal.segments == {"a": [WALK]} and journal.torn == 1
    keep(path, header, "a", [WALK, SIT])
    journal = read_journal(path, header)
    assert journal.segments == {"a": [WALK, SIT]} and journal.torn == 1

    path.write_text('{"journal": 1, "anno')  # of its first line
    keep(path, header, "a", [WALK])
    assert read_journal(path, header).segments == {"a": [WALK]}


@pytest.mark.parametrize("fails", ["write", "fsync"])
def test_a_full_disk_is_an_error_that_leaves_the_journal_as_it_was(path, header, monkeypatch, fails):
    keep(path, header, "a", [WALK])
    before = path.read_bytes()

    def full(file, *data):
        if data:
            real(file, data[0][:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    real = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, fails, full)
        with pytest.raises(OSError, match=r"No space left on device.*labels\.journal\.jsonl"):
            keep(path, header, "a", [SIT])
    assert path.read_bytes() == before
    keep(path, header, "a", [SIT])
    assert read_journal(path, header).segments == {"a": [SIT]}


def test_a_journal_of_another_annotation_file_is_refused(path, header, annotations):
    keep(path, header, "a", [WALK])
    begun = header_of(annotations, exists=False)
    with pytest.raises(ValueError, match=r"is the journal of the annotation file labels\.json; name that one, or move"):
        read_journal(path, begun)
    annotations.write_text("{}")
    with pytest.raises(ValueError, match=r"labels\.journal\.jsonl is not the journal of labels\.json as it is now"):
        read_journal(path, header_of(annotations))
    path.unlink()
    keep(path, begun, "a", [WALK])
    with pytest.raises(ValueError, match=r"is the journal of labels that began without labels\.json; go on without"):
        read_journal(path, header_of(annotations))


GOOD = line_of("a", [WALK], "to do", "edit")


@pytest.mark.parametrize(
    "line",
    [
        {"recording": "a"},
        [1, 2],
        GOOD | {"segments": "x"},
        GOOD | {"segments": [[2, 1, "walk"]]},
        GOOD | {"segments": [[-1, 1, "walk"]]},
        GOOD | {"segments": [[float("nan"), 1, "walk"]]},
        GOOD | {"state": "ready"},
        GOOD | {"step": "jump"},
        GOOD | {"duration": -1},
        GOOD | {"segments": [[1, 10**400, "walk"]]},
        "[" * 100_000,
    ],
)
def test_a_line_that_is_none_of_a_journal_is_named(path, header, line):
    keep(path, header, "a", [WALK])
    with path.open("a") as file:
        file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")
    with pytest.raises(ValueError, match=r"labels\.journal\.jsonl, line 3: this is no change .* remove the line"):
        read_journal(path, header)


WRONG = ("[1]\n", '{"recording": "a"}\n', "\x00\n\x01\n", '{"annotations": "x", "sha256": true}\n')


@pytest.mark.parametrize("text", WRONG)
def test_a_journal_without_its_first_line_is_refused_and_the_line_is_told(path, header, text):
    path.write_text(text)
    with pytest.raises(ValueError, match=r"does not begin with the line that names .* put (\{.*\}) there") as error:
        read_journal(path, header)
    line = str(error.value).split(" put ")[1].split(" there")[0]
    path.write_text(f"{line}\n{json.dumps(GOOD)}\n")
    assert read_journal(path, header).segments == {"a": [WALK]}


def test_another_process_is_told_who_writes(path):
    program = f"""
from contextlib import ExitStack
from pathlib import Path
from afkit.workbench.labelling.turns import hold
with ExitStack() as stack:
    print(repr(hold(Path({str(path)!r}), stack)))"""
    ask = [sys.executable, "-c", program]
    with ExitStack() as stack:
        assert hold(path, stack) == ""
        said = subprocess.run(ask, capture_output=True, text=True, check=True).stdout
        assert f"labels.journal.jsonl is being written by process {os.getpid()} on" in said
    assert not path.with_name("labels.journal.jsonl.lock").exists()


def test_the_newest_page_of_a_process_may_write(path, tmp_path):
    turns, reason = hold_for_ever(path)
    assert reason == "" and hold_for_ever(path) == (turns, "")
    older, newer = Turn(turns), Turn(turns)
    for turn in (older, newer):
        with turn.taken(), turn.path.open() as file:
            assert file.read() == turn.name
    with newer.writing() as why:
        assert why == ""
    with older.writing() as why:
        assert why == TAKEN
    gone = Turn(tmp_path / "gone" / "turn")
    with gone.writing() as why:
        assert why == ENDED
