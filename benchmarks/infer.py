"""Inference against the plain baseline: `python -m benchmarks.infer [--device cpu|cuda] [--precision ...]`.

Network, decoding and NMS of one video, each alone and all together, both sides in turns; times are medians. Peak memory
is that of a process of its own for each side. `products_ms` and `fixed_mb` are limits, see benchmarks.train.
`--long 100000` instead sends one sequence of that many steps through `afkit.predict` as a whole.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from afkit.config import Recipe
from afkit.detect.decoding import decode_batch
from afkit.detect.prediction import padded_steps, predict, suppress
from afkit.model.actionformer import build_model, padded_length
from afkit.model.graphs import with_graphs
from afkit.recipes import recipe as published
from benchmarks import launches, limits, memory, plain_detection, synthetic, textbook, timing
from benchmarks.plain import PlainActionFormer
from benchmarks.plain_detection import Rows
from benchmarks.train import PRECISIONS, autocast, compare, in_child, rates, set_arithmetic, target_speedup

PARTS = ("network", "decode", "nms", "all")
SHOWN = (
    "recipe", "steps", *(f"{side}_{part}_ms" for part in PARTS[:3] for side in ("plain", "ours")),
    "plain_ms", "ours_ms", "speedup", "target_speedup", "products_ms", "plain_peak_mb", "ours_peak_mb", "memory",
    "fixed_mb", "memory_beyond", "met", "alike", "precision", "kernels", "host_share",
)  # fmt: skip
TARGET = 1.5
ALIKE = 1e-4  # scores of both sides; the networks differ by rounding, which NMS may amplify
LONG_MB = 4000


class Case(NamedTuple):
    """What is measured in one row."""

    recipe: str
    steps: int  # of the video


CASES = (
    Case("thumos_i3d", 9216),
    Case("thumos_i3d", 1600),
    Case("anet_tsp", 192),
    Case("epic_verb", 1000),
    Case("ego4d_o_e", 900),
    Case("thumos_i3d", 2304),
    Case("tridet_thumos", 2304),
    Case("temporalmaxer_thumos", 2304),
)


class Side:
    """The three parts of an inference, and all of them; `network` keeps its output for `decode`, and so on."""

    def __init__(self, name: str, recipe: Recipe, steps: int, device: str, precision: str):
        self.name, self.recipe, self.device, self.precision = name, recipe, device, precision
        torch.manual_seed(0)
        model = build_model(recipe)
        make_talkative(model)
        if name == "plain":
            weights, model = model.state_dict(), PlainActionFormer(recipe)
            model.load_state_dict(weights)
        self.model = model.to(device).eval()
        item = synthetic.item(recipe, steps, seed=0)
        length = padded_length(steps, recipe) if name == "plain" else padded_steps(steps, recipe)
        self.batch = synthetic.padded(name, [item], length, device)

    @torch.no_grad()
    def network(self) -> None:
        """Logits and offsets."""
        if self.name == "plain":
            self.out = self.model(self.batch.features, self.batch.mask)
            return
        with autocast(self.device, self.precision):
            self.out = self.model(self.batch.features, self.batch.mask)

    def decode(self) -> None:
        """Candidates."""
        decode = decode_batch if self.name == "ours" else plain_detection.decode
        self.candidates = decode(self.out, self.recipe)

    def nms(self) -> None:
        """Detections, on the host."""
        if self.name == "plain":
            self.detections = plain_detection.suppress(self.candidates, self.recipe)[0]
            return
        kept = suppress(self.candidates, self.recipe)
        segments, scores, labels, counts = (rows.cpu() for rows in kept)
        count = int(counts)
        self.detections: Rows = segments[0, :count], scores[0, :count], labels[0, :count]

    def all(self) -> None:
        """One after the other."""
        self.network()
        self.decode()
        self.nms()


@torch.no_grad()
def make_talkative(model: nn.Module) -> None:
    """Random weights that give what trained ones do: many candidates of all scores, overlapping their neighbours."""
    model.cls_head.cls_head.conv.weight *= 4
    model.reg_head.offset_head.conv.bias += 2


def waiting(call: Callable[[], None], device: str) -> Callable[[], None]:
    """The call, and on a GPU the wait for its end."""

    def run() -> None:
        call()
        launches.wait(device)

    return run


def alike(ours: Rows, plain: Rows) -> bool:
    """Whether both sides found equally many detections, with the same scores one by one."""
    return len(ours[1]) == len(plain[1]) and bool(((ours[1] - plain[1]).abs() <= ALIKE).all())


def steps_of(case: Case, recipe: Recipe) -> int:
    """Steps of the case's video, relative to the published M."""
    return case.steps * recipe.data.max_seq_len // published(case.recipe).data.max_seq_len


def measure(case: Case, precision: str, options: argparse.Namespace) -> dict[str, Any]:
    """A line of the CSV file."""
    recipe, device = synthetic.sized(case.recipe, options.size), options.device
    steps = steps_of(case, recipe)
    set_arithmetic(precision)
    peaks = {name: peak_memory(name, case, precision, options) for name in ("plain", "ours")}
    sides = {name: Side(name, recipe, steps, device, precision) for name in ("plain", "ours")}
    if options.cuda_graphs:
        sides["ours"].model = with_graphs(sides["ours"].model, recipe)
    for side in sides.values():
        side.all()
    calls = {f"{name}_{part}_ms": waiting(getattr(sides[name], part), device) for part in PARTS for name in sides}
    times = timing.alternate(calls, 0.0, options.repeats, options.clock)
    target = target_speedup(TARGET, device, precision)
    line = {"recipe": case.recipe, "size": options.size, "precision": precision, "steps": steps}
    line |= {f"{name}_length": side.batch.mask.shape[1] for name, side in sides.items()} | times
    gflop = limits.product_gflop(sides["ours"].network)
    line |= {"gflop": gflop, "products_ms": 1e3 * gflop / options.gflop_per_sec[precision]}
    ours = sides["ours"].all
    line |= {
        "kernels": launches.kernels(ours, device),
        "host_share": launches.host_share(sides["ours"].network, device),
    }
    line |= compare(times["plain_all_ms"], times["ours_all_ms"], peaks, target)
    found = {name: side.detections for name, side in sides.items()}
    return line | {"detections": len(found["ours"][1]), "alike": alike(**found) if precision == "fp32" else None}


