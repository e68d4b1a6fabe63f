"""What two runs of the same settings have left, compared number by number: losses, weights, detections, scores."""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file

from afkit.files import read_json
from afkit.workbench.runs.opened import open_run, sha256_of

LOSSES = ["loss_cls", "loss_reg", "loss_total", "grad_norm"]  # of metrics.csv


class Row(NamedTuple):
    """One thing that is compared."""

    what: str  # was compared
    same: bool | None  # None: it could not be compared
    detail: str  # where it differs, and by how much


def compare_results(before: Path, now: Path) -> list[Row]:
    """Losses of all steps, both weights, detections and scores of two run folders, a row each.

    A file that is gone is compared by its digest in run.json.
    """
    return [_row(what, name, before, now, differ) for what, (name, differ) in COMPARED.items()]


def _row(what: str, name: str, before: Path, now: Path, differ: Callable[[Path, Path], tuple[bool, str]]) -> Row:
    """Compare a file of both runs by a function that tells whether it is the same, and of what it consists."""
    if not (now / name).is_file():
        return Row(what, None, "the stage that makes them was not done")
    if (before / name).is_file():
        try:
            return Row(what, *differ(before / name, now / name))
        except (ValueError, LookupError, TypeError, AttributeError, SafetensorError) as error:
            return Row(what, None, f"{name} cannot be read ({' '.join(str(error).split())})")
    digests = [stage.sha256[name] for stage in open_run(before).facts.stages.values() if name in stage.sha256]
    if not digests:
        return Row(what, None, f"the run has no {name} any more")
    return Row(what, digests[0] == sha256_of(now / name), f"by the digest in run.json, since {name} is gone")


def _losses(before: Path, now: Path) -> tuple[bool, str]:
    tables = [pd.read_csv(path)[LOSSES].to_numpy() for path in (before, now)]  # (steps, 4)
    if len(tables[0]) != len(tables[1]):
        return False, f"{len(tables[0])} steps, now {len(tables[1])}"
    apart = np.abs(tables[0] - tables[1]).max(axis=1)  # (steps,)
    if not apart.any():
        return True, f"{len(apart)} steps"
    return False, f"from step {np.flatnonzero(apart)[0]} of {len(apart)} on, by {apart.max():.2g} at most"


def _weights(before: Path, now: Path) -> tuple[bool, str]:
    tensors, others = load_file(before), load_file(now)
    shapes = [{name: tensor.shape for name, tensor in content.items()} for content in (tensors, others)]
    if shapes[0] != shapes[1]:
        return False, "other tensors"
    unlike = [name for name in tensors if tensors[name].tobytes() != others[name].tobytes()]
    if not unlike:
        return True, f"{len(tensors)} tensors"
    apart = max(float(np.abs(tensors[name].astype(float) - others[name]).max()) for name in unlike)
    return False, f"{len(unlike)} of {len(tensors)} tensors, by {apart:.2g} at most, e.g. {unlike[0]}"


def _detections(before: Path, now: Path) -> tuple[bool, str]:
    found = [
        {video: [(row["label"], row["segment"], row["score"]) for row in rows] for video, rows in results.items()}
        for results in (read_json(path)["results"] for path in (before, now))
    ]
    number = [sum(map(len, videos.values())) for videos in found]
    if found[0] == found[1]:
        return True, f"{number[0]} in {len(found[0])} videos"
    unlike = [video for video in found[0] | found[1] if found[0].get(video) != found[1].get(video)]
    pairs = [(found[0].get(video, []), found[1].get(video, [])) for video in unlike]
    said = f"in {len(unlike)} of {len(found[0])} videos, {number[0]}, now {number[1]}"
    if all([row[0] for row in a] == [row[0] for row in b] for a, b in pairs):  # the same classes in the same order
        times, scores = (
            max(abs(x - y) for a, b in pairs for one, other in zip(a, b, strict=True) for x, y in of(one, other))
            for of in (lambda a, b: zip(a[1], b[1], strict=True), lambda a, b: [(a[2], b[2])])
        )
        said += f"; by {times:.2g} s and {scores:.2g} of the score at most"
    return False, said


def _scores(before: Path, now: Path) -> tuple[bool, str]:
    """mAP at each tIoU, as fractions."""
    old, new = (content["map"] | {"average": content["average_map"]} for content in map(read_json, (before, now)))
    if old.keys() != new.keys():
        return False, f"at tIoU {', '.join(old)}, now {', '.join(new)}"
    shown = f"average mAP {100 * old['average']:.2f} %"
    apart = {tiou: abs(old[tiou] - new[tiou]) for tiou in old}
    worst = max(apart, key=lambda tiou: apart[tiou])
    if not apart[worst]:
        return True, shown
    return False, f"{shown}, now {100 * new['average']:.2f} %; most at {worst}: {100 * apart[worst]:.2g} points"


COMPARED = {
    "losses": ("metrics.csv", _losses),
    "weights (ema)": ("checkpoints/ema.safetensors", _weights),
    "weights (raw)": ("checkpoints/raw.safetensors", _weights),
    "detections": ("predictions.json.gz", _detections),
    "scores": ("eval.json", _scores),
}
