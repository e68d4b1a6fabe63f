"""NMS as textbooks and common toolboxes do it: a Python loop over classes, a compiled call for each, sort, cap."""

import functools
import hashlib
import os
import platform
import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from afkit.detect.operator import EXACT, cache_folder
from afkit.opening import why_not

SOURCE = Path(__file__).with_name("textbook_nms.cpp")
Detections = tuple[Tensor, Tensor, Tensor]  # segments (M, 2), scores (M,), labels (M,)


@functools.cache
def build() -> None:
    """Load the baseline, compiled with the flags of afkit's operator; a library built earlier lies in its cache."""
    key = hashlib.sha256(SOURCE.read_bytes() + f"{EXACT} {torch.__version__}".encode()).hexdigest()[:12]
    library = cache_folder() / f"textbook_nms-{platform.machine()}-{key}.so"
    if library.is_file() and not why_not(library):
        torch.ops.load_library(library)
        return
    from torch.utils import cpp_extension  # slow to import

    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), path])  # where ninja may lie
    library.parent.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            cpp_extension.load(
                "textbook_nms", [str(SOURCE)], extra_cflags=EXACT, build_directory=folder, is_python_module=False
            )
            built = Path(folder) / "textbook_nms.so"
            built.chmod(0o755)  # by the user's mask, a group might write to it
            built.replace(library)
    finally:
        os.environ["PATH"] = path


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
) -> Detections:
    """What `afkit.nms` does, for "soft", "linear" and "hard": one call per class, each until nothing is left."""
    given = segments, scores
    if method == "hard" and min_score > 0:
        keep = scores > min_score
        segments, scores, labels = segments[keep], scores[keep], labels[keep]
    if multiclass:
        groups = [torch.where(labels == label)[0] for label in labels.unique()]
    else:
        groups = [torch.arange(len(labels))]
    all_picks, all_scores = [], []
    for group in groups:
        if method == "hard":
            picks, picked = torch.ops.afkit_benchmark.hard(segments[group], scores[group], iou_threshold)
        else:
            picks, picked = torch.ops.afkit_benchmark.soft(
                segments[group], scores[group], method == "linear", sigma, iou_threshold, min_score
            )
        all_picks.append(group[picks[:max_segments]])
        all_scores.append(picked[:max_segments])
    picked, order = torch.cat(all_scores).sort(descending=True)
    picks = torch.cat(all_picks)[order[:max_segments]]
    kept = segments[picks]
    if voting_threshold > 0 and not multiclass:
        kept = vote(kept, *given, voting_threshold, by_iou=voting_weight == "score_iou")
    return kept, picked[:max_segments], labels[picks]


def vote(kept: Tensor, segments: Tensor, scores: Tensor, threshold: float, by_iou: bool = True) -> Tensor:
    """Score voting by one matrix of kept (M, 2) x candidates (N, 2), by score and IoU or by score alone."""
    onset = torch.maximum(kept[:, None, 0], segments[None, :, 0])
    end = torch.minimum(kept[:, None, 1], segments[None, :, 1])
    overlap = (end - onset).clamp(min=0)  # (M, N)
    lengths = (kept[:, 1] - kept[:, 0])[:, None] + (segments[:, 1] - segments[:, 0])[None, :]
    iou = overlap / (lengths - overlap)
    weights = (iou >= threshold) * (iou if by_iou else 1) * scores
    return (weights / weights.sum(dim=1, keepdim=True)) @ segments


def agree(ours: Detections, theirs: Detections, tolerance: float = 1e-6) -> bool:
    """Whether two lists hold the same picks: scores within `tolerance`, order free where they are that close.

    Which of such ties still fits at the end of a capped list is free too.
    """
    (segments, scores, labels), (their_segments, their_scores, their_labels) = ours, theirs
    if len(scores) != len(their_scores):
        return False
    if len(scores) == 0:
        return True
    if (scores - their_scores).abs().max() > tolerance:
        return False
    alike = (scores[:, None] - their_scores).abs() <= tolerance  # (M, M)
    alike &= labels[:, None] == their_labels
    alike &= torch.isclose(segments[:, None], their_segments, rtol=1e-5, atol=1e-5).all(dim=2)  # voting rounds
    inner = scores > scores[-1] + 2 * tolerance
    return bool(alike.any(dim=1)[inner].all() and alike.any(dim=0)[inner].all())
