"""Recipes: defaults, overrides, and complaints that name the parameter in one sentence."""

import pytest
from tiny_data import tiny_recipe

from afkit.config import Recipe, make_recipe, nearest, parameter_names

SETTINGS = {"name": "tiny", **{part: getattr(tiny_recipe(), part).model_dump() for part in ("data", "model")}}


def complaint(overrides=None, settings=SETTINGS):
    """The message of a refused recipe: one line."""
    with pytest.raises(ValueError) as caught:
        make_recipe(settings, overrides)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_overrides_are_applied_on_top():
    recipe = make_recipe(SETTINGS, {"optim.epochs": 7, "model.windows": [5, 7, -1], "data.fps": 12})
    assert (recipe.optim.epochs, recipe.model.windows, recipe.data.fps) == (7, [5, 7, -1], 12)
    assert recipe.model.embed_dim == 16
    assert recipe.loss == Recipe.model_fields["loss"].default


def test_settings_and_overrides_are_left_as_they_were():
    settings = {"name": "tiny", "data": dict(SETTINGS["data"]), "model": dict(SETTINGS["model"])}
    make_recipe(settings, {"model.embed_dim": 32, "optim.epochs": 3})
    assert settings == SETTINGS


def test_recipes_are_frozen():
    recipe = tiny_recipe()
    with pytest.raises(ValueError):
        recipe.optim.epochs = 3
    with pytest.raises(ValueError):
        recipe.name = "other"
    assert recipe == tiny_recipe()


def test_parameter_names():
    names = parameter_names()
    assert {"data.fps", "model.windows", "loss.init_loss_norm", "decode.sigma", "optim.epochs"} < set(names)
    assert len(names) == len(set(names)) > 60
    assert all(name.count(".") == 1 for name in names)
    recipe = tiny_recipe()
    values = {name: getattr(getattr(recipe, name.split(".")[0]), name.split(".")[1]) for name in names}
    assert make_recipe({"name": "tiny"}, values) == recipe  # each one may be overridden


# ---- complaints


@pytest.mark.parametrize(
    "wrong, offered",
    [
        ("model.epochs", "did you mean 'optim.epochs'?"),
        ("epochs", "did you mean 'optim.epochs'?"),
        ("decode.sigmas", "did you mean 'decode.sigma'?"),
        ("mdoel.embed_dim", "did you mean 'model.embed_dim'?"),
        ("optim.lr", "did you mean 'optim.learning_rate'?"),
    ],
)
def test_an_unknown_parameter_gets_the_nearest(wrong, offered):
    assert complaint({wrong: 1}) == f"no recipe has the parameter '{wrong}'; {offered}"


def test_a_parameter_unlike_any_other_gets_a_list():
    message = complaint({"qqqq": 1})
    assert message.startswith("no recipe has the parameter 'qqqq'; choose from: data.annotations, ")
    assert message.endswith(" more")


def test_unknown_settings_are_named_like_overrides():
    assert "did you mean 'data.max_seq_len'" in complaint(
        settings={**SETTINGS, "data": {**SETTINGS["data"], "max_len": 3}}
    )
    assert "no recipe has the parameter 'training'" in complaint(settings={**SETTINGS, "training": {"epochs": 3}})


def test_a_missing_parameter_is_named():
    data = {key: value for key, value in SETTINGS["data"].items() if key != "num_classes"}
    assert complaint(settings={**SETTINGS, "data": data}) == "recipe 'tiny': parameter 'data.num_classes' is missing"


WRONG = {
    "optim": {
        **{"epochs": ["many", 0, 2.5, True, "1_0", "10"], "learning_rate": [-1, float("nan"), False, "1e-3"]},
        **{"schedule": ["linear"], "ema_decay": [1], "ema_warmup": ["yes"]},
    },
    "model": {
        **{"backbone": ["lstm"], "drop_path": [1.0], "class_prior": [0], "embed_layers": [-1]},
        "windows": ["wide", 2.5, [3, "wide", 3], None],
    },
    "data": {
        **{"crop_ratio": [(0.9, 0.5), (0, 1), (0.5, 1.5)], "crop_min_overlap": [-0.1], "suffix": [".pt"]},
        **{"tious": [[0.5, 0.3], [0.5, 0.5], [0.0, 0.5], []], "num_classes": [0], "input_dims": [[]]},
        **{"features": ["tiny/features"], "downsample": [0], "fps": [0, -30], "train_subsets": [["x" * 2001]]},
    },
    "loss": {"init_loss_norm": [0], "label_smoothing": [1], "regression": ["l1"]},
    "decode": {"nms": ["fast"], "sigma": [0], "iou_threshold": [1.5], "max_segments": [0], "pre_nms_topk": [0]},
}


