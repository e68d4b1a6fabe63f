"""Suppression of duplicate detections: hard and soft NMS in one dimension, and score voting, on any device."""

import itertools
from typing import Any, NamedTuple

import torch
from torch import Tensor

from afkit.detect import operator, reference
from afkit.detect.reference import Settings

METHODS = ("soft", "linear", "hard", "none")
BACKENDS = ("auto", "cuda", "cpp", "torch")
SMALLEST_SIGMA = 1e-37  # is above 0 in float32
LARGEST_TIME = 1e37  # lengths and their sums stay finite in float32
MAX_LABELS = 65536
_METHOD_NUMBERS = {"hard": 0, "soft": 1, "linear": 2}  # of the operator


class Kept(NamedTuple):
    """Detections of B videos, each by descending score; rows beyond a video's count are 0 with label -1."""

    segments: Tensor  # (B, M, 2) float32
    scores: Tensor  # (B, M) float32
    labels: Tensor  # (B, M) int64
    counts: Tensor  # (B,) int64


@torch.no_grad()
def nms(
    segments: Tensor,
    scores: Tensor,
    labels: Tensor,
    method: str = "soft",
    multiclass: bool = True,
    iou_threshold: float = 0.1,
    sigma: float = 0.5,
    min_score: float = 0.001,
    max_segments: int = 200,
    voting_threshold: float = 0.0,
    voting_weight: str = "score_iou",
    backend: str = "auto",
) -> tuple[Tensor, Tensor, Tensor]:
    """Suppress duplicates among the candidates of one video.

    Soft NMS (Bodla 2017): take the best candidate, multiply the scores of the others (of its class) by
    `exp(-IoU^2 / sigma)`, drop those whose score is then below `min_score`, repeat; so the first pick of a class
    always stays. Linear: the factor is `1 - IoU` where the IoU reaches `iou_threshold`, else 1. Hard NMS: of the
    candidates above `min_score`, drop those whose IoU with a better one reaches `iou_threshold`. Equal scores: the
    one that comes first in the input is taken first. Every backend gives the same answer.

    Args:
        segments, scores, labels: (N, 2) float32 in any unit, (N,) float32, (N,) int64 from 0 to 65535.
        method: "soft", "linear", "hard", or "none" (sort and cap only).
        multiclass: suppress within each class; else across classes, and then `voting_threshold` may be used.
        min_score: 0 keeps all.
        voting_threshold: 0 for none; else each kept segment becomes the mean of the input segments that overlap it
            by at least this IoU. Ignored when multi-class.
        voting_weight: of such a segment: "score_iou", its original score times the IoU, or "score".
        backend: "cuda", "cpp" or "torch"; "auto" takes the first of them that works where the tensors are.

    Returns:
        segments (M, 2), scores (M,), labels (M,), by descending score, where the input is. Without gradients.

    Raises:
        ValueError: an argument is out of range, shapes or types do not fit, a value is not finite, a segment is
            reversed, or the backend does not work here; it names the argument.

    Examples:
        >>> segments = torch.tensor([[0.0, 10.0], [1.0, 10.0], [20.0, 30.0]])
        >>> scores, labels = torch.tensor([0.9, 0.8, 0.7]), torch.zeros(3, dtype=torch.int64)
        >>> _, kept, _ = nms(segments, scores, labels, backend="torch")
        >>> [round(score, 3) for score in kept.tolist()]
        [0.9, 0.7, 0.158]
    """
    offsets = torch.tensor([0, scores.numel()], device=segments.device)
    settings = Settings(
        method, multiclass, iou_threshold, sigma, min_score, max_segments, voting_threshold, voting_weight
    )
    kept = _suppress(segments, scores, labels, offsets, settings, backend)
    count = kept.counts.item()
    return kept.segments[0, :count], kept.scores[0, :count], kept.labels[0, :count]


@torch.no_grad()
def nms_batch(
    segments: Tensor, scores: Tensor, labels: Tensor, offsets: Tensor, backend: str = "auto", **settings: Any
) -> Kept:
    """Suppress duplicates among the candidates of B videos at once, with `settings` and errors as of `nms`.

    Those of video b are the rows `offsets[b]` to `offsets[b + 1] - 1` of (N, 2), (N,), (N,); offsets (B + 1,) int64.
    """
    return _suppress(segments, scores, labels, offsets, Settings(**settings), backend)


def _suppress(
    segments: Tensor, scores: Tensor, labels: Tensor, offsets: Tensor, settings: Settings, backend: str
) -> Kept:
    inputs = (segments, scores, labels, offsets)
    _check_types(*inputs)
    _check_settings(settings)
    live = choose_backend(backend, segments.device)
    if settings.method == "none" or live == "torch":
        _check_values(*inputs)
        return _each_video(*inputs, settings)
    to_host = live == "cpp" and segments.is_cuda
    moved = tuple(tensor.cpu() for tensor in inputs) if to_host else inputs
    kept = Kept(*torch.ops.afkit.nms(*moved, *_numbers(settings)))
    if len(kept.counts) and kept.counts.min().item() < 0:
        _check_values(*moved)
    return Kept(*(tensor.to(segments.device) for tensor in kept)) if to_host else kept


