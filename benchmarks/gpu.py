"""All that a GPU has to show, in one command: `python -m benchmarks.gpu [--minutes 8] [--parts nms,tests,...]`.

It builds the CUDA operator, compares it and whole trainings with the CPU (`tests`), and measures NMS, training steps,
inference, THUMOS14 from end to end (`whole`) and HAPT with each person left out (`folds`, for which `--data` names a
data root). Each part has a limit of time, is printed and written as soon as it is done, and may fail without stopping
the next. Below `--out` (results/gpu/<name of the card>): summary.csv, a CSV file for each part that measures, log.txt.

It needs Python 3.11 or newer with torch, numpy, pandas, h5py, safetensors, pydantic, pytest and hypothesis, a C++
compiler and nvcc; no notebooks, no matplotlib, no network. For a machine that lacks pydantic and reaches no network,
bring its wheels (here for Python 3.12 on Linux):

    python -m pip download --only-binary=:all: --python-version 3.12 --platform manylinux_2_17_x86_64 --no-deps \
        --dest wheels pydantic==2.14.3 pydantic-core==2.50.4 annotated-types==0.8.0 typing-inspection==0.4.5 \
        typing-extensions==4.16.0
    python -m pip install --no-index --no-deps --target site wheels/*.whl   # on that machine
    PYTHONPATH=site python -m benchmarks.gpu

Without a GPU, `--device cpu --size tiny` tries every part.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from benchmarks import timing

ROOT = Path(__file__).parents[1]
TESTS = (
    "tests/detect/test_nms_gpu.py",
    "tests/train/test_training_gpu.py",
    "tests/workbench/media/test_pretrained_gpu.py",
    "tests/workbench/streaming/test_streaming_gpu.py",
)
LEAST_SEC = 5.0  # a part that has less left does not start
BUILD = "from afkit.detect.operator import load; [print(load(name)) for name in {backends}]"
NAME = "import torch; print(torch.cuda.get_device_name())"


class Part(NamedTuple):
    """What is measured or tested."""

    share: float  # of the minutes, at most; what a part leaves goes to the next
    command: Callable[[argparse.Namespace], list[str]]  # arguments of Python
    needs: str = ""  # a part whose failure leaves nothing to do here


def build(options: argparse.Namespace) -> list[str]:
    """The operator, compiled unless it has been."""
    backends = ["cpp", "cuda"] if options.device == "cuda" else ["cpp"]
    return ["-c", BUILD.format(backends=backends)]


def nms(options: argparse.Namespace) -> list[str]:
    """Whole data sets of candidates in one call, and single videos."""
    quick = ["--quick"] if options.size == "tiny" else []
    return [*measurement("nms", options), "--cases", "cuda", *quick]


def tests(options: argparse.Namespace) -> list[str]:
    """The GPU test files by name: where pydantic is, a whole tree would be collected with all that it imports."""
    return ["-m", "pytest", "-p", "no:cacheprovider", "-rs", *TESTS]


def train(options: argparse.Namespace) -> list[str]:
    """Steps of the four data sets."""
    few = ["--recipes", "hapt", "--precision", "fp32", "bf16", "--repeats", "1"]
    full = ["--precision", "fp32", "bf16", "tf32", "--repeats", "3"]
    return [*measurement("train", options), "--size", options.size, *(few if options.size == "tiny" else full)]


def library(options: argparse.Namespace) -> list[str]:
    """The same with the library's convolutions in place of products: which are faster on this card?"""
    few, full = ["--recipes", "hapt", "--repeats", "1"], ["--recipes", "thumos_i3d", "--repeats", "3"]
    full += ["--precision", "fp32", "bf16"]
    command = [*measurement("train", options)[:-1], str(options.out / "library.csv"), "--size", options.size]
    return [*command, "--convolutions", "library", *(few if options.size == "tiny" else full)]


def infer(options: argparse.Namespace) -> list[str]:
    """Single videos of the four data sets."""
    few = ["--recipes", "anet_tsp", "--precision", "fp32", "bf16", "--repeats", "1"]
    full = ["--precision", "fp32", "bf16", "tf32", "--repeats", "3"]
    return [*measurement("infer", options), "--size", options.size, *(few if options.size == "tiny" else full)]


def graphs(options: argparse.Namespace) -> list[str]:
    """Steps with the network's kernels launched all at once: how much does a card wait for the processor?"""
    return [*train(options), "--cuda-graphs", "--csv", str(options.out / "graphs.csv")]


def graphs_infer(options: argparse.Namespace) -> list[str]:
    """The same of single videos."""
    return [*infer(options), "--cuda-graphs", "--csv", str(options.out / "graphs_infer.csv")]


def whole(options: argparse.Namespace) -> list[str]:
    """A THUMOS14 training, projected and made, and the detections of its test set."""
    return [*measurement("whole", options), "--size", options.size, "--precision", "fp32", "bf16", "--run"]


