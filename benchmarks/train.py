"""A training step against the plain baseline: `python -m benchmarks.train [--device cpu|cuda] [--precision ...]`.

Both sides do the same step (forward, losses, backward, clipping, optimiser, schedule, average) on the same synthetic
videos in turns; times are medians, and the ratios are what counts. The baseline pads to M, ours to the batch unless the
network averages over padded steps. Peak memory is that of a process of its own for each side (of a GPU, that of the
tensors of one side alone). Beside them stand limits: `products_ms`, what the matrix products of our step take at the
best rate that this machine has shown, and `fixed_mb`, what both sides hold in any case (Python and torch, the batch,
weights, gradients, two moments, average); `memory_beyond` compares what comes on top. `kernels` and `host_share` see
benchmarks.launches.

A batch that the memory of a GPU does not hold is halved. `--profile` shows instead where the time of ours goes.
"""

import argparse
import contextlib
import copy
import json
import subprocess
import sys
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile, record_function

from afkit.config import Recipe
from afkit.data.batches import Batch, padded_batch_length
from afkit.model import products
from afkit.model.actionformer import build_model, padding_alignment
from afkit.model.graphs import with_graphs
from afkit.model.losses import Criterion
from afkit.recipes import recipe as published
from afkit.train.state import build_optimizer, rounds_of_averaging, update_average
from benchmarks import launches, limits, memory, synthetic, timing
from benchmarks.plain_training import PlainTraining

ROOT = Path(__file__).parents[1]
SHOWN = (
    "recipe", "steps", "batch", "plain_ms", "ours_ms", "speedup", "target_speedup",
    "products_ms", "plain_peak_mb", "ours_peak_mb", "memory", "target_memory", "fixed_mb", "memory_beyond", "met",
    "precision", "kernels", "host_share",
)  # fmt: skip
PRECISIONS = ("fp32", "tf32", "bf16")
TARGET_MEMORY = 0.7  # of the baseline's
TARGET_GPU = {"fp32": 3.0, "tf32": 3.0, "bf16": 5.0}
MEMORY_STEPS = 3
COPIES = 5  # weights, gradients, two moments, average
STEPS_PER_EPOCH = 100


class Case(NamedTuple):
    """What is measured in one row."""

    recipe: str
    lengths: tuple[int, ...]  # of the sequences, repeated to fill the recipe's batch
    target: float  # speedup on a CPU


CASES = (
    Case("thumos_i3d", (2304,), 1.25),
    Case("thumos_i3d", (1400, 900), 1.5),
    Case("anet_tsp", (192,), 1.25),
    Case("epic_verb", (2304,), 1.25),
    Case("epic_verb", (1400, 900), 1.5),
    Case("ego4d_o_e", (1024,), 1.25),
    Case("ego4d_o_e", (600, 400), 1.5),
    Case("tridet_thumos", (2304,), 1.5),
    Case("temporalmaxer_thumos", (2304,), 1.5),
    Case("hapt", (1500,), 1.0),  # no published recipe; the mean of its timelines
)


