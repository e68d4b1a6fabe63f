"""What a training writes down on its way, and whom it tells: metrics, event files, checkpoints, progress."""

import math
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
import torch
from torch import Tensor

from afkit.config import Recipe
from afkit.files import atomic_open
from afkit.train.checkpoints import Checkpoints, disk_errors_explained
from afkit.train.distributed import first_says, gather_numbers, gather_objects, world
from afkit.train.execution import Execution
from afkit.train.state import MetricsFile, TrainingState
from afkit.train.step import Arrivals, Note, check_finite

PROGRESS_SEC = 1.0  # between two calls of on_progress


class Record:
    """The written record of one training; used with `with`, which brings all of it to the disk at the end.

    Each of several processes has one, with the losses of all; the first writes and tells, the others take part in
    what is decided and gathered.

    Args:
        state: the training, new or resumed; files are made to agree with it.
        on_progress: called with the metrics so far, at most every second.
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
        self._writes = world()[0] == 0
        self._file: MetricsFile | None = None
        self._log: EventLog | None = None
        self._arrivals = Arrivals(state.late)
        self._told = len(state.metrics)  # rows that on_progress has seen, or need not see
        self._saved_at = self._told_at = self._clock = time.monotonic()

    def __enter__(self) -> "Record":
        if self._writes:
            self._open()
        self._restart_clock()
        return self

    def _open(self) -> None:
        for name in ("metrics.csv", "validation.csv"):
            for leftover in self._folder.glob(f".{name}.*.tmp"):  # of killed processes
                leftover.unlink()
        epoch = max((int(epoch) + 1 for epoch, _ in self._state.validation), default=0)
        with disk_errors_explained(self._folder):
            self._file = MetricsFile(self._folder / "metrics.csv", self._state.metrics)
            self._write_validation()
            self._log = open_event_log(self._folder / "tensorboard", self._state.step, epoch)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        with suppress(OSError) if error else disk_errors_explained(self._folder):
            try:
                if self._file is not None:
                    self._file.close()
            finally:
                if self._log is not None:
                    self._log.close()

    def add(self, note: Note, numbers: Tensor) -> None:
        """Take the numbers of a step; they are written when they have arrived.

        Raises:
            ValueError: a loss or gradient that is not finite has arrived.
        """
        self._arrivals.put(note, numbers)
        self._receive()
        if time.monotonic() - self._told_at >= PROGRESS_SEC:
            self._tell()

    def add_validation(self, epoch: int, average_map: float) -> None:
        """Write down the result of an evaluation."""
        self._state.validation.append([epoch, average_map])
        with disk_errors_explained(self._folder):
            if self._writes:
                self._write_validation()
            if self._log is not None:
                self._log.add_validation(epoch, average_map)
        self._restart_clock()

    def save_if_due(self) -> None:
        """Save when as many minutes or steps have passed as the execution says."""
        minutes, steps = self._execution.checkpoint_minutes, self._execution.checkpoint_steps
        by_time = minutes and first_says(time.monotonic() - self._saved_at >= 60 * minutes)
        if by_time or (steps and self._state.step % steps == 0):
            self.save()

    def save(self) -> None:
        """Write a checkpoint and bring everything else up to it.

        Raises:
            ValueError: a loss or gradient is not finite; nothing is then saved.
            OSError: the disk is full.
        """
        self._receive(everything=True)
        with disk_errors_explained(self._folder):
            if self._file is not None:
                self._file.flush()
            if self._log is not None:
                self._log.flush()
        self._checkpoints.save(self._state)
        self._saved_at = time.monotonic()
        self._restart_clock()

    def finish(self) -> None:
        """Save, and tell the end of the training."""
        self.save()
        self._tell()

    def _receive(self, everything: bool = False) -> None:
        for note, numbers in self._arrivals.take(everything):
            numbers = self._of_all(note, numbers)
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
        if not all(math.isfinite(number) for number in numbers):
            videos = gather_objects(note.videos)
            at_fault = [not all(math.isfinite(loss) for loss in part[:3]) for part in parts]
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
        self._told_at = time.monotonic()
        self._restart_clock()

    def _write_validation(self) -> None:
        path = self._folder / "validation.csv"
        if self._state.validation:
            table = pd.DataFrame(self._state.validation, columns=["epoch", "average_map"])
            with atomic_open(path) as file:
                table.to_csv(file, index=False)
        else:
            path.unlink(missing_ok=True)

    def _restart_clock(self) -> None:
        """A step's seconds are those since the step before it, without what is done for the record."""
        self._clock = time.monotonic()


LOG_STEPS = 10  # between two points of a curve, as in the original


class EventLog:
    """Event files of a training.

    As in the original: train/learning_rate, train/final_loss, train/all_losses (the curves cls_loss and reg_loss,
    each in a folder of its own), all by step, and validation/mAP by epoch. Beyond it: train/grad_norm,
    train/steps_per_sec, train/memory_mb. A curve has a point for every tenth step.

    Args:
        first_step: of what is logged now; what an interrupted training has logged from there on is hidden.
        first_epoch: the same for validation/mAP.

    Raises:
        ImportError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, first_step: int, first_epoch: int):
        from torch.utils.tensorboard import SummaryWriter  # an extra

        self._main = SummaryWriter(folder, purge_step=first_step)
        self._losses = {
            name: SummaryWriter(folder / f"train_all_losses_{name}", purge_step=first_step)
            for name in ("cls_loss", "reg_loss")
        }
        self._validation = SummaryWriter(folder / "validation", purge_step=first_epoch)
        self._seconds: list[float] = []

    def add(self, row: list[float]) -> None:
        """Log a row of metrics.csv."""
        step, _, rate, cls, reg, total, norm, seconds = row
        self._seconds.append(seconds)
        if step % LOG_STEPS:
            return
        speed = len(self._seconds) / max(sum(self._seconds), 1e-9)
        self._seconds.clear()
        scalars = {"learning_rate": rate, "final_loss": total, "grad_norm": norm, "steps_per_sec": speed}
        for name, value in (scalars | {"memory_mb": peak_memory_mb()}).items():
            self._main.add_scalar(f"train/{name}", value, step)
        for name, value in (("cls_loss", cls), ("reg_loss", reg)):
            self._losses[name].add_scalar("train/all_losses", value, step)

    def add_validation(self, epoch: int, average_map: float) -> None:
        """Log the mAP after an epoch."""
        self._validation.add_scalar("validation/mAP", average_map, epoch)

    def flush(self) -> None:
        """Bring everything to the disk."""
        for writer in (self._main, *self._losses.values(), self._validation):
            writer.flush()

    def close(self) -> None:
        """Bring everything to the disk and end."""
        for writer in (self._main, *self._losses.values(), self._validation):
            writer.close()


def open_event_log(folder: Path, first_step: int, first_epoch: int) -> EventLog | None:
    """An EventLog, or None and a printed line where tensorboard is not installed."""
    try:
        return EventLog(folder, first_step, first_epoch)
    except ImportError:
        print("afkit: no TensorBoard logs, since the package tensorboard is not installed", flush=True)
        return None


def peak_memory_mb() -> float:
    """Most memory held so far, in MB: of the GPU by tensors where there is one, else of this process; NaN unknown."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1024**2
    if sys.platform == "win32":
        return float("nan")
    import resource  # not on Windows

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024**2 if sys.platform == "darwin" else 1024)  # bytes on macOS, KiB elsewhere
