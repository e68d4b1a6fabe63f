"""Batches of candidates that the tests of NMS share, those on a bare GPU machine included."""

import torch

KINDS = ["spread", "grid", "signed", "one place", "huge"]


def candidates(kind: str, sizes, classes: int = 20, seed: int = 0):
    """A batch of videos: segments (N, 2), scores (N,), labels (N,), offsets (B + 1,)."""
    random = torch.Generator().manual_seed(seed)
    count = sum(sizes)
    onset, scores = torch.rand(count, generator=random) * count, torch.rand(count, generator=random)
    length = torch.rand(count, generator=random) * 30
    if kind in ("grid", "signed"):  # on few places: identical, nested, touching and empty segments, tied scores
        onset = torch.randint(-20, 20, (count,), generator=random).float()
        length = torch.tensor([0.0, 1, 2, 8])[torch.randint(4, (count,), generator=random)]
        levels = torch.tensor([0.25, 0.5, 0.75, 1] if kind == "grid" else [-0.5, -0.25, -0.0, 0.0, 0.25])
        scores = levels[torch.randint(len(levels), (count,), generator=random)]
    elif kind == "one place":  # everything overlaps
        onset, length = onset / max(count, 1), 9 + length / 15
    elif kind == "huge":
        onset, length = (onset - count / 2) * 1e31, length * 1e35
    labels = torch.randint(classes, (count,), generator=random)
    return torch.stack([onset, onset + length], dim=1), scores, labels, torch.tensor([0, *sizes]).cumsum(0)
