"""`python -m afkit predict RUN --stream -`: rows of numbers from a pipe, detections as lines of JSON.

A row is a feature vector, or with `--signal` a sample of all sensors, see `rows`. Where its time jumps, what came
before is ended as a recording would be, and what follows begins as a new one; that is said on standard error.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from torch import nn

from afkit.workbench.own_data.signal_files import Windowing
from afkit.workbench.own_data.signals import raw_windows
from afkit.workbench.runs.opened import open_run
from afkit.workbench.runs.predicting import Predictor, open_predictor
from afkit.workbench.streaming.delays import step_sec
from afkit.workbench.streaming.rows import Clock, Row, rows_of
from afkit.workbench.streaming.stream import Stream, default_longest

MORE = 1.5  # how much longer than the longest labelled action a detection may be
DECIMALS = 4


def predict_stream(
    run_dir: str | Path,
    source: str | Path = "-",
    *,
    fps: float | None = None,
    weights: str = "ema",
    min_score: float | None = None,
    signal: bool = False,
    longest_sec: float | None = None,
    provisional_sec: float | None = None,
    window_steps: int = 0,
    data_root: str | Path = "",
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr, flush=True),
    write: Callable[[str], None] = lambda line: print(line, flush=True),
) -> None:
    """Read rows until the pipe ends, and write a line of JSON for each detection as soon as it is final.

    Args:
        source: "-" for standard input, or a file or named pipe.
        fps, weights, min_score, signal, data_root: as of `afkit.workbench.runs.predicting.predict_recordings`.
        longest_sec: the longest action; None for `MORE` times the longest labelled one of the training, or what
            `Stream` takes, whichever is more.
        provisional_sec: seconds between two lines with all that is provisional; None for none.
        window_steps: as of `Stream`.
        say: receives remarks.
        write: receives the lines.

    Raises:
        ValueError: a run or setting that does not fit, or a row that does not; what came before it is written first.
    """
    folder = Path(run_dir)
    predictor, about = open_predictor(folder, weights, fps, min_score, signal, data_root)
    recipe = predictor.recipe
    assert isinstance(predictor.model, nn.Module)
    if longest_sec is None:
        usual_sec = default_longest(recipe) * step_sec(recipe, predictor.fps)
        longest_sec = max(MORE * longest_labelled(folder, data_root), usual_sec)
    settings = (predictor.fps, predictor.thresholds, longest_sec, None, window_steps)
    windowing = _windowing(predictor) if signal else None
    provisional_sec = math.inf if provisional_sec is None else provisional_sec
    session = _Session(predictor, windowing, partial(Stream, predictor.model, recipe, *settings), provisional_sec)
    session.say, session.write = say, write
    say(f"{about}; {session.waits()}")
    with _opened(source) as file:
        try:
            for row in rows_of(file, session.width):
                session.take(row)
        except KeyboardInterrupt:
            session.end()
            raise KeyboardInterrupt("with a new stream") from None
        except ValueError:
            session.end()  # what came before is as good as ever
            raise
    session.end()
    if not session.rows:
        raise ValueError(f"{_name(source)} held no row; send a line of {session.width} numbers for each vector")


class _Session:
    """The streams of a pipe, one after the other."""

    say: Callable[[str], None]
    write: Callable[[str], None]

    def __init__(
        self,
        predictor: Predictor,
        windowing: Windowing | None,
        begin: Callable[..., Stream],
        provisional_sec: float,
    ):
        self.label_names, self.windowing, self.begin = predictor.label_names, windowing, begin
        self.provisional_sec = provisional_sec
        data = predictor.recipe.data
        self.width = sum(kind.channels for kind in windowing.sensors) if windowing else sum(data.input_dims)
        self.clock = Clock((1 if windowing else data.stride_frames) / predictor.fps)
        self.rows = 0
        self.stream, self.samples, self.told_sec = begin(), np.zeros((0, self.width)), 0.0

    def waits(self) -> str:
        """In words, for how long a detection is waited."""
        stream = self.stream
        ahead, longest, every = (f"{sec:g} s" for sec in (stream.delays_sec[-1], stream.longest_sec, stream.every_sec))
        return f"waits {ahead} that the network looks ahead, {longest} of the longest action, up to {every} of a block"

    def take(self, row: Row) -> None:
        """Push a row, at its time."""
        if self.clock.rows and not self.clock.goes_on(row):
            self.say(f"the clock jumps from {self.clock.last_sec:g} to {row.time_sec:g} s: a new recording begins")
            self.end()
        if not self.clock.rows:
            self.told_sec = row.time_sec or 0.0
            self.stream, self.samples = self.begin(start_sec=self.told_sec), np.zeros((0, self.width))
        self.clock.count(row)
        self.rows += 1
        self._write(self.stream.push(self._vectors(row.values)))
        if self.stream.seconds >= self.told_sec + self.provisional_sec:
            self.told_sec = self.stream.seconds
            lines = [self._line(values) for values in self.stream.provisional().to_dict("records")]
            self.write(json.dumps({"at_sec": round(self.told_sec, DECIMALS), "final": False, "detections": lines}))

    def end(self) -> None:
        """Write what is left of the present stream, and say what a whole recording would be without."""
        if not self.clock.rows:
            return
        try:
            self._write(self.stream.finish())
        except ValueError:  # fewer samples than a vector has
            self.say(f"it ended after {self.clock.rows} rows, before its first vector: nothing was looked for in them")
        too_long, topk, segments = self.stream.beyond
        if too_long:
            self.say(f"{too_long} candidates longer than {self.stream.longest_sec:g} s were left out; raise --longest")
        if topk or segments:
            self.say(
                f"a whole recording would be without {topk} scores (decode.pre_nms_topk) and {segments} detections "
                "(decode.max_segments)"
            )
        self.clock.rows = 0

    def _vectors(self, values: np.ndarray) -> np.ndarray:
        """(n, C), n being 0 or 1: the vector, or that which a sample completes."""
        if self.windowing is None:
            return values[None]
        window, stride = self.windowing.window, self.windowing.stride
        self.samples = np.concatenate([self.samples, values[None]])[-window:]
        complete = self.clock.rows >= window and (self.clock.rows - window) % stride == 0
        return raw_windows(self.samples, window, window) if complete else np.zeros((0, self.windowing.width))

    def _write(self, table: pd.DataFrame) -> None:
        at_sec = round(self.stream.seconds, DECIMALS)
        for values in table.to_dict("records"):
            self.write(json.dumps(self._line(values) | {"at_sec": at_sec, "final": True}))

    def _line(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        numbers = {name: round(float(values[name]), DECIMALS) for name in ("start_sec", "end_sec", "score")}
        return {**numbers, "label": self.label_names[int(values["label"])]}


def longest_labelled(run_dir: Path, data_root: str | Path = "") -> float:
    """Seconds of the longest labelled action of a run's training; 0 without labels."""
    run = open_run(run_dir)
    videos = run.annotations(data_root).of_subsets(run.recipe.data.train_subsets)
    lengths = [float(np.diff(video.segments_sec).max()) for video in videos if len(video.labels)]
    return max(lengths, default=0.0)


def _windowing(predictor: Predictor) -> Windowing:
    """How a vector is made of samples; a ValueError where that takes more than its own ones."""
    settings = predictor.signals and predictor.signals.settings
    if not isinstance(settings, Windowing) or settings.normalise != "none":
        raise ValueError(
            f"the features of recipe '{predictor.recipe.name}' were brought to mean 0 and deviation 1 over whole "
            "recordings, which a stream does not know; make features without that, or send vectors"
        )
    return settings


def _opened(source: str | Path) -> IO[bytes]:
    """Standard input is left open."""
    if str(source) == "-":
        return open(sys.stdin.fileno(), "rb", closefd=False)
    if not Path(source).exists():
        raise ValueError(f"{source} does not exist; name a pipe or file, or - for standard input")
    return Path(source).open("rb")


def _name(source: str | Path) -> str:
    return "standard input" if str(source) == "-" else str(source)
