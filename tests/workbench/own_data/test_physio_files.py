"""EDF and WFDB recordings as samples of sensors."""

import numpy as np
import pytest

from afkit.workbench.own_data.physio_files import read_physio
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
        with pytest.raises(ValueError, match=rf"{name}\.edf is not a readable feature file"):
            read_sensor(tmp_path / f"{name}.edf", kind, False)
    monkeypatch.setitem(__import__("sys").modules, "edfio", None)
    with pytest.raises(ValueError, match=r"the package edfio reads it; install it with: pip install 'afkit\[media\]'"):
        read_sensor(edf, kind, False)
