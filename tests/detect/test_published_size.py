"""Networks of the published size on generated weights and input: outputs, and detections at the end."""

import zlib

import numpy as np
import pytest
import torch
from golden_files import LOGITS, OFFSETS, arrays, assert_same_detections, experiment, pad

from afkit.detect.decoding import decode_batch
from afkit.detect.prediction import suppress
from afkit.model.actionformer import build_model, padded_length
from afkit.segments import grid_to_sec


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
    return z / np.sqrt(shape[1] * shape[2])


@pytest.mark.slow
@torch.no_grad()
@pytest.mark.parametrize("name", ["thumos_i3d", "anet_tsp", "anet_i3d", "epic_slowfast_verb", "ego4d_omnivore_egovlp"])
def test_outputs_at_the_published_size(name):
    expected, recipe = arrays(f"full/{name}.npz"), experiment(name)
    model = build_model(recipe).eval()
    weights = {key: full_size_weight(key, tuple(value.shape)) for key, value in model.state_dict().items()}
    model.load_state_dict({key: torch.from_numpy(np.asarray(value, np.float32)) for key, value in weights.items()})
    steps = int(expected["mask_sum_0"])
    rng = np.random.default_rng(zlib.crc32(f"input.{name}".encode()))
    features = rng.standard_normal((sum(recipe.data.input_dims), steps)).astype(np.float32)
    assert [features.sum(dtype=float), np.abs(features).sum(dtype=float)] == pytest.approx(expected["input_checksum"])
    length = padded_length(steps, recipe)
    assert length == expected["padded_len"]
    out, thinned = model(*pad(features, length)), slice(None, None, int(expected["stride_sub"]))
    for level, mask in enumerate(out.masks):
        assert mask.sum() == expected[f"mask_sum_{level}"]
        for found, key, tolerance in ((out.logits, "logits", LOGITS), (out.offsets, "offsets", OFFSETS)):
            close = np.isclose(found[level][0, thinned], expected[f"{key}_{level}"], rtol=tolerance, atol=tolerance)
            assert close[mask[0, thinned].numpy()].all(), f"{key} of level {level}"
    candidates = decode_batch(out, recipe)
    assert len(candidates.scores) == pytest.approx(int(expected["n_dec"]), rel=1e-3)
    found = suppress(candidates, recipe)
    kept = [rows[0, : found.counts[0]] for rows in found[:3]]
    fps, duration, stride, num_frames = expected["meta"]
    seconds = grid_to_sec(kept[0], fps, stride, num_frames).clamp(0, duration)
    assert_same_detections((seconds, *kept[1:]), [expected[f"final_{key}"] for key in ("segments", "scores", "labels")])