def peak_memory(name: str, case: Case, precision: str, options: argparse.Namespace) -> dict[str, float]:
    """What `take_memory` finds. A process's peak cannot be forgotten, so it is that of a child, but in a tiny trial."""
    if options.device == "cuda" or options.size == "tiny":
        memory.forget_peak(options.device)
        return take_memory(name, case, precision, options)
    child = ["benchmarks.infer", "--case", CASES.index(case), "--device", "cpu", "--size", options.size]
    return in_child(*child, "--precision", precision, "--child", name)


def take_memory(name: str, case: Case, precision: str, options: argparse.Namespace) -> dict[str, float]:
    """Peak memory of two inferences of one side in this process (NMS, which takes next to none, left out).

    `fixed_mb` of it are Python and torch, the network and the features.
    """
    recipe = synthetic.sized(case.recipe, options.size)
    side = Side(name, recipe, steps_of(case, recipe), options.device, precision)
    fixed = memory.used_mb(options.device)
    for _ in range(2):
        side.network()
        side.decode()
    return {"peak_mb": memory.peak_mb(options.device), "fixed_mb": fixed}


def long_sequence(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Time and peak memory of this process for one long sequence, features included."""
    recipe, steps = synthetic.sized(name, options.size), options.long
    model = build_model(recipe)
    make_talkative(model)
    width = sum(recipe.data.input_dims)
    features = np.random.default_rng(0).standard_normal((steps, width), np.float32)  # (T, C), as on disk
    began = time.perf_counter()
    found = predict(model.to(options.device), recipe, features, fps=synthetic.FPS)
    seconds = time.perf_counter() - began
    peak = memory.peak_mb(options.device)
    return {
        "recipe": name,
        "steps": steps,
        "features_mb": features.nbytes / 2**20,
        "seconds": seconds,
        "detections": len(found),
        "ours_peak_mb": peak,
        "target_mb": LONG_MB,
        "met": peak <= LONG_MB,
    }


def measure_long(options: argparse.Namespace) -> list[dict[str, Any]]:
    """A line for each recipe that was asked for (THUMOS without), each in a process of its own."""
    child = ["benchmarks.infer", "--device", options.device, "--size", options.size, "--long", options.long]
    names = options.recipes or ["thumos_i3d"]
    return [in_child(*child, "--recipes", name, "--child", "ours") for name in names]


def path_of(kind: str, options: argparse.Namespace) -> Path:
    """Of the CSV file."""
    suffix = "" if options.precision == ["fp32"] else f"_{'_'.join(options.precision)}"
    return options.csv or timing.RESULTS / f"{kind}_{options.device}{suffix}.csv"


def measure_cases(options: argparse.Namespace, path: Path, facts: dict[str, Any]) -> list[dict[str, Any]]:
    """A line for each case and precision, written as soon as it is there."""
    cases = [case for case in CASES if options.recipes is None or case.recipe in options.recipes]
    options.gflop_per_sec = rates(options)
    rows = []
    for case in cases:
        for precision in options.precision:
            try:
                rows.append(measure(case, precision, options) | facts)
            except torch.OutOfMemoryError:
                print(f"{case.recipe}, {case.steps} steps, {precision}: out of memory", flush=True)
                continue
            timing.write_csv(path, rows)  # a run that is cut short keeps what it has
            timing.show(rows[-1:], SHOWN)
            print(flush=True)
    return rows


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=["fp32"], help="of ours; see benchmarks.train"
    )
    parser.add_argument("--recipes", nargs="+", choices=sorted({case.recipe for case in CASES}))
    parser.add_argument("--repeats", type=int, default=5, help="rounds of both sides")
    parser.add_argument("--clock", choices=sorted(timing.CLOCKS), default="wall", help="processor: on a busy machine")
    parser.add_argument("--csv", type=Path, help="default: results/benchmarks/infer_<device>.csv")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--cuda-graphs", action="store_true", help="launch our network's kernels all at once")
    parser.add_argument("--long", type=int, default=0, metavar="STEPS", help="measure one sequence of so many steps")
    parser.add_argument("--child", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--case", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    set_arithmetic(options.precision[0])
    if options.child:
        if options.long:
            result = long_sequence(options.recipes[0], options)
        else:
            result = take_memory(options.child, CASES[options.case], options.precision[0], options)
        print(json.dumps(result))
        return
    facts = {"cuda_graphs": options.cuda_graphs} | timing.announce(options.device)
    if options.long:
        rows, kind = measure_long(options), "infer_long"
        timing.show(rows)
    else:
        textbook.build()
        rows, kind = measure_cases(options, path_of("infer", options), facts), "infer"
        timing.show(rows, SHOWN)
    timing.write_csv(path_of(kind, options), [{**line, **facts} for line in rows])
    print(f"\n{path_of(kind, options)}")


if __name__ == "__main__":
    main()
