"""A stream on a GPU gives what the processor gives of the whole recording. Needs no notebooks and no data."""

import numpy as np
import pytest
import torch
from gpu_device import DEVICE, needs_device

import afkit
from afkit.recipes import recipe
from afkit.workbench.streaming.stream import Stream

pytestmark = needs_device


@pytest.mark.parametrize("backbone", ["transformer", "maxpool"])
def test_it_finds_on_the_device_what_the_processor_finds(backbone):
    stem = {"model.stem_layers": 0, "model.drop_path": 0} if backbone == "maxpool" else {}
    small = recipe("watch", {"model.backbone": backbone, "model.embed_dim": 32, "model.class_prior": 0.3} | stem)
    torch.manual_seed(0)
    model, vectors = afkit.build_model(small).eval(), np.random.default_rng(0).normal(size=(900, 30)).astype(np.float32)
    whole = afkit.predict(model, small, vectors, fps=50)
    threshold = float(whole["score"].quantile(0.5)) - 1e-4
    stream = Stream(model.to(DEVICE), small, fps=50, thresholds=threshold, longest_sec=60)
    tables = [stream.push(part) for part in np.array_split(vectors, 7)] + [stream.finish()]
    assert sum(map(len, tables)) > 20 and stream.beyond == (0, 0, 0)
    found = np.concatenate([table[["start_sec", "end_sec", "score"]].to_numpy(float) for table in tables])
    kept = whole[whole["score"] >= threshold][["start_sec", "end_sec", "score"]].to_numpy()
    assert abs(len(found) - len(kept)) <= 1  # one may lie on the threshold
    distances = np.abs(found[:, None] - kept[None]).max(axis=2).min(axis=1)
    assert np.quantile(distances, 0.95) < 1e-3
