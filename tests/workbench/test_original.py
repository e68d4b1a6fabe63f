"""Configurations of the original as recipes: its files, its defaults, and what is refused."""

import copy
import json
import sys

import pytest
import yaml
from golden_files import OWN, content, experiment

import afkit
from afkit.config import Recipe
from afkit.workbench.original import recipe_from_original


def values_of(recipe, names):
    """{dotted parameter: value}."""
    return {name: getattr(getattr(recipe, name.split(".")[0]), name.split(".")[1]) for name in names}


MINIMAL = {"dataset": {"json_file": "./data/a/b.json", "feat_folder": "./data/a/feats"}}


def test_defaults_of_the_original():
    recipe = recipe_from_original(MINIMAL)
    expected = {
        "data.annotations": "a/b.json",
        "data.features": ["a/feats"],
        "data.num_classes": 97,
        "data.input_dims": [2304],
        "data.stride_frames": 16,
        "data.num_frames": 32,
        "data.max_seq_len": 2304,
        "data.crop_ratio": None,
        "data.skip_missing": False,
        "model.windows": -1,
        "model.embed_dim": 512,
        "loss.init_loss_norm": 2000,
        "decode.pre_nms_topk": 5000,
        "decode.max_segments": 1000,
        "decode.min_score": 0.01,
        "decode.voting_threshold": 0.75,
        "optim.learning_rate": 1e-3,
        "optim.weight_decay": 0.0,
        "optim.batch_size": 8,
        "optim.clip_norm": -1,
        "optim.epochs": 30,
        "optim.warmup_epochs": 5,
    }
    assert values_of(recipe, expected) == expected


def test_yaml_json_and_mappings_give_the_same(tmp_path):
    source = content("configs_full/anet_tsp.json")
    (tmp_path / "anet_tsp.yaml").write_text(yaml.safe_dump(source))
    (tmp_path / "anet_tsp.json").write_text(json.dumps(source))
    recipes = [recipe_from_original(tmp_path / f"anet_tsp.{suffix}") for suffix in ("yaml", "json")]
    assert (
        recipes[0]
        == recipes[1]
        == experiment("anet_tsp")
        == afkit.recipe_from_original(str(tmp_path / "anet_tsp.yaml"))
    )
    assert recipe_from_original(source).model_copy(update={"name": "anet_tsp"}) == recipes[0]
    assert source == content("configs_full/anet_tsp.json")


