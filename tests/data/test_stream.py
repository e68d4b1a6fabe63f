"""The stream of a training's batches: order, starting anywhere, ranks, worker processes, errors, interrupts."""

import multiprocessing
import os
import random
import signal
import subprocess
import time
from contextlib import closing

import numpy as np
import pytest
import torch
from job_processes import python
from tiny_data import change_video, seconds_of, tiny_recipe, training_set, write_tiny_data

from afkit.data import items as items_module
from afkit.data.batches import collate, padded_batch_length, training_batches


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with the tiny data set: 6 training videos."""
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root)
    change_video(root, "video2", annotated=[seconds_of(5), seconds_of(30)])
    return root


@pytest.fixture
def dataset(root):
    """Crops of half to all of a video."""
    return training_set(root, tiny_recipe(data__crop_ratio=(0.5, 1.0)), seed=3)


def same_batches(a, b):
    """Whether two lists of batches are equal, bit by bit."""
    return len(a) == len(b) and all(
        torch.equal(x.features, y.features)
        and torch.equal(x.mask, y.mask)
        and all(torch.equal(s, t) for s, t in zip(x.segments + x.labels, y.segments + y.labels, strict=True))
        and [(item.video, str(item.ignored)) for item in x.items]
        == [(item.video, str(item.ignored)) for item in y.items]
        and all(torch.equal(s.features, t.features) for s, t in zip(x.items, y.items, strict=True))
        for x, y in zip(a, b, strict=True)
    )


def logged(monkeypatch, path):
    """Every reading of features is written down with its process."""
    real = items_module.open_features

    def open_features(config, root, video):
        with path.open("a") as file:
            file.write(f"{os.getpid()} {video}\n")
        return real(config, root, video)

    monkeypatch.setattr(items_module, "open_features", open_features)
    return lambda: [line.split() for line in path.read_text().splitlines()] if path.exists() else []


@pytest.mark.parametrize("size", [2, 4])
def test_the_stream_gives_the_items_of_each_epoch_in_its_order(dataset, size):
    """Pinned down to the generator, since resumed and repeated trainings rely on it."""
    stream = training_batches(dataset, size, epochs=3)
    for epoch in range(3):
        order = np.random.default_rng([3, epoch]).permutation(6).tolist()
        dataset.epoch = epoch
        for first in range(0, 7 - size, size):
            expected = collate([dataset[index] for index in order[first : first + size]], 64)
            assert same_batches([next(stream)], [expected])
    assert next(stream, None) is None, "the rest of an epoch is dropped"


@pytest.mark.parametrize("workers", [0, 2])
def test_no_global_random_number_generator_is_used(dataset, workers):
    def states():
        return torch.get_rng_state().tolist(), random.getstate(), str(np.random.get_state())  # noqa: NPY002

    before = states()
    list(training_batches(dataset, 2, 2, workers=workers))
    assert states() == before


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("first_step", [0, 1, 3, 5, 8, 9, 20])
def test_a_stream_that_starts_anywhere_goes_on_as_an_uninterrupted_one(dataset, first_step, workers):
    whole = list(training_batches(dataset, 2, epochs=3))
    assert len(whole) == 9
    rest = list(training_batches(dataset, 2, epochs=3, first_step=first_step, workers=workers))
    assert same_batches(rest, whole[first_step:])
    assert all(batch.features.transpose(1, 2).is_contiguous() for batch in rest)


def test_what_comes_before_the_first_step_is_not_read(dataset, monkeypatch, tmp_path):
    read = logged(monkeypatch, tmp_path / "log")
    (batch,) = training_batches(dataset, 2, epochs=2, first_step=5)
    assert [video for _, video in read()] == [item.video for item in batch.items]


def test_two_streams_side_by_side_do_not_disturb_each_other(dataset):
    whole = list(training_batches(dataset, 2, epochs=2))
    first, second = training_batches(dataset, 2, 2), training_batches(dataset, 2, 2, first_step=3)
    dataset.epoch = 7  # means single items
    assert same_batches([next(second), next(first), next(second), next(first)], [whole[i] for i in (3, 0, 4, 1)])


def test_batches_are_padded_to_their_own_length(dataset):
    original, short = (list(training_batches(dataset, 2, 4, align=align)) for align in (0, 4))
    assert len({batch.mask.shape[1] for batch in short}) > 2
    for own, batch in zip(short, original, strict=True):
        assert batch.features.shape == (2, 6, 64)
        assert batch.mask.sum(1).tolist() == [item.features.shape[1] for item in batch.items]
        assert not batch.features.masked_select(~batch.mask[:, None]).any()
        length = padded_batch_length(int(batch.mask.sum(1).max()), 64, 4)
        assert torch.equal(own.features, batch.features[:, :, :length])
        assert torch.equal(own.mask, batch.mask[:, :length])


@pytest.mark.parametrize("ranks", [2, 3, 6])
def test_the_ranks_share_every_batch(dataset, ranks):
    together = list(training_batches(dataset, 6, 3))
    shares = [list(training_batches(dataset, 6, 3, rank=rank, ranks=ranks, align=4)) for rank in range(ranks)]
    for batch, parts in zip(together, zip(*shares, strict=True), strict=True):
        assert [item.video for part in parts for item in part.items] == [item.video for item in batch.items]
        assert all(len(part.items) == 6 // ranks for part in parts)
        for part in parts:  # each is as long as its own rows need
            assert part.mask.shape[1] == padded_batch_length(int(part.mask.sum(1).max()), 64, 4)
        features = torch.cat([torch.nn.functional.pad(p.features, (0, 64 - p.features.shape[2])) for p in parts])
        assert torch.equal(features, batch.features)


def test_a_batch_that_does_not_divide_by_the_devices_is_refused_at_once(dataset):
    message = r"optim\.batch_size 5 does not divide by 2 devices; use fewer devices, or raise optim\.batch_size to 6"
    with pytest.raises(ValueError, match=message):
        training_batches(dataset, 5, 1, ranks=2)


def test_videos_without_annotation_come_through_worker_processes(root):
    dataset = training_set(root, tiny_recipe())
    dataset.videos = [video.__class__(**vars(video) | {"labels": video.labels[:0]}) for video in dataset.videos]
    for batch in training_batches(dataset, 3, 1, workers=1):
        assert batch.segments == batch.labels == [None] * 3
        assert [(item.segments, item.labels) for item in batch.items] == [(None, None)] * 3


# ---- worker processes


def wait_for(condition, seconds=120):
    """Whether a condition comes true in time."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_workers_read_ahead_over_the_borders_of_epochs_and_live_through_them(dataset, monkeypatch, tmp_path):
    whole = list(training_batches(dataset, 6, 5))  # an epoch is one batch
    read = logged(monkeypatch, tmp_path / "log")
    with closing(training_batches(dataset, 6, 5, workers=2)) as stream:
        found = [next(stream)]
        assert wait_for(lambda: len(read()) >= 3 * 6)  # of the epochs to come
        found += list(stream)
    assert same_batches(found, whole)
    assert len(read()) == 30
    processes = {process for process, _ in read()}
    assert len(processes) == 2 and str(os.getpid()) not in processes


