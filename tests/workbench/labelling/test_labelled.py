"""What is labelled: recordings of all kinds, classes, refusals; pages that write; the file that is made of it."""

import json
import unicodedata

import av
import numpy as np
import pytest
from media_files import write_film, write_wave

from afkit.__main__ import main
from afkit.data.annotations import read_annotations
from afkit.files import write_json
from afkit.workbench.inspector.tracks import find_media
from afkit.workbench.labelling.labelled import collect_labelled
from afkit.workbench.labelling.session import Session
from afkit.workbench.labelling.show import label_recordings
from afkit.workbench.labelling.turns import TAKEN, hold_for_ever
from afkit.workbench.labelling.writing import write_labels


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def annotations(here):
    old = {"segment": [1, 2.5], "label": "walk", "label_id": 3, "comment": "limps", "tier": "left"}
    other = {"segment": [4, 6], "label": "sit", "label_id": 5}
    videos = {name: {"subset": "Test", "duration": 20.0, "annotations": [old, other], "note": 1} for name in "vw"}
    write_json(here / "labels.json", {"version": 2, "database": videos})
    return here / "labels.json"


def page(labelled, *turns):
    return Session(labelled, turns[0] if turns else hold_for_ever(labelled.journal_path)[0])


def test_films_sounds_and_tables_are_labelled_from_nothing(here):
    write_film(here / "film.mp4", length_sec=2)
    write_wave(here / "sound.wav", [0.5], length_sec=3)
    times = np.arange(100) / 25
    (here / "sensor.csv").write_text("time,x\n" + "".join(f"{t},{t % 1}\n" for t in times))
    (here / "plain.csv").write_text("x\n" + "1.5\n" * 80)
    labelled = collect_labelled(["*.mp4", "sound.wav", "sensor.csv", "plain.csv@40"], ["walk", "sit"])
    durations = labelled.inspected.durations_sec
    assert durations == pytest.approx({"film": 2, "sound": 3, "sensor": 4, "plain": 2}, abs=0.1)
    assert labelled.inspected.label_names == {0: "walk", 1: "sit"} and set(labelled.media) == {"film", "sound"}
    assert labelled.inspected.tracks.signal("sensor")["signal"].shape == (100, 1)
    sound = labelled.inspected.tracks.signal("sound")
    assert np.abs(sound["signal"]).argmax() / sound["signal_rate_hz"] == pytest.approx(0.5, abs=0.02)
    assert labelled.inspected.tracks.signal("film") == {}

    session = page(labelled)
    assert session.keep(labelled.inspected, "film", [[0.5, 1, 1, "ü"]], "to do", "edit") == {}
    assert session.add_label(" jump  high ") == {"label_id": 2} == session.add_label("jump high")
    assert session.keep(labelled.inspected, "sensor", None, "done", "state") == {}
    again = collect_labelled([])  # another day, without the files
    assert list(again.inspected.label_names.values()) == ["walk", "sit", "jump high"]
    begun = page(again).begin()
    assert begun["segments"] == {"film": [[0.5, 1.0, 1, "ü"]]} and begun["undo"] == [
        ["film", None, [[0.5, 1.0, 1, "ü"]]]
    ]
    assert begun["states"] == {"film": "to do", "sensor": "done"}

    assert main(["label", "--write", "labels.json"]) == 0
    database = json.loads((here / "labels.json").read_text())["database"]
    assert list(database) == ["film", "sensor"] and database["sensor"]["annotations"] == []
    entry = {"label": "sit", "segment": [0.5, 1.0], "label_id": 1, "comment": "ü"}
    assert database["film"]["annotations"] == [entry] and database["film"]["state"] == "to do"
    assert read_annotations(here / "labels.json").videos["film"].duration_sec == pytest.approx(2, abs=0.1)


def test_samples_are_shown_at_the_times_of_their_clock_as_features_are_made_and_nothing_in_its_gaps(here):
    times = np.delete(1e9 + np.arange(1500) / 25, np.arange(250, 375))
    (here / "s.csv").write_text("time,x\n" + "".join(f"{t:.2f},{float(20 <= t - 1e9 < 30)}\n" for t in times))
    labelled = collect_labelled(["s.csv"], ["walk"])
    shown = labelled.inspected.tracks.signal("s")["signal"][:, 0]
    assert labelled.inspected.durations_sec["s"] == pytest.approx(60)
    assert np.flatnonzero(shown > 0.5)[[0, -1]] / 25 == pytest.approx([20, 29.96])
    assert np.flatnonzero(np.isnan(shown))[[0, -1]] / 25 == pytest.approx([10, 14.96])


