"""The network over parts of a sequence that still grows: candidates of points as soon as those are final.

Each block begins so far before the first point that is not final yet that all it needs is seen, at a multiple of the
last level's stride, so that all levels have the grid of the whole sequence. At the sequence's beginning nothing lies
before it, as in the whole one, and at its end it is padded as the whole one would be.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from afkit.config import Recipe
from afkit.detect.decoding import decode_level
from afkit.detect.prediction import padded_steps
from afkit.workbench.streaming.delays import Sight


class Plan(NamedTuple):
    """When the network runs, over what; steps are multiples of the last level's stride."""

    sights: list[Sight]  # of each level
    first: int  # steps that are there when it runs for the first time
    every: int  # steps between two runs
    least: int  # steps of a block, where there are as many


class Found(NamedTuple):
    """Candidates of one video, level by level, each by falling score: the order in which NMS takes equal ones."""

    levels: np.ndarray  # (N,) int64
    segments: np.ndarray  # (N, 2) float64 on the grid of the whole sequence
    scores: np.ndarray  # (N,) float32 as decoded
    labels: np.ndarray  # (N,) int64
    left: np.ndarray  # (N,) float32, what overlapping better ones have left of the score

    def rows(self, index: np.ndarray | list[int]) -> "Found":
        """Some of them, by place or by truth."""
        return Found(*(column[index] for column in self))

    @property
    def lengths(self) -> np.ndarray:
        """(N,) float64."""
        return self.segments[:, 1] - self.segments[:, 0]


def join(*parts: Found) -> Found:
    """All candidates of several lists, in the order of one."""
    columns = Found(*map(np.concatenate, zip(*parts, strict=True)))
    return columns.rows(np.lexsort((-columns.scores, columns.levels)))


_INT, _FLOAT = np.zeros(0, np.int64), np.zeros(0, np.float32)
NOTHING = Found(_INT, np.zeros((0, 2)), _FLOAT, _INT, _FLOAT)


class Blocks:
    """The network and the steps that it still needs; memory grows with a block, not with the sequence.

    `steps` have come, `final` is the first position of each level that is not final, `likely` how many scores of each
    level (points x classes) reached `least_score` so far.
    """

    def __init__(self, model: nn.Module, recipe: Recipe, plan: Plan, least_score: float):
        self.model, self.recipe, self.plan, self.least_score = model.eval(), recipe, plan, least_score
        # one more than offline keeps, so that what is beyond shows
        self._decode = recipe.decode.model_copy(update={"pre_nms_topk": recipe.decode.pre_nms_topk + 1})
        self._strides = recipe.model.level_strides
        self._device = next(model.parameters()).device
        self._rows: list[np.ndarray] = []  # (n, C) float32 each, from step `_first` on
        self._first, self._next = 0, plan.first
        self.steps = 0
        self.final, self.likely = [0] * len(self._strides), [0] * len(self._strides)

    def take(self, rows: np.ndarray) -> Iterator[Found]:
        """The candidates that become final with new steps (n, C), run by run, however the steps are cut."""
        while len(rows):
            part, rows = np.split(rows, [self._next - self.steps])
            self._rows.append(part)
            self.steps += len(part)
            if self.steps == self._next:
                self._next += self.plan.every
                ends = [
                    max(self.steps - 1 - sight.after + stride, 0) // stride * stride
                    for sight, stride in zip(self.plan.sights, self._strides, strict=True)
                ]
                found, likely = self._look(self._start(), self.steps, ends)
                self.final = ends
                self._count(likely)
                self._forget()
                yield found

    def rest(self, count: bool = False) -> Found:
        """The candidates of all points that are not final, as if the sequence ended here; to be counted at its end."""
        length = padded_steps(self.steps, self.recipe)
        start = min(self._start(), max(length - self.plan.least, 0))
        found, likely = self._look(start, length, [length] * len(self._strides))
        if count:
            self._count(likely)
        return found

    def _start(self) -> int:
        """Where a block begins that shows all that the first points that are not final depend on."""
        needed = min(known - sight.before for known, sight in zip(self.final, self.plan.sights, strict=True))
        return max(needed, 0) // self._strides[-1] * self._strides[-1]

    def _count(self, likely: Sequence[int]) -> None:
        self.likely = [before + now for before, now in zip(self.likely, likely, strict=True)]

    def _forget(self) -> None:
        """Drop the steps that no later block needs."""
        first = min(self._start(), max(self.steps - self.plan.least, 0))
        self._rows = [np.concatenate(self._rows)[first - self._first :].copy()]
        self._first = first

    @torch.no_grad()
    def _look(self, start: int, length: int, ends: Sequence[int]) -> tuple[Found, list[int]]:
        """Candidates of the points of each level from the first that is not final to an end, and likely scores."""
        rows = np.concatenate(self._rows)[start - self._first :]
        features = torch.zeros(length - start, rows.shape[1])
        features[: len(rows)] = torch.from_numpy(rows)
        mask = torch.arange(length - start) < len(rows)
        out = self.model(features.T[None].to(self._device), mask[None].to(self._device))
        parts, likely = [NOTHING], []
        for number, (level, first, end) in enumerate(zip(out.levels(), self.final, ends, strict=True)):
            position = level.points[:, 0]  # (T,) within the block
            own = (position >= first - start) & (position < end - start)
            best = decode_level(level._replace(mask=level.mask & own), self._decode)
            segments, scores, labels, keep = (column[0].cpu().numpy() for column in best)  # (n, 2), (n,), (n,), (n,)
            likely.append(int((scores >= self.least_score).sum()))
            levels = np.full_like(labels, number)
            found = Found(levels, segments.astype(np.float64) + start, scores, labels, scores)
            parts.append(found.rows(keep & (scores >= self.least_score)))
        return join(*parts), likely
