"""EDF and WFDB recordings as samples of sensors."""

import json

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.physio_files import read_physio, read_physio_labels
from afkit.workbench.own_data.sample_files import SensorKind, read_sensor
from afkit.workbench.own_data.signal_files import write_windows

WAVE = np.sin(np.arange(1000) / 20)


@pytest.fixture
def edf(tmp_path):
    edfio = pytest.importorskip("edfio", reason="it writes EDF")
    signals = [edfio.EdfSignal(WAVE, 100, label="ECG"), edfio.EdfSignal(2 * WAVE[:100], 10, label="resp")]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    return tmp_path / "a.edf"


def test_edf_gives_channels_of_the_highest_rate_or_those_chosen(edf):
    values, names, rate_hz, clock, slower = read_physio(edf)
    assert (names, rate_hz, clock, slower) == (["ECG"], 100, None, ["resp (10 Hz)"])
    np.testing.assert_allclose(values[:, 0], WAVE, atol=1e-4)
    values, names, rate_hz, _, slower = read_physio(edf, ["resp"])
    assert (names, rate_hz, len(values), slower) == (["resp"], 10, 100, [])
    with pytest.raises(ValueError, match="several rates; choose those of one with --columns"):
        read_physio(edf, ["ECG", "resp"])
    with pytest.raises(ValueError, match="no column 'EEG', but ECG, resp"):
        read_physio(edf, ["EEG"])
    sensor, _, _ = read_sensor(edf, SensorKind("x", 0.0, 0, by_clock=True), False)
    assert sensor.rate_hz == 100
    said, both = [], [["ECG"], ["resp"]]
    write_windows([edf.parent], [None], edf.parent / "out", 50, 25, say=said.append)
    assert said[0].startswith(
        "channels of lower rates or of triggers, left out: resp (10 Hz); name the folder once more, with"
    )
    write_windows([edf.parent] * 2, [None] * 2, edf.parent / "two", 50, 25, columns=both, say=said.append)
    assert np.load(edf.parent / "two" / "a.npy").shape == (39, 100) and "left out" not in said[2]


@pytest.mark.parametrize("kind", ["EDF", "BDF"])
def test_pauses_of_a_discontinuous_recording_are_gaps_and_what_follows_is_not_shifted(tmp_path, kind):
    edfio = pytest.importorskip("edfio", reason="it writes EDF")
    seconds = np.repeat(np.arange(8.0), 50)  # the number of the record, which lasts a second
    path = tmp_path / f"a.{kind.lower()}"
    signals = [getattr(edfio, f"{kind.title()}Signal")(seconds, 50, label="x", physical_range=(-1, 12))]
    getattr(edfio, kind.title())(signals, annotations=[edfio.EdfAnnotation(8, 2, "walk")]).write(path)
    content = path.read_bytes().replace(b"+C", b"+D", 1)
    for before, after in ((b"+7", b"+9"), (b"+6", b"+8")):  # a pause of 2 s after 6 s
        content = content.replace(before + b"\x14\x14", after + b"\x14\x14")
    path.write_bytes(content)
    sensor, _, _ = read_sensor(path, SensorKind("x", 50.0, 0, by_clock=True), False)
    assert sensor.rate_hz == 50 and len(sensor.signal) == 500
    np.testing.assert_allclose(sensor.signal[[0, 299, 400, 499], 0], [0, 5, 6, 7], atol=1e-3)
    np.testing.assert_allclose(sensor.gaps_sec, [[5.98, 8]])
    assert read_physio_labels(path)[:2] == ([(8, 10, "walk")], 10)
    with pytest.raises(ValueError, match=r"jumps by 2.02 s after sample 300; correct it, leave out @50, so .* --fix"):
        read_sensor(path, SensorKind("x", 50.0, 0), False)
    path.write_bytes(content.replace(b"+3\x14\x14", b"+1\x14\x14"))
    with pytest.raises(
        ValueError, match="its data record 4 begins at 1 s, before the end of the one before it; export"
    ):
        read_sensor(path, SensorKind("x", 50.0, 0, by_clock=True), False)
    path.write_bytes(content.replace(b"+3\x14\x14", b"_3\x14\x14"))
    with pytest.raises(ValueError, match="its data record 4 does not say when it begins"):
        read_sensor(path, SensorKind("x", 50.0, 0, by_clock=True), False)


