"""From logits and offsets to candidates: the original's candidates, and every limit by hand."""

import numpy as np
import pytest
import torch
from tiny_data import tiny_recipe

from afkit.detect.decoding import decode
from afkit.model.actionformer import Output


def test_candidates_equal_the_original(config):
    """From its own logits and offsets; within a level the order of equal scores is free."""
    levels = range(config.recipe.model.num_levels)
    for case, saved in config.cases():
        logits, offsets, masks = (
            [torch.from_numpy(saved[f"{name}_{level}"])[None] for level in levels]
            for name in ("logits", "offsets", "mask")
        )
        points = [torch.from_numpy(saved[f"points_{level}"]) for level in levels]
        ((segments, scores, labels),) = decode(Output(logits, offsets, masks, points), config.recipe)
        expected = saved["dec_scores"]
        assert len(scores) == len(expected), case
        np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-5)
        # runs of equal scores, which stay within their level, are sorted by the rest
        runs = np.cumsum(np.diff(expected, prepend=expected[:1]) != 0)
        ours, theirs = (segments.numpy(), labels.numpy()), (saved["dec_segments"], saved["dec_labels"])
        orders = [np.lexsort((ends[:, 1], ends[:, 0], classes, runs)) for ends, classes in (ours, theirs)]
        np.testing.assert_array_equal(ours[1][orders[0]], theirs[1][orders[1]])
        np.testing.assert_allclose(ours[0][orders[0]], theirs[0][orders[1]], rtol=1e-6, atol=1e-5)


def output(*levels, videos=1):
    """Levels as (stride, probabilities (T, K), offsets (T, 2), mask (T,)), the same for every video."""
    logits, offsets, masks, points = [], [], [], []
    for stride, probability, offset, mask in levels:
        probability = torch.tensor(probability, dtype=torch.float32)
        logits.append(probability.logit().expand(videos, -1, -1).clone())
        offsets.append(torch.tensor(offset, dtype=torch.float32).expand(videos, -1, -1).clone())
        masks.append(torch.tensor(mask).expand(videos, -1).clone())
        position = torch.arange(len(mask)) * float(stride)
        points.append(torch.stack([position, *torch.tensor([0.0, 99.0, stride]).expand(len(mask), 3).unbind(1)], dim=1))
    return Output(logits, offsets, masks, points)


def rows(candidates):
    """[(onset, end, score, label)] rounded to five digits."""
    segments, scores, labels = candidates
    return [
        (round(s[0], 5), round(s[1], 5), round(p, 5), k)
        for s, p, k in zip(segments.tolist(), scores.tolist(), labels.tolist(), strict=True)
    ]


def test_masked_points_give_nothing():
    out = output((1, [[0.9], [0.8]], [[1, 1], [1, 1]], [True, False]))
    out.logits[0][0, 1] = torch.nan
    out.offsets[0][0, 1] = torch.nan
    assert rows(decode(out, tiny_recipe())[0]) == [(-1, 1, 0.9, 0)]


def test_the_score_must_be_above_the_threshold():
    out = output((1, [[0.5], [0.25]], [[1, 1], [1, 1]], [True, True]))
    for threshold, count in ((0.5, 0), (0.49, 1), (0.25, 1), (0.0, 2)):
        assert len(decode(out, tiny_recipe(decode__pre_nms_thresh=threshold))[0][1]) == count
    silent = output((1, [[0.5], [0.5]], [[1, 1], [1, 1]], [True, False]))
    assert len(decode(silent, tiny_recipe(decode__pre_nms_thresh=0.0))[0][1]) == 1


def test_the_length_must_be_above_the_threshold():
    out = output((2, [[0.5], [0.4], [0.3]], [[0.25, 0.25], [0.25, 0.5], [0, 0]], [True] * 3))  # lengths 1, 1.5, 0
    for threshold, scores in ((1.0, [0.4]), (0.99, [0.5, 0.4]), (0.0, [0.5, 0.4]), (1.5, [])):
        found = decode(out, tiny_recipe(decode__duration_thresh=threshold))[0]
        assert found[1].tolist() == pytest.approx(scores)


def test_the_best_of_each_level_are_kept_before_the_length_is_looked_at():
    level = (1, [[0.9, 0.8], [0.7, 0.6]], [[0, 0], [1, 1]], [True, True])
    found = decode(output(level, level), tiny_recipe(decode__pre_nms_topk=3))[0]
    assert found[1].tolist() == pytest.approx([0.7, 0.7])  # 0.9, 0.8, 0.7 of each level; two are too short


def test_videos_of_a_batch_are_decoded_apart():
    out = output((1, [[0.9], [0.8]], [[1, 1], [2, 2]], [True, True]), videos=2)
    out.masks[0][1, 0] = False
    first, second = decode(out, tiny_recipe())
    assert rows(first) == [(-1, 1, 0.9, 0), (-1, 3, 0.8, 0)]
    assert rows(second) == [(-1, 3, 0.8, 0)]


def test_nothing_above_the_threshold_gives_empty_tensors():
    (found,) = decode(output((1, [[1e-6]], [[1, 1]], [True])), tiny_recipe())
    assert [tuple(tensor.shape) for tensor in found] == [(0, 2), (0,), (0,)]
    assert found[2].dtype == torch.int64
