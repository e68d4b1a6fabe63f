"""Suppression of duplicates: the original's answers, element by element and in order."""

import numpy as np
import pytest
import torch
from golden_files import arrays, content

from afkit.detect.decoding import Candidates
from afkit.detect.operator import unavailable
from afkit.detect.prediction import suppress
from afkit.detect.suppression import nms
from afkit.segments import grid_to_sec

WITHOUT_CPP = unavailable("cpp")
BACKENDS = ["torch", pytest.param("cpp", marks=pytest.mark.skipif(bool(WITHOUT_CPP), reason=WITHOUT_CPP))]
SCORES = 6e-8  # one rounding of the exponential: of the 17 691 scores of nms.npz 19 differ in their last bit
VOTED = 1e-6  # of the largest time: a vote sums many segments, and the order of summing is not fixed (measured 2e-7)


def settings_of(entry):
    """A problem's settings by our names."""
    return {
        "method": "soft" if entry["use_soft_nms"] else "hard",
        "multiclass": entry["multiclass"],
        "iou_threshold": entry["iou_threshold"],
        "sigma": entry["sigma"],
        "min_score": entry["min_score"],
        "max_segments": entry["max_seg_num"],
        "voting_threshold": entry["voting_thresh"],
    }


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("folder", "weight"), [("nms", "score_iou"), ("nms_tridet", "score")])
def test_answers_equal_the_original(folder, weight, backend):
    """And those of TriDet, whose votes count the score alone, on the same candidates."""
    given, saved, entries = arrays("nms/nms.npz"), arrays(f"{folder}/{folder}.npz"), content(f"{folder}/{folder}.json")
    for entry in entries:
        name = f"p{entry['problem']:02d}"
        inputs = [torch.from_numpy(given[f"{name}.{part}"]) for part in ("segs", "scores", "labels")]
        segments, scores, labels = nms(*inputs, **settings_of(entry), voting_weight=weight, backend=backend)
        expected = f"{name}.v{entry['variant']}"
        np.testing.assert_array_equal(labels, saved[f"{expected}.labels"], err_msg=expected)
        np.testing.assert_allclose(scores, saved[f"{expected}.scores"], rtol=0, atol=SCORES, err_msg=expected)
        voted = entry["voting_thresh"] > 0 and not entry["multiclass"]
        largest = inputs[0].abs().max().item() if len(inputs[0]) else 0
        tolerance = VOTED * largest if voted else 0
        np.testing.assert_allclose(segments, saved[f"{expected}.segs"], rtol=0, atol=tolerance, err_msg=expected)
    assert len(entries) == {"nms": 180, "nms_tridet": 65}[folder]


@pytest.mark.parametrize("backend", BACKENDS)
def test_candidates_of_the_original_become_its_detections(config, backend):
    """From its decoded candidates the original's own answer is reproducible in every bit, so the order counts."""
    for case, expected in config.cases():
        candidates = [torch.from_numpy(expected[f"dec_{part}"]) for part in ("segments", "scores", "labels")]
        offsets = torch.tensor([0, len(candidates[1])])
        kept = suppress(Candidates(*candidates, offsets), config.recipe, backend)
        segments, scores, labels = (rows[0, : kept.counts[0]] for rows in kept[:3])
        fps, duration, stride, num_frames = expected["meta"]
        seconds = grid_to_sec(segments, fps, stride, num_frames).clamp(0, duration)
        order = slice(None)
        if config.recipe.decode.nms == "none":  # the original leaves them as they come; we sort
            order = np.argsort(-expected["final_scores"], kind="stable")
        np.testing.assert_array_equal(labels, expected["final_labels"][order], err_msg=case)
        np.testing.assert_allclose(scores, expected["final_scores"][order], rtol=0, atol=SCORES, err_msg=case)
        np.testing.assert_allclose(seconds, expected["final_segments"][order], rtol=VOTED, atol=0, err_msg=case)
