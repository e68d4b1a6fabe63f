"""The training loop: one flat pass over all batches of all epochs, from wherever a checkpoint left it."""

import math
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

import pandas as pd
import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.batches import Batch, check_batch_divides, check_batch_size, training_batches
from afkit.data.items import Dataset
from afkit.model.actionformer import padding_alignment
from afkit.model.checkpoints import save_weights
from afkit.model.graphs import with_graphs
from afkit.model.products import arithmetic, bf16_units, usable_precision
from afkit.train.checkpoints import Checkpoints, disk_errors_explained
from afkit.train.distributed import check_same_everywhere, world
from afkit.train.execution import DEFAULT_EXECUTION, Execution, deterministic, note_operations
from afkit.train.record import Note, Record, check_finite
from afkit.train.state import TrainingState, load_original, new_state, random_state, set_random_state, update_average

NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")  # in torch's messages
SIGNALS = (signal.SIGINT, signal.SIGTERM)


def train(
    recipe: Recipe,
    dataset: Dataset,
    folder: str | Path,
    seed: int,
    execution: Execution = DEFAULT_EXECUTION,
    resume: bool = True,
    start_from: str | Path = "",
    on_progress: Callable[[pd.DataFrame], None] | None = None,
    evaluate: Callable[[nn.Module], float] | None = None,
) -> pd.DataFrame:
    """Train a network and write its weights.

    A training that was stopped or killed at any moment goes on from its last checkpoint when it is started again with
    the same arguments, and ends with the same weights and metrics, bit by bit, as one that was not (on the same
    machine). One that is complete returns at once.

    In each of several processes it trains on its own rows of every batch. The recipe's batch size is that of all
    together, so that the learning rate stays: the result is that of one process, up to rounding and to random masks
    (drop path and dropout, drawn by seed and rank, anew where the number of processes changes).

    Args:
        dataset: training videos, made with `training=True` and the same seed; takes over `execution.cache_mb`.
        folder: the run folder; receives metrics.csv, validation.csv, tensorboard/ and checkpoints/: the last two
            states to resume from (step*.pt, see `Execution`; also before each evaluation), and at the end
            ema.safetensors (the weights to evaluate) and raw.safetensors.
        resume: go on from the newest checkpoint where there is one; else start anew.
        start_from: a .pth.tar of the original to go on from, when there is no checkpoint of our own; "" for none.
        on_progress: called with the metrics so far, at most every second, and at the end.
        evaluate: average mAP of a network; called in every process with the averaged weights after every
            `execution.evaluate_every` epochs, free to draw random numbers.

    Returns:
        DataFrame with a row per step, columns `METRICS`; seconds are those since the step before it, reading included.

    Raises:
        ValueError: arguments that do not fit, too few videos, or a loss that is not finite (found a step late on a GPU
            or in several processes, but before anything is saved).
        RuntimeError: out of memory, or the weights of several processes differ.
        OSError: the disk is full.
        KeyboardInterrupt: SIGINT or SIGTERM came; all whole steps are saved, where one process trains.
    """
    folder, recipe = Path(folder), with_empty_classes(recipe, dataset)
    _check(recipe, dataset, execution, evaluate)
    execution = replace(execution, precision=_precision(execution))
    dataset.cache_mb = execution.cache_mb or dataset.cache_mb
    checkpoints = Checkpoints(folder / "checkpoints", recipe, seed, execution)
    with deterministic(execution.deterministic) as operations:
        state = _begin(recipe, dataset, seed, checkpoints, resume, start_from)
        if execution.cuda_graphs:
            state.network = with_graphs(state.model, recipe)
        began = state.step
        with Record(folder, state, recipe, checkpoints, execution, on_progress) as record:
            run_steps(state, record, recipe, dataset, execution, evaluate)
            record.finish()
            if world()[0] == 0:
                with disk_errors_explained(folder):
                    save_weights(state.average, folder / "checkpoints" / "ema.safetensors", "ema")
                    save_weights(state.model, folder / "checkpoints" / "raw.safetensors", "raw")
    if state.step > began:
        with disk_errors_explained(folder):
            note_operations(folder, execution.deterministic, operations)
    return state.metrics.table()


