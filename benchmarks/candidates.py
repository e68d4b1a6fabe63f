"""Candidates to measure NMS on, made from a seed."""

from typing import NamedTuple

import torch
from torch import Tensor

LEVELS = 6
STEPS = 2304  # length of a video on the grid
PATTERNS = ("random", "all overlap", "none overlap", "identical", "nested")


class Candidates(NamedTuple):
    """Those of all videos, one video after the other."""

    segments: Tensor  # (N, 2) float32
    scores: Tensor  # (N,) float32
    labels: Tensor  # (N,) int64
    offsets: Tensor  # (videos + 1,) int64


def realistic(count: int, classes: int, videos: int = 1, seed: int = 0) -> Candidates:
    """As decoding gives them: equally many from each level, as long as the level's range; nearly all scores low."""
    generator = torch.Generator().manual_seed(seed)
    total = count * videos
    stride = 2.0 ** (torch.arange(total) % LEVELS)
    centre = torch.rand(total, generator=generator) * STEPS
    reach = stride[:, None] * (0.5 + 3.5 * torch.rand(total, 2, generator=generator))  # to either side
    segments = centre[:, None] + torch.stack([-reach[:, 0], reach[:, 1]], dim=1)
    scores = torch.cat([0.001 ** _quantiles(count, generator).sqrt() for _ in range(videos)])  # half below 0.01
    labels = torch.randint(classes, (total,), generator=generator)
    return Candidates(segments, scores, labels, torch.arange(videos + 1) * count)


def patterned(pattern: str, count: int, classes: int, seed: int = 0) -> Candidates:
    """One video whose segments overlap as `pattern` says; scores spread evenly, so that few fall away early."""
    generator = torch.Generator().manual_seed(seed)
    place = torch.arange(count, dtype=torch.float32)
    if pattern == "random":
        onset, length = (torch.rand(2, count, generator=generator) * torch.tensor([[STEPS], [STEPS / 5]])).unbind(0)
        segments = torch.stack([onset, onset + length], dim=1)
    elif pattern == "all overlap":
        segments = torch.rand(count, 2, generator=generator) * torch.tensor([-STEPS, STEPS])
    elif pattern == "none overlap":
        segments = torch.stack([2 * place, 2 * place + 1], dim=1)
    elif pattern == "identical":
        segments = torch.tensor([10.0, 20.0]).repeat(count, 1)
    elif pattern == "nested":  # over six orders of magnitude: everything overlaps, most of it very little
        half = STEPS * 10 ** (-6 * place / count)
        segments = torch.stack([-half, half], dim=1)
    else:
        raise ValueError(f"pattern must be one of {', '.join(PATTERNS)}, not '{pattern}'")
    labels = torch.randint(classes, (count,), generator=generator)
    return Candidates(segments, 0.1 + 0.9 * _quantiles(count, generator), labels, torch.tensor([0, count]))


def _quantiles(count: int, generator: torch.Generator) -> Tensor:
    """Numbers in (0, 1), shuffled; no two alike, since ties would leave the order of picks open."""
    return (torch.randperm(count, generator=generator) + 0.5) / count
