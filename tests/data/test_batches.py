"""Batches: padding, masks, order, and worker processes."""

import numpy as np
import pytest
import torch
from tiny_data import tiny_recipe, training_set, write_tiny_data

from afkit.data.batches import collate, training_batches
from afkit.data.items import Item


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with the tiny data set."""
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root)
    return root


def test_items_are_padded_with_zeros():
    one = Item("a", torch.ones(2, 3), torch.tensor([[0.0, 1.0]]), torch.tensor([4]), 1.0, 1.0, 1.0, 1.0)
    two = Item("b", 2 * torch.ones(2, 5), None, None, 1.0, 1.0, 1.0, 1.0)
    batch = collate([one, two], 6)
    assert batch.features[:, 0].tolist() == [[1, 1, 1, 0, 0, 0], [2, 2, 2, 2, 2, 0]]
    assert batch.mask.tolist() == [[True] * 3 + [False] * 3, [True] * 5 + [False]]
    assert (batch.features.dtype, batch.mask.dtype) == (torch.float32, torch.bool)
    assert batch.segments == [one.segments, None]
    assert batch.labels == [one.labels, None]
    assert batch.items == [one, two]


def test_an_item_longer_than_the_batch_is_named():
    item = Item("a", torch.ones(2, 7), None, None, 1.0, 1.0, 1.0, 1.0)
    with pytest.raises(ValueError, match="video 'a' has 7 steps, more than the 6 of the batch"):
        collate([item], 6)


def order_of(dataset, epoch, batch_size):
    """Names of the videos, batch by batch."""
    return [[item.video for item in batch.items] for batch in training_batches(dataset, epoch, batch_size)]


def test_every_epoch_shuffles_and_drops_the_rest(root):
    dataset = training_set(root, tiny_recipe(), seed=1)
    orders = [order_of(dataset, epoch, 4) for epoch in range(20)]
    assert all([len(batch) for batch in order] == [4] for order in orders)
    assert len({tuple(order[0]) for order in orders}) > 10
    assert all(len(set(order[0])) == 4 for order in orders)
    seen = {name for order in orders for name in order[0]}
    assert seen == {f"video{number}" for number in range(6)}  # none is left out for ever
    whole = [name for batch in order_of(dataset, 0, 2) for name in batch]
    assert sorted(whole) == sorted(seen)


def test_order_depends_on_seed_and_epoch_alone(root):
    recipe = tiny_recipe()
    first = [order_of(training_set(root, recipe, seed=1), epoch, 2) for epoch in range(3)]
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    dataset = training_set(root, recipe, seed=1)
    assert [order_of(dataset, epoch, 2) for epoch in (2, 0, 1)] == [first[2], first[0], first[1]]
    assert [order_of(training_set(root, recipe, seed=2), epoch, 2) for epoch in range(3)] != first


def same_batches(a, b):
    """Whether two lists of batches are equal, bit by bit."""
    return len(a) == len(b) and all(
        torch.equal(x.features, y.features)
        and torch.equal(x.mask, y.mask)
        and all(torch.equal(s, t) for s, t in zip(x.segments + x.labels, y.segments + y.labels, strict=True))
        for x, y in zip(a, b, strict=True)
    )


def test_batches_have_the_length_of_training(root):
    for batch in training_batches(training_set(root, tiny_recipe()), 0, 2):
        assert batch.features.shape == (2, 6, 64)
        assert batch.mask.sum(1).tolist() == [item.features.shape[1] for item in batch.items]
        assert not batch.features.masked_select(~batch.mask[:, None]).any()


def test_an_epoch_repeats_and_another_has_other_crops(root):
    dataset = training_set(root, tiny_recipe(data__crop_ratio=(0.5, 1.0)))
    first, again, other = (list(training_batches(dataset, epoch, 6)) for epoch in (0, 0, 1))
    assert same_batches(first, again)
    lengths = [{item.video: item.features.shape[1] for item in batch[0].items} for batch in (first, other)]
    assert lengths[0] != lengths[1]


def test_two_epochs_side_by_side_keep_their_crops(root):
    recipe = tiny_recipe(data__crop_ratio=(0.5, 1.0))
    apart = [list(training_batches(training_set(root, recipe), epoch, 2)) for epoch in (0, 1)]
    dataset = training_set(root, recipe)
    first, second = training_batches(dataset, 0, 2), training_batches(dataset, 1, 2)
    assert same_batches(list(second), apart[1])
    assert same_batches(list(first), apart[0])


def test_worker_processes_change_nothing(root):
    dataset = training_set(root, tiny_recipe(data__crop_ratio=(0.5, 1.0)), seed=3)
    alone = [list(training_batches(dataset, epoch, 2)) for epoch in (0, 1)]
    helped = [list(training_batches(dataset, epoch, 2, workers=2)) for epoch in (0, 1)]
    assert all(same_batches(a, b) for a, b in zip(alone, helped, strict=True))


def test_too_few_videos_are_refused_at_once(root):
    with pytest.raises(ValueError, match=r"6 training videos do not fill a batch of 7; lower optim\.batch_size or add"):
        training_batches(training_set(root, tiny_recipe()), 0, 7)
