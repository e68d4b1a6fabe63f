"""The network of a run as an ONNX file or a program of torch.export: `python -m afkit export RUN --to onnx`."""

import io
import json
import logging
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.detect.prediction import WHOLE_STEPS, needed_window_steps, receptive_field
from afkit.files import atomic_open
from afkit.model.actionformer import padding_alignment
from afkit.workbench.export.exported import FORMAT, KEY, digest, session_of
from afkit.workbench.export.network import OUTPUTS, differences, lengths_to_compare, trace
from afkit.workbench.runs.predicting import Predictor, open_predictor

ENDINGS = {"onnx": ".onnx", "torch": ".pt2"}


def export_network(
    run_dir: str | Path,
    form: str,
    out: str | Path = "",
    *,
    weights: str = "ema",
    length: int = 0,
    fps: float | None = None,
    min_score: float | None = None,
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> Path:
    """Write the network of a run with its decoding, and what `predict` needs; the file.

    Args:
        form: one of `ENDINGS`.
        out: file to write; "" for one in the run folder that is named after the recipe.
        length: feature vectors that the network takes, no more and no less; 0 for any number.
        fps, min_score: as of `afkit.workbench.runs.predicting.predict_recordings`.

    Raises:
        ValueError: no run, or no weights; a length that the network cannot have; onnx is missing; or what was written
            differs from the network by more than rounding, and then nothing is kept.
    """
    if form == "onnx":
        _check_libraries()
    predictor, about = open_predictor(Path(run_dir), weights, fps, min_score, data_root=data_root)
    recipe, network = predictor.recipe, predictor.model
    assert isinstance(network, nn.Module)
    network.cpu()
    path = Path(out) if str(out) else Path(run_dir) / f"{recipe.name}{ENDINGS[form]}"
    if path.suffix != ENDINGS[form]:
        raise ValueError(f"{path} must end in {ENDINGS[form]}; name another file with --out")
    length = export_length(recipe, length)
    say(f"{about}; {f'{length} feature vectors' if length else 'any number of feature vectors'}")
    traced = trace(network, recipe, length)
    said = _facts(predictor, weights, length)
    facts = json.dumps(said | {"digest": digest(said)})
    content, run = (as_onnx if form == "onnx" else _as_program)(traced, facts)
    found = differences(run, network, recipe, length)
    largest = ", ".join(f"{name} by {found[name][0]:.1e}" for name in OUTPUTS)
    worst = max(share for _, share in found.values())
    if not worst <= 1:
        raise ValueError(
            f"what was exported differs from the network, {largest} at most, {worst:.1f} times what rounding explains; "
            f"nothing is written (another version of torch{' or onnxscript' if form == 'onnx' else ''} may do better)"
        )
    with atomic_open(path) as file:
        file.write(content)
    steps = ", ".join(map(str, lengths_to_compare(recipe, length)))
    say(f"compared with the network at {steps} steps: {largest} at most, {worst:.2f} of what rounding explains")
    return path


Run = Callable[[Tensor, Tensor], Sequence[Any]]


def as_onnx(traced: torch.export.ExportedProgram, facts: str) -> tuple[bytes, Run]:
    """The file's content, and how to run it."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # which lists what is not installed, nor needed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            traced, input_names=["features", "steps"], output_names=list(OUTPUTS), dynamo=True, verbose=False
        )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # where in the source it comes from
    program.model.metadata_props.clear()
    program.model.metadata_props[KEY] = facts
    content = program.model_proto.SerializeToString()
    session = session_of(content)

    def run(features: Tensor, steps: Tensor) -> Sequence[Any]:
        return session.run(list(OUTPUTS), {"features": features.numpy(), "steps": steps.numpy()})

    return content, run


def _as_program(traced: torch.export.ExportedProgram, facts: str) -> tuple[bytes, Run]:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.export.save(traced, file, extra_files={f"{KEY}.json": facts})
    return file.getvalue(), traced.module()


def _check_libraries() -> None:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ValueError(
            f"--to onnx needs onnx, onnxscript and onnxruntime ({error}); pip install 'afkit[onnx]'"
        ) from None


def export_length(recipe: Recipe, length: int) -> int:
    """The one number of steps that the network is to take; 0 for any."""
    stride, longest = recipe.model.level_strides[-1], recipe.data.max_seq_len
    if not length and (recipe.data.resize or recipe.model.absolute_position):
        return longest  # resized recordings have no other; and a table of positions has an end
    if length % stride or length < 0 or (length > longest and recipe.model.absolute_position):
        most = f", {longest} at most" if recipe.model.absolute_position else ""
        raise ValueError(
            f"the length {length} must be a multiple of {stride}, the stride of the last level of recipe "
            f"'{recipe.name}'{most}; give another with --length"
        )
    return length


def _facts(predictor: Predictor, weights: str, length: int) -> dict[str, Any]:
    """What `exported.detect` needs to know."""
    recipe, thresholds = predictor.recipe, predictor.thresholds
    if isinstance(thresholds, dict):
        thresholds = {str(label): score if score < math.inf else None for label, score in thresholds.items()}  # type: ignore[misc]
    field, stride = receptive_field(recipe), recipe.model.level_strides[-1]
    whole, cut = length or WHOLE_STEPS, length or needed_window_steps(WHOLE_STEPS + 1, recipe)
    cut -= cut % stride
    overlap = cut // 2 // stride * stride
    if math.isfinite(field):
        overlap = min(overlap, math.ceil(field / stride) * stride)
    exact = 2 * overlap <= cut and overlap >= field
    return {
        "format": FORMAT,
        "recipe": recipe.model_dump(mode="json"),
        "labels": {str(label): name for label, name in predictor.label_names.items()},
        "fps": predictor.fps,
        "thresholds": thresholds,
        "weights": weights,
        "length": length or None,
        "strides": recipe.model.level_strides,
        "padding": {"align": padding_alignment(recipe), "divisor": recipe.model.length_divisor},
        "windows": {"above": whole, "steps": cut if exact or not length else 0, "overlap": overlap},
    }
