"""Sizes that no machine has are refused before memory is taken; all that anybody might want is not."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from run_folders import write_run, write_test_data
from tiny_data import tiny_recipe

from afkit import limits
from afkit.__main__ import main
from afkit.config import make_recipe
from afkit.files import read_json, write_json
from afkit.limits import memory_bytes, numbers_learnt
from afkit.model.actionformer import ActionFormer, build_model
from afkit.recipes import recipe, recipe_names
from afkit.workbench.runs.pipeline import run
from afkit.workbench.runs.predicting import open_predictor

HUGE = [
    ("data.num_classes", 10**9),
    ("data.input_dims", [10**9]),
    ("data.max_seq_len", 2**40),
    ("data.downsample", 10**9),
    ("model.embed_dim", 10**9),
    ("model.stream_dims", [10**9]),
    ("model.neck_dim", 10**9),
    ("model.head_dim", 10**9),
    ("model.heads", 10**9),
    ("model.windows", 10**9),
    ("model.windows", [3, 10**9, 3]),
    ("model.embed_layers", 10**5),
    ("model.stem_layers", 10**5),
    ("model.head_layers", 10**5),
    ("model.branch_layers", 1000),
    ("model.branch_layers", 10**9),
    ("model.scale_factor", 10**9),
    ("model.embed_kernel", 10**6 + 1),
    ("model.head_kernel", 10**6 + 1),
    ("decode.pre_nms_topk", 10**12),
    ("decode.max_segments", 10**12),
    ("optim.batch_size", 10**9),
    ("optim.epochs", 10**9),
    ("optim.warmup_epochs", 10**9),
]


@pytest.mark.parametrize(("parameter", "value"), HUGE)
def test_a_setting_that_is_too_large_is_named(parameter, value):
    with pytest.raises(ValueError) as caught:
        recipe("thumos_i3d", {parameter: value})
    assert f"parameter '{parameter}" in str(caught.value) and "less than or equal to" in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        (
            {"model.windows": 50_001, "data.max_seq_len": 2304},
            "model.windows 50001",
        ),  # of which a long recording is padded to a multiple
        ({"model.embed_dim": 2**16}, "model.embed_dim 65536"),
        ({"model.windows": 2001, "model.embed_dim": 1024}, "model.windows 2001"),
        ({"data.num_classes": 2**17}, "data.num_classes 131072"),
        ({"data.input_dims": [2**17] * 2}, "data.input_dims [131072, 131072]"),
        ({"model.head_dim": 2**17}, "model.head_dim 131072"),
    ],
)
def test_settings_that_are_too_large_together_are_named(overrides, named):
    with pytest.raises(ValueError) as caught:
        recipe("thumos_i3d", {"data.max_seq_len": 2**20} | overrides)
    assert named in str(caught.value)


@settings(max_examples=100)
@given(st.data())
def test_any_setting_that_somebody_might_want_is_taken(data):
    def draw(*choices):
        return data.draw(st.sampled_from(choices))

    levels, scale = draw(*range(1, 10)), draw(2, 3)
    width = draw(64, 512, 1024, 2048, 4096, 8192)
    settings = {
        "data.num_classes": draw(1, 20, 1000, 20_000),
        "data.input_dims": draw([2048], [9000], [2304, 1536, 256]),
        "data.max_seq_len": scale ** (levels - 1) * draw(1, 9, 36, 64),
        "model.embed_dim": width,
        "model.heads": draw(1, 4, 16, 64),
        "model.windows": draw(-1, 5, 19, 37, 129),
        "model.scale_factor": scale,
        "model.branch_layers": levels - 1,
        "model.regression_ranges": [(0, 4)] * levels,
        "model.neck": draw("identity", "fpn"),
        "model.head_layers": draw(1, 3, 8),
        "model.stem_layers": draw(0, 2, 12),
        "model.embed_kernel": draw(1, 3, 15),
        "optim.batch_size": draw(1, 16, 1024),
        "optim.epochs": draw(1, 1000),
        "decode.pre_nms_topk": draw(1, 5000, 100_000),
        "decode.max_segments": draw(1, 2000, 100_000),
    }
    assert make_recipe({"name": "any"}, {"data.annotations": "a", "data.features": ["f"], "data.stride_frames": 4,
                                         "data.num_frames": 4, **settings}).model.embed_dim == width  # fmt: skip


VARIANTS = {
    "fpn": {"model.neck": "fpn", "model.neck_dim": 384, "model.head_layers": 5, "model.head_dim": 640},
    "convolutions": {"model.backbone": "conv", "model.head_layers": 1, "model.stem_layers": 4},
    "positions": {
        "model.absolute_position": True,
        "model.relative_position": True,
        "model.windows": 4001,
        "model.heads": 512,
    },
    "wide": {"model.embed_dim": 8192, "model.embed_kernel": 7, "model.embed_layers": 1},
    "classes": {"data.num_classes": 50_000},
}


@pytest.mark.parametrize("name", [*recipe_names(), *VARIANTS])
def test_the_numbers_of_a_network_are_known_before_it_is_built(name):
    own = recipe("thumos_i3d", VARIANTS[name]) if name in VARIANTS else recipe(name)
    with torch.device("meta"):  # takes no memory
        model = ActionFormer(own)
    real = sum(part.numel() for part in (*model.parameters(), *model.buffers()))
    assert sum(numbers_learnt(own.data, own.model).values()) == pytest.approx(real, rel=0.1)


@pytest.mark.parametrize(
    ("overrides", "named"),
    [
        ({"model.embed_dim": 2**17}, "lower model.embed_dim, now 131072, or model.branch_layers, now 5"),
        ({"model.embed_dim": 2**16, "model.stem_layers": 256}, "or model.stem_layers, now 256"),
    ],
)
def test_a_network_that_this_machine_cannot_hold_is_not_begun(tmp_path, overrides, named):
    assert memory_bytes() < math.inf
    with pytest.raises(ValueError, match=r"the network of recipe 'thumos_i3d' needs about \S+ GB, and this") as caught:
        build_model(recipe("thumos_i3d", overrides))
    assert named in str(caught.value)
    with pytest.raises(ValueError, match="the network of recipe 'watch' needs about"):
        run("watch", overrides=overrides, data_root=str(tmp_path / "data"), results=str(tmp_path / "results"))
    assert list(tmp_path.iterdir()) == [], "it is said before anything is written"


def test_where_the_system_does_not_tell_its_memory_networks_are_built(monkeypatch):
    monkeypatch.delattr(limits.os, "sysconf")
    assert memory_bytes() == math.inf
    build_model(tiny_recipe())


@pytest.mark.parametrize(("parameter", "value"), [("embed_dim", 10**9), ("embed_dim", 2**17), ("stem_layers", 10**5)])
def test_the_run_of_a_stranger_takes_no_memory(tmp_path, parameter, value, capsys):
    write_test_data(tmp_path / "data")
    folder = write_run(tmp_path / "run", data_root=tmp_path / "data")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "ema.safetensors").write_bytes(b"")
    facts = read_json(folder / "run.json")
    facts["recipe"]["model"][parameter], facts["recipe"]["data"]["fps"] = value, 10.0
    write_json(folder / "run.json", facts)
    with pytest.raises(ValueError, match=f"model.{parameter}"):
        open_predictor(folder, "ema")
    assert main(["predict", str(folder), str(folder)]) == 2 and f"model.{parameter}" in capsys.readouterr().err