@pytest.mark.parametrize(
    "parameter, value",
    [(f"{part}.{name}", value) for part in WRONG for name, values in WRONG[part].items() for value in values],
)
def test_a_wrong_value_is_named_with_its_parameter(parameter, value):
    message = complaint({parameter: value})
    named = message.removeprefix("recipe 'tiny', parameter '").split("'")[0]
    assert named == parameter or (named.startswith(f"{parameter}.") and named[len(parameter) + 1 :].isdigit()), message


@pytest.mark.parametrize(
    "overrides, part",
    [
        ({"model.branch_layers": 3}, "model.regression_ranges has 3 ranges for 4 pyramid levels"),
        ({"model.neck_start_level": 1}, "model.regression_ranges has 3 ranges for 2 pyramid levels"),
        ({"model.neck_start_level": 3}, "model.neck_start_level 3 is above the last level 2"),
        ({"model.regression_ranges": [(0, 4), (8, 4), (8, 99)]}, "each range is [low, high] with low < high"),
        ({"model.windows": [5, 5]}, "model.windows has 2 numbers; give one, or 3"),
        ({"data.num_frames": -8}, "data.num_frames is -8; give the frames that a feature vector covers, above 0"),
        (
            {"data.max_seq_len": 66},
            "data.max_seq_len 66 is not a multiple of 4, the stride of the last pyramid level; the nearest above is 68",
        ),
        ({"model.heads": 3}, "model.embed_dim 16 does not divide into model.heads 3"),
        ({"model.neck_dim": 8}, "model.neck_dim 8 must equal model.embed_dim 16 with model.neck 'identity'"),
        ({"model.embed_kernel": 2}, "model.embed_kernel must be odd, not 2"),
        ({"model.head_kernel": 4}, "model.head_kernel must be odd, not 4"),
        ({"model.boundary_kernel": 2}, "model.boundary_kernel must be odd, not 2"),
        ({"model.backbone": "sgp", "model.windows": 4}, "model.windows 4 must be odd and 1 or more with"),
        (
            {"model.backbone": "sgp", "model.windows": 1, "model.embed_dim": 24},
            "model.embed_dim 24 must be a multiple of 16 with model.backbone 'sgp'",
        ),
        ({"model.neck_norm": "group", "model.neck_groups": 3}, "model.neck_groups 3 does not divide 16 channels"),
        ({"model.head": "trident", "loss.offset_target": "cheapest"}, "needs offsets that classes share"),
        ({"model.stream_dims": [8, 8]}, "must hold one width per entry of data.input_dims [6]"),
        ({"model.stream_dims": [15]}, "add up to model.embed_dim 16"),
        ({"model.empty_classes": [3]}, "model.empty_classes must be label ids from 0 to 2"),
        ({"data.resize": True, "data.downsample": 2}, "data.resize and data.downsample cannot be combined"),
        (
            {"model.embed_layers": 0},
            "model.embed_layers 0 leaves the features as they are, so model.embed_dim must be 6",
        ),
        ({"optim.extra_epochs": -35}, "optim.extra_epochs -35 leaves no epoch of optim.epochs and optim.warmup_epochs"),
    ],
)
def test_contradictions_are_explained(overrides, part):
    message = complaint(overrides)
    assert message.startswith("recipe 'tiny': ")
    assert part in message


def test_what_seems_contradictory_and_is_not():
    make_recipe(SETTINGS, {"model.backbone": "conv", "model.heads": 3})
    make_recipe(SETTINGS, {"model.neck": "fpn", "model.neck_dim": 8})
    make_recipe(SETTINGS, {"model.neck_start_level": 1, "model.regression_ranges": [(0, 8), (8, 99)]})


# ---- what follows from the settings


def test_levels():
    model = make_recipe(
        SETTINGS, {"model.scale_factor": 4, "model.neck_start_level": 1, "model.regression_ranges": [(0, 8), (8, 99)]}
    ).model
    assert (model.num_levels, model.level_strides, model.level_windows) == (2, [4, 16], [5, 5, 5])
    assert model.length_divisor == 16 * 2 * 2


def test_nearest():
    assert nearest("trainign", ["training", "test"]) == "did you mean 'training'?"
    assert nearest("zzz", ["b", "a"]) == "choose from: b, a"
    assert nearest("zzz", [f"name{n}" for n in range(23)]).endswith("name19 and 3 more")


@pytest.mark.parametrize("name", ["../../../x", "/x", "a/b", "a\\b", "..", "", "x\n", "x" * 300])
def test_the_name_of_a_recipe_is_one_of_a_folder(name):
    assert "a recipe cannot be called " in complaint(settings={**SETTINGS, "name": name})
