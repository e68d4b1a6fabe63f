"""Published detections (AutoLoc, ECCV 2018) get their known scores on THUMOS14 and ActivityNet 1.2."""

import pytest
from golden_files import SHARED

from afkit.data.annotations import read_annotations, to_frame
from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis.result_files import read_predictions

FOLDER = SHARED.parent / "data" / "autoloc"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is not there (AFKIT_SHARED names its parent)")

LOW = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
HIGH = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]


@pytest.mark.parametrize("label_remap", ["fixed", "official"])
@pytest.mark.parametrize(
    ("name", "clean", "tious", "percent"),
    [
        ("th14", True, LOW, [46.67, 41.71, 35.77, 29.02, 21.21, 13.40, 5.80, 1.56, 0.21]),
        ("anet12", True, HIGH, [27.37, 24.98, 22.54, 19.93, 17.50, 15.17, 12.99, 10.04, 6.84, 3.28]),
    ],
)
def test_scores_to_two_decimals(name, clean, tious, percent, label_remap):
    annotations = read_annotations(FOLDER / f"{name}_gt.json")
    predictions = read_predictions(FOLDER / f"{name}_pred.json", annotations.label_names)
    gt = to_frame(annotations.videos.values(), clean)
    assert (100 * evaluate(gt, predictions, tious, label_remap).map).round(2).tolist() == percent


def test_the_published_row_counts_seven_duplicates():
    annotations = read_annotations(FOLDER / "anet12_gt.json")
    predictions = read_predictions(FOLDER / "anet12_pred.json", annotations.label_names)
    everything, cleaned = (to_frame(annotations.videos.values(), clean) for clean in (False, True))
    assert len(everything) - len(cleaned) == 7
    percent = 100 * evaluate(everything, predictions, HIGH).map
    published = [27.3, 24.9, 22.5, 19.9, 17.5, 15.1, 13.0, 10.0, 6.8, 3.3]
    assert percent.tolist() == pytest.approx(published, abs=0.1)  # its digits are cut, not rounded
