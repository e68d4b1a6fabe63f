"""How a training is carried out: what a user may choose beside the recipe, which says what is trained."""

import math
from dataclasses import dataclass

PRECISIONS = ("fp32", "bf16")


@dataclass(frozen=True)
class Execution:
    """How a training is carried out. Only `precision` and (below 1e-6) `pad_to_batch` change its numbers,
    and (by rounding, and other random masks) the number of devices.

    With the same seed, two trainings on one machine give the same bits on a CPU with the same number of threads
    (OMP_NUM_THREADS; other numbers group sums otherwise), and on a GPU with `deterministic`. Workers, cache,
    checkpoints and interruptions change no bit; evaluations neither. Another machine, or another version of torch,
    may round otherwise.

    Raises:
        ValueError: a setting out of its range; the message names it.
    """

    workers: int = 0  # processes that load features; 0 loads in the training's own
    pad_to_batch: bool = True  # pad to the longest video of a batch; False pads to max_seq_len, as the original does
    precision: str = "fp32"  # "bf16" computes the network's products in bfloat16; weights and losses stay in float32
    cache_mb: int = 0  # memory for features that have been read once, in MB
    checkpoint_minutes: float = 1.0  # between two checkpoints; 0: none by time
    checkpoint_steps: int = 0  # between two checkpoints; 0: none by steps
    evaluate_every: int = 0  # epochs between two evaluations; 0: none
    devices: int = 1  # of each machine: GPUs, or processes where there is none; they share each batch
    num_nodes: int = 1  # machines
    deterministic: bool = False  # the same bits each time on a GPU, too; slower there, without effect on a CPU

    def __post_init__(self) -> None:
        for name in ("workers", "cache_mb", "checkpoint_steps", "evaluate_every"):
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(f"{name} must be a whole number, 0 or more, not {value!r}")
        for name in ("devices", "num_nodes"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"{name} must be a whole number, 1 or more, not {value!r}")
        minutes = self.checkpoint_minutes
        if type(minutes) not in (int, float) or not (math.isfinite(minutes) and minutes >= 0):
            raise ValueError(f"checkpoint_minutes must be a number, 0 or more, not {minutes!r}")
        for name in ("pad_to_batch", "deterministic"):
            if type(getattr(self, name)) is not bool:
                raise ValueError(f"{name} must be True or False, not {getattr(self, name)!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}")


DEFAULT_EXECUTION = Execution()
