"""The sound below a timeline: drawn where it is heard, from features and from the file, whose place is kept."""

import json
import re
from itertools import repeat

import numpy as np
import pytest

pytest.importorskip("av", reason="sound is read by PyAV")
pytest.importorskip("transformers", reason="the mel scale is that of transformers")

from media_files import write_film, write_wave

from afkit.recipes import recipe
from afkit.workbench.datasets import recorded_sound as module
from afkit.workbench.datasets.recorded_sound import envelope, file_arguments, mel_ticks, spectrogram
from afkit.workbench.datasets.sensors import has_signal, sensor_arguments
from afkit.workbench.media.sounds import log_mel, write_sound_features
from afkit.workbench.view.signals import MAX_BINS

CLICK_SEC = 1.3337


@pytest.fixture
def heard(tmp_path):
    """A function that gives what is to be drawn of a recording, whose features were made of a click in `tmp_path`."""

    def heard(path, window_sec=0.02, stride_sec=0.01):
        out = tmp_path / "data" / "mine"
        how = {"window_sec": window_sec, "stride_sec": stride_sec, "say": lambda _: None}
        write_sound_features([path], out, **how)
        return look(tmp_path, path.stem)

    return heard


def look(tmp_path, video):
    config = recipe("hapt").data.model_copy(update={"annotations": "mine.json", "features": ["mine"]})
    assert has_signal(config, tmp_path / "data")
    return sensor_arguments(config, tmp_path / "data", video)


@pytest.mark.parametrize("file", ["ton.wav", "film.mp4"])
def test_a_click_is_drawn_where_it_is_heard(tmp_path, heard, file):
    if file == "ton.wav":
        write_wave(tmp_path / file, [CLICK_SEC])
    else:
        write_film(tmp_path / file, clicks_sec=[CLICK_SEC], sound_from_sec=0.7)
    found = heard(tmp_path / file)
    wave, picture = found["signal"], found["spectrogram"]
    assert np.abs(wave).argmax() / found["signal_rate_hz"] == pytest.approx(CLICK_SEC, abs=0.01)
    loudest_sec = picture.times_sec[picture.values.mean(axis=1).argmax()]
    assert loudest_sec == pytest.approx(CLICK_SEC, abs=0.02) and picture.remark == ""
    assert picture.values.shape[1] == 64 and len(wave) == pytest.approx(2 * MAX_BINS, rel=0.07)
    assert len(wave) / found["signal_rate_hz"] == pytest.approx(2.0, abs=0.05)


def test_a_file_without_features_is_drawn_as_it_is_heard(tmp_path, monkeypatch):
    write_wave(tmp_path / "ton.wav", [CLICK_SEC])
    found = file_arguments(tmp_path / "ton.wav")
    wave, picture = found["signal"], found["spectrogram"]
    assert np.abs(wave).argmax() / found["signal_rate_hz"] == pytest.approx(CLICK_SEC, abs=0.01)
    loudest_sec = picture.times_sec[picture.values.mean(axis=1).argmax()]
    assert loudest_sec == pytest.approx(CLICK_SEC, abs=0.03) and picture.values.shape[1] == 64
    monkeypatch.setattr(module, "LONGEST_SEC", 1)
    with pytest.raises(ValueError, match=r"ton.wav lasts 0.0 hours, and sound is drawn up to two; cut it"):
        file_arguments(tmp_path / "ton.wav")


def settings_of(bands, stride=1, num_frames=1):
    return {"bands": bands, "rate_hz": 16_000, "fps": 100.0, "stride_frames": stride, "num_frames": num_frames}


def test_a_tone_lies_at_its_tick():
    times_sec = np.arange(4000) / 16_000
    assert [text for _, text in mel_ticks(64, 16_000)] == ["0.5", "2", "4"]
    for share, text in mel_ticks(64, 16_000):
        tone = np.sin(2 * np.pi * 1000 * float(text) * times_sec).astype(np.float32)
        levels = np.concatenate(list(log_mel(iter([tone]), settings_of(64))))[10]
        assert levels.argmax() + 0.5 == pytest.approx(64 * share, abs=1)


