"""Clicks lie in the vectors that the contract names, in files of sound and in films."""

import struct
import wave
from functools import partial

import numpy as np
import pytest

pytest.importorskip("av", reason="sound is read by PyAV")
pytest.importorskip("transformers", reason="the mel scale is that of transformers")

import av
from media_files import clicks, write_film, write_wave

from afkit.workbench.media.frames import Facts
from afkit.workbench.media.opened import lasts_sec
from afkit.workbench.media.sounds import log_mel, write_sound_features
from afkit.workbench.media.waves import waves

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


@pytest.mark.parametrize("file", ["film.mp4", "film.mkv", "film.ts", "film.wmv"])
def test_sound_that_begins_late_is_on_the_clock_of_the_film(tmp_path, file):
    codec = "wmv2" if file.endswith("wmv") else "libx264"
    write_film(tmp_path / file, length_sec=2.5, clicks_sec=[0.9, 1.8], sound_from_sec=0.7, codec=codec)
    found, made = loudest(tmp_path / file, tmp_path / "out", [0.9, 1.8])
    assert np.abs(np.subtract(found, [0.9, 1.8])).max() <= 0.5 * made.num_frames / made.fps + 0.5 / made.fps
    assert "begins 0." in made.notes[0] and "silence is taken there" in made.notes[0]