def test_a_file_is_that_of_a_recording_whose_accents_are_coded_otherwise(here):
    coded = [unicodedata.normalize(form, "Éva") for form in ("NFC", "NFD")]
    for name, other in (coded, coded[::-1]):
        write_wave(here / f"{name}.wav", [0.5])
        write_json(here / "labels.json", {"database": {other: {"subset": "a", "duration": 2, "annotations": []}}})
        inspected = collect_labelled([f"{name}.wav"], ["a"], "labels.json").inspected
        assert inspected.videos == [other] == list(inspected.tracks.videos)
        assert find_media(here, other) == here / f"{name}.wav"
        (here / f"{name}.wav").unlink()


def test_a_recording_lasts_as_its_pieces_do_where_its_file_does_not_say_or_counts_from_elsewhere(here):
    write_film(here / "late.webm", length_sec=2, codec="libvpx-vp9", first_sec=5)
    write_wave(here / "s.wav", [0.5], length_sec=20)
    with av.open("s.wav") as sound, av.open("s.aac", "w") as raw:  # bare pieces of varied sizes
        track = raw.add_stream("aac", rate=44_100, layout="mono")
        for frame in sound.decode(audio=0):
            raw.mux(track.encode(frame))
        raw.mux(track.encode())
    lengths = collect_labelled(["late.webm", "s.aac"], ["walk"]).inspected.durations_sec
    assert lengths == pytest.approx({"late": 2, "s": 20}, abs=0.1)


def test_a_file_made_of_the_old_one_and_the_journal_keeps_all_that_was_not_changed(here, annotations, capsys):
    before = annotations.read_bytes()
    labelled = collect_labelled([], ["jump"], annotations)
    inspected, session = labelled.inspected, page(labelled)
    assert session.begin()["comments"] == {"v": ["limps", ""], "w": ["limps", ""]}
    rows = [[1, 2.5, 3, "limps"], [5, 6, 5, "late"], [7, 8, 6, ""]]
    assert session.keep(inspected, "v", rows, "done", "edit") == {}
    assert main(["label", "labels.json", "--write", "new.json"]) == 0
    assert "2 recordings, 1 of them labelled here, with 3 labels" in capsys.readouterr().out
    old, new = (json.loads((here / name).read_text()) for name in ("labels.json", "new.json"))
    assert annotations.read_bytes() == before and new["version"] == 2
    assert new["database"]["w"] == old["database"]["w"]
    kept, late, jump = new["database"]["v"]["annotations"]
    assert kept == old["database"]["v"]["annotations"][0] and late["comment"] == "late"
    assert jump == {"label": "jump", "segment": [7.0, 8.0], "label_id": 6}
    assert (new["database"]["v"]["state"], new["database"]["v"]["note"]) == ("done", 1)
    assert main(["label", "labels.json", "--write", "new.json"]) == 2
    assert "new.json exists; give the name of a new file" in capsys.readouterr().err


def test_what_cannot_be_labelled_is_said_in_a_sentence(here, annotations, capsys):
    write_wave(here / "s.wav", [0.5])
    (here / "plain.csv").write_text("x\n" + "1.5\n" * 80)
    for arguments, said in (
        ([], "there is nothing to label; name films, sounds"),
        (["s.wav"], "there is no class to label; name them with --labels"),
        (
            ["plain.csv", "--labels", "a"],
            "has no column with the time; add it, or, to label or make features, give",
        ),
        (["none.mp4", "--labels", "a"], "none.mp4 does not exist; name another file"),
        (["none*.mp4", "--labels", "a"], "none*.mp4 has no file that ends in .mp4"),
        (["plain.csv@0", "--labels", "a"], "plain.csv@0: a table has more than 0 samples per second"),
        (["labels.json", "--annotations", "labels.json"], "one annotation file can be labelled at a time"),
        (["--annotations", "labels.txt"], "an annotation file ends in .json"),
        (["--annotations", "none.json"], "none.json does not exist"),
        (["labels.json", "--write", "new.json"], "labels.journal.jsonl holds no change; label something first"),
    ):
        assert main(["label", *arguments, *([] if "--write" in arguments else ["--write", "x.json"])]) == 2
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1, error


def test_a_change_that_cannot_be_is_not_kept_and_a_full_disk_is_told(annotations, monkeypatch):
    labelled = collect_labelled([], [], annotations)
    session = page(labelled)
    for rows, said in (
        ([[1, 21, 3, ""]], "must lie within the video, from 0 to 20 s"),
        ([[1, 2, 9, ""]], "9 is the label id of no class"),
        ([[1, 1, 3, ""]], "must end 0.001 s after"),
    ):
        assert said in session.keep(labelled.inspected, "v", rows, "to do", "edit")["refused"]
    assert "is no state" in session.keep(labelled.inspected, "v", None, "ready", "state")["refused"]
    assert not labelled.journal_path.exists()
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        answer = session.keep(labelled.inspected, "v", [[1, 2, 3, ""]], "to do", "edit")
    assert answer["error"].endswith("labels.journal.jsonl: No space left on device")
    assert session.keep(labelled.inspected, "v", [[1, 2, 3, ""]], "to do", "edit") == {}


