"""Detections of a recording that still goes on: vectors in as they come, detections out.

The design, in a few lines. A point of a level depends on the steps within its level's sight (`delays`). The network
runs whenever some steps have come, over those that the points need which have become final, so that (a) each candidate
(point, class, score, offsets) is that of the whole recording, up to the rounding of sums in another order (`blocks`).
NMS needs no candidate below the lowest score that is asked for, so that (b) each detection from there on is that of the
whole recording, and it is given as soon as nothing that may still come can change it (`closing`). For that, candidates
are at most `longest_sec` long. What is longer is left out and counted; so are scores beyond decode.pre_nms_topk, and
detections beyond decode.max_segments, which a whole recording would be without. Where all these counts are 0, the
stream has given what `afkit.predict` gives for the whole recording from that score on, until the last vector's end.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from afkit.config import Recipe
from afkit.data.feature_formats import REAL
from afkit.detect.reference import Settings
from afkit.segments import grid_to_sec
from afkit.workbench.analysis.operating_point import apply_thresholds
from afkit.workbench.streaming.blocks import NOTHING, Blocks, Found, Plan, join
from afkit.workbench.streaming.closing import settle, voted, voting
from afkit.workbench.streaming.delays import Sight, level_sights, step_sec

COLUMNS = ["start_sec", "end_sec", "label", "score", "final"]
NO_ROWS = pd.DataFrame(dict(zip(COLUMNS, [[0.0], [0.0], [0], [0.0], [True]], strict=True)))[:0]
LEAST_SCORE = 0.2  # as of `predict` without thresholds


class Beyond(NamedTuple):
    """What the whole recording would have otherwise; where all are 0, the detections are the same."""

    too_long: int  # candidates longer than the longest action, left out
    topk: int  # scores more than decode.pre_nms_topk in a level; of the whole recording only the best count
    segments: int  # detections more than decode.max_segments


class Stream:
    """A recording whose feature vectors come one after the other: `push` them, then `finish`.

    Args:
        model: the trained network; it is put into eval mode.
        recipe: its settings.
        fps: frames per second; None: the recipe's.
        thresholds: lowest score of a detection, for all labels or for each label id; infinite for none of a label.
        longest_sec: the longest action. A detection waits for it, in addition to the delay of the last level. None:
            twice as far as the last level but one looks for an end (`model.regression_ranges`).
        every_sec: seconds between two runs of the network, rounded up to the last level's stride, which None takes.
            Longer ones cost less, and are waited for.
        window_steps: 0 to be exact. Else each point sees a window of so many steps, and at least a quarter of it on
            either side: an approximation, for networks that look at the whole sequence, or for a shorter delay.
        start_sec: time of the first vector's first frame.

    Attributes:
        delays_sec: of each level, seconds after a point until its outputs are final.
        longest_sec: seconds of the longest action.
        every_sec: seconds between two runs.
        seconds: up to which vectors have come; `start_sec` before the first.
        beyond: what is counted, so far.

    Raises:
        ValueError: a recipe that cannot be streamed, and why; settings that do not fit.
    """

    def __init__(
        self,
        model: nn.Module,
        recipe: Recipe,
        fps: float | None = None,
        thresholds: float | Mapping[int, float] = LEAST_SCORE,
        longest_sec: float | None = None,
        every_sec: float | None = None,
        window_steps: int = 0,
        start_sec: float = 0.0,
    ):
        self._recipe, self._step_sec, self._start_sec = recipe, step_sec(recipe, fps), start_sec
        self._fps = recipe.data.stride_frames * recipe.data.downsample / self._step_sec
        self._thresholds, lowest = thresholds, lowest_score(recipe, thresholds)
        longest = default_longest(recipe) if longest_sec is None else longest_sec / self._step_sec  # steps
        for name, value in (("longest_sec", longest), ("every_sec", 1.0 if every_sec is None else every_sec)):
            if not 0 < value < np.inf:
                raise ValueError(f"{name} must be a number above 0, not {longest_sec if name[0] == 'l' else every_sec}")
        plan = plan_of(recipe, window_steps, 0 if every_sec is None else every_sec / self._step_sec)
        config = recipe.decode
        self._nms = Settings(
            method=config.nms,
            multiclass=config.multiclass,
            iou_threshold=config.iou_threshold,
            sigma=config.sigma,
            min_score=lowest,
            voting_threshold=config.voting_threshold,
            voting_weight=config.voting_weight,
        )
        # a voter is at most so much longer than the segment that it votes for
        self._longest_voter = longest / config.voting_threshold if voting(self._nms) else longest
        self._longest, self._lowest = longest, lowest
        self._blocks = Blocks(model, recipe, plan, config.pre_nms_thresh if voting(self._nms) else lowest)
        self._pending = self._voters = NOTHING
        self._vectors = self._too_long = self._given = 0
        self._ended = False
        self.delays_sec = [sight.after * self._step_sec for sight in plan.sights]
        self.longest_sec, self.every_sec = longest * self._step_sec, plan.every * self._step_sec

    @property
    def seconds(self) -> float:
        data = self._recipe.data
        covered = ((self._vectors - 1) * data.stride_frames + data.num_frames) / self._fps if self._vectors else 0.0
        return self._start_sec + covered

    @property
    def beyond(self) -> Beyond:
        config = self._recipe.decode
        most = np.inf if config.nms == "none" else config.max_segments
        topk = sum(max(likely - config.pre_nms_topk, 0) for likely in self._blocks.likely)
        return Beyond(self._too_long, topk, int(max(self._given - most, 0)))

    def push(self, vectors: np.ndarray) -> pd.DataFrame:
        """Take the next vectors (n, C), or one (C,); the detections that are final by now, each given once.

        Returns:
            DataFrame start_sec, end_sec, label (label id), score, final (True), by start.

        Raises:
            ValueError: another number of channels, or a value that is not finite; no vector is taken then.
        """
        rows = self._checked(vectors)
        every = self._recipe.data.downsample
        kept, self._vectors = rows[-self._vectors % every :: every], self._vectors + len(rows)
        return self._table([self._advance(found) for found in self._blocks.take(kept)])

    def provisional(self) -> pd.DataFrame:
        """What else there would be if the recording ended here, `final` being False: other vectors will change it.

        With what was given before it is what `afkit.predict` gives for the recording so far.
        """
        if not self._blocks.steps or self._ended:
            return self._table([])
        picks, *_ = self._settled(self._blocks.rest(), np.inf)
        return self._table([picks]).assign(final=False)

    def finish(self) -> pd.DataFrame:
        """The recording has ended: all that was not given yet, as of `push`. A ValueError where nothing has come."""
        self._check_going_on()
        if not self._blocks.steps:
            raise ValueError("the stream ended before its first vector; push some")
        self._ended = True
        return self._table([self._advance(self._blocks.rest(count=True), np.inf)])

    def _check_going_on(self) -> None:
        if self._ended:
            raise ValueError("the stream has ended; make a new one for what follows")

    def _checked(self, vectors: np.ndarray) -> np.ndarray:
        """(n, C) float32 of our own."""
        self._check_going_on()
        rows, width = np.atleast_2d(np.asarray(vectors)), sum(self._recipe.data.input_dims)
        if rows.dtype.kind not in REAL or rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(
                f"vectors must be (n, {width}) real numbers for recipe '{self._recipe.name}', not {rows.shape} of "
                f"{rows.dtype}"
            )
        with np.errstate(over="ignore"):
            rows = rows.astype(np.float32)
        if not (finite := np.isfinite(rows)).all():
            row, channel = np.argwhere(~finite)[0]
            raise ValueError(f"vector {self._vectors + row} of the stream: NaN or infinite in channel {channel}")
        return rows

    def _advance(self, found: Found, border: float | None = None) -> Found:
        """What becomes settled with new candidates; unknown ones begin at the border."""
        if border is None:
            border = min(self._blocks.final) - self._longest_voter
        self._too_long += int(((found.lengths > self._longest) & (found.scores >= self._lowest)).sum())
        picks, self._pending, self._voters = self._settled(found, border)
        self._given += len(picks.labels)
        return picks

    def _settled(self, found: Found, border: float) -> tuple[Found, Found, Found]:
        """The picks, what is pending, and what may still vote."""
        new = found.rows((found.scores >= self._lowest) & (found.lengths <= self._longest))
        picks, pending = settle(join(self._pending, new), border, self._nms)
        if not voting(self._nms):
            return picks, pending, NOTHING
        voters = join(self._voters, found.rows(found.lengths <= self._longest_voter))
        first = min([border, *pending.segments[:, 0].tolist()])
        return voted(picks, voters, self._nms), pending, voters.rows(voters.segments[:, 1] > first)

    def _table(self, picks: list[Found]) -> pd.DataFrame:
        if not any(len(part.labels) for part in picks):  # most pushes
            return NO_ROWS.copy()
        found = join(*picks)
        data = self._recipe.data
        stride_frames = data.stride_frames * data.downsample
        times = self._start_sec + grid_to_sec(found.segments, self._fps, stride_frames, data.num_frames)
        times = times.clip(self._start_sec, self.seconds)
        columns = [*times.T, found.labels, found.left.astype(np.float64), np.ones(len(times), bool)]
        table = pd.DataFrame(dict(zip(COLUMNS, columns, strict=True)))
        kept = apply_thresholds(table.assign(video=""), self._thresholds)
        return kept[COLUMNS].sort_values(["start_sec", "end_sec"], ignore_index=True)


def plan_of(recipe: Recipe, window_steps: int = 0, every_steps: float = 0) -> Plan:
    """When the network runs; a ValueError where it cannot be exact, or windows are too small."""
    stride = recipe.model.level_strides[-1]
    if window_steps:
        size = window_steps // stride * stride
        margin = size // 4 // stride * stride
        if not margin:
            raise ValueError(f"window_steps {window_steps} is too small for recipe '{recipe.name}'; give {4 * stride}")
        return Plan([Sight(margin, margin)] * recipe.model.num_levels, size, size - 2 * margin, size)
    every = max(int(np.ceil(every_steps / stride)), 1) * stride
    return Plan(level_sights(recipe), every, every, 0)


def default_longest(recipe: Recipe) -> float:
    """Steps of the longest action where none is given: twice the farthest end of the last level that has a limit."""
    ranges = recipe.model.regression_ranges
    return 2 * min(ranges[-2][1] if len(ranges) > 1 else np.inf, recipe.data.max_seq_len)


def lowest_score(recipe: Recipe, thresholds: float | Mapping[int, float]) -> float:
    """The lowest score that is asked for; a ValueError where a label has none, or none can be settled."""
    if isinstance(thresholds, Mapping):
        missing = set(range(recipe.data.num_classes)) - thresholds.keys()
        if missing:
            raise ValueError(f"there is no threshold for label {min(missing)}; give one for each label")
    lowest = min(thresholds.values()) if isinstance(thresholds, Mapping) else thresholds
    least = max(recipe.decode.pre_nms_thresh, recipe.decode.min_score if recipe.decode.nms != "none" else 0)
    if not least <= lowest < np.inf:
        raise ValueError(
            f"the lowest threshold is {lowest:g}; give a number from {least:g} on, below which a detection depends on "
            "the whole recording"
        )
    return lowest
