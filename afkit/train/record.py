"""What a training writes down on its way, and whom it tells: metrics, event files, checkpoints, progress."""

import math
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import Tensor

from afkit.config import Recipe
from afkit.files import atomic_open
from afkit.train.checkpoints import Checkpoints, disk_errors_explained
from afkit.train.distributed import gather_numbers, gather_objects, world
from afkit.train.execution import Execution
from afkit.train.state import MetricsFile, TrainingState

PROGRESS_SEC = 1.0  # between two calls of on_progress
LOG_STEPS = 10  # between two points of a curve, as in the original


class Note(NamedTuple):
    """What is known of a step before it is done."""

    step: int  # of the whole training, from 0
    epoch: int  # from 0
    learning_rate: float  # of this step
    videos: list[str]  # of the batch


def check_finite(numbers: Sequence[float], step: int, videos: Sequence[str], recipe: Recipe) -> None:
    """Raise a ValueError where a loss or the gradient's norm is infinite or not a number."""
    wrong = [number for number in numbers if not math.isfinite(number)]
    if wrong:
        raise ValueError(
            f"the loss of recipe '{recipe.name}', or its gradient, is {wrong[0]} at step {step} on the videos "
            f"{', '.join(videos)}; check their features, or lower optim.learning_rate (the last checkpoint is kept)"
        )


class Record:
    """The written record of one training; used with `with`, which brings all of it to the disk at the end.

    Each of several processes has one, with the losses of all; the first writes and tells, the others take part in
    what is decided and gathered. Files are made to agree with the training's state, new or resumed.
    """

    def __init__(
        self,
        folder: Path,
        state: TrainingState,
        recipe: Recipe,
        checkpoints: Checkpoints,
        execution: Execution,
        on_progress: Callable[[pd.DataFrame], None] | None,
    ):
        self._folder, self._state, self._recipe, self._checkpoints = folder, state, recipe, checkpoints
        self._execution, self._on_progress = execution, on_progress
        self._open = ExitStack()
        self._file: MetricsFile | None = None
        self._log: EventLog | None = None
        self._waiting: deque[tuple[Note, Tensor, torch.cuda.Event | None]] = deque()  # numbers on their way to the host
        self._told = len(state.metrics)  # rows that on_progress has seen, or need not see
        # a step's seconds are those since the step before it, without what is done for the record in between
        self._saved_at = self._told_at = self._clock = time.monotonic()

    def __enter__(self) -> "Record":
        if world()[0] == 0:
            for name in ("metrics.csv", "validation.csv"):
                for leftover in self._folder.glob(f".{name}.*.tmp"):  # of killed processes
                    leftover.unlink()
            with disk_errors_explained(self._folder):
                self._file = MetricsFile(self._folder / "metrics.csv", self._state.metrics)
                self._write_validation()
                self._log = EventLog(self._folder / "tensorboard", self._state)
            for part in (*self._log.writers.values(), self._file):  # the last is closed first
                self._open.callback(part.close)
        self._clock = time.monotonic()
        return self

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        with suppress(OSError) if error else disk_errors_explained(self._folder):
            self._open.close()

    def add(self, note: Note, numbers: Tensor) -> None:
        """Take the (4,) numbers of a step, written when they have arrived; a ValueError where they are not finite.

        Those of a GPU are copied to pinned memory without waiting, and read when the next step has been queued behind
        them: the GPU then always has work, and the host is at most one step ahead.
        """
        arrived = None
        if numbers.is_cuda:
            host = torch.empty(numbers.shape, dtype=numbers.dtype, pin_memory=True)
            numbers = host.copy_(numbers, non_blocking=True)
            arrived = torch.cuda.Event()
            arrived.record()
        self._waiting.append((note, numbers, arrived))
        self._receive()
        if time.monotonic() - self._told_at >= PROGRESS_SEC:
            self._tell()

    def add_validation(self, epoch: int, average_map: float) -> None:
        self._state.validation.append([epoch, average_map])
        if self._log is not None:
            with disk_errors_explained(self._folder):
                self._write_validation()
                self._log.add_validation(epoch, average_map)
        self._clock = time.monotonic()

    def save_if_due(self) -> None:
        minutes, steps = self._execution.checkpoint_minutes, self._execution.checkpoint_steps
        # the clock of the first process decides for all
        late = float(time.monotonic() - self._saved_at >= 60 * minutes)
        if (minutes and gather_numbers([late])[0][0]) or (steps and self._state.step % steps == 0):
            self.save()

    def save(self) -> None:
        """Write a checkpoint and bring all else up to it; a loss that is not finite is a ValueError first."""
        self._receive(everything=True)
        with disk_errors_explained(self._folder):
            if self._file is not None and self._log is not None:
                for part in (self._file, *self._log.writers.values()):
                    part.flush()
        self._checkpoints.save(self._state)
        self._saved_at = self._clock = time.monotonic()

    def finish(self) -> None:
        self.save()
        self._tell()

    def _receive(self, everything: bool = False) -> None:
        while len(self._waiting) > int(self._state.late and not everything):
            note, own, arrived = self._waiting.popleft()
            if arrived is not None:
                arrived.synchronize()
            numbers = self._of_all(note, own.tolist())
            now = time.monotonic()
            row = [note.step, note.epoch, note.learning_rate, *numbers, now - self._clock]
            self._clock = now
            self._state.metrics.add(row)
            if self._log is not None:
                with disk_errors_explained(self._folder):
                    self._log.add(row)

    def _of_all(self, note: Note, numbers: list[float]) -> list[float]:
        """The losses of the whole batch, checked, from those of this process's part."""
        parts = gather_numbers(numbers)
        numbers = [*(sum(losses) for losses in zip(*(part[:3] for part in parts), strict=True)), numbers[3]]
        if not all(map(math.isfinite, numbers)):
            videos = gather_objects(note.videos)
            at_fault = [not all(map(math.isfinite, part[:3])) for part in parts]
            if any(at_fault):  # else the gradients overflow, and nobody knows whose
                videos = [own for own, fault in zip(videos, at_fault, strict=True) if fault]
            check_finite(numbers, note.step, [video for own in videos for video in own], self._recipe)
        return numbers

    def _tell(self) -> None:
        if self._file is None:
            return
        with disk_errors_explained(self._folder):
            self._file.flush()
        if self._on_progress is not None and self._told != len(self._state.metrics):
            self._on_progress(self._state.metrics.table())
            self._told = len(self._state.metrics)
        self._told_at = self._clock = time.monotonic()

    def _write_validation(self) -> None:
        path = self._folder / "validation.csv"
        if self._state.validation:
            table = pd.DataFrame(self._state.validation, columns=["epoch", "average_map"])
            with atomic_open(path) as file:
                table.to_csv(file, index=False)
        else:
            path.unlink(missing_ok=True)


