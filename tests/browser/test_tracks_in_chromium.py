"""Tracks below the lanes, and the video, in a real browser."""

import base64
import io
import shutil
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread
from media_files import write_film
from pages import CANVAS, EVIL, PANEL, click, counted, eventually, many, panel_of, place, press, said, settle, view_of

from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import write_inspector
from afkit.workbench.inspector.tracks import Tracks
from afkit.workbench.view.signals import Spectrogram

pytestmark = pytest.mark.slow
TRACKS = f"{PANEL}.tracks"
LEFT_PX, AXIS_PX = 168, 26  # of a wide canvas: the names, the time axis
FILM_SEC = 2.0
RECORD = """async (seconds) => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const pen = canvas.getContext("2d"), parts = [];
  const recorder = new MediaRecorder(canvas.captureStream(20), { mimeType: "video/webm" });
  recorder.ondataavailable = (event) => parts.push(event.data);
  const stopped = new Promise((resolve) => (recorder.onstop = resolve));
  recorder.start();
  const began = performance.now();
  while (performance.now() - began < 1000 * seconds) { // dark first, then bright
    pen.fillStyle = performance.now() - began < 500 * seconds ? "#101010" : "#f0f0f0";
    pen.fillRect(0, 0, 64, 48);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  recorder.stop();
  await stopped;
  const bytes = new Uint8Array(await new Blob(parts).arrayBuffer());
  return btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
}"""


@pytest.fixture(scope="module")
def recorded(browser):
    """Bytes of a video that was recorded in the browser: a second of dark, then a second of light."""
    page = browser.new_page()
    film = base64.b64decode(page.evaluate(RECORD, FILM_SEC))
    page.close()
    return film


def curves(video):
    """201 steps: class 0 rises to 0.9, class 1 has a peak of 1 at 150 s, class 2 never scores."""
    times_sec = np.arange(201.0)
    peak = np.where(np.abs(times_sec - 150) < 1, 1.0, 0.1)
    return times_sec, np.stack([0.9 * times_sec / 200, peak, np.zeros(201)], axis=1)


def waves(video):
    """Three channels of 10 Hz."""
    times_sec = np.arange(2000) / 10
    signal = np.stack([np.sin(times_sec), np.cos(times_sec), times_sec / 100 - 1], axis=1)
    return {
        "signal": signal,
        "signal_rate_hz": 10,
        "signal_names": ["x", "y", "z"],
        "signal_groups": {'acceleration <b> & "g" [g]': [0, 1, 2]},
    }


def sounds(video):
    """The waves, and 200 columns of a second: black from 100 to 101 s in the upper half, all else white."""
    values = np.zeros((200, 4), np.uint8)
    values[100, 2:] = 255
    ticks = [(0.25, "0.5"), (0.75, "2")]
    picture = Spectrogram("spectrogram [kHz]", np.arange(200) + 0.5, values, ticks, "No waveform: <i>gone</i>.")
    return waves(video) | {"spectrogram": picture}


def with_tracks(inspected, **sources) -> Inspected:
    return replace(inspected, tracks=Tracks(**sources))


def chosen_curve(page):
    """Name and values of the curve that is drawn, values as 255ths; None where it has none."""
    drawn = f"(({{ drawn }}) => drawn && [drawn.name, drawn.values ? Array.from(drawn.values) : null])({TRACKS})"
    return page.evaluate(drawn)


def test_the_best_class_is_drawn_then_that_of_the_segment_pointed_at_then_the_chosen_one(opened):
    page = opened(with_tracks(many(1), curves=curves))
    name, values = chosen_curve(page)
    assert name == "class 1" and max(values) == 255 and values.index(255) == 150
    page.mouse.move(*place(page, 4, 0))
    settle(page)
    name, values = chosen_curve(page)
    assert name == EVIL and values == np.rint(255 * 0.9 * np.arange(201) / 200).tolist()
    page.select_option("[data-role=track-class]", "2")
    settle(page)
    assert chosen_curve(page) == ["class 2", None]
    assert "class 2 has no score of 0.01 or more" in page.inner_text(".tracks")
    assert page.locator("[data-role=curve]").is_hidden()


