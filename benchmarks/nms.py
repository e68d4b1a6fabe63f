"""NMS against the textbook: `python -m benchmarks.nms [--device cpu|cuda] [--csv FILE] [--quick]`.

Both implementations take turns within the run; times are medians, and the ratios are what counts. Each row also says
whether both gave the same picks. On CPU: typical sizes, then a grid of sizes and overlap patterns in which ours must
nowhere be slower. On CUDA: whole data sets in one call; `copy_ms` is how long a copy within the device takes that moves
the bytes of candidates and result, `kernels` and `host_share` see benchmarks.launches.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from afkit.detect.suppression import Kept, choose_backend, nms, nms_batch
from benchmarks import launches, limits, textbook, timing
from benchmarks.candidates import PATTERNS, Candidates, patterned, realistic

SHOWN = (
    "name", "backend", "videos", "textbook_ms", "ours_ms", "speedup", "target_speedup", "target_ms", "met",
    "same_picks",
)  # fmt: skip
FOR_GPU = ("copy_ms", "kernels", "host_share")
SIZES = (10, 30, 100, 300, 1000, 3000, 10_000, 20_000)
LOWEST = 1 / 1.1  # speedup anywhere in the grid: never more than 1.1 times as long as the textbook


class Case(NamedTuple):
    """What is measured in one row."""

    name: str
    candidates: int  # of each video
    classes: int
    settings: dict[str, Any]  # keywords of `nms`
    target: float | None = None  # speedup
    videos: int = 1
    pattern: str = "realistic"
    target_ms: float | None = None  # on a GPU


CASES = (
    Case("soft", 12_000, 20, {"method": "soft"}, 20),
    Case("soft, 40 videos in one call", 12_000, 20, {"method": "soft"}, 30, videos=40),
    Case("hard", 12_000, 20, {"method": "hard"}, 15),
    Case("linear", 12_000, 20, {"method": "linear"}),
    Case("class-agnostic with voting (ANet)", 4000, 200,
         {"multiclass": False, "sigma": 0.75, "max_segments": 100, "voting_threshold": 0.9}),
    Case("many classes, many kept (EPIC)", 30_000, 97, {"sigma": 0.4, "max_segments": 2000}),
)  # fmt: skip
GPU_CASES = (
    Case("soft, the THUMOS14 test set in one call", 12_000, 20, {"method": "soft"}, videos=212, target_ms=1.0),
    Case("hard, the THUMOS14 test set in one call", 12_000, 20, {"method": "hard"}, videos=212, target_ms=1.0),
    *(case._replace(target=None) for case in CASES),
)


def grid(sizes: Sequence[int]) -> list[Case]:
    """Every size with every pattern, one and many classes, soft and hard."""
    return [
        Case("grid", size, classes, {"method": method}, LOWEST, pattern=pattern)
        for method in ("soft", "hard")
        for pattern in PATTERNS
        for classes in (1, 20)
        for size in sizes
    ]


def make(case: Case) -> Candidates:
    """A case's candidates, the same in every run."""
    if case.pattern == "realistic":
        return realistic(case.candidates, case.classes, case.videos)
    return patterned(case.pattern, case.candidates, case.classes)


def split(candidates: Candidates) -> list[tuple[Tensor, ...]]:
    """(segments, scores, labels) of each video."""
    sizes = candidates.offsets.diff().tolist()
    return list(zip(*(column.split(sizes) for column in candidates[:3]), strict=True))


def same_picks(kept: Kept | tuple[Tensor, ...], theirs: list[textbook.Detections]) -> bool:
    """Whether ours, of one video or of many, agree with the textbook's."""
    if not isinstance(kept, Kept):
        return textbook.agree(kept, theirs[0])
    rows = zip(*kept[:3], strict=True)
    ours = [tuple(column[:count] for column in row) for row, count in zip(rows, kept.counts.tolist(), strict=True)]
    return all(map(textbook.agree, ours, theirs))


def row(case: Case, backend: str, ours_ms: float, textbook_ms: float, same: bool) -> dict:
    """A line of the CSV file."""
    speedup = textbook_ms / ours_ms
    on_time = [case.target is None or speedup >= case.target, case.target_ms is None or ours_ms < case.target_ms]
    return {
        "name": case.name,
        "backend": backend,
        "method": case.settings.get("method", "soft"),
        "pattern": case.pattern,
        "candidates": case.candidates,
        "classes": case.classes,
        "kept": case.settings.get("max_segments", 200),
        "videos": case.videos,
        "textbook_ms": textbook_ms,
        "ours_ms": ours_ms,
        "speedup": speedup,
        "target_speedup": case.target,
        "target_ms": case.target_ms,
        "met": None if case.target is None and case.target_ms is None else all(on_time),
        "same_picks": same,
    }


