"""Networks of the published size on generated weights and input: outputs, and detections at the end."""

import re
import zlib

import numpy as np
import pytest
import torch
from golden_files import LOGITS, OFFSETS, OTHERS_AT_FULL_SIZE, arrays, assert_same_detections, experiment, pad
from tiny_networks import all_offsets

from afkit.detect.decoding import decode_batch
from afkit.detect.prediction import suppress
from afkit.model.actionformer import build_model, padded_length
from afkit.model.heads import Boundaries
from afkit.segments import grid_to_sec

TRIDENT = 1e-5  # of offsets that are expectations


def full_size_weight(name, shape):
    """The goldens' formula for weights of the published size, which are not shipped."""
    z = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith(".scale"):
        return (0.3 if shape else 1.0) + 0.1 * z
    if name == "cls_head.cls_head.conv.bias":
        return -5.5 + 0.3 * z
    if name == "reg_head.offset_head.conv.bias":
        return 1.5 + 0.3 * z
    if name.endswith(".bias"):
        return 0.1 * z
    if len(shape) == 3 and shape[0] == shape[2] == 1:
        return 1.0 + 0.1 * z  # a norm's weight
    if len(shape) == 1:
        return 1.0 + 0.1 * z  # of a norm over groups
    return z / np.sqrt(shape[1] * shape[2])


NAMES = ["thumos_i3d", "anet_tsp", "anet_i3d", "epic_slowfast_verb", "ego4d_omnivore_egovlp", *OTHERS_AT_FULL_SIZE]


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", NAMES)
def test_outputs_at_the_published_size(name):
    expected, recipe = arrays(f"full/{name}.npz"), experiment(OTHERS_AT_FULL_SIZE.get(name, name))
    model = build_model(recipe).eval()
    shared = recipe.model.neck_norm == "shared"  # one norm under the names of all levels: that of the first counts
    weights = {
        key: full_size_weight(re.sub(r"(fpn_norms\.)\d+", r"\g<1>0", key) if shared else key, tuple(value.shape))
        for key, value in model.state_dict().items()
    }
    model.load_state_dict({key: torch.from_numpy(np.asarray(value, np.float32)) for key, value in weights.items()})
    steps = int(expected["mask_sum_0"])
    rng = np.random.default_rng(zlib.crc32(f"input.{name}".encode()))
    features = rng.standard_normal((sum(recipe.data.input_dims), steps)).astype(np.float32)
    assert [features.sum(dtype=float), np.abs(features).sum(dtype=float)] == pytest.approx(expected["input_checksum"])
    length = padded_length(steps, recipe)
    assert length == expected["padded_len"]
    out, thinned = model(*pad(features, length)), slice(None, None, int(expected["stride_sub"]))
    for number, level in enumerate(out.levels()):
        assert level.mask.sum() == expected[f"mask_sum_{number}"]
        tolerance = TRIDENT if isinstance(level.offsets, Boundaries) else OFFSETS
        found = {"logits": (level.logits, LOGITS), "offsets": (all_offsets(out, number), tolerance)}
        if isinstance(level.offsets, Boundaries):
            found["bins"] = (level.offsets.bins, LOGITS)
        for key, (values, tolerance) in found.items():
            close = np.isclose(values[0, thinned], expected[f"{key}_{number}"], rtol=tolerance, atol=tolerance)
            assert close[level.mask[0, thinned].numpy()].all(), f"{key} of level {number}"
    candidates = decode_batch(out, recipe)
    assert len(candidates.scores) == pytest.approx(int(expected["n_dec"]), rel=1e-3)
    found = suppress(candidates, recipe)
    kept = [rows[0, : found.counts[0]] for rows in found[:3]]
    fps, duration, stride, num_frames = expected["meta"]
    seconds = grid_to_sec(kept[0], fps, stride, num_frames).clamp(0, duration)
    assert_same_detections((seconds, *kept[1:]), [expected[f"final_{key}"] for key in ("segments", "scores", "labels")])