SHADES = {"blue": "b - r > 90", "orange": "r - b > 90", "dark": "r + g + b < 250"}


def drawn_at(page, role, color, left, top=0, width=1, height=88):
    """(x, y) of the pixels of a colour in a part of a track's canvas."""
    return page.evaluate(
        """([role, left, top, width, height]) => {
          const pen = document.querySelector(`[data-role=${role}]`).getContext("2d"), found = [];
          const { data } = pen.getImageData(left, top, width, height);
          for (let i = 0; i < data.length; i += 4) {
            const [r, g, b] = data.slice(i, i + 3), at = i / 4;
            if (SHADE) found.push([left + (at % width), top + Math.floor(at / width)]);
          }
          return found;
        }""".replace("SHADE", SHADES[color]),
        [role, left, top, width, height],
    )


def height_of(share):
    """Where a share of the range lies on a track, in pixels from the top."""
    return 88 - 9 - share * (88 - 2 * 9)


def test_the_curve_lies_at_its_time_and_height_also_when_zoomed_in(opened):
    page = opened(with_tracks(many(1), curves=curves))
    page.select_option("[data-role=track-class]", "0")
    settle(page)
    wide = panel_of(page, "p.scene.width") - LEFT_PX
    for begin, end in ((0, 200), (80, 120)):
        page.evaluate(f"{PANEL}.look({begin}, {end})")
        settle(page)
        x = LEFT_PX + int(wide * (100 - begin) / (end - begin))
        heights = [y for _, y in drawn_at(page, "curve", "blue", x)]
        assert heights and abs(np.mean(heights) - height_of(0.45)) < 2, "0.9 * 100 / 200"


def test_the_threshold_moves_with_the_control(opened):
    page = opened(with_tracks(many(1), curves=curves))
    for score in ("0.3", "0.8"):
        page.locator("[data-role=score]").fill(score)
        settle(page)
        heights = [y for _, y in drawn_at(page, "curve", "dark", LEFT_PX + 5, width=400)]
        assert len(heights) > 200 and abs(np.mean(heights) - height_of(float(score))) < 2


def test_the_signal_is_drawn_below_with_its_names_as_text(opened):
    page = opened(with_tracks(many(1), signal=waves))
    assert page.get_attribute("[data-role=signal]", "aria-label") == 'acceleration <b> & "g" [g] over time'
    assert page.locator(".afkit-inspector b").count() == 0
    panel_of(page, "p.look(0, 20)")
    settle(page)
    wide = panel_of(page, "p.scene.width") - LEFT_PX
    peak = LEFT_PX + int(wide * np.pi / 2 / 20)  # sin is 1, and cos 0
    for color, share in (("blue", 1), ("orange", 0.5)):
        heights = [y for _, y in drawn_at(page, "signal", color, peak - 4, width=8)]
        assert heights and abs(np.mean(heights) - height_of(share)) < 4
    page.uncheck("[data-role=track-signal]")
    settle(page)
    assert page.locator(".tracks").is_hidden()


def test_a_spectrogram_is_a_picture_at_its_time_and_height_in_both_looks_and_when_zoomed_in(opened):
    page = opened(with_tracks(many(1), signal=sounds))
    assert "No waveform: <i>gone</i>." in page.inner_text(".tracks")
    assert page.get_attribute("[data-role=spectrogram]", "aria-label") == "spectrogram [kHz] over time"
    wide = panel_of(page, "p.scene.width") - LEFT_PX
    for begin, end in ((90, 110), (100.2, 100.7), (0, 200)):
        panel_of(page, f"p.look({begin}, {end})")
        settle(page)
        found = drawn_at(page, "spectrogram", "dark", LEFT_PX, width=int(wide))
        x, y = np.array(found).T
        assert y.min() == pytest.approx(height_of(1), abs=1) and y.max() == pytest.approx(height_of(0.5), abs=1.5)
        edges = [LEFT_PX + wide * np.clip((time - begin) / (end - begin), 0, 1) for time in (100, 101)]
        assert [x.min(), x.max()] == pytest.approx(edges, abs=2)
    page.emulate_media(color_scheme="dark")
    settle(page)
    x, y = np.array(drawn_at(page, "spectrogram", "dark", LEFT_PX, width=int(wide), top=12, height=20)).T
    assert not ((x > edges[0] + 1) & (x < edges[1] - 1)).any() and len(x) > 1000, "bright on dark"


