"""Networks of transformers with random weights, functions of one's own, and what is no backbone."""

import json
import sys

import numpy as np
import pytest

pytest.importorskip("av", reason="films are read by PyAV")

import torch
from media_files import write_film

from afkit.workbench.media import pretrained
from afkit.workbench.media.backbones import grid_vectors, load_backbone
from afkit.workbench.media.films import write_film_features
from afkit.workbench.media.pretrained import half_precision, read_preprocessing

transformers = pytest.importorskip("transformers", reason="networks are those of transformers")

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
PREPROCESSOR = {"size": {"shortest_edge": 36}, "crop_size": {"height": 32, "width": 32}, "image_mean": [0.5] * 3}


def save_model(folder, kind, **preprocessor):
    """Save a tiny network with random weights."""
    torch.manual_seed(0)
    if kind == "videomae":
        config = transformers.VideoMAEConfig(image_size=32, patch_size=16, num_frames=4, **SMALL)
        model = transformers.VideoMAEModel(config)
    elif kind == "vjepa2":
        predictor = {f"pred_{name}": value for name, value in SMALL.items() if name != "intermediate_size"}
        sizes = {"crop_size": 32, "patch_size": 16, "frames_per_clip": 4, "tubelet_size": 2}
        small = SMALL | {"hidden_size": 24}
        predictor |= {"pred_hidden_size": 24}
        model = transformers.VJEPA2Model(transformers.VJEPA2Config(**sizes, **small, **predictor))
    elif kind == "dinov2":
        model = transformers.Dinov2Model(transformers.Dinov2Config(image_size=32, patch_size=16, **SMALL))
    else:
        vision, text = SMALL | {"image_size": 32, "patch_size": 16}, SMALL | {"vocab_size": 50_000}
        model = transformers.CLIPModel(
            transformers.CLIPConfig(vision_config=vision, text_config=text, projection_dim=12)
        )
    model.eval().save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR | preprocessor))
    return model


@pytest.mark.parametrize(
    ("kind", "width", "frames"), [("videomae", 16, 4), ("vjepa2", 24, 4), ("dinov2", 16, 8), ("clip", 12, 8)]
)
def test_a_network_gives_a_vector_for_each_clip(tmp_path, kind, width, frames):
    save_model(tmp_path / "model", kind)
    write_film(tmp_path / "film.mp4", [0.4], length_sec=1.0)
    made = write_film_features([tmp_path / "film.mp4"], tmp_path / "out", backbone=str(tmp_path / "model"))
    vectors = np.load(tmp_path / "out" / "film.npy")
    assert made[:4] == (width, frames // 2, frames, 25.0)
    assert vectors.shape == ((25 - frames) // (frames // 2) + 1, width) and vectors.std(axis=0).max() > 1e-3


def test_pictures_become_what_the_networks_own_configuration_says(tmp_path):
    model = save_model(tmp_path / "model", "videomae", image_std=[0.25] * 3)
    backbone = load_backbone(str(tmp_path / "model"))
    assert backbone.size(48, 64) == (36, 48) and backbone.size(64, 48) == (48, 36) and backbone.num_frames == 4
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 36, 48, 3), np.uint8)
    values = (torch.tensor(clips[:, :, 2:34, 8:40]) / 255 - 0.5) / 0.25
    with torch.no_grad():
        expected = model(pixel_values=values.permute(0, 1, 4, 2, 3)).last_hidden_state.mean(dim=1)
    np.testing.assert_allclose(backbone.run(clips), expected, atol=1e-5)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_is_for_gpus_and_gives_nearly_the_same(tmp_path, monkeypatch, half):
    assert half_precision("cpu") is None and half_precision("cuda") is torch.float16
    model, seen = save_model(tmp_path / "model", "videomae"), []
    clips = np.random.default_rng(0).integers(0, 256, (2, 4, 36, 48, 3), np.uint8)
    monkeypatch.setattr(transformers.AutoModel, "from_pretrained", lambda *_, **__: model)
    dense = model.encoder.layer[0].output.dense
    dense.register_forward_hook(lambda layer, _, out: seen.append(out.dtype))
    backbone = load_backbone(str(tmp_path / "model"))
    exact = backbone.run(clips)
    monkeypatch.setattr(pretrained, "half_precision", lambda device_type: half)
    found = backbone.run(clips)
    assert seen == [torch.float32, half] and found.dtype == np.float32
    assert 0 < np.abs(found - exact).max() < (0.05 if half is torch.bfloat16 else 0.005)
    with torch.no_grad():
        dense.bias += 1e6  # more than float16 holds
    assert np.isfinite(backbone.run(clips)).all()
    assert seen[2:] == ([half] if half is torch.bfloat16 else [half, torch.float32])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, (None, (96, 96), (96, 96))),
        ({"size": {"height": 64, "width": 48}}, (None, (64, 48), (64, 48))),
        ({"size": 64, "crop_size": 56, "do_center_crop": True}, (64, (96, 96), (56, 56))),
        ({"size": {"shortest_edge": 64}, "do_center_crop": False}, (64, (96, 96), (96, 96))),
    ],
)
def test_the_sizes_of_preprocessors(content, expected):
    config = transformers.Dinov2Config(image_size=96, patch_size=16)
    assert read_preprocessing(content, config)[:3] == expected


