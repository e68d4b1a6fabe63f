"""Recall@kx: cases with a known answer, and plain loops as the reference."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from random_tables import crowded_tables, tiou_by_definition

from afkit.evaluation.scores import evaluate


def falling(scores):
    return np.argsort(-scores, kind="stable")


def falling_as_the_original(scores):
    return np.argsort(scores)[::-1]


def recall_by_loops(gt, predictions, tiou, k, order=falling):
    per_class = []
    for label, gt_of_class in gt.groupby("label"):
        found = 0
        for video, truths in gt_of_class.groupby("video"):
            mine = predictions[(predictions["video"] == video) & (predictions["label"] == label)]
            top = list(mine.iloc[order(mine["score"].to_numpy())].itertuples())[: k * len(truths)]
            found += sum(any(tiou_by_definition(t, p) >= tiou for p in top) for t in truths.itertuples())
        per_class.append(found / len(gt_of_class))
    return np.mean(per_class)


@settings(deadline=None, max_examples=100)
@given(crowded_tables())
def test_recall_agrees_with_plain_loops(tables):
    result = evaluate(*tables, [0.5, 0.75])
    for tiou in (0.5, 0.75):
        for k in (1, 5):
            assert result.recall.loc[tiou, k] == pytest.approx(recall_by_loops(*tables, tiou, k))


def test_official_recall_takes_equal_scores_in_the_order_of_the_original_within_each_video():
    rng = np.random.default_rng(0)
    number = 600  # long enough that the order of equal scores differs between a class and its part in a video
    gt = pd.DataFrame({"video": rng.choice(["a", "b", "c"], 60), "start_sec": np.arange(60.0) * 10, "label": 4})
    gt = gt.assign(end_sec=gt["start_sec"] + 10, label=rng.choice([4, 7], 60))
    start = rng.choice(gt["start_sec"], number)
    columns = {"video": rng.choice(["a", "b", "c", "d"], number), "start_sec": start, "end_sec": start + 8}
    predictions = pd.DataFrame(
        columns | {"label": rng.choice([4, 7, 9], number), "score": (rng.integers(0, 3, number) / 4).astype(np.float32)}
    )
    expected = {
        label_remap: [recall_by_loops(gt, predictions, 0.5, k, order) for k in (1, 5)]
        for label_remap, order in (("fixed", falling), ("official", falling_as_the_original))
    }
    for label_remap, recall in expected.items():
        assert evaluate(gt, predictions, [0.5], label_remap).recall.loc[0.5].tolist() == pytest.approx(
            recall, abs=1e-12
        )
    assert expected["fixed"] != expected["official"]
