"""Networks of published size as ONNX, beside themselves: `python -m benchmarks.export [--recipes ...]`.

Random weights. Each network is exported as `python -m afkit export` does it, and compared at the same lengths:
`worst` is the largest difference, as a share of what rounding explains (more than 1 would not be written). Then both
get a sequence of max_seq_len steps, in turns and with the same number of threads: torch's network with its decoding
against onnxruntime.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from afkit.model.actionformer import build_model, count_parameters
from afkit.workbench.export.exported import session_of
from afkit.workbench.export.exporting import as_onnx, export_length
from afkit.workbench.export.network import OUTPUTS, Decoded, differences, lengths_to_compare, trace
from benchmarks import synthetic, timing
from benchmarks.infer import make_talkative

RECIPES = (
    "thumos_i3d", "anet_tsp", "epic_verb", "ego4d_o_e", "tridet_thumos", "tridet_anet", "temporalmaxer_thumos",
    "temporalmaxer_epic_verb", "hapt",
)  # fmt: skip
SHOWN = ("recipe", "length", "compared", "scores", "worst", "megabytes", "export_sec", "torch_ms", "onnx_ms", "speedup")


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """A line of the CSV file."""
    recipe = synthetic.sized(name, options.size)
    torch.manual_seed(0)
    model = build_model(recipe).eval()
    make_talkative(model)
    began, length = time.perf_counter(), export_length(recipe, 0)
    content, run = as_onnx(trace(model, recipe, length), "{}")
    seconds = time.perf_counter() - began
    found = differences(run, model, recipe, length)
    steps = recipe.data.max_seq_len
    features, module = torch.randn(steps, sum(recipe.data.input_dims)), Decoded(model, recipe).eval()
    session = session_of(content, torch.get_num_threads())
    given = {"features": features.numpy(), "steps": torch.tensor(steps).numpy()}

    @torch.no_grad()
    def in_torch() -> None:
        module(features, torch.tensor(steps))

    calls = {"torch": in_torch, "onnx": lambda: session.run(list(OUTPUTS), given)}
    times = timing.alternate(calls, 0.0, options.repeats, options.clock)
    return {
        "recipe": name,
        "size": options.size,
        "length": length or "any",
        "compared": "+".join(map(str, lengths_to_compare(recipe, length))),
        "parameters": count_parameters(model)["all"],
        "megabytes": len(content) / 2**20,
        "export_sec": seconds,
        **{output: difference for output, (difference, _) in found.items()},
        "worst": max(share for _, share in found.values()),
        "torch_ms": times["torch"],
        "onnx_ms": times["onnx"],
        "speedup": times["torch"] / times["onnx"],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Export, compare, print and write; ends with 1 if a network differs from itself."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--clock", choices=sorted(timing.CLOCKS), default="wall", help="processor: on a busy machine")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "export.csv")
    options = parser.parse_args(arguments)
    facts, rows = timing.announce("cpu"), []
    for name in options.recipes:
        rows.append(measure(name, options) | facts)
        timing.write_csv(options.csv, rows)
        timing.show(rows[-1:], SHOWN)
        print(flush=True)
    timing.show(rows, SHOWN)
    print(f"\n{options.csv}")
    if any(row["worst"] > 1 for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