def folds(options: argparse.Namespace) -> list[str]:
    """HAPT with each person left out."""
    setting = "tiny" if options.size == "tiny" else "published"
    at_once = str(max((os.cpu_count() or 1) // 2, 1))
    command = ["-m", "benchmarks.folds", "--data-root", str(options.data), "--setting", setting]
    return [*command, "--at-once", at_once, "--csv", str(options.out / "folds.csv")]


def measurement(name: str, options: argparse.Namespace) -> list[str]:
    """A benchmark that takes a device and a CSV file."""
    return ["-m", f"benchmarks.{name}", "--device", options.device, "--csv", str(options.out / f"{name}.csv")]


PARTS = {  # in the order of their worth
    "build": Part(0.25, build),
    "nms": Part(0.15, nms, needs="build"),
    "tests": Part(0.25, tests),
    "train": Part(0.3, train),
    "library": Part(0.1, library),
    "infer": Part(0.2, infer, needs="build"),
    "graphs": Part(0.2, graphs),
    "graphs_infer": Part(0.15, graphs_infer, needs="build"),
    "whole": Part(0.3, whole),
    "folds": Part(1.0, folds),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Carry out the parts, print and write; ends with 1 if one failed or was cut short."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=8, help="for all parts together (default: 8)")
    parser.add_argument("--parts", default=",".join(PARTS), help=f"some of {','.join(PARTS)} (default: all)")
    parser.add_argument("--data", type=Path, help="data root that holds hapt/, for folds")
    parser.add_argument("--out", type=Path, help="default: results/gpu/<name of the card>")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    options = parser.parse_args(arguments)
    names = [name for name in options.parts.split(",") if name]
    if unknown := [name for name in names if name not in PARTS]:
        parser.error(f"there is no part '{unknown[0]}'; choose from: {', '.join(PARTS)}")
    options.out = (options.out or ROOT / "results" / "gpu" / device_name(options.device)).resolve()
    options.data = options.data and options.data.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    rows = run_parts(names, options)
    timing.show(rows)
    print(f"\n{options.out}")
    if any(row["state"] not in ("done", "left out") for row in rows):
        raise SystemExit(1)


def run_parts(names: Sequence[str], options: argparse.Namespace) -> list[dict[str, Any]]:
    """The lines of summary.csv: part, state (done, failed, out of time, left out), seconds, why."""
    rows: list[dict[str, Any]] = []
    ends = time.monotonic() + 60 * options.minutes
    with (options.out / "log.txt").open("wb") as log:
        for name in names:
            part, began = PARTS[name], time.monotonic()
            left_sec = min(ends - began, 60 * options.minutes * part.share)
            state, why = obstacle(name, part, rows, left_sec, options)
            if not state:
                print(f"\n--- {name}: at most {left_sec:.0f} s", flush=True)
                state, why = run_part(part.command(options), left_sec, log, options)
            seconds = round(time.monotonic() - began, 1)
            rows.append({"part": name, "state": state, "seconds": seconds, "limit_sec": round(left_sec, 1), "why": why})
            print(f"--- {name}: {state} after {seconds} s{f': {why}' if why else ''}", flush=True)
            timing.write_csv(options.out / "summary.csv", rows)
    return rows


def obstacle(
    name: str, part: Part, rows: Sequence[dict[str, Any]], left_sec: float, options: argparse.Namespace
) -> tuple[str, str]:
    """State and reason of a part that cannot start; ("", "") where it can."""
    if any(row["part"] == part.needs and row["state"] != "done" for row in rows):
        return "failed", f"it needs the part {part.needs}"
    if name == "folds" and options.data is None:
        return "left out", "--data names no data root"
    if left_sec < LEAST_SEC:
        return "out of time", "no time was left for it"
    return "", ""


def run_part(command: Sequence[str], limit_sec: float, log: IO[bytes], options: argparse.Namespace) -> tuple[str, str]:
    """Carry out a part in a process group of its own, which ends with its limit; state and reason."""
    environment = os.environ | {"AFKIT_TEST_DEVICE": options.device, "PYTHONUNBUFFERED": "1"}
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    log.write(f"\n$ python {' '.join(command)}\n".encode())
    log.flush()
    began, at = time.monotonic(), log.tell()
    process = subprocess.Popen(
        [sys.executable, *command], cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True
    )
    try:
        while process.poll() is None and time.monotonic() - began < limit_sec:
            time.sleep(0.2)
            at = show(log.name, at)
    finally:
        cut = process.poll() is None
        with suppress(ProcessLookupError):  # the whole group: what it has started, too
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        show(log.name, at)
    if cut:
        return "out of time", "what it had measured is kept"
    said = Path(log.name).read_text(encoding="utf-8", errors="replace").rpartition("\n$ python ")[2]
    if process.returncode:
        return "failed", last_line(said)
    if "pytest" in command and not re.search(r"\b[1-9]\d* passed", said):
        return "failed", "no test was executed"
    return "done", last_line(said) if "pytest" in command else ""


def show(path: str, at: int) -> int:
    """Print what a file holds from a byte on; the byte to go on from."""
    with Path(path).open("rb") as file:
        file.seek(at)
        new = file.read()
    sys.stdout.write(new.decode(errors="replace"))
    sys.stdout.flush()
    return at + len(new)


def last_line(text: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:200] if lines else ""


def device_name(device: str) -> str:
    """The card's name for a folder; asked in a process of its own, so that this one holds no memory on it."""
    if device == "cpu":
        return "cpu"
    asked = subprocess.run([sys.executable, "-c", NAME], capture_output=True, text=True)
    if asked.returncode:
        raise SystemExit(f"torch sees no CUDA device ({last_line(asked.stderr)}); try --device cpu --size tiny")
    return re.sub(r"[^A-Za-z0-9.-]+", "_", asked.stdout.strip())


if __name__ == "__main__":
    main()