def test_a_film_that_ends_before_its_annotations_or_that_no_browser_plays_is_named(here, annotations):
    write_film(here / "v.avi", length_sec=2, codec="mpeg4")
    labelled = collect_labelled(["v.avi"], [], annotations)
    assert "'v' lasts 2.0 s, and its annotations go to 6.0 s: is it another recording" in labelled.inspected.remark
    assert "v.avi is of a format that no browser plays; browsers play .mp4 (H.264)" in labelled.inspected.remark
    (here / "cut.mp4").write_bytes((here / "v.avi").read_bytes()[:50])
    (here / "empty.mp4").touch()
    remark = collect_labelled(["cut.mp4", "empty.mp4"], [], annotations).inspected.remark
    assert "cut.mp4 cannot be read as a film or sound" in remark and "(and 1 more that cannot be read)." in remark
    assert page(labelled).keep(labelled.inspected, "v", [[1, 2.5, 3, ""], [4, 6, 3, ""]], "done", "edit") == {}
    assert collect_labelled(["v.avi"], [], annotations).inspected.durations_sec["v"] == 6


def test_in_a_notebook_the_newer_widget_writes_and_the_older_one_is_told(annotations):
    pytest.importorskip("anywidget", reason="the widget is an extra")
    older = label_recordings(annotations="labels.json")
    newer = label_recordings(annotations="labels.json")
    change = {"track": "keep", "run": 0, "video": "v", "segments": [[1, 2, 3, "x"]], "state": "to do", "step": "edit"}
    assert older._answer_of(**change) == ({"read_only": TAKEN}, [])
    assert newer._answer_of(**change) == ({}, [])
    assert newer.corrections == {"v": [[1, 2, 3]]} and len(newer.annotations) == 3
    assert newer._answer_of(0, "label", name="new") == ({"label_id": 6}, [])
    assert newer._answer_of(**change | {"segments": [[1, 2, 6, ""]]}) == ({}, [])
    assert older._answer_of(0, "turn")[0]["read_only"] == TAKEN and newer._answer_of(0, "turn")[0]["read_only"] == ""
    assert (
        "corrections" not in newer.get_state() and newer.get_state()["labelling"]["journal"] == "labels.journal.jsonl"
    )
    looking = label_recordings(annotations="labels.json", read_only="somebody else writes")
    assert looking._answer_of(**change) == ({"read_only": "somebody else writes"}, [])


def test_nothing_was_changed_twice_by_writing(annotations):
    labelled = collect_labelled([], [], annotations)
    session = page(labelled)
    session.keep(labelled.inspected, "v", [[1, 2.5, 3, ""]], "unsure", "edit")
    write_labels("one.json", labelled)
    (kept,) = json.loads(annotations.with_name("one.json").read_text())["database"]["v"]["annotations"]
    assert kept == {"segment": [1, 2.5], "label": "walk", "label_id": 3, "tier": "left"}, "its comment was taken away"


def test_what_a_crash_cut_off_is_told_on_the_page_and_when_a_file_is_written(annotations, capsys):
    labelled = collect_labelled([], [], annotations)
    session = page(labelled)
    session.keep(labelled.inspected, "v", [[1, 2, 3, ""]], "to do", "edit")
    session.keep(labelled.inspected, "v", [[1, 2, 5, ""]], "done", "edit")
    labelled.journal_path.write_bytes(labelled.journal_path.read_bytes()[:-9])
    told = "a line of labels.journal.jsonl was cut off by a crash or a full disk, and left out; all others count"
    assert told in collect_labelled([], [], annotations).inspected.remark
    assert main(["label", "labels.json", "--write", "new.json"]) == 0
    assert told in capsys.readouterr().out


def test_what_recordings_that_were_labelled_from_nothing_are_for_is_drawn_by_import_and_start(here):
    for name in "st":
        write_wave(here / f"{name}.wav", [0.5])
        labelled = collect_labelled(["*.wav"], ["beep"])
        assert page(labelled).keep(labelled.inspected, name, [[0.1, 0.5, 0, ""]], "done", "edit") == {}
    write_labels("new.json", labelled)
    assert main(["import", "new.json", "split.json"]) == 0
    assert {one.subset for one in read_annotations("split.json").videos.values()} == {"training", "validation"}


def test_labels_that_were_all_taken_back_make_no_file(here):
    write_wave(here / "s.wav", [0.5])
    labelled = collect_labelled(["s.wav"], ["beep"], say=print)
    session = page(labelled)
    assert session.keep(labelled.inspected, "s", [[0.1, 0.5, 0, ""]], "to do", "edit") == {}
    assert session.keep(labelled.inspected, "s", [], "to do", "undo") == {}
    with pytest.raises(ValueError, match="has no label left, and no recording is done"):
        write_labels(here / "new.json", labelled)
    assert not (here / "new.json").exists()