def _precision(execution: Execution) -> str:
    """What is computed in here; the first of several processes says so where it is not what was asked for."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return usable_precision(execution.precision, device, print if world()[0] == 0 else lambda _: None)


def _begin(
    recipe: Recipe, dataset: Dataset, seed: int, checkpoints: Checkpoints, resume: bool, start_from: str | Path
) -> TrainingState:
    steps_per_epoch = len(dataset) // recipe.optim.batch_size
    state = new_state(recipe, steps_per_epoch, seed, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    loaded = resume and checkpoints.load(state)
    if loaded and world()[0] == 0 and state.step < recipe.optim.total_epochs * steps_per_epoch:
        print(f"afkit: training goes on after step {state.step}", flush=True)
    if not loaded and start_from:
        load_original(start_from, state, recipe, steps_per_epoch)
    check_same_everywhere(state.step, [*state.current, *state.averaged])
    state.share_gradients()
    return state


def _check(
    recipe: Recipe, dataset: Dataset, execution: Execution, evaluate: Callable[[nn.Module], float] | None
) -> None:
    check_batch_size(dataset, recipe.optim.batch_size)
    dataset.check_missing()
    _, ranks = world()
    check_batch_divides(recipe.optim.batch_size, ranks)
    if execution.devices * execution.num_nodes != ranks:
        raise ValueError(
            f"{execution.devices} devices on {execution.num_nodes} machines need as many processes, and this is one of "
            f"{ranks}; it is for trainings on several devices, see `train_on_devices`"
        )
    if execution.cuda_graphs and ranks > 1:
        raise ValueError("cuda_graphs is for a training on one device; leave it out, or train on one")
    if execution.evaluate_every and evaluate is None:
        raise ValueError("evaluate_every needs a function `evaluate`")


def run_steps(
    state: TrainingState,
    record: Record,
    recipe: Recipe,
    dataset: Dataset,
    execution: Execution,
    evaluate: Callable[[nn.Module], float] | None,
) -> None:
    """All steps that are left of a training, whose state is changed in place."""
    steps_per_epoch = len(dataset) // recipe.optim.batch_size
    every = execution.evaluate_every * steps_per_epoch  # steps
    rank, ranks = world()

    def evaluate_if_due() -> None:
        """Saved before, so that an evaluation that fails costs no training; one cut short is then done again."""
        epoch = state.step // steps_per_epoch - 1
        due = every and state.step and state.step % every == 0 and all(epoch != done for done, _ in state.validation)
        if evaluate is not None and due:
            record.save()
            before = random_state()
            average_map = float(evaluate(state.average))
            set_random_state(before)
            record.add_validation(epoch, average_map)

    state.model.train()
    evaluate_if_due()  # a kill may have cut one short
    stream = training_batches(
        dataset,
        recipe.optim.batch_size,
        recipe.optim.total_epochs,
        first_step=state.step,
        workers=execution.workers,
        align=padding_alignment(recipe) if execution.pad_to_batch else 0,
        rank=rank,
        ranks=ranks,
        pin=state.device.type == "cuda",
    )
    with closing(stream), interruptible() as whole_step:
        try:
            for batch in stream:
                videos = [item.video for item in batch.items]
                note = Note(state.step, state.step // steps_per_epoch, float(state.schedule.get_last_lr()[0]), videos)
                with whole_step():
                    record.add(note, train_step(state, batch, recipe, execution.precision))
                    record.save_if_due()
                evaluate_if_due()
        except KeyboardInterrupt:
            if ranks == 1:  # of several processes, each would stop at another step
                record.save()
            raise


def train_step(state: TrainingState, batch: Batch, recipe: Recipe, precision: str = "fp32") -> Tensor:
    """One update of the weights and of their average, in place. On a GPU nothing here waits for it.

    With "bf16" the network computes as in `arithmetic`, whether or not the machine has units for it.
    Losses, gradients of the weights, and the weights stay in float32. A ValueError where loss or gradient is not finite
    leaves the weights as before; where the numbers are read late (`state.late`), the caller checks them.

    (4,) on the device: class loss, offset loss, total loss, norm of the gradient before clipping. Of several processes
    each has its own part of the losses; their sum is that of the batch.
    """
    device, videos = state.device, [item.video for item in batch.items]
    with _out_of_memory_explained(state.step, batch.features, recipe, precision):
        features, mask = (tensor.to(device, non_blocking=True) for tensor in (batch.features, batch.mask))
        state.optimizer.zero_grad(set_to_none=True)
        with arithmetic(precision, device.type):
            out = state.network(features, mask)
        if precision != "fp32":
            out = out.float()
        losses = state.criterion(out, batch.segments, batch.labels, [item.ignored for item in batch.items])
        (losses["total"] * world()[1]).backward()  # of several processes, the mean of the gradients is taken
        limit = recipe.optim.clip_norm if recipe.optim.clip_norm > 0 else math.inf
        norm = nn.utils.clip_grad_norm_(state.parameters, limit)
        if not state.late:
            check_finite([losses["total"].item(), norm.item()], state.step, videos, recipe)
        state.optimizer.step()
        state.schedule.step()
        for averaged, current in state.rounds:
            update_average(averaged, current, state.step, recipe.optim)
    state.step += 1
    return torch.stack([losses["cls"], losses["reg"], losses["total"], norm]).detach()


@contextmanager
def _out_of_memory_explained(step: int, features: Tensor, recipe: Recipe, precision: str) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, MemoryError) as error:  # torch.OutOfMemoryError is a RuntimeError
        if not isinstance(error, MemoryError) and not any(text in str(error).lower() for text in NO_MEMORY):
            raise
        shape = " x ".join(map(str, features.shape))
        wider = precision == "fp32" and bf16_units(features.device.type)
        instead = " or set precision to 'bf16'" if wider else ""
        raise RuntimeError(
            f"out of memory at step {step} of recipe '{recipe.name}', a batch of {shape} features (videos x channels x "
            f"steps) in {precision}; lower optim.batch_size or data.max_seq_len{',' if instead else ''}{instead} "
            f"(the last checkpoint is kept)"
        ) from error


def with_empty_classes(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with the label ids that no annotation of the data set has, so that the class head keeps them silent.

    EPIC-Kitchens has such ids. A recipe that lists some itself, or has one class, stays as it is.
    """
    if recipe.model.empty_classes or recipe.data.num_classes == 1:
        return recipe
    empty = sorted(set(range(recipe.data.num_classes)) - dataset.label_names.keys())
    return recipe.model_copy(update={"model": recipe.model.model_copy(update={"empty_classes": empty})})


@contextmanager
def interruptible() -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """SIGINT and SIGTERM raise KeyboardInterrupt, but after the end of a block made by what is yielded.

    A second signal within such a block raises at once. Outside the main thread Python can handle no signals.
    """
    owner, held, came = os.getpid(), False, False

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if os.getpid() != owner:  # a process that loads features; it ends as if there were no handler
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
            return
        waits, came = held and not came, True
        if not waits:
            raise KeyboardInterrupt

    @contextmanager
    def whole() -> Iterator[None]:
        nonlocal held
        held = True
        try:
            yield
        finally:
            held = False
        if came:
            raise KeyboardInterrupt

    main = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, stop) for number in SIGNALS} if main else {}
    try:
        yield whole
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