def fails(video):
    raise ValueError('no score curve: "<i>ema</i>" does not exist')


def test_what_cannot_be_read_is_said_and_the_rest_stays_usable(opened, tmp_path):
    page = opened(with_tracks(many(2), curves=fails, signal=lambda video: {}, videos=tmp_path))
    text = page.inner_text(".tracks")
    assert 'No score curve: "<i>ema</i>" does not exist.' in text and "There is no signal of this video." in text
    assert "has no file of the video 'video1'" in page.inner_text("[data-role=film-said]")
    assert page.locator("video").is_hidden() and page.locator("[data-role=play]").is_hidden()
    press(page, " ")
    page.select_option("[data-role=video]", "video0")
    press(page, "n")
    assert "error" in said(page) or "missed" in said(page)


def test_without_tracks_nothing_is_added(opened):
    page = opened(many(1))
    for part in (".tracks", ".tracks-controls", ".screen"):
        assert page.locator(part).is_hidden()


def test_500_classes_and_a_video_without_segments_have_their_tracks(opened):
    full = many(1, 1000, 500)
    sources = {"curves": lambda video: (np.arange(50.0), np.tile(np.linspace(0, 1, 500), (50, 1))), "signal": waves}
    page = opened(with_tracks(replace(full, durations_sec={"video0": 200.0, "none": 10.0}), **sources), width=600)
    assert chosen_curve(page)[0] == "class 499"
    page.select_option("[data-role=video]", "none")
    settle(page)
    assert chosen_curve(page)[0] == "class 499" and page.locator("[data-role=signal]").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 600


def film(page, what):
    """A property of the video."""
    return page.evaluate(f"document.querySelector('video').{what}")


def wait_for_film(page):
    """Until a frame is there."""
    eventually(page, lambda: film(page, "readyState") >= 2)


@pytest.fixture(scope="module")
def odd_films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    write_film(folder / "video3.mp4", length_sec=0.5, codec="libx265", clicks_sec=[0.1], sound_codec="libmp3lame")
    write_film(folder / "video4.webm", [1.0], length_sec=2, codec="libvpx-vp9", first_sec=0.5)
    return folder


@pytest.fixture
def with_film(opened_file, recorded, odd_films, tmp_path):
    """A page whose first video has a film of two seconds, its second one a broken file, its third one none.

    The fourth has pictures that few browsers know, with sound; the clock of the fifth one's film begins at 0.5 s.
    """
    (tmp_path / "my films").mkdir()
    (tmp_path / "my films" / "video0.webm").write_bytes(recorded)
    (tmp_path / "my films" / "video1.mp4").write_bytes(b"no film at all")
    for path in odd_films.iterdir():
        shutil.copy(path, tmp_path / "my films")
    inspected = with_tracks(many(5), videos=tmp_path / "my films", curves=curves)
    write_inspector(tmp_path / "film.html", inspected)
    page = opened_file(tmp_path / "film.html")
    page.select_option("[data-role=video]", "video0")
    wait_for_film(page)
    panel_of(page, "p.look(0, 2)")
    settle(page)
    return page


