"""Networks of transformers on a GPU, in half precision, give nearly the features of a processor."""

import numpy as np
import pytest
import torch
from gpu_device import DEVICE, needs_device

from afkit.workbench.media.pretrained import half_precision, load_pretrained

transformers = pytest.importorskip("transformers", reason="networks are those of transformers")
pytestmark = needs_device


def test_features_of_a_few_clips_agree_to_half_precision(tmp_path, monkeypatch):
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128}
    config = transformers.VideoMAEConfig(image_size=32, patch_size=16, num_frames=4, **sizes)
    transformers.VideoMAEModel(config).save_pretrained(tmp_path)
    clips = np.random.default_rng(0).integers(0, 256, (3, 4, 32, 32, 3), np.uint8)
    found = load_pretrained(str(tmp_path))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    exact = load_pretrained(str(tmp_path))
    assert found.weights == exact.weights
    difference = np.abs(found.run(clips) - exact.run(clips)).max()
    assert difference < 0.01 and (difference > 0) == (half_precision(DEVICE) is not None)