def test_wfdb_gives_all_channels_and_opens_no_file_elsewhere(tmp_path):
    wfdb = pytest.importorskip("wfdb", reason="it writes WFDB")
    both = np.stack([WAVE, -WAVE], axis=1)
    wfdb.wrsamp("b", 360, ["mV", "mV"], ["I", "II"], both, fmt=["16", "16"], write_dir=str(tmp_path))
    values, names, rate_hz, clock, slower = read_physio(tmp_path / "b.hea")
    assert (names, rate_hz, clock, slower) == (["I", "II"], 360, None, [])
    np.testing.assert_allclose(values, both, atol=1e-3)
    header = (tmp_path / "b.hea").read_text()
    (tmp_path / "c.hea").write_text(header.replace("b.dat", "../secret.dat"))
    with pytest.raises(ValueError, match="it names a file elsewhere"):
        read_physio(tmp_path / "c.hea")


def test_channels_of_one_name_are_kept_apart_and_triggers_are_no_channels(tmp_path):
    edfio, wfdb = pytest.importorskip("edfio"), pytest.importorskip("wfdb")
    signals = [edfio.EdfSignal(k * WAVE, 100, label=label) for k, label in ((1, "EMG"), (2, "EMG"), (3, "Status"))]
    edfio.Edf(signals).write(tmp_path / "a.edf")
    values, names, _, _, left_out = read_physio(tmp_path / "a.edf")
    assert (names, left_out) == (["EMG", "EMG (2)"], ["Status (100 Hz)"])
    np.testing.assert_allclose(values, np.stack([WAVE, 2 * WAVE], axis=1), atol=1e-3)
    np.testing.assert_allclose(read_physio(tmp_path / "a.edf", ["EMG (2)"])[0], values[:, 1:])
    assert read_physio(tmp_path / "a.edf", ["Status"])[1] == ["Status"]
    wfdb.wrsamp("b", 360, ["mV", "mV"], ["I", "II"], values, fmt=["16", "16"], write_dir=str(tmp_path))
    (tmp_path / "b.hea").write_text((tmp_path / "b.hea").read_text().replace(" II", " I"))
    assert read_physio(tmp_path / "b.hea")[1] == ["I", "I (2)"]


@pytest.mark.parametrize("limits", [b"-1,5     1,5     ", b"0       0       "])
def test_a_channel_without_a_range_is_refused(tmp_path, limits):
    edfio = pytest.importorskip("edfio")
    edfio.Edf([edfio.EdfSignal(WAVE, 100, label="x", physical_range=(-1.5, 1.5))]).write(tmp_path / "a.edf")
    content = (tmp_path / "a.edf").read_bytes()
    (tmp_path / "a.edf").write_bytes(content.replace(b"-1.5    1.5     ", limits))
    with pytest.raises(ValueError, match="gives its channel 'x' no range, and so no unit; correct it, or choose other"):
        read_physio(tmp_path / "a.edf")


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


def test_rhythms_are_on_the_clock_of_their_annotations_and_of_each_channel(tmp_path):
    wfdb = pytest.importorskip("wfdb", reason="it writes WFDB")

    def rhythms(rate_hz, samples, channels):
        wfdb.wrsamp("a", 100, ["mV"], ["I"], WAVE[:, None], fmt=["16"], write_dir=str(tmp_path))
        notes = ["(N", "(VT", "(AFIB", "(N"][: len(samples)]
        more = {"chan": np.array(channels), "fs": rate_hz, "write_dir": str(tmp_path)}
        wfdb.wrann("a", "atr", np.array(samples), ["+"] * len(samples), aux_note=notes, **more)
        return read_physio_labels(tmp_path / "a.hea")

    for rate_hz in (25, 100, 400):
        assert rhythms(rate_hz, [rate_hz, 4 * rate_hz], [0, 0]).rows == [(1, 4, "N"), (4, 10, "VT")]
    found = rhythms(100, [100, 150, 400, 700], [0, 1, 0, 1])
    assert found.rows == [(1, 4, "N"), (1.5, 7, "VT"), (4, 10, "AFIB"), (7, 10, "N")]
    assert found.remark == "rhythms of the channels 0, 1 overlap: each is taken up to the next of its own channel"
