"""One of several processes that carry out a job of `runs.launch`: python -m afkit.workbench.runs.worker JOB."""

import os
import sys
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from afkit.config import Recipe
from afkit.data.items import Dataset
from afkit.files import read_json, write_array, write_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights
from afkit.train.distributed import world
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.runs.launch import ERRORS, error_file, predict_shared, to_numbers
from afkit.workbench.runs.peers import lost_a_peer, start, stop
from afkit.workbench.runs.training import validation

LOST_PEER_SEC = 15.0  # to be ended by the parent, which then blames the process that went first


def main(arguments: list[str]) -> None:
    """Carry out the job of a file, together with the other processes."""
    path = Path(arguments[0])
    try:
        job = read_json(path)
        threading.Thread(target=_end_with_parent, args=(job["meet"],), daemon=True).start()
        start(job["meet"])
        TASKS[job["task"]](job)
        stop()
    except Exception as error:
        traceback.print_exc()
        sys.stdout.flush()
        if lost_a_peer(error):
            time.sleep(LOST_PEER_SEC)
        else:
            _note(error, error_file(path))
        os._exit(1)  # in order, torch would wait for what has been begun together with the others


def train_part(job: Mapping[str, Any]) -> None:
    """Train on this process's rows of every batch."""
    recipe, execution = Recipe.model_validate(job["recipe"]), Execution(**job["execution"])
    dataset = Dataset(recipe.data, job["data_root"], recipe.data.train_subsets, training=True, seed=job["seed"])
    evaluate = validation(recipe, job["data_root"], execution.precision) if execution.evaluate_every else None
    arguments = {name: job[name] for name in ("folder", "seed", "resume", "start_from")}
    train(recipe, dataset, execution=execution, evaluate=evaluate, **arguments)


def predict_part(job: Mapping[str, Any]) -> None:
    """Find the actions in this process's videos; the first process writes those of all."""
    recipe = Recipe.model_validate(job["recipe"])
    model = build_model(recipe).to("cuda" if torch.cuda.is_available() else "cpu")
    load_weights(model, job["weights"], job["which"])
    dataset = Dataset(recipe.data, job["data_root"], recipe.data.test_subsets)
    table = predict_shared(model, recipe, dataset, **job["arguments"])
    if world()[0] == 0:
        write_array(job["result"], to_numbers(table, dataset), sync=False)


TASKS = {"train": train_part, "predict": predict_part}


def _note(error: Exception, path: Path) -> None:
    """Write down an error for the process that started these, unless another has been first."""
    kind = next((name for name, kind in ERRORS.items() if isinstance(error, kind)), "")
    message = str(error) if kind else f"{type(error).__name__}: {error}"
    part = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    write_json(part, {"kind": kind or "RuntimeError", "message": message})
    with suppress(FileExistsError):
        os.link(part, path)  # whole, or not at all
    part.unlink()


def _end_with_parent(meet: str | tuple[str, str]) -> None:
    """End at once when the process that started these has gone, whose end of the input then closes."""
    while os.read(0, 1):
        pass
    if isinstance(meet, str):
        with suppress(OSError):  # another has been first
            Path(meet).unlink()
            Path(meet).parent.rmdir()
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
