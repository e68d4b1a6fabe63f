"""Events of films lie in the vectors that the contract names, whatever the film's rate, turn or damage."""

import numpy as np
import pytest

pytest.importorskip("av", reason="films are read by PyAV")

from media_files import remux, write_film

from afkit.workbench.media import frames
from afkit.workbench.media.films import write_film_features
from afkit.workbench.media.frames import Facts, pictures_on_grid
from afkit.workbench.media.opened import lasts_sec, open_media, picture_track

FLASHES = (0.52, 1.37)


def same(height, width):
    """Pictures as they are."""
    return height, width


def onsets(path, fps):
    """Seconds at which pictures on the grid become white, and the facts."""
    facts = Facts()
    grey = np.array([picture.mean() for picture in pictures_on_grid(path, fps, same, facts)])
    return np.flatnonzero(np.diff((grey > 128).astype(int), prepend=0) == 1) / fps, facts


VARIABLE = np.cumsum([0, *np.random.default_rng(0).choice([0.02, 0.033, 0.04, 0.11], 45)]).tolist()
FILMS = {
    "23.976": ("film.mp4", {"rate": "24000/1001"}, 23.976),
    "25": ("film.mkv", {}, 25.0),
    "29.97": ("film.mp4", {"rate": "30000/1001"}, 29.97),
    "60": ("film.mp4", {"rate": "60"}, 60.0),
    "60 at half the rate": ("film.mp4", {"rate": "60"}, 30.0),
    "25 at 30": ("film.mp4", {}, 30.0),
    "variable": ("film.mp4", {"times_sec": VARIABLE}, 25.0),
    "variable, in milliseconds": ("film.mkv", {"times_sec": VARIABLE}, 25.0),
    "avi without presentation times": ("film.avi", {}, 25.0),
    "a clock that begins at 1.4 s": ("film.ts", {"first_sec": 1.4}, 25.0),
    "sound that begins late": ("film.mp4", {"clicks_sec": [1.0], "sound_from_sec": 0.7}, 25.0),
    "not ASCII": ("фильм é 映画.mp4", {}, 25.0),
}


@pytest.mark.parametrize("name", FILMS)
def test_a_flash_begins_within_half_a_frame_of_where_the_grid_says(tmp_path, name):
    file, how, fps = FILMS[name]
    times = write_film(tmp_path / file, FLASHES, **how)
    seen = [next(time for time in times if time >= flash - 1e-6) for flash in FLASHES]
    found, facts = onsets(tmp_path / file, fps)
    assert len(found) == 2 and np.abs(found - seen).max() <= 0.5 / fps + 0.002
    assert not facts.notes and abs(facts.duration_sec - max(times)) < 0.12


def test_pictures_that_begin_after_the_sound_are_on_the_clock_of_the_sound(tmp_path):
    write_film(tmp_path / "film.mp4", [0.52, 1.36], first_sec=0.4, clicks_sec=[0.1])
    found, facts = onsets(tmp_path / "film.mp4", 25.0)
    assert np.abs(found - [0.92, 1.76]).max() <= 0.5 / 25 + 0.001
    assert "pictures begin 0.400 s late" in facts.notes[0]


def test_what_an_edit_list_cuts_off_is_not_damaged(tmp_path):
    write_film(tmp_path / "whole.mp4", [1.2, 2.6], length_sec=4.0, gop=100)
    remux(tmp_path / "whole.mp4", tmp_path / "cut.mp4", shift_sec=-1.0)
    found, facts = onsets(tmp_path / "cut.mp4", 25.0)
    assert np.abs(found - [0.2, 1.6]).max() < 0.021 and not facts.notes
    assert facts.duration_sec == pytest.approx(3.0) == lasts_sec(tmp_path / "cut.mp4")


def test_pictures_that_are_never_shown_are_not_damaged(tmp_path):
    def hide(number, data):
        return bytes([data[0] & ~0x10]) + data[1:] if number % 10 == 7 else data

    write_film(tmp_path / "all.webm", FLASHES, codec="libvpx")
    remux(tmp_path / "all.webm", tmp_path / "some.webm", change=hide)
    found, facts = onsets(tmp_path / "some.webm", 25.0)
    assert np.abs(found - [0.52, 1.4]).max() < 0.021 and not facts.notes