def test_workers_end_with_the_stream(dataset):
    before = set(multiprocessing.active_children())
    stream = training_batches(dataset, 2, 50, workers=2)
    next(stream)
    assert len(set(multiprocessing.active_children()) - before) == 2
    stream.close()
    assert set(multiprocessing.active_children()) == before
    list(training_batches(dataset, 2, 2, workers=2))
    assert set(multiprocessing.active_children()) == before


def test_an_interrupt_ends_the_workers_although_its_traceback_is_kept(dataset, monkeypatch):
    before = set(multiprocessing.active_children())
    stream = training_batches(dataset, 2, 50, workers=2)
    next(stream)
    loader = stream.gi_frame.f_locals["loaded"]
    monkeypatch.setattr(loader, "_next_data", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt) as kept:
        next(stream)
    assert set(multiprocessing.active_children()) == before
    assert kept.traceback


@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_file_is_reported_as_it_is_when_its_turn_comes(tmp_path, workers):
    write_tiny_data(tmp_path)
    dataset = training_set(tmp_path, tiny_recipe(), seed=3)
    order = [[item.video for item in batch.items] for batch in training_batches(dataset, 2, 1)]
    path = tmp_path / f"tiny/features/{order[2][1]}.npy"
    path.write_bytes(path.read_bytes()[:200])
    stream = training_batches(dataset, 2, 3, workers=workers)
    assert [[item.video for item in next(stream).items] for _ in range(2)] == order[:2]
    with pytest.raises(ValueError) as raised:
        next(stream)
    assert str(raised.value).startswith(f"{path} is not a readable feature file for video '{order[2][1]}': ")
    assert "\n" not in str(raised.value)
    assert not multiprocessing.active_children()


ENDLESS = """
from pathlib import Path
from tiny_data import tiny_recipe, training_set
from afkit.data.batches import training_batches
for step, _ in enumerate(training_batches(training_set(Path(sys.argv[1]), tiny_recipe()), 2, 10**6, workers=2)):
    if step == 5:
        print("running", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="sends a signal to a process group")
def test_ctrl_c_ends_the_training_and_its_workers(root):
    """Every process of the group gets the signal, as from a terminal."""
    process = subprocess.Popen(
        python(ENDLESS, root),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    try:
        assert process.stdout.readline() == "running\n"
        os.killpg(process.pid, signal.SIGINT)
        errors = process.communicate(timeout=300)[1]  # its end closes the pipes only when no worker is left
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    assert errors.count("KeyboardInterrupt") == 1
    assert process.returncode == -signal.SIGINT