def measure(case: Case, seconds: float) -> dict:
    """Ours, checks included, and the textbook's loop over videos and classes in turns on the CPU."""
    candidates = make(case)
    videos = split(candidates)
    calls = {
        "ours": lambda: nms(*candidates[:3], **case.settings),
        "textbook": lambda: [textbook.nms(*video, **case.settings) for video in videos],
    }
    if case.videos > 1:
        calls["ours"] = lambda: nms_batch(*candidates, **case.settings)
    same = same_picks(calls["ours"](), calls["textbook"]())
    times = timing.alternate(calls, seconds)
    return row(case, choose_backend("auto", "cpu"), times["ours"], times["textbook"], same)


def measure_gpu(case: Case, device: str, copy_gb_per_sec: float, rounds: int) -> list[dict]:
    """The public function on the device, checks included, and on the CPU beside the textbook.

    Where memory does not reach, the case is measured with half of the videos.
    """
    candidates = make(case)
    try:
        there = Candidates(*(column.to(device) for column in candidates))
        kept = nms_batch(*there, **case.settings)
    except torch.OutOfMemoryError:
        if case.videos == 1:
            raise
        print(f"out of memory with {case.videos} videos; half of them are measured", flush=True)
        return measure_gpu(case._replace(videos=case.videos // 2, target_ms=None), device, copy_gb_per_sec, rounds)

    def call() -> None:
        nms_batch(*there, **case.settings)

    cpu = measure(case._replace(target_ms=None), seconds=0)
    same = cpu["same_picks"] and same_bits(nms_batch(*candidates, **case.settings), kept)
    ours = row(case, choose_backend("auto", device), timing.alone(call, device, rounds), cpu["textbook_ms"], same)
    copied = sum(column.nbytes for column in (*there, *kept))
    ours |= {"copy_ms": 1e-6 * copied / copy_gb_per_sec}
    ours |= {"kernels": launches.kernels(call, device), "host_share": launches.host_share(call, device)}
    return [ours, cpu | dict.fromkeys(FOR_GPU)]


def same_bits(kept: Kept, there: Kept) -> bool:
    """Whether two devices kept the same, bit by bit."""
    return all(torch.equal(a, b.cpu()) for a, b in zip(kept, there, strict=True))


def show_grid(rows: list[dict]) -> None:
    """Speedups: a line for each method, pattern and number of classes, a column for each size."""
    sizes = sorted({line["candidates"] for line in rows})
    lines: dict[tuple, dict[int, float]] = {}
    for line in rows:
        lines.setdefault((line["method"], line["pattern"], line["classes"]), {})[line["candidates"]] = line["speedup"]
    print("\nSpeedup by number of candidates; 200 kept")
    timing.print_table(
        ("method", "pattern", "classes", *map(str, sizes)),
        [(*key, *(speedups[size] for size in sizes)) for key, speedups in lines.items()],
    )
    worst = min(rows, key=lambda line: line["speedup"])
    print(
        f"Worst: ours takes {1 / worst['speedup']:.2f} of the textbook's time (at most {1 / LOWEST:.2f} is asked): "
        f"{worst['method']}, {worst['pattern']}, {worst['candidates']} candidates, classes: {worst['classes']}"
    )
    differ = [line for line in rows if not line["same_picks"]]
    print(f"Same picks in {len(rows) - len(differ)} of {len(rows)} cells", *differ[:1])


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--cases", choices=("cpu", "cuda"), help="those meant for another device")
    parser.add_argument("--csv", type=Path, help="default: results/benchmarks/nms_<device>.csv")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it runs")
    options = parser.parse_args(arguments)
    textbook.build()
    facts = timing.announce(options.device)
    shrink, most_videos, seconds, rounds = (100, 8, 0.0, 3) if options.quick else (1, 1000, 3.0, 50)
    for_gpu = (options.cases or options.device) == "cuda"
    cases = [
        case._replace(candidates=case.candidates // shrink, videos=min(case.videos, most_videos))
        for case in (GPU_CASES if for_gpu else CASES)
    ]
    path = options.csv or timing.RESULTS / f"nms_{options.device}.csv"
    rows: list[dict] = []
    copy_gb_per_sec = limits.copy_gb_per_sec(options.device) if for_gpu else 0.0
    for case in cases:
        rows += measure_gpu(case, options.device, copy_gb_per_sec, rounds) if for_gpu else [measure(case, seconds)]
        timing.write_csv(path, [{**line, **facts} for line in rows])  # a run that is cut short keeps what it has
    shown = (*SHOWN, *FOR_GPU) if for_gpu else SHOWN
    timing.show(rows, shown)
    if not for_gpu:
        cells = [measure(case, seconds / 10) for case in grid(SIZES[:2] if options.quick else SIZES)]
        show_grid(cells)
        timing.write_csv(path, [{**line, **facts} for line in rows + cells])
    print(f"\n{path}")


if __name__ == "__main__":
    main()