def encode(path, samples, codec, rate_hz=44_100, layout="mono"):
    """A file of sound (N,) float32."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream(codec, rate=rate_hz, layout=layout)
        frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="flt", layout="mono")
        frame.sample_rate = rate_hz
        container.mux(sound.encode(frame))
        container.mux(sound.encode())


def test_a_length_that_the_library_guesses_by_a_quiet_beginning_is_not_believed(tmp_path):
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 88_200 * 6) * (np.arange(88_200 * 6) > 88_200 * 4)
    encode(tmp_path / "bare.aac", samples, "aac")
    made = write_sound_features([tmp_path / "bare.aac"], tmp_path / "out", window_sec=1, stride_sec=1)
    assert made.durations_sec["bare"] == pytest.approx(lasts_sec(tmp_path / "bare.aac"), abs=0.01)
    assert 12 <= made.durations_sec["bare"] < 12.1


def test_joined_sound_goes_on_and_repeated_sound_is_taken_once(tmp_path):
    encode(tmp_path / "one.flac", clicks(CLICKS, 2.0, 44_100), "flac")
    (tmp_path / "two.flac").write_bytes(2 * (tmp_path / "one.flac").read_bytes())
    expected = [*CLICKS, *np.add(CLICKS, 2.0)]
    found, made = loudest(tmp_path / "two.flac", tmp_path / "out", expected)
    assert np.abs(np.subtract(found, expected)).max() <= 0.5 * made.num_frames / made.fps + 0.5 / made.fps
    assert made.notes == ["two.flac: sound goes back by 2.000 s at 2.000 s; it is taken to go on"]
    for name, begin in (("a", 0.0), ("b", 1.75)):
        write_film(
            tmp_path / f"{name}.ts", length_sec=begin + 2, clicks_sec=[begin + 1], first_sec=begin, sound_from_sec=begin
        )
    (tmp_path / "c.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    found, made = loudest(tmp_path / "c.ts", tmp_path / "out", [1.0, 2.75])
    assert np.diff(found) == pytest.approx(2.75 - 1.08, abs=0.01), "the first clock is set by 0.08 s for B-frames"
    assert "taken once" in made.notes[0]


def test_sound_that_becomes_stereo_goes_on_and_another_rate_is_named(tmp_path):
    for name, rate_hz, layout in (("mono", 44_100, "mono"), ("stereo", 44_100, "stereo"), ("fast", 48_000, "mono")):
        encode(tmp_path / f"{name}.aac", clicks([1.0], 2.0, rate_hz), "aac", rate_hz, layout)
    mono, stereo, fast = ((tmp_path / f"{name}.aac").read_bytes() for name in ("mono", "stereo", "fast"))
    (tmp_path / "a.aac").write_bytes(mono + stereo)
    found, made = loudest(tmp_path / "a.aac", tmp_path / "out", [1.02, 3.06])
    assert np.abs(np.subtract(found, [1.023, 3.066])).max() < 0.012 and not made.notes, "with the encoder's delay"
    (tmp_path / "b.aac").write_bytes(mono + fast)
    with pytest.raises(ValueError, match=r"b\.aac: its sound changes from 44100 to 48000 samples a second; encode"):
        list(waves(tmp_path / "b.aac", 16_000, Facts()))


def test_sound_of_a_codec_that_is_not_known_is_refused(tmp_path):
    encode(tmp_path / "a.m4a", clicks([1.0], 2.0, 44_100), "aac", 44_100, "mono")
    content = (tmp_path / "a.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(content.replace(b"mp4a", b"xyzw").replace(b"esds", b"xyzw"))
    with pytest.raises(ValueError, match=r"a\.m4a has \d+ damaged of \d+ pieces of sound; copy it anew"):
        list(waves(tmp_path / "a.m4a", 16_000, Facts()))


def test_a_header_that_calls_little_of_a_file_sound_is_told(tmp_path):
    write_wave(tmp_path / "ton.wav", CLICKS)
    content = (tmp_path / "ton.wav").read_bytes()
    (tmp_path / "ton.wav").write_bytes(content[:40] + struct.pack("<I", 44_100) + content[44:])
    _, made = loudest(tmp_path / "ton.wav", tmp_path / "out", [0.3])
    assert "its header calls 44100 of 176444 bytes sound; if its recorder was cut off, write it anew" in made.notes[0]


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


def write_floats(path, samples, rate_hz=16_000):
    """A wav file (samples, channels) of float32."""
    data, channels = samples.astype("<f4").tobytes(), samples.shape[1]
    head = struct.pack("<HHIIHH", 3, channels, rate_hz, rate_hz * 4 * channels, 4 * channels, 32)
    chunks = b"WAVEfmt " + struct.pack("<I", 16) + head + b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(chunks)) + chunks)


def test_samples_that_are_no_numbers_are_0_if_they_are_few(tmp_path):
    sound = np.random.default_rng(0).normal(size=(16_000, 2)) / 10
    broken = sound.copy()
    broken[5000, 1], broken[8000:8004, 0] = np.nan, np.inf
    write_floats(tmp_path / "a.wav", broken)
    facts = Facts()
    found = np.concatenate(list(waves(tmp_path / "a.wav", 16_000, facts)))
    wanted = np.where(np.isfinite(broken), sound, 0).sum(axis=1)
    np.testing.assert_allclose(found * (wanted[0] / found[0]), wanted, atol=1e-3)  # but for one scale
    seen = "5 of 32000 samples are no finite numbers, the first at 0.312 s"
    assert facts.notes == [f"a.wav: {seen}; 0 is taken for them"]
    write_floats(tmp_path / "a.wav", np.where(np.arange(16_000)[:, None] % 10 == 3, np.nan, sound))
    with pytest.raises(
        ValueError, match=r"a.wav: 3200 of 32000 samples are no .* the first at 0.000 s; write it anew$"
    ):
        list(waves(tmp_path / "a.wav", 16_000, facts))


def test_silence_and_channels_that_cancel_each_other_are_noted(tmp_path):
    def notes(samples, write):
        facts = Facts()
        write(tmp_path / "a.wav", samples)
        return list(waves(tmp_path / "a.wav", 8_000, facts)) and facts.notes

    def write_whole(path, samples, sample_bytes):
        kind, middle = ("<i2", 0) if sample_bytes == 2 else ("u1", 128)
        with wave.open(str(path), "wb") as file:
            file.setparams((samples.shape[1], sample_bytes, 16_000, 0, "NONE", ""))
            file.writeframes((np.round(samples * 127 * 256 ** (sample_bytes - 1)) + middle).astype(kind).tobytes())

    one = np.random.default_rng(0).normal(size=(16_000, 1)) / 10 * np.linspace(0.01, 1, 16_000)[:, None]
    for write in (write_floats, partial(write_whole, sample_bytes=2)):
        assert notes(np.hstack([one, 1e-5 - one]), write)[0].startswith("a.wav: its channels cancel each other, so")
        assert notes(np.hstack([one, 0 * one]), write) == notes(1e-2 * one, write) == []
    for write in (write_floats, partial(write_whole, sample_bytes=2), partial(write_whole, sample_bytes=1)):
        assert notes(np.zeros((16_000, 2)), write) == ["a.wav is silent"]
    assert notes(np.vstack([0 * one, one]) + 0.3, write_floats) == []
    assert notes(np.vstack([0 * one, one]) + 0.3, partial(write_whole, sample_bytes=2)) == [], "nor what is off centre"


@pytest.mark.parametrize("kind", ["<i2", "<f4"])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_all_channels_are_averaged_whatever_their_samples_are(tmp_path, kind, channels):
    """Float ones as integer ones."""
    values = np.random.default_rng(0).uniform(-0.3, 0.3, (8000, channels))
    stored = (values * 32768).round().astype(kind) if kind == "<i2" else values.astype(kind)
    tag, size = (1 if kind == "<i2" else 3), stored.dtype.itemsize
    facts = struct.pack("<HHIIHH", tag, channels, 8000, 8000 * channels * size, channels * size, 8 * size)
    content = b"WAVEfmt " + struct.pack("<I", len(facts)) + facts + b"data" + struct.pack("<I", stored.nbytes)
    content += stored.tobytes()
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    heard = np.concatenate(list(waves(tmp_path / "a.wav", 8000, Facts())))
    np.testing.assert_allclose(heard, values.mean(axis=1), atol=2e-5)
