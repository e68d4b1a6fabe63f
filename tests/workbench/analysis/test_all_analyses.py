"""What holds for every analysis of two tables: they stay as they are, and unusable ones are named."""

import pandas as pd
import pytest
from random_tables import random_gt, random_predictions

from afkit.workbench.analysis.bootstrap import bootstrap_map, compare_runs
from afkit.workbench.analysis.calibration import calibration
from afkit.workbench.analysis.diagnosis import diagnose
from afkit.workbench.analysis.false_positives import false_positives
from afkit.workbench.analysis.matching import match_segments
from afkit.workbench.analysis.operating_point import operating_points

TIOUS = [0.3, 0.5]
ANALYSES = {
    "bootstrap": lambda gt, found, tious=TIOUS: bootstrap_map(gt, found, tious, 10),
    "paired test": lambda gt, found, tious=TIOUS: compare_runs(gt, found, found, tious, 10),
    "diagnosis": lambda gt, found, tious=TIOUS: diagnose(gt, found, tious, {}),
    "calibration": lambda gt, found, tious=(0.5,): calibration(gt, found, *tious),
    "false positives": lambda gt, found, tious=(0.5,): false_positives(gt, found, *tious),
    "operating points": lambda gt, found, tious=(0.5,): operating_points(gt, found, *tious),
    "matching": lambda gt, found, tious=(0.5,): match_segments(gt, found, *tious),
}


@pytest.mark.parametrize("name", ANALYSES)
def test_tables_stay_as_they_are_and_unusable_ones_are_named(name):
    analyse, gt, found = ANALYSES[name], random_gt(1), random_predictions(1)
    before = gt.copy(), found.copy()
    analyse(gt, found)
    pd.testing.assert_frame_equal(gt, before[0])
    pd.testing.assert_frame_equal(found, before[1])
    with pytest.raises(ValueError, match="predictions lacks the columns score"):
        analyse(gt, found.drop(columns="score"))
    with pytest.raises(ValueError, match="row 3 of predictions has score nan"):
        analyse(gt, found.assign(score=found["score"].where(found.index != 3)))
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        analyse(gt, found, [50])
    if name != "matching":  # which says what is found, also where nothing is
        with pytest.raises(ValueError, match="no video in common"):
            analyse(gt, found.assign(video="x"))
        with pytest.raises(ValueError, match=r"gt has no rows|no video in common"):
            analyse(gt.iloc[:0], found)
