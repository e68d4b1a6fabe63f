"""Checkpoints to resume from: written whole or not at all, the last two kept, the newest readable one taken."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from afkit.config import Recipe
from afkit.files import atomic_open
from afkit.opening import MAX_PARTS, check_stored, open_to_read, open_zip
from afkit.train.distributed import check_same_everywhere, world
from afkit.train.execution import Execution
from afkit.train.state import TrainingState, gather_random_states, seed_rank, set_random_state

PARTS = ("model", "average", "criterion", "optimizer", "schedule", "metrics")
OTHERS = ("step", "validation", "recipe", "seed", "execution", "random")
KEPT = 2


class Checkpoints:
    """The checkpoints of one training, named by the steps done, e.g. step000000123.pt; those of another are refused.

    Of several processes the first writes them, with the random states of all. The folder is made when the first is
    written; what killed processes left half-written is removed.
    """

    def __init__(self, folder: Path, recipe: Recipe, seed: int, execution: Execution):
        self._folder, self._recipe, self._seed, self._execution = folder, recipe, seed, execution
        self._own: list[Path] = []  # written or loaded by this training, oldest first
        self._held: tuple[int, int] | None = None  # steps and evaluations in the newest of them
        for leftover in folder.glob(".*.tmp") if world()[0] == 0 else ():
            leftover.unlink()

    def save(self, state: TrainingState) -> None:
        """Write a checkpoint, unless the newest holds the same; once complete, all but it and the one before go.

        A RuntimeError where the weights of several processes differ.
        """
        holds = state.step, len(state.validation)
        if holds == self._held:
            return
        check_same_everywhere(state.step, [*state.current, *state.averaged])
        random_states = gather_random_states()
        if world()[0] == 0:
            self._write(state, random_states)
        self._held = holds

    def _write(self, state: TrainingState, random_states: list[dict[str, Any]]) -> None:
        content = {name: getattr(state, name).state_dict() for name in PARTS}
        content |= {"step": state.step, "validation": state.validation, "random": random_states}
        content |= {"recipe": self._recipe.model_dump_json(), "seed": self._seed, "execution": asdict(self._execution)}
        path = self._folder / f"step{state.step:09d}.pt"
        with disk_errors_explained(self._folder), atomic_open(path) as file:
            torch.save(content, file)
        self._own = [*(own for own in self._own if own != path), path][-KEPT:]
        for other in self._folder.glob("step*.pt"):
            if other not in self._own:
                other.unlink()

    def load(self, state: TrainingState) -> bool:
        """Restore the newest readable checkpoint into a new training; whether there was one.

        A line is printed where a damaged one had to be passed over, or where the training was carried out otherwise.
        One of another recipe or seed is a ValueError, and so is that none can be read.
        """
        damaged = []
        for path in sorted(self._folder.glob("step*.pt"), reverse=True):
            try:
                content = _read(path)
            except ValueError as error:
                damaged.append(str(error))
                continue
            self._restore(content, state, path)
            for complaint in damaged:
                _say(f"{complaint}; going on from {path.name}")
            self._own, self._held = [path], (state.step, len(state.validation))
            return True
        if damaged:
            raise ValueError(f"{damaged[0]}; delete it to start anew")
        return False

    def _restore(self, content: dict[str, Any], state: TrainingState, path: Path) -> None:
        if _completed(content["recipe"]) != self._recipe.model_dump_json() or content["seed"] != self._seed:
            raise ValueError(f"{path} is of another recipe or seed; use another run folder, or delete it to start anew")
        try:
            for name in PARTS:
                getattr(state, name).load_state_dict(content[name])
            state.step = int(content["step"])
            state.validation = [[int(epoch), float(average_map)] for epoch, average_map in content["validation"]]
            self._restore_random(content["random"], state.step)
            execution = dict(content["execution"])
        except (LookupError, RuntimeError, ValueError, TypeError, AttributeError, OverflowError) as error:
            reason = str(error).strip().split("\n")[0]
            raise ValueError(f"{path} does not fit this version of afkit ({reason}); delete it to start anew") from None
        for name in ("precision", "pad_to_batch", "cuda_graphs", "deterministic"):
            before, now = execution.get(name, False), getattr(self._execution, name)
            if before != now:
                _say(f"{name} was {before} up to step {state.step} and is {now} from here on")

    def _restore_random(self, states: list[dict[str, Any]], step: int) -> None:
        rank, ranks = world()
        if len(states) == ranks:
            set_random_state(states[rank])
        else:
            seed_rank(self._seed, step)
            _say(f"{len(states)} devices up to step {step} and {ranks} from here on, with new random masks")


def _completed(recipe: str) -> str:
    """A recipe in JSON with the defaults of the settings that its version of afkit did not have."""
    try:
        return Recipe.model_validate_json(recipe).model_dump_json()
    except ValueError:
        return recipe


def _read(path: Path) -> dict[str, Any]:
    """The content of a checkpoint; a ValueError where it is damaged, incomplete or something else."""
    try:
        check_stored(path)
        with open_to_read(path) as file, open_zip(file, MAX_PARTS) as packed:
            if packed.testzip() is not None:  # torch itself does not look whether the bytes are still those written
                raise ValueError("its bytes have changed")
        content = torch.load(path, map_location="cpu", weights_only=True)
        lacking = [name for name in (*PARTS, *OTHERS) if name not in content]
        if lacking:
            raise ValueError(f"it lacks {lacking[0]}")
        json.loads(content["recipe"])
    except Exception as error:  # damaged files raise almost anything
        reason = str(error).split("\n")[0]
        raise ValueError(f"{path} is not a readable checkpoint ({reason})") from None
    return content


@contextmanager
def disk_errors_explained(folder: Path) -> Iterator[None]:
    """Name the folder where writing into it fails. `torch.save` hides the reason behind an error of its own."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause = error if isinstance(error, OSError) else error.__context__
        if not isinstance(cause, OSError):
            raise
        reason = os.strerror(cause.errno) if cause.errno else str(cause)
        raise OSError(
            f"{folder} cannot be written to ({reason}); make room there and start again: the training goes on from "
            f"its last checkpoint"
        ) from error


def _say(text: str) -> None:
    if world()[0] == 0:
        print(f"afkit: {text}", flush=True)
