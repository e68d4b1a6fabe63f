"""What the pages in the browser show, and how they are asked what they show."""

import inspect
import time

import numpy as np
import pandas as pd

from afkit.workbench.inspector.inspected import Inspected

EVIL = '<img src=x onerror="document.title=1">"quoted"'
PANEL = "document.getElementById('inspector').inspector"
CANVAS = ".scroller canvas"
MOST_SEC = 30.0  # that anything takes, on a busy machine
COLUMNS = ["start_sec", "end_sec", "label"]
GT = [(10, 30, 0), (50, 70, 1)]
TRUTHS = """(({scene, info}) => {
  const {score, start, end, label} = scene.segments;
  return [...score.keys()].filter((i) => isNaN(score[i])).map((i) => [start[i], end[i], info.label_ids[label[i]]]);
})"""
PLACE = """(({scene}, time, label) => {
  const {view, left, width} = scene, lane = scene.lanes.find((one) => one.label === label);
  const x = left + (time - view.from) / (view.to - view.from) * (width - left);
  return [x, 26 + (lane ? lane.top + 9 : scene.contentHeight - 6)];
})"""


def shown_rows(
    segments: pd.DataFrame, min_score: float = 0.0, top_k: int = 0, labels: set[int] | None = None
) -> np.ndarray:
    """Which segments the inspector draws, as its controls choose them.

    Args:
        segments: as `list_segments` gives them.
        min_score: predictions with a lower score are hidden.
        top_k: so many predictions of the video at most, the best ones; 0 for all.
        labels: those to show; None for all.

    Returns:
        (N,) bool.
    """
    is_gt = segments["score"].isna()
    shown = is_gt | ((segments["score"] >= min_score) & ((segments["place"] < top_k) | (top_k == 0)))
    return (shown & (True if labels is None else segments["label"].isin(labels))).to_numpy()


def many(num_videos: int = 2, per_video: int = 60, num_classes: int = 3) -> Inspected:
    """Ground truths every 20 s, and predictions of all scores around them."""
    draws, rows = np.random.default_rng(0), []
    for video in range(num_videos):
        for i in range(per_video):
            start = 20.0 * (i % 10) + draws.uniform(0, 8)
            rows.append((f"video{video}", start, start + draws.uniform(2, 8), i % num_classes, draws.uniform()))
    predictions = pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label", "score"])
    gt = [(f"video{v}", 20.0 * i, 20.0 * i + 8, i % num_classes) for v in range(num_videos) for i in range(10)]
    truth = pd.DataFrame(gt, columns=["video", "start_sec", "end_sec", "label"])
    names = {0: EVIL} | {label: f"class {label}" for label in range(1, num_classes)}
    return Inspected(truth, predictions, names, dict.fromkeys(truth["video"].unique(), 200.0), "a run")


def counted(page) -> int:
    """How many segments the page says it shows."""
    return int(page.inner_text("[data-role=count]").split()[0])


def view_of(page) -> tuple[float, float]:
    """From when to when the page looks, in seconds."""
    return tuple(page.evaluate(f"[{PANEL}.scene.view.from, {PANEL}.scene.view.to]"))


def few(gt=GT, predicted=((12, 30, 0, 0.9), (80, 90, 2, 0.8)), duration_sec=100.0):
    """One video in which a second is some 10 pixels wide; the last class has no segment."""
    truth = pd.DataFrame(gt, columns=COLUMNS).astype({"label": int}).assign(video="v")
    predictions = pd.DataFrame(predicted, columns=[*COLUMNS, "score"]).astype({"label": int, "score": float})
    names = {0: EVIL, 1: "throw", 2: "run", 7: "unused"}
    return Inspected(truth, predictions.assign(video="v"), names, {"v": duration_sec}, "run")


def truths(page):
    """[start_sec, end_sec, label id] of what is annotated in the shown video, by onset."""
    return page.evaluate(f"{TRUTHS}({PANEL})")


def place(page, time, label):
    """Where on the page a time is in the first row of a class's lane; without that lane, below the last one."""
    box = page.locator(CANVAS).bounding_box()
    x, y = page.evaluate(f"{PLACE}({PANEL}, {time}, {label})")
    return box["x"] + x, box["y"] + y


def drag(page, label, start, end):
    """From one time to another in the lane of a class."""
    page.mouse.move(*place(page, start, label))
    page.mouse.down()
    page.mouse.move(*place(page, (start + end) / 2, label))
    page.mouse.move(*place(page, end, label))
    page.mouse.up()
    settle(page)


def click(page, label, time):
    """On a time in the lane of a class."""
    page.mouse.click(*place(page, time, label))


def press(page, *keys):
    """One key after the other on the canvas."""
    for key in keys:
        page.locator(CANVAS).press(key)


def said(page):
    """The sentence below the canvas."""
    return page.inner_text("[data-role=said]")


def edited(page):
    """Onsets of the segments that carry a flag."""
    return page.evaluate(f"(({{segments}}) => [...segments.edited].map((row) => segments.start[row]))({PANEL}.scene)")


def eventually(page, condition) -> None:
    """Wait until a condition holds; it is asked for again and again, as our pages forbid what playwright offers."""
    until = time.monotonic() + MOST_SEC
    while not condition():
        assert time.monotonic() < until, inspect.getsource(condition)
        page.wait_for_timeout(20)


def settle(page) -> None:
    """Let the page do what is due: hear the answers that are on their way (see `shown`), and draw."""
    eventually(page, lambda: page.evaluate("!window.jupyter?.pending"))
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def panel_of(page, what: str):
    """An expression of the panel `p`."""
    return page.evaluate(f"((p) => {what})({PANEL})")


def panels(page, what: str) -> list:
    """An expression of each panel `p` of a comparison."""
    settle(page)
    return page.evaluate(f"{PANEL}.panels.map((p) => {what})")
