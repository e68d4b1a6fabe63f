"""The named experiments: each makes a network, and the published ones are the original's configurations."""

import pytest
import torch
from golden_files import experiment

import afkit
from afkit.config import parameter_names
from afkit.model.actionformer import build_model

OF_ORIGINAL = {  # ours: the original's file
    "thumos_i3d": "thumos_i3d",
    "anet_tsp": "anet_tsp",
    "anet_i3d": "anet_i3d",
    "epic_verb": "epic_slowfast_verb",
    "epic_noun": "epic_slowfast_noun",
    "ego4d_s": "ego4d_slowfast",
    "ego4d_o": "ego4d_omnivore",
    "ego4d_e": "ego4d_egovlp",
    "ego4d_s_e": "ego4d_slowfast_egovlp",
    "ego4d_o_e": "ego4d_omnivore_egovlp",
    "ego4d_s_o_e": "ego4d_slowfast_omnivore_egovlp",
}
OF_OTHERS = {  # the same of TriDet and TemporalMaxer
    "tridet_thumos": "tridet_thumos_i3d",
    "tridet_epic_verb": "tridet_epic_slowfast_verb",
    "tridet_epic_noun": "tridet_epic_slowfast_noun",
    "tridet_anet": "tridet_anet_tsp",
    "tridet_hacs_slowfast": "tridet_hacs_slowfast",
    "tridet_hacs_i3d": "tridet_hacs_i3d",
    "temporalmaxer_thumos": "temporalmaxer_thumos_i3d",
    "temporalmaxer_epic_verb": "temporalmaxer_epic_slowfast_verb",
    "temporalmaxer_epic_noun": "temporalmaxer_epic_slowfast_noun",
    "temporalmaxer_multithumos": "temporalmaxer_multithumos_i3d",
}


@pytest.mark.parametrize("name", afkit.recipe_names())
def test_each_makes_a_network(name):
    recipe = afkit.recipe(name)
    assert recipe.name == name
    with torch.device("meta"):
        model = build_model(recipe)
        steps = recipe.data.max_seq_len
        out = model.eval()(torch.zeros(1, sum(recipe.data.input_dims), steps), torch.ones(1, steps, dtype=torch.bool))
    assert [logits.shape for logits in out.logits] == [
        (1, steps // stride, recipe.data.num_classes) for stride in recipe.model.level_strides
    ]


@pytest.mark.parametrize("ours, theirs", (OF_ORIGINAL | OF_OTHERS).items())
def test_published_ones_are_the_originals(ours, theirs):
    recipe, expected = afkit.recipe(ours), experiment(theirs)
    assert comparable(recipe) == comparable(expected)


def comparable(recipe):
    """{dotted parameter: value}, spelled out where the same thing can be said in two ways."""
    values = {name: getattr(getattr(recipe, name.split(".")[0]), name.split(".")[1]) for name in parameter_names()}
    for width in ("model.neck_dim", "model.head_dim"):
        values[width] = values[width] or recipe.model.embed_dim
    values["model.windows"] = recipe.model.level_windows if recipe.model.backbone != "maxpool" else None
    if values["optim.final_rate"] is None:
        values["optim.final_rate"] = 1e-8
    if not recipe.model.stream_dims:
        values["data.input_dims"] = sum(recipe.data.input_dims)  # without projections only the sum counts
    return values


def test_hapt_is_trained_as_published_for_small_data():
    recipe = afkit.recipe("hapt")
    assert (recipe.data.num_classes, recipe.data.input_dims, recipe.data.max_seq_len) == (12, [150], 2304)
    assert recipe.data.stride_frames / recipe.data.num_frames == 0.5
    assert (recipe.model.embed_dim, recipe.model.windows, recipe.optim.learning_rate) == (256, 9, 4e-4)
    assert recipe.model.regression_ranges == afkit.recipe("epic_verb").model.regression_ranges
    assert (recipe.optim.total_epochs, recipe.optim.warmup_epochs, recipe.optim.batch_size) == (40, 5, 2)
    assert recipe.optim.ema_warmup, "400 steps at decay 0.999 keep two thirds of the random start"
