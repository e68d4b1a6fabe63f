"""Curves, signals and video files on their way to the inspector."""

import base64

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from afkit.workbench.inspector import tracks as module
from afkit.workbench.inspector.tracks import (
    Tracks,
    check_media_folder,
    embed_tracks,
    find_media,
    pack_curves,
    read_track,
    thin_curves,
)
from afkit.workbench.view.signals import Spectrogram

LABELS = np.array([-1, 0, 2, 9])  # of the inspector; the network knows 0 to 2
TIMES_SEC = np.array([0.5, 1.5, 2.5])


def test_curves_are_thinned_by_the_maximum_of_each_bin():
    times_sec, scores = np.arange(7) * 0.5 + 1, np.array([[0, 1, 5, 2, 3, 4, 9], [1, 0, 0, 0, 0, 0, 0]]).T / 10
    begin_sec, step_sec, thin = thin_curves(times_sec, scores, 3)
    assert (begin_sec, step_sec) == (1.5, 1.5), "the middle of a bin of three steps"
    assert thin.tolist() == [[0.5, 0.1], [0.4, 0], [0.9, 0]]
    begin_sec, step_sec, same = thin_curves(times_sec, scores, 7)
    assert (begin_sec, step_sec) == (1, 0.5) and (same == scores).all()
    assert thin_curves(times_sec[:1], scores[:1], 7)[:2] == (1, 1), "one step has no distance to another"


@given(st.integers(1, 90), st.integers(1, 20))
def test_no_peak_is_lost_and_there_are_no_more_points_than_asked_for(steps, most):
    scores = np.random.default_rng(steps).uniform(size=(steps, 2))
    begin_sec, step_sec, thin = thin_curves(np.arange(steps) + 0.5, scores, most)
    assert 1 <= len(thin) <= most and (thin.max(axis=0) == scores.max(axis=0)).all()
    peaks_sec = begin_sec + step_sec * thin.argmax(axis=0)
    assert (np.abs(peaks_sec - scores.argmax(axis=0) - 0.5) <= step_sec / 2).all()


def test_curves_are_packed_in_255ths_by_the_inspectors_classes():
    scores = np.array([[0.1, 0.9, 0.2], [0.5, 0.9, 1.0], [0.0, 0.9, 0.3]])
    facts, (data,) = pack_curves(TIMES_SEC, scores, LABELS, 10)
    assert facts == {"labels": [1, 2], "begin_sec": 0.5, "step_sec": 1, "points": 3}
    assert np.frombuffer(data, np.uint8).reshape(2, 3).tolist() == [[26, 128, 0], [51, 255, 76]]

    facts, (data,) = pack_curves(TIMES_SEC, np.array([[0.009, 0.01, 0.5]] * 3), np.arange(3), 10)
    assert facts["labels"] == [1, 2] and len(data) == 6, "a class whose score stays low has no curve"
    facts, (data,) = pack_curves(TIMES_SEC, np.array([[0.0], [1.0], [0.0]]), LABELS, 10)
    assert facts["labels"] == [-1] and list(data) == [0, 255, 0], "that of a network with one class stands for all"


def two_channels(video):
    """A signal of 2 Hz, 5 samples."""
    return {
        "signal": np.arange(10.0).reshape(5, 2),
        "signal_rate_hz": 2,
        "signal_names": ["x", "y"],
        "signal_groups": {"acceleration [g]": [1, 0]},
    }


def test_a_signal_is_packed_channel_by_channel():
    facts, (data,) = read_track(Tracks(signal=two_channels), LABELS, "signal", "v")
    panel = {"label": "acceleration [g]", "names": ["y", "x"], "begin_sec": 0, "step_sec": 0.5, "points": 5}
    assert facts == {"panels": [panel]}
    assert np.frombuffer(data, "<f4").tolist() == [1, 3, 5, 7, 9, 0, 2, 4, 6, 8]


