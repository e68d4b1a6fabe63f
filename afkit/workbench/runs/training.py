"""Training as 02_train does it: in its own process or on several devices, and what run.json keeps of it."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pandas as pd

from afkit.data.items import Dataset
from afkit.files import read_json
from afkit.train.execution import FILE, Execution
from afkit.train.loop import train
from afkit.workbench.runs.folder import Run, finish_stage
from afkit.workbench.runs.launch import train_on_devices
from afkit.workbench.runs.validation import validation


def train_run(
    run: Run,
    dataset: Dataset,
    execution: Execution,
    resume: bool = True,
    start_from: str | Path = "",
    on_progress: Callable[[pd.DataFrame], None] | None = None,
) -> pd.DataFrame:
    """Train on as many devices as `execution` says, and evaluate on the way where it says so; the metrics.

    Arguments, result and errors are those of `afkit.train.loop.train` and `train_on_devices`.
    """
    if execution.devices * execution.num_nodes > 1:
        return train_on_devices(
            run.recipe,
            run.data_root,
            run.folder,
            run.seed,
            execution=execution,
            resume=resume,
            start_from=start_from,
            on_progress=on_progress,
        )
    return train(
        run.recipe,
        dataset,
        run.folder,
        run.seed,
        execution=execution,
        resume=resume,
        start_from=start_from,
        on_progress=on_progress,
        evaluate=validation(run.recipe, run.data_root) if execution.evaluate_every else None,
    )


def finish_training(run: Run, execution: Execution) -> None:
    """Note in run.json that the training is done, and how it was executed; after a deterministic one, what was not."""
    note = run.folder / FILE
    finish_stage(run, execution=asdict(execution), deterministic=read_json(note) if note.exists() else None)
