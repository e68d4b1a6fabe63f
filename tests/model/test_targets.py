"""Which point learns which action: the original's targets, plain loops, and cases with a known answer."""

import numpy as np
import torch
from golden_files import arrays
from hypothesis import given, settings
from hypothesis import strategies as st

from afkit.config import LossConfig
from afkit.model.losses import assign_targets, pad_actions


def test_targets_equal_the_original(config):
    expected = arrays(f"{config.name}/train.npz")
    _, _, segments, labels = config.training_batch()
    points, actions = torch.from_numpy(expected["points"]), pad_actions(segments, labels, "cpu")
    classes, offsets = assign_targets(points, *actions, config.recipe.data.num_classes, config.recipe.loss)
    np.testing.assert_array_equal(classes, expected["gt_cls"])
    positive = (classes.sum(-1) > 0).numpy() & expected["valid_mask"]
    np.testing.assert_array_equal(positive, expected["pos_mask"])
    np.testing.assert_array_equal(offsets.numpy()[positive], expected["gt_offsets_at_pos"])
    assert positive.any()


def assign(points, actions, num_classes=4, **loss):
    """Targets for points (position, low, high, stride) and actions (onset, end, label), as lists."""
    segments = torch.tensor([action[:2] for action in actions], dtype=torch.float32).reshape(-1, 2)
    labels = torch.tensor([action[2] for action in actions], dtype=torch.int64)
    points = torch.tensor(points, dtype=torch.float32)
    # between two other videos: what a video gets must not depend on them
    batch = pad_actions([torch.tensor([[0.0, 90.0]] * 9), segments, None], [torch.zeros(9).long(), labels, None], "cpu")
    classes, offsets = assign_targets(points, *batch, num_classes, LossConfig(**loss))
    assert not classes[2].any()
    return [np.flatnonzero(row).tolist() for row in classes[1]], offsets[1].tolist(), classes[1]


def by_loops(point, actions, center):
    """(set of labels, offsets or None) of one point, as the description of the assignment reads."""
    position, low, high, stride = point
    taken = []
    for onset, end, label in actions:
        left, right = position - onset, end - position
        first, last = onset, end
        if center:
            middle = 0.5 * (onset + end)
            first, last = max(middle - 1.5 * stride, onset), min(middle + 1.5 * stride, end)
        if first < position < last and low <= max(left, right) <= high:
            taken.append((end - onset, label, [left / stride, right / stride]))
    if not taken:
        return set(), None
    shortest = min(length for length, _, _ in taken)
    labels = {label for length, label, _ in taken if length <= shortest + 1e-3}
    return labels, next(offsets for length, _, offsets in taken if length == shortest)


halves = st.integers(0, 80).map(lambda number: number / 2)  # exact in float32
ACTIONS = st.lists(
    st.tuples(halves, halves, st.integers(0, 3)).map(lambda a: (min(a[:2]), max(a[:2]) + 0.5, a[2])), max_size=8
)


@settings(max_examples=150)
@given(ACTIONS, st.booleans())
def test_targets_equal_plain_loops(actions, center):
    ranges = [(1, 0, 4), (2, 4, 8), (4, 8, 10000)]
    points = [(position, low, high, s) for s, low, high in ranges for position in range(0, 42, s)]
    labels, offsets, classes = assign(points, actions, center_sample="radius" if center else "none")
    assert classes.max() <= 1
    for point, found_labels, found_offsets in zip(points, labels, offsets, strict=True):
        expected_labels, expected_offsets = by_loops(point, actions, center)
        assert set(found_labels) == expected_labels, point
        if expected_offsets is not None:
            assert found_offsets == expected_offsets, point


WIDE = (0, 10000)


def test_only_points_near_the_centre_take_an_action():
    points = [(position, *WIDE, 2) for position in (46, 47, 47.5, 50, 52.5, 53, 54)]  # centre 50, radius 1.5 * 2
    near = [[], [], [1], [1], [1], [], []]
    assert assign(points, [(0, 100, 1)])[0] == near
    assert assign(points, [(0, 100, 1)], center_radius=1)[0] == [[], [], [], [1], [], [], []]
    assert assign(points, [(0, 100, 1)], center_sample="none")[0] == [[1]] * 7


def test_actions_of_equal_length_share_the_classes_and_the_first_gives_the_offsets():
    point = [(10, *WIDE, 1)]
    labels, offsets, _ = assign(point, [(6, 14, 3), (7, 15, 1), (0, 20, 0)], center_sample="none")
    assert (labels, offsets) == ([[1, 3]], [[4, 4]])
    labels, offsets, _ = assign(point, [(7, 15, 1), (6, 14, 3)], center_sample="none")
    assert (labels, offsets) == ([[1, 3]], [[3, 5]])
    longer = 14 + 2**-11  # 0.0005 more
    labels, offsets, _ = assign(point, [(6, longer, 3), (7, 15, 1)], center_sample="none")
    assert (labels, offsets) == ([[1, 3]], [[3, 5]])
    labels, offsets, _ = assign(point, [(6, 14 + 2**-9, 3), (7, 15, 1)], center_sample="none")
    assert (labels, offsets) == ([[1]], [[3, 5]])


def test_a_video_without_actions():
    labels, offsets, classes = assign([(0, *WIDE, 1), (1, *WIDE, 1)], [], num_classes=7)
    assert labels == [[], []]
    assert np.isfinite(offsets).all()
    assert classes.shape == (2, 7)
