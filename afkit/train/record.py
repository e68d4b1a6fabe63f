"""What a training writes down on its way, and whom it tells: metrics, event files, checkpoints, progress."""

import math
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pandas as pd
from torch import Tensor

from afkit.config import Recipe
from afkit.files import atomic_open
from afkit.train.checkpoints import Checkpoints, disk_errors_explained
from afkit.train.distributed import first_says, gather_numbers, gather_objects, world
from afkit.train.execution import Execution
from afkit.train.logs import EventLog, open_event_log
from afkit.train.metrics import MetricsFile
from afkit.train.state import TrainingState
from afkit.train.step import Arrivals, Note, check_finite

PROGRESS_SEC = 1.0  # between two calls of on_progress


class Record:
    """The written record of one training; used with `with`, which brings all of it to the disk at the end.

    Each of several processes has one, with the losses of all; the first writes and tells, the others take part in
    what is decided and gathered.

    Args:
        folder: the run folder.
        state: the training, new or resumed; files are made to agree with it.
        recipe: for messages.
        checkpoints: where to save.
        execution: when to save.
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
