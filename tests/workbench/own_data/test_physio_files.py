"""EDF and WFDB recordings as samples of sensors."""

import json

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.physio_files import read_physio, read_physio_labels
from afkit.workbench.own_data.sample_files import SensorKind, read_sensor

WAVE = np.sin(np.arange(1000) / 20)


@pytest.fixture
def edf(tmp_path):
    edfio = pytest.importorskip("edfio", reason="it writes EDF")
    signals = [edfio.EdfSignal(WAVE, 100, label="ECG"), edfio.EdfSignal(2 * WAVE[:100], 10, label="resp")]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    return tmp_path / "a.edf"


def test_edf_gives_channels_of_the_highest_rate_or_those_chosen(edf):
    values, names, rate_hz = read_physio(edf)
    assert names == ["ECG"] and rate_hz == 100
    np.testing.assert_allclose(values[:, 0], WAVE, atol=1e-4)
    values, names, rate_hz = read_physio(edf, ["resp"])
    assert names == ["resp"] and rate_hz == 10 and len(values) == 100
    with pytest.raises(ValueError, match="several rates; choose those of one with --columns"):
        read_physio(edf, ["ECG", "resp"])
    with pytest.raises(ValueError, match="no column 'EEG', but ECG, resp"):
        read_physio(edf, ["EEG"])
    sensor, _, _ = read_sensor(edf, SensorKind("x", 0.0, 0, by_clock=True), False)
    assert sensor.rate_hz == 100


def test_wfdb_gives_all_channels_and_opens_no_file_elsewhere(tmp_path):
    wfdb = pytest.importorskip("wfdb", reason="it writes WFDB")
    both = np.stack([WAVE, -WAVE], axis=1)
    wfdb.wrsamp("b", 360, ["mV", "mV"], ["I", "II"], both, fmt=["16", "16"], write_dir=str(tmp_path))
    values, names, rate_hz = read_physio(tmp_path / "b.hea")
    assert names == ["I", "II"] and rate_hz == 360
    np.testing.assert_allclose(values, both, atol=1e-3)
    header = (tmp_path / "b.hea").read_text()
    (tmp_path / "c.hea").write_text(header.replace("b.dat", "../secret.dat"))
    with pytest.raises(ValueError, match="it names a file elsewhere"):
        read_physio(tmp_path / "c.hea")


def test_damaged_files_and_a_missing_package_are_one_sentence(edf, tmp_path, monkeypatch):
    kind = SensorKind("x", 0.0, 0, by_clock=True)
    (tmp_path / "d.edf").write_bytes(edf.read_bytes()[:300])
    (tmp_path / "e.edf").write_bytes(b"")
    for name in ("d", "e"):
        with pytest.raises(ValueError, match=rf"{name}\.edf: its annotations cannot be read"):
            read_physio_labels(tmp_path / f"{name}.edf")
        with pytest.raises(ValueError, match=rf"{name}\.edf is not a readable feature file"):
            read_sensor(tmp_path / f"{name}.edf", kind, False)
    monkeypatch.setitem(__import__("sys").modules, "edfio", None)
    with pytest.raises(ValueError, match=r"the package edfio reads it; install it with: pip install 'afkit\[media\]'"):
        read_sensor(edf, kind, False)


def segments(path):
    """{recording: (duration, [[start, end, label], ...])} of an annotation file."""
    database = json.loads(path.read_text())["database"]
    return {
        name: (video["duration"], [[*one["segment"], one["label"]] for one in video["annotations"]])
        for name, video in database.items()
    }


def test_annotations_in_edf_are_labels_and_points_are_left_out_on_request(tmp_path, capsys):
    edfio = pytest.importorskip("edfio", reason="it writes EDF")

    def write(name, *rows):
        notes = [edfio.EdfAnnotation(*row) for row in rows]
        edfio.Edf([edfio.EdfSignal(WAVE, 100, label="ECG")], annotations=notes).write(tmp_path / f"{name}.edf")

    write("ü", (4000e-3, 2, "Sleep  stage 1"), (7, 1.5, "wach"))
    write("b", (1, 2, "wach"), (5, None, "beep"), (6, 2, "Sleep stage 1"))
    command = ["import", str(tmp_path), str(tmp_path / "made" / "out.json")]
    assert main(command) == 2
    assert "b.edf, annotation 2: segment 5 to 5 s is shorter than 1 ms" in capsys.readouterr().err
    assert main([*command, "--fix=short"]) == 0
    made = segments(tmp_path / "made" / "out.json")
    assert made["ü"] == (10, [[4, 6, "Sleep stage 1"], [7, 8.5, "wach"]])
    assert made["b"] == (10, [[1, 3, "wach"], [6, 8, "Sleep stage 1"]])

    write("b", (1, None, "R"), (2, 0, "R"))
    assert main([*command[:2], str(tmp_path / "made" / "new.json")]) == 2
    assert "b.edf: all its 2 annotations are points without duration, such as 'R'; write" in capsys.readouterr().err
    write("b")
    assert main(["import", str(tmp_path / "b.edf"), str(tmp_path / "made" / "new.json")]) == 2
    assert "b.edf holds no annotation" in capsys.readouterr().err


def test_rhythms_of_wfdb_last_up_to_the_next_and_beats_alone_are_refused(tmp_path, capsys):
    wfdb = pytest.importorskip("wfdb", reason="it writes WFDB")

    def write(name, symbols, notes, ending="atr"):
        wfdb.wrsamp(name, 100, ["mV"], ["I"], WAVE[:, None], fmt=["16"], write_dir=str(tmp_path))
        samples = np.arange(1, len(symbols) + 1) * 150
        wfdb.wrann(name, ending, samples, symbols, aux_note=notes, fs=100, write_dir=str(tmp_path))

    write("a", ["+", "N", "V", "+", "~"], ["(N", "", "", "(AFIB", ""])
    write("c", ["+", "+"], ["(AFIB", "(N"])
    assert main(["import", str(tmp_path), str(tmp_path / "made" / "out.json")]) == 0
    assert "3 points such as 'N' are left out: rhythms are taken" in capsys.readouterr().out
    assert segments(tmp_path / "made" / "out.json") == {
        "a": (10, [[1.5, 6, "N"], [6, 10, "AFIB"]]),
        "c": (10, [[1.5, 3, "AFIB"], [3, 10, "N"]]),
    }
    write("a", ["N", "V"], ["", ""], "qrs")
    for source, options in (("a.qrs", ["--format", "wfdb"]), ("b.hea", [])):
        write("b", ["N", "V"], ["", ""])
        assert main(["import", str(tmp_path / source), str(tmp_path / "x.json"), *options]) == 2
        assert "all its 2 annotations are points without duration, such as 'N'" in capsys.readouterr().err
    (tmp_path / "b.atr").write_bytes(b"\xff" * 33)
    assert main(["import", str(tmp_path / "b.atr"), str(tmp_path / "x.json")]) == 2
    assert "b.atr: its annotations cannot be read" in capsys.readouterr().err
    (tmp_path / "b.hea").unlink()
    assert main(["import", str(tmp_path / "b.atr"), str(tmp_path / "x.json")]) == 2
    assert "No such file" in capsys.readouterr().err