@pytest.mark.parametrize("role", ["attached_pic", "dub"])
def test_a_cover_or_another_track_is_not_the_film(tmp_path, role):
    write_film(tmp_path / "film.mp4", FLASHES)
    remux(tmp_path / "film.mp4", tmp_path / "more.mkv", roles=(role, "default"))
    with open_media(tmp_path / "more.mkv") as container:
        assert len(container.streams.video) == 2 and picture_track(container).index == 1


def test_a_clock_that_begins_late_makes_no_film_longer(tmp_path):
    write_film(tmp_path / "film.mkv", FLASHES, first_sec=3600)
    assert lasts_sec(tmp_path / "film.mkv") == pytest.approx(2.0, abs=0.002)


def test_each_picture_of_a_fast_film_is_at_its_time(tmp_path):
    grey = [np.full((48, 64, 3), 2 * number, np.uint8) for number in range(100)]
    write_film(tmp_path / "film.avi", rate="1000", length_sec=0.1, codec="ffv1", picture=lambda k: grey[k])
    shown = [picture.mean() for picture in pictures_on_grid(tmp_path / "film.avi", 1000.0, same, Facts())]
    np.testing.assert_allclose(shown, 2 * np.arange(100), atol=3)


def test_vectors_that_hold_a_flash_are_those_that_the_contract_names(tmp_path):
    write_film(tmp_path / "film.mp4", [1.0], rate="25", length_sec=3.0)
    made = write_film_features([tmp_path / "film.mp4"], tmp_path / "out", num_frames=8, stride_frames=4)
    vectors = np.load(tmp_path / "out" / "film.npy")
    begins = np.arange(len(vectors)) * made.stride_frames / made.fps
    overlap = (begins < 1.2 - 1e-6) & (begins + made.num_frames / made.fps > 1.0 + 1e-6)
    assert (made.fps, made.width, vectors.dtype) == (25.0, 128, np.float32)
    assert len(vectors) == (75 - 8) // 4 + 1 and made.durations_sec == {"film": 3.0}
    np.testing.assert_array_equal(vectors[:, :64].mean(axis=1) > 0.05, overlap)


@pytest.mark.parametrize(("degrees", "corner"), [(0, (0, 0)), (-90, (0, -1)), (90, (-1, 0)), (180, (-1, -1))])
def test_a_turned_film_is_upright(tmp_path, degrees, corner):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:20, :20] = 255
    write_film(tmp_path / "film.mp4", rotation=degrees, picture=lambda _: picture, length_sec=0.2)
    content = (tmp_path / "film.mp4").read_bytes()
    matrix = np.frombuffer(content[content.index(b"tkhd") + 44 :][:20], ">i4") / 65536  # a, b, u, c, d of QuickTime
    expected = {0: [1, 0, 0, 0, 1], -90: [0, 1, 0, -1, 0], 90: [0, -1, 0, 1, 0], 180: [-1, 0, 0, 0, -1]}[degrees]
    assert matrix.round().tolist() == expected, "-90 is a quarter to the right"
    shown = next(pictures_on_grid(tmp_path / "film.mp4", 25, same, Facts()))
    assert shown.shape == ((64, 48, 3) if degrees in (-90, 90) else (48, 64, 3))
    assert [c for c in [(0, 0), (0, -1), (-1, 0), (-1, -1)] if shown[c].mean() > 128] == [corner]


def damage(path, at, length):
    """Write noise over a share of a file."""
    content = bytearray(path.read_bytes())
    start = int(at * len(content))
    content[start : start + length] = np.random.default_rng(0).integers(0, 256, length, np.uint8).tobytes()
    path.write_bytes(bytes(content))


def noise(number):
    """Pictures that differ, so that the film's bytes are spread over its length."""
    return np.random.default_rng(number).integers(0, 256, (48, 64, 3), np.uint8)


