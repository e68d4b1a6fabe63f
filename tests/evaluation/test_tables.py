"""What a user can get wrong in the tables and arguments of `evaluate` is named."""

import numpy as np
import pytest
from random_tables import random_gt, random_predictions

from afkit.evaluation.scores import evaluate

TIOUS = [0.3, 0.5]


def with_value(predictions, row, column, value):
    return predictions.assign(**{column: predictions[column].astype(object).where(predictions.index != row, value)})


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("score", np.nan, "row 7 of predictions has score nan"),
        ("score", None, "row 7 of predictions has score None"),
        ("start_sec", np.inf, "row 7 of predictions has start_sec inf"),
        ("label", 1.5, "row 7 of predictions has label 1.5"),
        ("video", None, "row 7 of predictions has video"),
        ("end_sec", "soon", "column end_sec of predictions does not hold numbers"),
    ],
)
def test_a_bad_value_is_named(column, value, message):
    with pytest.raises(ValueError, match=message):
        evaluate(random_gt(0), with_value(random_predictions(0), 7, column, value), TIOUS)


def test_bad_arguments_are_named():
    gt, predictions = random_gt(0), random_predictions(0)
    with pytest.raises(ValueError, match="predictions lacks the columns label, score"):
        evaluate(gt, predictions.drop(columns=["score", "label"]), TIOUS)
    with pytest.raises(ValueError, match="gt lacks the columns video"):
        evaluate(gt.drop(columns="video"), predictions, TIOUS)
    with pytest.raises(ValueError, match="gt has no rows"):
        evaluate(gt.iloc[:0], predictions, TIOUS)
    with pytest.raises(ValueError, match="choose from: fixed, official"):
        evaluate(gt, predictions, TIOUS, label_remap="oficial")
    with pytest.raises(ValueError, match="64 tIoU thresholds"):
        evaluate(gt, predictions, np.linspace(0.1, 0.9, 64))
    with pytest.raises(ValueError, match="0 tIoU thresholds"):
        evaluate(gt, predictions, [])
    for tious in ([0.0, 0.5], [50], [np.nan]):
        with pytest.raises(ValueError, match="above 0 and at most 1"):
            evaluate(gt, predictions, tious)
