"""The command `features`: what it prints and leaves, that it goes on where it stopped, and what it refuses."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("av", reason="films are read by PyAV")

from media_files import write_film, write_wave

from afkit.__main__ import main
from afkit.data.feature_formats import open_array
from afkit.workbench import progress
from afkit.workbench.media import writing
from afkit.workbench.media.films import write_film_features


@pytest.fixture
def films(tmp_path):
    """A folder with two films and a file that is none."""
    folder = tmp_path / "films"
    folder.mkdir()
    for name in ("a.mp4", "b.mkv"):
        write_film(folder / name, [0.4], length_sec=1.0)
    (folder / "notes.txt").write_text("no film")
    return folder


def features(*arguments):
    """The exit status of the command."""
    return main(["features", *map(str, arguments)])


def test_films_of_a_folder_become_features_and_settings(films, tmp_path, capsys):
    out = tmp_path / "out"
    assert features(films, "--out", out) == 0
    said = capsys.readouterr().out
    assert "2 recordings of 0.00 hours, 128 numbers in a feature vector\n" in said
    grid = "data.input_dims: [128]\ndata.stride_frames: 4\ndata.num_frames: 8\ndata.fps: 25\n"
    assert said.endswith(f"{grid}{out}\n")
    assert sorted(path.name for path in out.iterdir()) == ["a.npy", "b.npy", "film.json"]
    assert open_array(out / "a.npy", "", "a").shape == ((25 - 8) // 4 + 1, 128)
    settings = json.loads((out / "film.json").read_text())
    assert settings["recordings"]["b"]["file"] == "b.mkv" and settings["width"] == 128


def test_sound_becomes_features(tmp_path, capsys):
    write_wave(tmp_path / "a.wav", [0.5])
    how = ["--sound", "--window-sec", "0.2", "--stride-sec", "0.1", "--bands", "8"]
    assert features(tmp_path / "a.wav", "--out", tmp_path / "out", *how) == 0
    assert (
        "data.input_dims: [16]\ndata.stride_frames: 10\ndata.num_frames: 20\ndata.fps: 100\n" in capsys.readouterr().out
    )
    assert json.loads((tmp_path / "out" / "sound.json").read_text())["rate_hz"] == 32_000


def test_a_second_start_does_what_is_missing_or_has_changed(films, tmp_path, capsys):
    out = tmp_path / "out"
    features(films, "--out", out)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.npy")}
    (out / "b.npy").unlink()
    assert features(films, "--out", out) == 0
    assert "1 of 2 recordings are there already: left as they are" in capsys.readouterr().out
    assert (out / "a.npy").stat().st_mtime_ns == before["a.npy"] and (out / "b.npy").exists()
    write_film(films / "a.mp4", [0.1], length_sec=1.5)
    features(films, "--out", out)
    assert len(np.load(out / "a.npy")) == (37 - 8) // 4 + 1
    assert features(films, "--out", out, "--fps", "5") == 2
    assert "made otherwise (fps 25.0, now 5.0); name another folder, or give --force" in capsys.readouterr().err
    assert features(films, "--out", out, "--fps", "5", "--force") == 0
    assert len(np.load(out / "a.npy")) == 1, "eight frames at five a second are longer than the film"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("{", "film.json is not a readable JSON file"),
        ({"fps": 0.0}, "film.json does not say how features are made; write the features again, with --force"),
        ({"width": True}, "film.json does not say how features are made"),
        ({"recordings": 3}, "film.json does not say what '' was made of; write the features again, with --force"),
        ({"recordings": {"a": {"file": "a.mp4"}}}, "film.json does not say what 'a' was made of"),
    ],
)
def test_damaged_settings_are_named_and_force_writes_anew(films, tmp_path, capsys, change, said):
    out = tmp_path / "out"
    features(films, "--out", out)
    whole = (out / "film.json").read_text()
    (out / "film.json").write_text(change if isinstance(change, str) else json.dumps(json.loads(whole) | change))
    assert features(films, "--out", out) == 2
    assert said in capsys.readouterr().err
    assert features(films, "--out", out, "--force") == 0
    assert (out / "film.json").read_text() == whole


def test_a_file_of_somebody_else_is_not_written_over(films, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    np.save(tmp_path / "out" / "a.npy", np.ones((3, 2)))
    assert features(films, "--out", tmp_path / "out") == 2
    assert "a.npy is there, and was not made by this command; remove it, or give --force" in capsys.readouterr().err
    assert np.load(tmp_path / "out" / "a.npy").shape == (3, 2) and (tmp_path / "out" / "b.npy").exists()


def test_what_fails_is_named_at_the_end_and_the_others_are_done(films, tmp_path, capsys):
    (films / "c.mp4").write_bytes(b"")
    (films / "d.avi").write_bytes((films / "a.mp4").read_bytes()[:700])
    write_wave(films / "e.wav", [0.5])
    (films / "e.wav").rename(films / "e.mov")
    (films / "f.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{films}/a.mp4\n#EXT-X-ENDLIST\n")
    assert features(films, "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "4 of 6 recordings cannot be used; the others are done:" in said
    for line in ("c.mp4 is empty; copy it anew", "d.avi cannot be read as a film or sound (", "e.mov has no pictures"):
        assert line in said
    assert "f.mp4 cannot be read" in said, "a list of other files is not followed"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a.npy", "b.npy", "film.json"]
    assert sorted(json.loads((tmp_path / "out" / "film.json").read_text())["recordings"]) == ["a", "b"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["FILMS/nothing.mp4"], "nothing.mp4 does not exist; name a file or a folder of recordings"),
        (["FILMS/notes.txt"], "notes.txt is, or holds, no file that ends in .mp4, .mkv"),
        (["FILMS", "FILMS/../a.mkv"], "are both of a recording 'a'; rename one"),
        (["FILMS", "--stride-frames", "-1"], "a clip of 8 frames, a stride of -1 and None frames per second"),
        (["FILMS", "--fps", "nan"], "and nan frames per second: must be above 0"),
        (["FILMS", "--backbone", "FILMS"], "films is no folder of a model: it has no config.json"),
    ],
)
def test_what_cannot_be_is_one_sentence_and_nothing_is_written(films, tmp_path, capsys, arguments, message):
    (tmp_path / "a.mkv").write_bytes(b"x")
    out = tmp_path / "out"
    assert features(*[text.replace("FILMS", str(films)) for text in arguments], "--out", out) == 2
    said = capsys.readouterr().err
    assert message in said and len(said.splitlines()) == 1 and not out.exists()


def test_a_full_disk_leaves_no_half_a_file(films, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writing, "_write_header", full)
    with pytest.raises(OSError, match=r"No space left on device: .*a\.npy"):
        write_film_features([films / "a.mp4"], tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_progress_says_how_many_minutes_are_left(films, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "FIRST_SEC", 0.0)
    monkeypatch.setenv(progress.EVERY, "0")
    said = []
    write_film_features([films / "a.mp4", films / "b.mkv"], tmp_path / "out", say=said.append)
    assert said[0] == "recordings: 0 of 0 min, 0 s left"


@pytest.mark.slow
def test_recordings_that_workers_share_come_out_as_in_one_process(films, tmp_path, capsys, monkeypatch):
    pytest.importorskip("distributed", reason="an extra")
    write_film(films / "c.mp4", [0.4], length_sec=1.0)
    (films / "d.mp4").write_bytes((films / "a.mp4").read_bytes()[:700])
    (tmp_path / "brightness.py").write_text(
        "def mean(clips):\n    return clips.mean(axis=(2, 3)).reshape(len(clips), -1)\n"
    )
    monkeypatch.chdir(tmp_path)
    how = ["films", "--backbone", "brightness:mean", "--num-frames", "6"]
    for out, more in (("alone", []), ("shared", ["--workers", "2"])):
        assert features(*how, "--out", out, *more) == 2
        said = capsys.readouterr().err
        assert "1 of 4 recordings cannot be used; the others are done:\nfilms/d.mp4 cannot be read as a film" in said
    alone, shared = (
        {path.name: path.read_bytes() for path in (tmp_path / out).iterdir()} for out in ("alone", "shared")
    )
    assert sorted(alone) == ["a.npy", "b.npy", "c.npy", "film.json"] and shared == alone
    del sys.modules["brightness"]