def test_yaml_as_people_write_it(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(
        """
        dataset_name: thumos
        train_split: ['validation']
        val_split: ['test']
        dataset: {json_file: ./data/x/a.json, feat_folder: ./data/x/f, input_dim: 2048, num_classes: 20,
                  crop_ratio: !!python/tuple [0.5, 1.0]}
        model: {n_mha_win_size: 19}
        opt: {learning_rate: 1e-4, weight_decay: 5.0e-2, epochs: 3}
        loader: {batch_size: 2}
        output_folder: ./ckpt/
        """
    )
    recipe = recipe_from_original(path)  # YAML 1.1 reads 1e-4 as a string
    assert (recipe.optim.learning_rate, recipe.optim.weight_decay, recipe.name) == (1e-4, 0.05, "mine")
    assert recipe.data.crop_ratio == (0.5, 1.0)


def test_the_top_level_wins():
    source = content("configs_full/thumos_i3d.json")
    source["train_cfg"] = {"init_loss_norm": 7}
    source["model"]["train_cfg"] = {"init_loss_norm": 8, "dropout": 0.25}
    source["model"]["test_cfg"] = {"max_seg_num": 9}
    source["test_cfg"] = {"max_seg_num": 11}
    recipe = recipe_from_original(source)
    assert (recipe.loss.init_loss_norm, recipe.model.dropout, recipe.decode.max_segments) == (7, 0.25, 11)
    del source["train_cfg"], source["test_cfg"]
    recipe = recipe_from_original(source)
    assert (recipe.loss.init_loss_norm, recipe.decode.max_segments) == (8, 9)


def test_only_the_leading_data_folder_is_dropped():
    def paths(json_file, folder):
        data = recipe_from_original({"dataset": {"json_file": json_file, "feat_folder": folder}}).data
        return [data.annotations, *data.features]

    assert paths("./data/x/a.json", "./data/x/data/f") == ["x/a.json", "x/data/f"]
    assert paths("x/a.json", ["./data/f", "data/g"]) == ["x/a.json", "f", "g"]
    assert paths("database/a.json", "./dataset/f") == ["database/a.json", "dataset/f"]


def changed(section, **entries):
    """The THUMOS configuration with other entries in a section."""
    source = copy.deepcopy(content("configs_full/thumos_i3d.json"))
    source[section].update(entries)
    return source


def epochs_of(recipe):
    """(of the warm-up, of the schedule after it, of the training)."""
    return recipe.optim.warmup_epochs, recipe.optim.epochs, recipe.optim.total_epochs


def test_without_warm_up_its_epochs_are_trained_all_the_same():
    assert epochs_of(recipe_from_original(changed("opt"))) == (5, 30, 35)
    assert epochs_of(recipe_from_original(changed("opt", warmup=False))) == (0, 30, 35)
    assert epochs_of(recipe_from_original(changed("opt", warmup=False, warmup_epochs=0))) == (0, 30, 30)


def test_training_stops_early_or_late_and_the_schedule_stays():
    assert epochs_of(recipe_from_original(changed("opt", early_stop_epochs=12))) == (5, 30, 12)
    assert epochs_of(recipe_from_original(changed("opt", early_stop_epochs=40))) == (5, 30, 40)
    assert epochs_of(recipe_from_original(changed("opt", early_stop_epochs=12, warmup=False))) == (0, 30, 12)


@pytest.mark.parametrize("dataset_name, resize", [("thumos", False), ("epic", False), ("ego4d", False), ("anet", True)])
def test_only_the_reader_of_activitynet_resizes(dataset_name, resize):
    source = changed("dataset", force_upsampling=True, downsample_rate=2) | {"dataset_name": dataset_name}
    data = recipe_from_original(source).data
    assert (data.resize, data.downsample) == (resize, 1 if resize else 2)
    source["dataset"]["force_upsampling"] = False
    data = recipe_from_original(source).data
    assert (data.resize, data.downsample) == (False, 2)


def test_values_that_turn_something_off():
    off = recipe_from_original(changed("test_cfg", voting_thresh=-1, min_score=-1)).decode
    assert (off.voting_threshold, off.min_score) == (0, 0)
    assert recipe_from_original(changed("dataset", trunc_thresh=0)).data.crop_min_overlap == 0
    assert recipe_from_original(changed("train_cfg", cls_prior_prob=0)).model.class_prior == 0.5  # a bias of 0
    source = changed("model", backbone_arch=[0, 2, 5])
    source["dataset"]["input_dim"] = source["model"]["embd_dim"] = 512
    assert recipe_from_original(source).model.embed_layers == 0


def test_kinds_of_optimiser_and_backbone():
    assert recipe_from_original(changed("opt", type="SGD")).optim.optimizer == "sgd"
    assert recipe_from_original(changed("model", backbone_type="conv")).model.backbone == "conv"


# ---- what is refused


POOLED = content("configs_full/temporalmaxer_thumos_i3d.json")


@pytest.mark.parametrize(
    "source, message",
    [
        (changed("model", n_heads=8), r"keys that the original does not know: model\.n_heads; remove or rename"),
        (changed("dataset", a=1, b=2), r"does not know: dataset\.a, dataset\.b"),
        (changed("model", extra={"deep": 1}), r"does not know: model\.extra"),
        (MINIMAL | {"surplus": 1}, "does not know: surplus"),
        ({"dataset": {"json_file": "a.json"}}, r"lacks dataset\.feat_folder; the original has no default"),
        ({"dataset": {"feat_folder": "f"}}, r"lacks dataset\.json_file"),
        (MINIMAL | {"dataset_name": "charades"}, "dataset_name 'charades' is none of thumos, anet, epic, ego4d"),
        (changed("model", n_head="many"), r"'model\.heads' = 'many'"),
        (changed("model", n_head=5), r"model\.embed_dim 512 does not divide into model\.heads 5"),
        (changed("model", backbone_type="lstm"), r"'model\.backbone' = 'lstm'"),
        (changed("model", backbone_arch=[2, 2]), r"backbone_arch must be \[embedding, stem, branch\] layers"),
        (POOLED | {"model": {**POOLED["model"], "backbone_arch": [2, 2, 5]}}, r"must be \[embedding, pooling\] layers"),
        (changed("opt", type="Adagrad"), r"'optim\.optimizer' = 'adagrad'"),
        (MINIMAL | {"model": 5}, "model"),
        (MINIMAL | {"train_cfg": [1]}, "train_cfg"),
    ],
)
def test_what_cannot_be_translated_is_named(source, message):
    with pytest.raises(ValueError, match=message) as caught:
        recipe_from_original(source)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("a.yaml", "a: [1", "a.yaml, line 1: not YAML: "),
        ("a.yaml", "a: !!python/object/apply:os.getcwd []", "a.yaml, line 1: a value of the kind"),
        ("a.yaml", "- 1", "must hold a mapping of sections"),
        ("a.yaml", "", "must hold a mapping of sections"),
        ("a.json", "{", "is not a readable JSON file"),
        ("a.json", "[]", "must hold a mapping of sections"),
    ],
)
def test_unreadable_files_are_named(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        recipe_from_original(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_missing_files_are_named(tmp_path, suffix):
    with pytest.raises(ValueError, match=r"does not exist; name a \.yaml or \.json configuration of the original"):
        recipe_from_original(tmp_path / f"a.{suffix}")


def test_without_a_yaml_library_only_yaml_is_unreadable(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "yaml", None)
    monkeypatch.delitem(sys.modules, "afkit.yaml_files", raising=False)
    source = OWN / "configs_full" / "thumos_i3d.json"
    assert isinstance(recipe_from_original(source), Recipe)
    path = tmp_path / "a.yaml"
    path.write_text(source.read_text())
    with pytest.raises((ImportError, ValueError), match=r"(?i)yaml"):
        recipe_from_original(path)
