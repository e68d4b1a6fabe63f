"""TensorBoard event files with the tags of the original and some more, and the memory that a training takes."""

import sys
from pathlib import Path

import torch

LOG_STEPS = 10  # between two points of a curve, as in the original


class EventLog:
    """Event files of a training.

    As in the original: train/learning_rate, train/final_loss, train/all_losses (the curves cls_loss and reg_loss,
    each in a folder of its own), all by step, and validation/mAP by epoch. Beyond it: train/grad_norm,
    train/steps_per_sec, train/memory_mb. A curve has a point for every tenth step.

    Args:
        folder: receives the files.
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
    """An EventLog, or None and a printed line where tensorboard is not installed.

    Args:
        folder: of the run.
        first_step, first_epoch: where the training begins or goes on.
    """
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