def test_a_spectrogram_is_packed_row_by_row_below_the_signal():
    values = np.array([[0, 9], [1, 8], [2, 7]], np.uint8)
    picture = Spectrogram("spectrogram [kHz]", np.array([0.5, 1.5, 2.5]), values, [(0.3, "2")], "No waveform.")
    facts, data = read_track(Tracks(signal=lambda v: two_channels(v) | {"spectrogram": picture}), LABELS, "signal", "v")
    panel = {"label": "spectrogram [kHz]", "begin_sec": 0.5, "step_sec": 1.0, "points": 3}
    assert facts["panels"][1] == panel | {"ticks": [(0.3, "2")], "remark": "No waveform."}
    assert len(data) == 2 and list(data[1]) == [0, 1, 2, 9, 8, 7]
    facts, data = read_track(Tracks(signal=lambda _: {"spectrogram": picture}), LABELS, "signal", "v")
    assert len(facts["panels"]) == len(data) == 1


def fails(video):
    raise ValueError(f"the weights of {video} are missing")


def test_what_cannot_be_read_becomes_a_sentence(tmp_path):
    tracks = Tracks(fails, lambda video: {}, tmp_path)
    assert read_track(Tracks(), LABELS, "curves", "v") == ({"error": "This run has no curves."}, [])
    assert read_track(tracks, LABELS, "curves", "v") == ({"error": "The weights of v are missing."}, [])
    assert read_track(tracks, LABELS, "signal", "v")[0] == {"error": "There is no signal of this video."}
    missing = read_track(tracks, LABELS, "media", "v")[0]["error"]
    assert missing.startswith(f"The folder '{tmp_path.name}' has no file of the video 'v' (mp4, webm, ")


def test_a_video_file_is_found_by_its_name_in_its_folder_alone_and_sent_unless_large(tmp_path, monkeypatch):
    for name in ("v.MP4", "w.txt", "u.webm"):
        (tmp_path / name).write_bytes(b"film")
    (tmp_path / "below").mkdir()
    assert find_media(tmp_path, "v").name == "v.MP4" and find_media(tmp_path, "u").name == "u.webm"
    for video in ("w", "../" + tmp_path.name + "/u", "/u", "u\0", "\u65e5" * 200, "x"):
        with pytest.raises(ValueError, match="no file of the video"):
            find_media(tmp_path if video != "x" else tmp_path / "nowhere", video)
    track = read_track(Tracks(videos=tmp_path), LABELS, "media", "u")
    assert track == ({"file": "u.webm", "type": "video/webm"}, [b"film"])
    monkeypatch.setattr(module, "MAX_MEDIA_BYTES", 3)
    facts, data = read_track(Tracks(videos=tmp_path), LABELS, "media", "v")
    assert "too many to be sent by the kernel" in facts["error"] and data == []


def test_a_page_gets_all_tracks_and_the_address_of_the_video(tmp_path):
    folder = tmp_path / "my videos"
    folder.mkdir()
    (folder / "a#1.webm").write_bytes(b"film")
    steps = np.arange(1200.0)
    tracks = Tracks(lambda video: (steps, np.ones((1200, 3))), None, folder)
    found = embed_tracks(tracks, LABELS, "a#1", tmp_path)
    assert found["media"] == {"file": "a#1.webm", "url": "my%20videos/a%231.webm", "data": []}
    assert found["curves"]["points"] == 400, "not more than 500"
    assert base64.b64decode(found["curves"]["data"][0]) == b"\xff" * 800
    assert set(found) == {"curves", "media"}
    missing = embed_tracks(tracks, LABELS, "b", tmp_path)["media"]["error"]
    assert missing.startswith("The folder 'my videos' has no file")


def test_a_page_plays_videos_of_its_own_folder_alone(tmp_path):
    check_media_folder(Tracks(videos=tmp_path), tmp_path)
    check_media_folder(Tracks(), tmp_path)
    for videos, page_dir in ((tmp_path, tmp_path / "below"), (tmp_path / "page" / "..", tmp_path / "page")):
        with pytest.raises(ValueError, match="write the page beside the videos"):
            check_media_folder(Tracks(videos=videos), page_dir)