def test_a_long_recording_is_thinned_and_keeps_its_peaks():
    vectors = np.random.default_rng(0).normal(size=(5000, 400)).astype(np.float32) / 100
    vectors[3333, 150], vectors[5, 3] = 2.0, np.nan
    picture = spectrogram(vectors, settings_of(200, stride=2, num_frames=4))
    assert picture.values.shape == (1250, 50), "at most 1500 columns of at most 64 rows"
    assert picture.values[3333 // 4, 150 // 4] == 255
    assert abs(picture.times_sec[3333 // 4] - (3333 * 0.02 + 0.02)) <= 4 * 0.02 / 2
    quiet = spectrogram(np.full((1, 8), np.nan), settings_of(4))
    assert (quiet.values == 0).all() and quiet.times_sec.tolist() == [0.005]


def test_an_envelope_holds_extremes_whatever_the_blocks_and_stops_in_time():
    samples = np.random.default_rng(0).normal(size=10_007).astype(np.float32)
    found = envelope(iter(np.array_split(samples, 13)), 100).reshape(-1, 2)
    bins = samples[:10_000].reshape(100, 100)
    assert (found[:, 0] == bins.min(axis=1)).all() and (found[:, 1] == bins.max(axis=1)).all()
    assert envelope(repeat(samples), 3).shape == (2 * MAX_BINS, 1)


def test_without_the_file_the_spectrogram_stays_and_a_sentence_says_why(tmp_path, heard):
    (tmp_path / "wave").mkdir()
    path = tmp_path / "wave" / "ton.wav"
    write_wave(path, [CLICK_SEC])
    assert "signal" in heard(path)
    written = path.read_bytes()
    path.write_bytes(written + bytes(2))
    remark = look(tmp_path, "ton")["spectrogram"].remark
    assert remark == "No waveform: 'ton.wav' has changed since its features were made; write the features again."
    path.write_bytes(written[:-2])
    settings = json.loads((tmp_path / "data" / "mine" / "sound.json").read_text())
    settings["recordings"]["ton"]["bytes"] -= 2
    (tmp_path / "data" / "mine" / "sound.json").write_text(json.dumps(settings))
    remark = look(tmp_path, "ton")["spectrogram"].remark
    assert remark.startswith("No waveform: ton.wav breaks off: it has "), "without its folder"
    path.unlink()
    found = look(tmp_path, "ton")
    assert "signal" not in found and found["spectrogram"].values.max() == 255
    assert found["spectrogram"].remark.startswith("No waveform: 'ton.wav' is not in the folder 'wave' any more; copy")


def test_a_place_that_is_new_or_was_not_kept_is_kept_without_features_being_made_again(tmp_path, heard):
    (tmp_path / "new").mkdir()
    write_wave(tmp_path / "ton.wav", [CLICK_SEC])
    heard(tmp_path / "ton.wav")
    kept, features = tmp_path / "data" / "mine" / "sound.json", tmp_path / "data" / "mine" / "ton.npy"
    made_ns = features.stat().st_mtime_ns
    kept.write_text(re.sub(r',\s*"folder": "[^"]*"', "", kept.read_text()))
    remark = look(tmp_path, "ton")["spectrogram"].remark
    assert remark == "No waveform: where 'ton' lies was not kept; write the features again."
    assert "signal" in heard((tmp_path / "ton.wav").rename(tmp_path / "new" / "ton.wav"))
    assert json.loads(kept.read_text())["recordings"]["ton"]["folder"] == "../../new"
    assert features.stat().st_mtime_ns == made_ns


def test_what_a_stranger_or_a_slip_wrote_into_the_settings_is_refused_in_a_sentence(tmp_path, heard, monkeypatch):
    write_wave(tmp_path / "ton.wav", [CLICK_SEC])
    heard(tmp_path / "ton.wav")
    kept = tmp_path / "data" / "mine" / "sound.json"
    settings = json.loads(kept.read_text())
    monkeypatch.setattr(module, "waves", None)  # no file is opened
    for folder in ("//server/share", "C:/Users", "\\\\server\\share", str(tmp_path), 3, None):
        kept.write_text(
            json.dumps(settings | {"recordings": {"ton": settings["recordings"]["ton"] | {"folder": folder}}})
        )
        assert look(tmp_path, "ton")["spectrogram"].remark.startswith("No waveform: ")
    for change in ({"bands": 3}, {"fps": 0.0}, {"stride_frames": -1}, {"rate_hz": "much"}):
        kept.write_text(json.dumps(settings | change))
        with pytest.raises(
            ValueError, match=r"^the signal of 'ton' cannot be read: .*; write the features again(, with --force)?$"
        ):
            look(tmp_path, "ton")
    kept.write_text(json.dumps(settings))
    assert look(tmp_path, "another") == {}