def _numbers(settings: Settings) -> list[float]:
    """The settings as the operator takes them."""
    by_iou = settings.voting_weight == "score_iou"
    return [_METHOD_NUMBERS[settings.method], *settings[1:-1], by_iou]


def choose_backend(backend: str, device: torch.device | str) -> str:
    """The backend that will run for tensors on a device: "cuda", "cpp" or "torch".

    A backend that "auto" would rather have taken is named in one line, once, with the reason why it does not work; one
    that was asked for and does not work is a ValueError.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend must be one of {', '.join(BACKENDS)}, not '{backend}'")
    is_cuda = torch.device(device).type == "cuda"
    if backend == "cuda" and not is_cuda:
        raise ValueError(f"backend 'cuda' needs tensors on a CUDA device, not on '{device}'")
    if backend != "auto":
        reason = "" if backend == "torch" else operator.unavailable(backend)
        if reason:
            raise ValueError(f"backend '{backend}' does not work here: {reason}")
        return backend
    for better, instead in [("cuda", "cpp"), ("cpp", "torch")][0 if is_cuda else 1 :]:
        reason = operator.unavailable(better)
        if not reason:
            return better
        operator.say_once(f"NMS runs in '{instead}' (same results, slower), because '{better}' does not work: {reason}")
    return "torch"


def _each_video(segments: Tensor, scores: Tensor, labels: Tensor, offsets: Tensor, settings: Settings) -> Kept:
    videos, most, device = len(offsets) - 1, settings.max_segments, segments.device
    kept = Kept(
        torch.zeros(videos, most, 2, device=device),
        torch.zeros(videos, most, device=device),
        torch.full((videos, most), -1, device=device),
        torch.zeros(videos, dtype=torch.int64, device=device),
    )
    for video, own in enumerate(itertools.starmap(slice, itertools.pairwise(offsets.tolist()))):
        part = reference.suppress(segments[own], scores[own], labels[own], settings)
        kept.counts[video] = count = len(part[1])
        for rows, values in zip(kept[:3], part, strict=True):
            rows[video, :count] = values
    return kept


def _check_types(segments: Tensor, scores: Tensor, labels: Tensor, offsets: Tensor) -> None:
    """Shapes, types and devices: what costs nothing to look at."""
    if segments.dim() != 2 or segments.shape[1] != 2:
        raise ValueError(f"segments must be (N, 2), not {tuple(segments.shape)}")
    if scores.shape != segments.shape[:1] or labels.shape != segments.shape[:1]:
        shapes = f"{tuple(scores.shape)} and {tuple(labels.shape)}"
        raise ValueError(f"scores and labels must be ({len(segments)},) like segments, not {shapes}")
    if offsets.dim() != 1 or len(offsets) == 0:
        raise ValueError(f"offsets must be (B + 1,), not {tuple(offsets.shape)}")
    real, whole = torch.float32, torch.int64
    given = {"segments": (segments, real), "scores": (scores, real), "labels": (labels, whole)}
    for name, (tensor, dtype) in (given | {"offsets": (offsets, whole)}).items():
        if tensor.dtype != dtype:
            raise ValueError(f"{name} must be {dtype}, not {tensor.dtype}")
        if tensor.device != segments.device:
            raise ValueError(f"{name} must be on '{segments.device}' like segments, not on '{tensor.device}'")


def _check_values(segments: Tensor, scores: Tensor, labels: Tensor, offsets: Tensor) -> None:
    """What every value must be; the operator finds out itself whether it need be looked at."""
    bounds = offsets.tolist()
    if bounds[0] != 0 or bounds[-1] != len(segments) or bounds != sorted(bounds):
        raise ValueError(f"offsets must rise from 0 to the {len(segments)} segments, not {bounds}")
    if not scores.isfinite().all():
        raise ValueError(f"scores must be finite; that of candidate {int((~scores.isfinite()).nonzero()[0])} is not")
    unfit = ~((segments.abs() <= LARGEST_TIME).all(dim=1) & (segments[:, 1] >= segments[:, 0]))
    if unfit.any():
        row = int(unfit.nonzero()[0])
        raise ValueError(
            f"segments must be finite (at most {LARGEST_TIME:g}) with end >= start; segment {row} is "
            f"{segments[row].tolist()}"
        )
    unfit = (labels < 0) | (labels >= MAX_LABELS)
    if unfit.any():
        row = int(unfit.nonzero()[0])
        raise ValueError(f"labels must lie between 0 and {MAX_LABELS - 1}; that of candidate {row} is {labels[row]}")


def _check_settings(settings: Settings) -> None:
    if settings.method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, not '{settings.method}'")
    if settings.voting_weight not in ("score_iou", "score"):
        raise ValueError(f"voting_weight must be score_iou or score, not '{settings.voting_weight}'")
    if settings.max_segments <= 0:
        raise ValueError(f"max_segments must be at least 1, not {settings.max_segments}")
    if not settings.sigma >= SMALLEST_SIGMA:
        raise ValueError(f"sigma must be above 0, not {settings.sigma}")
    if not settings.min_score >= 0:
        raise ValueError(f"min_score must not be negative, not {settings.min_score}")
    for name in ("iou_threshold", "voting_threshold"):
        if not 0 <= getattr(settings, name) <= 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {getattr(settings, name)}")
