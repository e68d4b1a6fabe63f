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
@pytest.mark.parametrize("problem", range(30))
def test_answers_equal_the_original(problem, backend):
    saved = arrays("nms/nms.npz")
    name = f"p{problem:02d}"
    inputs = [torch.from_numpy(saved[f"{name}.{part}"]) for part in ("segs", "scores", "labels")]
    variants = [entry for entry in content("nms/nms.json") if entry["problem"] == problem]
    assert len(variants) == 6
    for entry in variants:
        segments, scores, labels = nms(*inputs, **settings_of(entry), backend=backend)
        expected = f"{name}.v{entry['variant']}"
        assert len(scores) == entry["n_out"]
        np.testing.assert_array_equal(labels, saved[f"{expected}.labels"])
        np.testing.assert_allclose(scores, saved[f"{expected}.scores"], rtol=0, atol=SCORES)
        voted = entry["voting_thresh"] > 0 and not entry["multiclass"]
        largest = inputs[0].abs().max().item() if len(inputs[0]) else 0
        tolerance = VOTED * largest if voted else 0
        np.testing.assert_allclose(segments, saved[f"{expected}.segs"], rtol=0, atol=tolerance)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("entry", content("nms_tridet/nms_tridet.json"), ids=lambda entry: f"p{entry['problem']:02d}")
def test_votes_by_score_alone_equal_those_of_tridet(entry, backend):
    saved, theirs = arrays("nms/nms.npz"), arrays("nms_tridet/nms_tridet.npz")
    name = f"p{entry['problem']:02d}"
    inputs = [torch.from_numpy(saved[f"{name}.{part}"]) for part in ("segs", "scores", "labels")]
    found = nms(*inputs, **settings_of(entry), voting_weight="score", backend=backend)
    expected = [theirs[f"{name}.v{entry['variant']}.{part}"] for part in ("segs", "scores", "labels")]
    largest = inputs[0].abs().max().item()
    for ours, wanted, tolerance in zip(found, expected, (VOTED * largest, SCORES, 0), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=0, atol=tolerance)


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
