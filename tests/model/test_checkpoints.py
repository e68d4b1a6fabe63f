"""Weights on disk: the original's files, our own, and everything that must not load."""

import pytest
import torch
from tiny_data import tiny_recipe

import afkit
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights, save_weights


@pytest.fixture
def model():
    """An untrained tiny network."""
    torch.manual_seed(0)
    return build_model(tiny_recipe())


def copy_of(model):
    """A copy of the state."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same_state(model, expected):
    """The model's state is, name by name and bit by bit, the expected one."""
    found = model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def refuse(model, path, message, weights="ema"):
    """Loading raises a ValueError that names the file, and leaves the model as it was."""
    before = copy_of(model)
    with pytest.raises(ValueError, match=message) as caught:
        load_weights(model, path, weights)
    assert path.name in str(caught.value)
    assert_same_state(model, before)


@pytest.mark.parametrize("weights, entry", [("ema", "state_dict_ema"), ("raw", "state_dict")])
def test_files_of_the_original_load(config, weights, entry):
    model = build_model(config.recipe)
    load_weights(model, config.checkpoint, weights)
    assert_same_state(model, config.state(entry))


def test_the_average_is_the_default_and_differs_from_the_raw_weights(thumos):
    model = afkit.build_model(thumos.recipe)
    afkit.load_weights(model, thumos.checkpoint)
    assert_same_state(model, thumos.state("state_dict_ema"))
    raw = thumos.state("state_dict")
    assert not any(torch.equal(value, raw[name]) for name, value in model.state_dict().items() if value.dim() == 3)


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_our_files_give_back_the_same_weights(model, weights, tmp_path):
    path = tmp_path / "new" / "weights.safetensors"
    save_weights(model, path, weights)
    other = build_model(tiny_recipe())
    load_weights(other, str(path), weights)
    assert_same_state(other, model.state_dict())
    first = path.read_bytes()
    save_weights(other, path, weights)
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_names_with_and_without_prefix(model, tmp_path):
    path = tmp_path / "weights.pth.tar"
    for prefix in ("", "module."):
        torch.save({"state_dict_ema": {prefix + name: value for name, value in model.state_dict().items()}}, path)
        other = build_model(tiny_recipe())
        load_weights(other, path)
        assert_same_state(other, model.state_dict())


def test_the_average_is_not_taken_for_the_raw_weights(model, tmp_path):
    for held, asked in (("raw", "ema"), ("ema", "raw")):
        path = tmp_path / f"{held}.safetensors"
        save_weights(model, path, held)
        refuse(model, path, f"holds the '{held}' weights, but '{asked}' were asked for", asked)
    path = tmp_path / "only_raw.pth.tar"
    torch.save({"state_dict": model.state_dict()}, path)
    refuse(model, path, "has no 'state_dict_ema'")
    load_weights(model, path, "raw")
    with pytest.raises(ValueError, match="weights must be 'ema' or 'raw', not 'average'"):
        load_weights(model, path, "average")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth.tar"])
def test_missing_file(model, suffix, tmp_path):
    refuse(model, tmp_path / f"nothing{suffix}", "does not exist; train first, or name a checkpoint file")


@pytest.mark.parametrize("content", [b"", b"abc", b"no weights in here" * 20, None])
@pytest.mark.parametrize("suffix", [".safetensors", ".pth.tar"])
def test_unreadable_files_and_those_that_were_cut_short(model, suffix, content, tmp_path):
    path = tmp_path / f"broken{suffix}"
    save_weights(model, path, "ema") if suffix == ".safetensors" else torch.save(model.state_dict(), path)
    path.write_bytes(path.read_bytes()[:-100] if content is None else content)
    refuse(model, path, "is not a")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {"state_dict_ema": [1]}, {"state_dict_ema": None}])
def test_files_that_hold_something_else(model, content, tmp_path):
    path = tmp_path / "other.pth.tar"
    torch.save(content, path)
    refuse(model, path, "is it a checkpoint?")


@pytest.mark.parametrize("suffix", [".safetensors", ".pth.tar"])
def test_another_architecture_is_named(model, suffix, tmp_path):
    def write(network_or_state):
        state = network_or_state if isinstance(network_or_state, dict) else network_or_state.state_dict()
        path = tmp_path / f"weights{suffix}"
        if suffix == ".pth.tar":
            torch.save({"state_dict_ema": state}, path)
        else:
            holder = torch.nn.Module()
            holder.state_dict = lambda: state
            save_weights(holder, path, "ema")
        return path

    shape = r"'backbone.embd.0.conv.weight' is \(8, 6, 3\), the recipe needs \(16, 6, 3\)"
    refuse(model, write(build_model(tiny_recipe(model__embed_dim=8))), f"of another architecture: {shape}")
    deeper = build_model(tiny_recipe(model__stem_layers=3))
    refuse(model, write(deeper), r"the recipe has no 'backbone.stem.2.attn.key.bias'")
    shallower = build_model(tiny_recipe(model__stem_layers=1))
    refuse(model, write(shallower), r"it lacks 'backbone.stem.1.ln1.weight' \(1, 16, 1\)")
    transposed = copy_of(model) | {"cls_head.cls_head.conv.bias": torch.zeros(3, 1)}
    refuse(model, write(transposed), r"'cls_head.cls_head.conv.bias' is \(3, 1\), the recipe needs \(3,\)")


def test_a_norm_that_levels_share_is_written_under_each_of_its_names(tmp_path):
    shared = build_model(tiny_recipe(model__neck_norm="shared"))
    torch.nn.init.normal_(shared.neck.fpn_norms[0].weight)
    save_weights(shared, tmp_path / "w.safetensors", "ema")
    other = build_model(tiny_recipe(model__neck_norm="shared"))
    load_weights(other, tmp_path / "w.safetensors")
    assert_same_state(other, shared.state_dict())
    apart = build_model(tiny_recipe())
    apart.load_state_dict(shared.state_dict())
    torch.nn.init.normal_(apart.neck.fpn_norms[1].weight)
    save_weights(apart, tmp_path / "apart.safetensors", "ema")
    with pytest.raises(ValueError, match=r"'neck.fpn_norms.0.weight' and 'neck.fpn_norms.1.weight' differ"):
        load_weights(other, tmp_path / "apart.safetensors")
    assert_same_state(other, shared.state_dict())