class EventLog:
    """Event files of a training; what an interrupted one has logged from its state on is hidden.

    As in the original: train/learning_rate, train/final_loss, train/all_losses (the curves cls_loss and reg_loss,
    each in a folder of its own), all by step, and validation/mAP by epoch. Beyond it: train/grad_norm,
    train/steps_per_sec, train/memory_mb. A curve has a point for every tenth step. Where tensorboard is not installed,
    a line says so and nothing is logged.
    """

    def __init__(self, folder: Path, state: TrainingState):
        self.writers: dict[str, Any] = {}  # by folder
        self._seconds: list[float] = []
        try:
            from torch.utils.tensorboard import SummaryWriter  # an extra
        except ImportError:
            print("afkit: no TensorBoard logs, since the package tensorboard is not installed", flush=True)
            return
        first_epoch = max((int(epoch) + 1 for epoch, _ in state.validation), default=0)
        first = dict.fromkeys(("", "train_all_losses_cls_loss", "train_all_losses_reg_loss"), state.step)
        for name, start in (first | {"validation": first_epoch}).items():
            self.writers[name] = SummaryWriter(folder / name, purge_step=start)

    def add(self, row: list[float]) -> None:
        step, _, rate, class_loss, offset_loss, total, norm, seconds = row
        self._seconds.append(seconds)
        if step % LOG_STEPS or not self.writers:
            return
        speed = len(self._seconds) / max(sum(self._seconds), 1e-9)
        self._seconds.clear()
        scalars = {"learning_rate": rate, "final_loss": total, "grad_norm": norm, "steps_per_sec": speed}
        for name, value in (scalars | {"memory_mb": peak_memory_mb()}).items():
            self.writers[""].add_scalar(f"train/{name}", value, step)
        for name, value in (("cls_loss", class_loss), ("reg_loss", offset_loss)):
            self.writers[f"train_all_losses_{name}"].add_scalar("train/all_losses", value, step)

    def add_validation(self, epoch: int, average_map: float) -> None:
        if self.writers:
            self.writers["validation"].add_scalar("validation/mAP", average_map, epoch)


def peak_memory_mb() -> float:
    """Most memory held so far, in MB: of the GPU by tensors where there is one, else of this process; NaN unknown."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1024**2
    if sys.platform == "win32":
        return float("nan")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes on macOS, KiB elsewhere
