"""Clicks lie in the vectors that the contract names, in files of sound and in films."""

import numpy as np
import pytest

pytest.importorskip("av", reason="sound is read by PyAV")
pytest.importorskip("transformers", reason="the mel scale is that of transformers")

from media_files import write_film, write_wave

from afkit.workbench.media.sounds import log_mel, write_sound_features

CLICKS = (0.5051, 1.3337)


def loudest(path, target, clicks, **how):
    """Seconds at which the vectors around each click are loudest, the middle of what they cover; and what was made."""
    made = write_sound_features([path], target, **({"window_sec": 0.01, "stride_sec": 0.01} | how))
    loud = np.load(target / f"{path.stem}.npy")[:, : made.width // 2].mean(axis=1)
    times = (np.arange(len(loud)) * made.stride_frames + made.num_frames / 2) / made.fps
    return [times[np.argmax(np.where(np.abs(times - click) < 0.2, loud, -9))] for click in clicks], made


WAVES = {
    "mono": {},
    "stereo, in one channel": {"channels": 2},
    "24 bits": {"sample_bytes": 3, "channels": 2},
    "low rate": {"rate_hz": 8000},
}


@pytest.mark.parametrize("name", WAVES)
def test_a_click_is_in_the_vector_that_covers_it(tmp_path, name):
    write_wave(tmp_path / "ton.wav", CLICKS, **WAVES[name])
    found, made = loudest(tmp_path / "ton.wav", tmp_path / "out", CLICKS)
    assert np.abs(np.subtract(found, CLICKS)).max() <= 0.5 * made.num_frames / made.fps + 0.5 / made.fps
    assert made.durations_sec == {"ton": 2.0} and not made.notes
    assert len(np.load(tmp_path / "out" / "ton.npy")) == 200


@pytest.mark.parametrize("file", ["film.mp4", "film.mkv", "film.ts"])
def test_sound_that_begins_late_is_on_the_clock_of_the_film(tmp_path, file):
    write_film(tmp_path / file, length_sec=2.5, clicks_sec=[0.9, 1.8], sound_from_sec=0.7)
    found, made = loudest(tmp_path / file, tmp_path / "out", [0.9, 1.8])
    assert np.abs(np.subtract(found, [0.9, 1.8])).max() <= 0.5 * made.num_frames / made.fps + 0.5 / made.fps
    assert "begins 0." in made.notes[0] and "silence is taken there" in made.notes[0]


def test_windows_hold_the_hops_that_the_contract_names(tmp_path):
    write_wave(tmp_path / "a.wav", [1.0], length_sec=3.0)
    _, made = loudest(tmp_path / "a.wav", tmp_path / "out", [1.0], window_sec=0.4, stride_sec=0.2, bands=20)
    vectors = np.load(tmp_path / "out" / "a.npy")
    assert made[:4] == (40, 20, 40, 100.0) and len(vectors) == (300 - 40) // 20 + 1
    loud = vectors[:, :20].mean(axis=1)
    assert np.flatnonzero(loud > loud.min() + 0.01).tolist() == [3, 4, 5], "from 0.6 to 1.4 s; 25 ms reach one beyond"


def test_the_spectrum_does_not_depend_on_how_the_samples_come(tmp_path):
    samples = np.random.default_rng(0).normal(size=400_000).astype(np.float32) / 10
    settings = {"rate_hz": 16_000, "fps": 100.0, "bands": 8}
    whole = np.concatenate(list(log_mel(iter([samples]), settings)))
    pieces = np.concatenate(list(log_mel(iter(np.array_split(samples, 77)), settings)))
    assert len(whole) == 2500
    np.testing.assert_allclose(pieces, whole, atol=1e-5)
    assert len(np.concatenate(list(log_mel(iter([samples[:200]]), settings)))) == 1


def test_films_without_sound_and_sound_that_breaks_off_are_refused(tmp_path):
    write_film(tmp_path / "silent.mp4")
    with pytest.raises(ValueError, match=r"silent.mp4 has no sound; name a recording with a track of sound$"):
        write_sound_features([tmp_path / "silent.mp4"], tmp_path / "out", window_sec=1, stride_sec=1)
    with pytest.raises(ValueError, match=r"^a window of 0 s, a stride of 1 s and 64 bands: give seconds above 0"):
        write_sound_features([tmp_path / "silent.mp4"], tmp_path / "out", window_sec=0, stride_sec=1)
    write_wave(tmp_path / "cut.wav", CLICKS)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "cut.wav").read_bytes()[:60_000])
    with pytest.raises(ValueError, match=r"cut.wav breaks off: it has 60000 of 176444 bytes; copy it anew"):
        write_sound_features([tmp_path / "cut.wav"], tmp_path / "out", window_sec=0.1, stride_sec=0.1)