def test_damaged_pictures_are_counted_and_too_many_are_refused(tmp_path):
    path = tmp_path / "film.mp4"
    write_film(path, picture=noise, length_sec=4.0, gop=1)
    damage(path, 0.5, 300)
    made = write_film_features([path], tmp_path / "out")
    assert len(np.load(tmp_path / "out" / "film.npy")) == (100 - 8) // 4 + 1
    assert len(made.notes) == 1 and "damaged pictures, the first near " in made.notes[0]
    damage(path, 0.3, len(path.read_bytes()) // 4)
    with pytest.raises(ValueError, match=r"film.mp4 (has \d+ damaged pictures of 100|breaks off).* with --fix$"):
        write_film_features([path], tmp_path / "other")
    assert not (tmp_path / "other" / "film.npy").exists()
    assert write_film_features([path], tmp_path / "other", fix=True).durations_sec["film"] == 4.0


def test_a_film_that_breaks_off_is_refused_or_taken_as_far_as_it_goes(tmp_path):
    path = tmp_path / "film.mkv"
    write_film(path, picture=noise, length_sec=4.0)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"film.mkv breaks off after 1\.\d+ of 4.00 s"):
        write_film_features([path], tmp_path / "out")
    made = write_film_features([path], tmp_path / "out", fix=True)
    assert 1 < made.durations_sec["film"] < 2.2


def test_a_film_whose_pictures_stand_for_hours_is_refused(tmp_path):
    write_film(tmp_path / "film.avi", rate="1/7200", length_sec=3 * 7200)
    with pytest.raises(
        ValueError, match=r"film.avi: a picture of it stands for 7200 s; encode it anew, with its times"
    ):
        write_film_features([tmp_path / "film.avi"], tmp_path / "out")


def test_joined_films_are_told_apart_from_damaged_ones(tmp_path):
    write_film(tmp_path / "film.ts")
    (tmp_path / "two.ts").write_bytes(2 * (tmp_path / "film.ts").read_bytes())
    with pytest.raises(ValueError, match=r"two.ts has 50 pictures of 100 that go back in time, .*; encode it anew"):
        write_film_features([tmp_path / "two.ts"], tmp_path / "out")


def test_a_film_that_changes_its_size_is_named_if_a_backbone_takes_pictures_as_they_are(tmp_path, monkeypatch):
    (tmp_path / "own_means.py").write_text("def means(clips):\n    return clips.mean(axis=(1, 2, 3))\n")
    monkeypatch.syspath_prepend(tmp_path)
    for name, shape, first in (("a", (48, 64, 3), 0), ("b", (96, 128, 3), 2.0)):
        write_film(tmp_path / f"{name}.ts", picture=lambda _, shape=shape: np.zeros(shape, np.uint8), first_sec=first)
    (tmp_path / "film.ts").write_bytes((tmp_path / "a.ts").read_bytes() + (tmp_path / "b.ts").read_bytes())
    with pytest.raises(ValueError, match=r"film.ts: its pictures change from 64 x 48 to 128 x 96; encode it anew"):
        write_film_features([tmp_path / "film.ts"], tmp_path / "out", backbone="own_means:means")
    assert write_film_features([tmp_path / "film.ts"], tmp_path / "out").width == 128


def test_a_film_that_the_library_cannot_read_on_is_named(tmp_path, monkeypatch):
    def gives_up(container, track):
        import av

        raise av.error.BlockingIOError(11, "Resource temporarily unavailable")

    path = tmp_path / "film.mp4"
    write_film(path)
    monkeypatch.setattr(frames, "_latest", gives_up)
    with pytest.raises(ValueError, match=r"film\.mp4 cannot be read to its end \(Resource temporarily unavailable\)"):
        write_film_features([path], tmp_path / "out")


def test_films_of_several_rates_are_brought_to_that_of_most(tmp_path):
    for name, rate in (("a.mp4", "60"), ("b.mp4", "50"), ("c.mp4", "60")):
        write_film(tmp_path / name, rate=rate, length_sec=0.5)
    paths = [tmp_path / f"{name}.mp4" for name in "abc"]
    assert write_film_features(paths, tmp_path / "out").fps == 30.0
    assert write_film_features(paths[1:2], tmp_path / "out").fps == 30.0, "as what is there"
    assert write_film_features(paths[1:2], tmp_path / "b").fps == 25.0