class OurTraining:
    """A training of afkit's network, from its public parts; `loss`, `backward` and `update` are one step."""

    def __init__(self, recipe: Recipe, device: str, steps_per_epoch: int, precision: str = "fp32"):
        self.recipe, self.device, self.precision = recipe, device, precision
        self.network = self.model = build_model(recipe).to(device).train()
        self.average = copy.deepcopy(self.model).eval()
        self.parameters = list(self.model.parameters())
        self.rounds = rounds_of_averaging(self.average, self.model)
        self.criterion = Criterion(recipe).to(device)
        self.optimizer, self.schedule = build_optimizer(self.model, recipe, steps_per_epoch)
        self.steps = 0

    def loss(self, batch: Batch) -> Tensor:
        """The total loss of a batch."""
        self.optimizer.zero_grad(set_to_none=True)
        with autocast(self.device, self.precision):
            out = self.network(batch.features, batch.mask)
        return self.criterion(out.float(), batch.segments, batch.labels)["total"]

    def update(self) -> None:
        """Clip the gradients, move weights, learning rate and the averaged weights."""
        nn.utils.clip_grad_norm_(self.parameters, self.recipe.optim.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        for averaged, current in self.rounds:
            update_average(averaged, current, self.steps, self.recipe.optim)
        self.steps += 1


def autocast(device: str, precision: str) -> contextlib.AbstractContextManager:
    """The context of ours: bfloat16 where it may be used, for `precision` "bf16"."""
    return torch.autocast(device, torch.bfloat16) if precision == "bf16" else contextlib.nullcontext()


def set_arithmetic(precision: str) -> None:
    """Products on a GPU, for both sides alike: full float32, TensorFloat-32, or as torch has them by default (bf16).

    By default torch's convolutions, which the baseline has everywhere, use TensorFloat-32 and its matrix products do
    not; so neither setting of "fp32" and "tf32" favours a side.
    """
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    torch.backends.cudnn.allow_tf32 = precision != "fp32"


def step(training: OurTraining | PlainTraining, batch: Batch) -> None:
    """One training step; its parts bear names in a profile."""
    with record_function("1 forward and losses"):
        loss = training.loss(batch)
    with record_function("2 backward"):
        loss.backward()
    with record_function("3 update"):
        training.update()


def inputs(case: Case, recipe: Recipe, device: str) -> dict[str, Batch]:
    """The batch of each side; lengths are relative to the published M."""
    shrink = recipe.data.max_seq_len / published(case.recipe).data.max_seq_len
    lengths = [int(length * shrink) for length in islice(cycle(case.lengths), recipe.optim.batch_size)]
    items = [synthetic.item(recipe, length, seed) for seed, length in enumerate(lengths)]
    longest = recipe.data.max_seq_len
    steps = {"plain": longest, "ours": padded_batch_length(max(lengths), longest, padding_alignment(recipe))}
    return {side: synthetic.padded(side, items, length, device) for side, length in steps.items()}


def start(
    side: str, recipe: Recipe, device: str, precision: str, cuda_graphs: bool = False
) -> OurTraining | PlainTraining:
    """A training of one side."""
    torch.manual_seed(0)
    if side == "ours":
        training = OurTraining(recipe, device, STEPS_PER_EPOCH, precision)
        if cuda_graphs:
            training.network = with_graphs(training.model, recipe)
        return training
    return PlainTraining(recipe, device, STEPS_PER_EPOCH, build_model(recipe).state_dict())


def measure(case: Case, precision: str, options: argparse.Namespace, batch_size: int = 0) -> dict[str, Any]:
    """A line of the CSV file; `batch_size` 0 is the recipe's."""
    recipe = synthetic.sized(case.recipe, options.size, {"optim.batch_size": batch_size} if batch_size else None)
    try:
        return compare_steps(case, recipe, precision, options)
    except torch.OutOfMemoryError:
        if recipe.optim.batch_size == 1:
            raise
    half = recipe.optim.batch_size // 2
    print(f"{case.recipe}, {precision}: out of memory with a batch of {2 * half}; measured with {half}", flush=True)
    return measure(case, precision, options, half)


def compare_steps(case: Case, recipe: Recipe, precision: str, options: argparse.Namespace) -> dict[str, Any]:
    """Both sides with the batch of a recipe."""
    device = options.device
    set_arithmetic(precision)
    peaks = {side: peak_memory(side, case, recipe, precision, options) for side in ("plain", "ours")}
    batches = inputs(case, recipe, device)
    trainings = {side: start(side, recipe, device, precision, options.cuda_graphs) for side in batches}
    rounds = 10 if device == "cuda" else 1  # steps that are queued before waiting for the GPU

    def run(side: str) -> None:
        for _ in range(rounds):
            step(trainings[side], batches[side])
        launches.wait(device)

    times = timing.alternate(
        {side: lambda side=side: run(side) for side in trainings}, 0.0, options.repeats, options.clock
    )

    def ours() -> None:
        step(trainings["ours"], batches["ours"])

    gflop = limits.product_gflop(ours)
    return {
        "recipe": case.recipe,
        "size": options.size,
        "precision": precision,
        "gflop": gflop,
        "products_ms": 1e3 * gflop / options.gflop_per_sec[precision],
        "steps": "+".join(str(length) for length in dict.fromkeys(batches["ours"].mask.sum(dim=1).tolist())),
        "batch": recipe.optim.batch_size,
        "plain_length": batches["plain"].mask.shape[1],
        "ours_length": batches["ours"].mask.shape[1],
        "kernels": launches.kernels(ours, device),
        "host_share": launches.host_share(ours, device),
    } | compare(times["plain"] / rounds, times["ours"] / rounds, peaks, target_speedup(case.target, device, precision))


def peak_memory(side: str, case: Case, recipe: Recipe, precision: str, options: argparse.Namespace) -> dict[str, float]:
    """What `take_memory` finds. A process's peak cannot be forgotten, so it is that of a child, but in a tiny trial."""
    if options.device == "cuda" or options.size == "tiny":
        memory.forget_peak(options.device)
        return take_memory(side, case, recipe, options.device, precision, options.cuda_graphs)
    child = ["benchmarks.train", "--case", CASES.index(case), "--device", "cpu", "--size", options.size]
    return in_child(*child, "--precision", precision, "--convolutions", options.convolutions, "--child", side)


def target_speedup(on_cpu: float, device: str, precision: str) -> float:
    """What is asked for on this device."""
    return on_cpu if device == "cpu" else TARGET_GPU[precision]


def compare(
    plain_ms: float, ours_ms: float, peaks: dict[str, dict[str, float]], target: float | None
) -> dict[str, Any]:
    """Times, peak memory, ratios, and whether the targets are met; peaks are what `take_memory` gives for each side."""
    speedup = plain_ms / ours_ms
    ours, plain, fixed = peaks["ours"]["peak_mb"], peaks["plain"]["peak_mb"], peaks["ours"]["fixed_mb"]
    return {
        "plain_ms": plain_ms,
        "ours_ms": ours_ms,
        "speedup": speedup,
        "target_speedup": target,
        "plain_peak_mb": plain,
        "ours_peak_mb": ours,
        "memory": ours / plain,
        "target_memory": TARGET_MEMORY,
        "fixed_mb": fixed,
        "memory_beyond": (ours - fixed) / (plain - fixed) if plain > fixed else None,
        "met": (target is None or speedup >= target) and ours / plain <= TARGET_MEMORY,
    }


def in_child(*arguments: Any) -> Any:
    """What a process of its own prints last, as JSON: `python -m <arguments>`."""
    command = [sys.executable, "-m", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def take_memory(
    side: str, case: Case, recipe: Recipe, device: str, precision: str, cuda_graphs: bool = False
) -> dict[str, float]:
    """Peak memory of some steps of one side in this process, and how much of it is fixed."""
    batch = inputs(case, recipe, device)[side]
    before = memory.used_mb(device)
    training = start(side, recipe, device, precision, cuda_graphs)
    for _ in range(MEMORY_STEPS):
        step(training, batch)
    fixed = before + COPIES * memory.parameters_mb(training.model)
    return {"peak_mb": memory.peak_mb(device), "fixed_mb": fixed}


def rates(options: argparse.Namespace) -> dict[str, float]:
    """The best rate of matrix products in GFLOP/s for each precision."""
    found = {}
    for precision in options.precision:
        set_arithmetic(precision)
        found[precision] = limits.best_gflop_per_sec(options.device, precision, options.size)
    return found


def show_profile(case: Case, options: argparse.Namespace) -> None:
    """The most expensive operations of our step, and how its time falls into parts."""
    recipe = synthetic.sized(case.recipe, options.size)
    batch = inputs(case, recipe, options.device)["ours"]
    training = start("ours", recipe, options.device, options.precision[0], options.cuda_graphs)
    for _ in range(3):
        step(training, batch)
    activities = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (options.device == "cuda")
    with profile(activities=activities) as recorded:
        for _ in range(options.repeats):
            step(training, batch)
        launches.wait(options.device)
    events = recorded.key_averages()
    print(f"\n{case.recipe}, {case.lengths}: {options.repeats} steps")
    kind = "self_device_time_total" if options.device == "cuda" else "self_cpu_time_total"
    print(events.table(sort_by=kind, row_limit=15, max_name_column_width=60))
    parts = [(event.key, event.cpu_time_total / 1e3 / options.repeats) for event in events if event.key[:1].isdigit()]
    timing.print_table(("part", "host_ms"), sorted(parts))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=["fp32"], help="of ours; see set_arithmetic"
    )
    parser.add_argument("--recipes", nargs="+", choices=sorted({case.recipe for case in CASES}))
    parser.add_argument("--repeats", type=int, default=5, help="rounds of both sides")
    parser.add_argument("--clock", choices=sorted(timing.CLOCKS), default="wall", help="processor: on a busy machine")
    parser.add_argument("--csv", type=Path, help="default: results/benchmarks/train_<device>.csv")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    parser.add_argument("--convolutions", choices=("products", "library"), default="products", help="wide ones of ours")
    parser.add_argument("--cuda-graphs", action="store_true", help="launch our network's kernels all at once")
    parser.add_argument("--profile", action="store_true", help="show our most expensive operations instead")
    parser.add_argument("--child", choices=("ours", "plain"), help=argparse.SUPPRESS)
    parser.add_argument("--case", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    set_arithmetic(options.precision[0])
    if options.convolutions == "library":
        products.AS_PRODUCTS.clear()
    if options.child:
        case = CASES[options.case]
        recipe = synthetic.sized(case.recipe, options.size)
        print(json.dumps(take_memory(options.child, case, recipe, options.device, options.precision[0])))
        return
    cases = [case for case in CASES if options.recipes is None or case.recipe in options.recipes]
    facts = {"convolutions": options.convolutions, "cuda_graphs": options.cuda_graphs}
    facts |= timing.announce(options.device)
    if options.profile:
        for case in cases:
            show_profile(case, options)
        return
    options.gflop_per_sec = rates(options)
    suffix = "" if options.precision == ["fp32"] else f"_{'_'.join(options.precision)}"
    path = options.csv or timing.RESULTS / f"train_{options.device}{suffix}.csv"
    rows = []
    for case in cases:
        for precision in options.precision:
            rows.append(measure(case, precision, options) | facts)
            timing.write_csv(path, rows)  # a run that is cut short keeps what it has
            timing.show(rows[-1:], SHOWN)
            print(flush=True)
    timing.show(rows, SHOWN)
    print(f"\n{path}")


if __name__ == "__main__":
    main()