def to_time(page, seconds, y=AXIS_PX / 2, action="move"):
    """Move the pointer to a time of the view from 0 to 2 s, or click there."""
    box = page.locator(CANVAS).bounding_box()
    wide = panel_of(page, "p.scene.width") - LEFT_PX
    getattr(page.mouse, action)(box["x"] + LEFT_PX + wide * seconds / 2, box["y"] + y)


def rests_at(page, seconds):
    """Wait until the frame of a time is there, and no other is sought."""
    eventually(page, lambda: not film(page, "seeking") and abs(film(page, "currentTime") - seconds) < 0.02)


def brightness(page):
    """Of the frame's middle, 0 to 1."""
    picture = imread(io.BytesIO(page.locator("video").screenshot()))  # (height, width, channels)
    return picture[picture.shape[0] // 2, picture.shape[1] // 2, 0]


def test_the_pointer_shows_its_frame_and_a_click_in_the_axis_keeps_it(with_film):
    to_time(with_film, 1.6, y=60)
    rests_at(with_film, 1.6)
    eventually(with_film, lambda: brightness(with_film) > 0.8)
    to_time(with_film, 0.5, y=60)
    rests_at(with_film, 0.5)
    eventually(with_film, lambda: brightness(with_film) < 0.2)
    to_time(with_film, 1.4, action="click")
    with_film.mouse.move(5, 5)
    rests_at(with_film, 1.4)
    line = with_film.locator(".stage .cursor").bounding_box()
    box = with_film.locator(CANVAS).bounding_box()
    wide = panel_of(with_film, "p.scene.width") - LEFT_PX
    assert line["x"] == pytest.approx(box["x"] + LEFT_PX + 0.7 * wide, abs=3)


def test_film_and_column_are_sized_by_finger_and_mouse(with_film):
    session = with_film.context.new_cdp_session(with_film)
    size = "(({offsetWidth, offsetHeight}) => [offsetWidth, offsetHeight])"
    film_box, side_box = f"{size}(document.querySelector('.film'))", f"{size}(document.querySelector('.side'))"
    before, column = with_film.evaluate(film_box), with_film.evaluate(side_box)
    box = with_film.locator("[data-role=height]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    for kind, down in (("touchStart", 0), ("touchMove", 40), ("touchMove", 80), ("touchEnd", None)):
        points = [] if down is None else [{"x": x, "y": y + down}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    eventually(with_film, lambda: with_film.evaluate(film_box)[1] == before[1] + 80)
    box = with_film.locator("[data-role=width]").bounding_box()
    with_film.mouse.move(box["x"] + 4, box["y"] + 100)
    with_film.mouse.down()
    with_film.mouse.move(box["x"] + 104, box["y"] + 100)
    with_film.mouse.up()
    assert with_film.evaluate(side_box)[0] == column[0] + 100
    assert with_film.evaluate(film_box)[0] == before[0] + 100, "the picture uses the width"


def test_a_click_on_lanes_sets_no_cursor(with_film):
    to_time(with_film, 1.4, y=150, action="click")
    rests_at(with_film, 1.4)
    with_film.mouse.move(5, 5)
    rests_at(with_film, 0)


def test_the_film_follows_selections_frames_and_drags(with_film):
    press(with_film, ".")
    eventually(with_film, lambda: 0 < panel_of(with_film, "p.state.cursorSec") < 0.2)
    with_film.keyboard.press(",")
    eventually(with_film, lambda: panel_of(with_film, "p.state.cursorSec") == 0)
    press(with_film, "0", "n")
    start = panel_of(with_film, "p.scene.segments.start[p.state.picked[0]]")
    assert panel_of(with_film, "p.state.cursorSec") == start
    rests_at(with_film, min(start, film(with_film, "duration")))
    with_film.evaluate(f"{PANEL}.look(0, 10)")
    press(with_film, "e")
    settle(with_film)
    with_film.mouse.move(*place(with_film, 8, 0))  # the end of the first annotation
    with_film.mouse.down()
    with_film.mouse.move(*place(with_film, 5, 0))
    with_film.mouse.move(*place(with_film, 1.2, 0))
    rests_at(with_film, panel_of(with_film, "p.state.draft.after.end"))
    assert panel_of(with_film, "p.state.draft.after.end") == pytest.approx(1.2, abs=0.05)
    with_film.mouse.up()
    assert panel_of(with_film, "p.scene.segments.edited.length") == 1
    press(with_film, "r", "s", "e")
    with_film.select_option("[data-role=speed]", "4")
    click(with_film, 0, 0.6)
    press(with_film, " ")
    loops = [film(with_film, "currentTime")]
    eventually(with_film, lambda: loops.append(film(with_film, "currentTime")) or loops[-1] < loops[-2] - 0.3)
    assert film(with_film, "playbackRate") == 4 and not film(with_film, "muted")
    assert max(loops) < 1.6, "the selected segment is repeated"


def test_space_plays_and_the_view_follows_the_cursor(with_film):
    play = with_film.locator("[data-role=play]")
    with_film.evaluate(f"{PANEL}.look(0, 0.5)")
    press(with_film, " ")
    eventually(with_film, lambda: play.inner_text() == "pause" and film(with_film, "currentTime") > 0.6)
    play.click()
    eventually(with_film, lambda: play.inner_text() == "play")
    settle(with_film)
    stopped, (begin, end) = film(with_film, "currentTime"), view_of(with_film)
    assert stopped > 0.6 and begin <= stopped <= end and end - begin == pytest.approx(0.5)
    settle(with_film)
    assert film(with_film, "currentTime") == pytest.approx(stopped, abs=0.02)


def test_a_broken_film_is_named_and_one_that_is_missing_too(with_film):
    words = with_film.locator("[data-role=film-said]")
    with_film.select_option("[data-role=video]", "video1")
    eventually(with_film, lambda: "'video1.mp4' cannot be played" in words.inner_text())
    assert "convert it to .mp4 (H.264) or .webm, e.g. with VLC" in words.inner_text()
    assert with_film.locator("video").is_hidden() and counted(with_film) > 10
    with_film.select_option("[data-role=video]", "video2")
    eventually(with_film, lambda: "has no file of the video 'video2'" in words.inner_text())
    with_film.select_option("[data-role=video]", "video3")
    eventually(with_film, lambda: "Of 'video3.mp4' this browser plays the sound alone" in words.inner_text())
    assert with_film.locator("video").is_hidden() and with_film.locator("[data-role=sound]").is_checked()
    with_film.select_option("[data-role=video]", "video0")
    wait_for_film(with_film)
    assert words.inner_text() == "" and with_film.locator("video").is_visible()


def test_a_film_whose_clock_begins_late_is_shown_by_seconds_from_its_first_picture_as_features_are(with_film):
    with_film.select_option("[data-role=video]", "video4")
    wait_for_film(with_film)
    for seconds, light in ((0.7, 0), (1.1, 1), (1.5, 0)):
        panel_of(with_film, f"p.set({{ restSec: {seconds}, cursorSec: {seconds} }})")
        rests_at(with_film, seconds + 0.5)
        eventually(with_film, lambda light=light: abs(brightness(with_film) - light) < 0.2)
    press(with_film, " ")
    eventually(with_film, lambda: film(with_film, "ended") and abs(panel_of(with_film, "p.state.restSec") - 2) < 0.05)


def test_media_of_other_places_are_refused(browser, tmp_path):
    """By the page's policy: the test breaks into the page and sets another address."""
    write_inspector(tmp_path / "a.html", with_tracks(many(1), videos=tmp_path))
    page = browser.new_page()
    page.goto((tmp_path / "a.html").as_uri())
    refused = page.evaluate(
        """() => new Promise((resolve) => {
          document.addEventListener("securitypolicyviolation", (event) => resolve(event.effectiveDirective));
          setTimeout(() => resolve("nothing"), 30000);
          document.querySelector("video").src = "data:video/webm;base64,AAAA";
        })"""
    )
    assert refused == "media-src"
    page.close()