def test_the_grid_sees_brightness_and_change():
    clips = np.zeros((1, 3, 32, 32, 3), np.uint8)
    clips[0, 1:, :4, 4:8] = 255
    vector = grid_vectors(clips)[0]
    assert vector.shape == (128,)
    assert {int(i): round(float(vector[i]), 3) for i in np.flatnonzero(vector)} == {1: 0.667, 65: 2.0}


def test_a_function_of_ones_own_is_given_clips(tmp_path, monkeypatch):
    mean = "def mean(clips):\n    assert clips.dtype == 'uint8'\n    return clips.mean(axis=(2, 3, 4))\n"
    (tmp_path / "of_mine.py").write_text(f"{mean}def wrong(clips):\n    return clips[0]\nnumber = 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    write_film(tmp_path / "film.mp4", [0.4], length_sec=1.0)
    made = write_film_features([tmp_path / "film.mp4"], tmp_path / "out", backbone="of_mine:mean", num_frames=6)
    assert made.width == 6 and np.load(tmp_path / "out" / "film.npy").max() > 200
    with pytest.raises(ValueError, match=r"film.mp4: the backbone of_mine:wrong gave .* it must give \(B, C\)$"):
        write_film_features([tmp_path / "film.mp4"], tmp_path / "other", backbone="of_mine:wrong")
    for name, message in (("number", "is no function of clips"), ("nothing", "cannot be imported")):
        with pytest.raises(ValueError, match=f"^the backbone of_mine:{name} {message}"):
            load_backbone(f"of_mine:{name}")
    del sys.modules["of_mine"]


def test_what_is_no_model_is_told_in_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    empty, pickled = tmp_path / "empty", tmp_path / "pickled"
    empty.mkdir()
    with pytest.raises(ValueError, match=r"empty is no folder of a model: it has no config.json; save one with"):
        load_backbone(str(empty))
    model = save_model(pickled, "videomae")
    (pickled / "model.safetensors").unlink()
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pickled holds no safetensors, and pickles \(.bin, .pt\) are not read"):
        load_backbone(str(pickled))
    save_model(pickled, "videomae")
    with pytest.raises(ValueError, match=r"pickled takes clips of 4 frames, not 8$"):
        load_backbone(str(pickled), 8)
    (pickled / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"^the model .*pickled cannot be had: it is neither a folder"):
        load_backbone(str(pickled))


def test_code_in_a_models_folder_is_not_executed(tmp_path):
    save_model(tmp_path / "model", "videomae")
    path = tmp_path / "model" / "config.json"
    content = json.loads(path.read_text()) | {"model_type": "mine", "auto_map": {"AutoModel": "code.Mine"}}
    path.write_text(json.dumps(content | {"auto_map": {"AutoConfig": "code.Mine", "AutoModel": "code.Mine"}}))
    (tmp_path / "model" / "code.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\n")
    with pytest.raises(ValueError, match=r"^the model .*model cannot be had"):
        load_backbone(str(tmp_path / "model"))
    assert not (tmp_path / "executed").exists()
