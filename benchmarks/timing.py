"""What every benchmark needs: timing, a description of the machine, a table and a CSV file."""

import csv
import os
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).parents[1] / "results" / "benchmarks"
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}  # the second, of all threads, for busy machines


def alternate(
    calls: dict[str, Callable[[], Any]], seconds: float = 1.0, least: int = 3, clock: str = "wall"
) -> dict[str, float]:
    """Median milliseconds of each call. They take turns (ABAB...), so that a busy machine slows all of them alike.

    Args:
        calls: what to time; each runs once beforehand, untimed.
        seconds: how long to go on in all.
        least: rounds at least.
        clock: one of `CLOCKS`, for the times of the calls.
    """
    now = CLOCKS[clock]
    for call in calls.values():
        call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    began = time.perf_counter()
    while len(next(iter(times.values()))) < least or time.perf_counter() - began < seconds:
        for name, call in calls.items():
            start = now()
            call()
            times[name].append(1e3 * (now() - start))
    return {name: statistics.median(values) for name, values in times.items()}


def alone(call: Callable[[], Any], device: str, rounds: int = 50) -> float:
    """Median milliseconds of a call on its own; on a GPU by CUDA events."""
    if device == "cpu":
        return alternate({"": call}, 0.0, rounds)[""]
    for _ in range(rounds // 5):
        call()
    times = []
    for _ in range(rounds):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize()
        start.record()
        call()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
    return statistics.median(times)


def machine(device: str = "cpu") -> dict[str, Any]:
    """What measured: processor (and GPU), cores, torch's threads and version."""
    facts = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }
    return {"gpu": torch.cuda.get_device_name(), **facts} if device == "cuda" else facts


def _processor() -> str:
    """Its name as Linux gives it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def announce(device: str = "cpu") -> dict[str, Any]:
    """Print what measures, and give it."""
    facts = machine(device)
    print(", ".join(f"{name} {value}" for name, value in facts.items()), end="\n\n", flush=True)
    return facts


def show(rows: Sequence[dict[str, Any]], columns: Sequence[str] | None = None) -> None:
    """Print some columns of rows, or all of them."""
    columns = columns or list(rows[0])
    print_table(columns, [[row[column] for column in columns] for row in rows])


def print_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as they need; None is left blank, floats have three digits."""
    cells = [list(header), *([_text(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
    return "" if value is None else str(value)


def write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """One line per row; the folder is made where it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_csv(path: Path) -> list[dict[str, Any]]:
    """The lines of an earlier call; [] where there is none."""
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
