"""TriDet and TemporalMaxer: the numbers of their releases, from features to detections and through three steps."""

import copy

import numpy as np
import pytest
import torch
from golden_files import OTHERS, Config, arrays, assert_same_detections, content, pad
from tiny_data import tiny_recipe
from tiny_networks import all_offsets

import afkit
from afkit.data.batches import Batch
from afkit.detect.decoding import decode_batch
from afkit.detect.prediction import detect_items, suppress
from afkit.model.actionformer import build_model, padded_length
from afkit.model.checkpoints import load_weights
from afkit.model.heads import Boundaries, offsets_of
from afkit.model.losses import Criterion
from afkit.model.sgp import idle_tensors
from afkit.segments import grid_to_sec
from afkit.train.loop import train_step
from afkit.train.state import new_state, update_average

# What the releases meet themselves in float64 and on two threads (the goldens' README).
LOGITS, OFFSETS, TRIDENT_OFFSETS = 1e-5, 5e-6, 6e-5  # largest absolute difference
LOSSES, GRADIENT_NORMS, UPDATES = 1e-6, 5e-4, 2e-3  # largest relative difference
STEP = 1.2e-7  # of a float32 near 1


@pytest.fixture(params=OTHERS)
def config(request):
    """Each of their small networks in turn."""
    return Config(request.param)


@torch.no_grad()
def test_outputs_and_detections_equal_the_original(config):
    model, recipe = config.model("state_dict_ema").eval(), config.recipe
    for case, expected in config.cases():
        length = padded_length(expected["feats"].shape[1], recipe)
        assert length == expected["padded_len"], case
        out = model(*pad(expected["feats"], length))
        for number, level in enumerate(out.levels()):
            valid = expected[f"mask_{number}"]
            np.testing.assert_array_equal(level.mask[0], valid)
            np.testing.assert_array_equal(level.points, expected[f"points_{number}"])
            found = {"logits": (level.logits[0], LOGITS), "offsets": (all_offsets(out, number)[0], OFFSETS)}
            if isinstance(level.offsets, Boundaries):
                found["offsets"] = (found["offsets"][0], TRIDENT_OFFSETS)
                found["bins"] = (level.offsets.bins[0], LOGITS)
                found |= {"start": (level.offsets.onsets[0], LOGITS), "end": (level.offsets.ends[0], LOGITS)}
            for name, (values, tolerance) in found.items():
                difference = np.abs(values.numpy() - expected[f"{name}_{number}"])[valid]
                assert difference.max(initial=0) <= tolerance, f"{name} of {case}, level {number}"
        kept = suppress(decode_batch(out, recipe), recipe)
        fps, duration, stride, num_frames = expected["meta"]
        rows = [column[0, : kept.counts[0]] for column in kept[:3]]
        seconds = grid_to_sec(rows[0], fps, stride, num_frames).clamp(0, duration)
        wanted = [expected[f"final_{name}"] for name in ("segments", "scores", "labels")]
        assert_same_detections((seconds, *rows[1:]), wanted)


def test_targets_and_weights_equal_the_original(config):
    expected = arrays(f"{config.name}/train.npz")
    features, mask, segments, labels = config.training_batch()
    targets = Criterion(config.recipe).targets(config.model("state_dict").train()(features, mask), segments, labels)
    positive = expected["pos_mask"]
    assert positive.any()
    np.testing.assert_array_equal(
        targets.classes.numpy()[expected["valid_mask"]], expected["gt_cls"][expected["valid_mask"]]
    )
    np.testing.assert_array_equal(targets.offsets.numpy()[positive], expected["gt_offsets"][positive])
    if "weights_0" in expected and targets.weights is not None:
        for video, valid in enumerate(expected["valid_mask"]):
            np.testing.assert_array_equal(targets.weights[video].numpy()[valid], expected[f"weights_{video}"][valid])


def test_gradients_equal_the_original(config):
    expected = content(f"{config.name}/train.json")["grads_first_step"]
    model, (features, mask, segments, labels) = config.model("state_dict").train(), config.training_batch()
    Criterion(config.recipe)(model(features, mask), segments, labels)["total"].backward()
    assert {f"module.{name}" for name, _ in model.named_parameters()} == expected.keys()
    for name, parameter in model.named_parameters():
        wanted = expected[f"module.{name}"]
        if wanted is None:
            assert parameter.grad is None or not parameter.grad.any(), name
        else:
            assert parameter.grad.norm().item() == pytest.approx(wanted["l2"], rel=GRADIENT_NORMS, abs=1e-12), name


def without_chance(state):
    """The state without what is dropped at random, as the goldens were made."""
    for model in (state.model, state.average):
        for module in model.modules():
            if hasattr(module, "rate"):
                module.rate = 0.0
    return state


def test_three_steps_equal_the_original(config):
    expected, batch = content(f"{config.name}/train.json"), Batch(*config.training_batch(), items=[])
    state = without_chance(new_state(config.recipe, expected["num_iters_per_epoch"], 0, torch.device("cpu")))
    for model in (state.model, state.average):
        load_weights(model, config.checkpoint, "raw")
    start = copy.deepcopy(state.model.state_dict())
    state.model.train()
    for wanted in expected["steps"]:
        assert [group["lr"] for group in state.optimizer.param_groups] == pytest.approx(wanted["lr"], rel=1e-12)
        cls, reg, total, norm = train_step(state, batch, config.recipe).tolist()
        assert cls == pytest.approx(wanted["cls_loss"], rel=LOSSES)
        assert reg == pytest.approx(wanted["reg_loss"], rel=LOSSES)
        assert total == pytest.approx(wanted["final_loss"], rel=LOSSES)
        assert norm == pytest.approx(wanted["grad_norm_before_clip"], rel=GRADIENT_NORMS)
        assert state.criterion.loss_norm.item() == pytest.approx(wanted["loss_normalizer_after"], rel=1e-7)
    averages = state.average.state_dict()
    assert averages.keys() == {name.removeprefix("module.") for name in expected["ema_after_3_steps"]}
    for name, value in state.model.named_parameters():
        moved, slack = (value - start[name]).norm().item(), STEP * value.numel() ** 0.5
        wanted = expected["after_3_steps"][f"module.{name}"]["delta_l2"]
        assert moved == pytest.approx(wanted, rel=UPDATES, abs=slack), name
    for name, value in averages.items():
        times = sum(
            other.data_ptr() == value.data_ptr() for other in averages.values()
        )  # a shared norm is averaged, and rounded, once a name
        wanted = expected["ema_after_3_steps"][f"module.{name}"][1]
        assert value.double().abs().sum().item() == pytest.approx(wanted, rel=4e-7 * times), name


def test_the_noise_of_training_is_added_at_padded_steps_too():
    config = Config("tridet_thumos")
    expected, wanted = arrays("tridet_thumos/train.npz"), content("tridet_thumos/train.json")["noisy"]
    _, mask, segments, labels = config.training_batch()
    model = config.model("state_dict").train()
    losses = Criterion(config.recipe)(model(torch.from_numpy(expected["noisy_input"]), mask), segments, labels)
    assert losses["cls"].item() == pytest.approx(wanted["cls_loss"], rel=LOSSES)
    assert losses["reg"].item() == pytest.approx(wanted["reg_loss"], rel=LOSSES)


SGP = {"model__backbone": "sgp", "model__windows": 1, "model__head": "trident", "model__embed_dim": 16}


@pytest.mark.parametrize("nothing", [None, torch.zeros(0, 2)])
def test_a_video_without_actions_learns_that_there_is_nothing(nothing):
    """With costs, too, for which TemporalMaxer's release needs an action in every video."""
    recipe = tiny_recipe(loss__offset_target="cheapest")
    model, steps = build_model(recipe), recipe.data.max_seq_len
    features, mask = torch.randn(2, 6, steps), torch.ones(2, steps, dtype=torch.bool)
    labels = None if nothing is None else torch.zeros(0, dtype=torch.int64)
    actions = [torch.tensor([[3.0, 20.0]]), nothing], [torch.tensor([0]), labels]
    targets = Criterion(recipe).targets(model(features, mask), *actions)
    assert targets.classes[0].any() and not targets.classes[1].any() and targets.weights is None
    losses = Criterion(recipe).train()(model(features, mask), *actions)
    alone = [part[:1] for part in actions]
    assert losses["reg"].item() == pytest.approx(
        Criterion(recipe).train()(model(features[:1], mask[:1]), *alone)["reg"].item(), rel=1e-5
    )


def test_idle_convolutions_have_zeros_as_gradients_and_stay_idle():
    """With weights that start at 0 they can never learn; one step from elsewhere, and they do."""
    recipe = tiny_recipe(**SGP, loss__class_iou_power=0.5)
    model, steps = build_model(recipe).train(), recipe.data.max_seq_len
    batch = torch.randn(2, 6, steps), torch.ones(2, steps, dtype=torch.bool)
    actions = [torch.tensor([[3.0, 20.0]])] * 2, [torch.tensor([0])] * 2
    Criterion(recipe)(model(*batch), *actions)["total"].backward()
    names = [name for name, _ in model.named_parameters() if any(part in name for part in ("psi", "conv", "fc"))]
    idle = [name for name in names if name.startswith(("backbone.stem", "backbone.branch"))]
    assert len(idle) == 10 * (recipe.model.stem_layers + recipe.model.branch_layers)
    for name in idle:
        parameter = model.get_parameter(name)
        assert not parameter.any() and parameter.grad is not None and not parameter.grad.any(), name

    awake = {name: torch.randn_like(value) if name in idle else value for name, value in model.state_dict().items()}
    with torch.no_grad():
        skipped = model.eval()(*batch)
        model.load_state_dict(awake)
        assert not torch.equal(model(*batch).logits[0], skipped.logits[0])
        model.load_state_dict({name: value * (name not in idle) for name, value in awake.items()})
        assert torch.equal(model(*batch).logits[0], skipped.logits[0])
        for block in (*model.backbone.stem, *model.backbone.branch):
            block.idle = False
        computed = model(*batch)
    assert all(map(torch.equal, computed.logits, skipped.logits)), "what is skipped is 0"


def test_seventy_tensors_of_the_published_tridet_are_idle():
    """At full size, on THUMOS14: every depthwise convolution of its seven blocks, by the published start of 0."""
    recipe = afkit.recipe("tridet_thumos", {"model.drop_path": 0})  # what is dropped has no gradients, either
    model = build_model(recipe).train()
    batch = torch.randn(1, 2048, 64), torch.ones(1, 64, dtype=torch.bool)
    Criterion(recipe)(model(*batch), [torch.tensor([[3.0, 9.0]])], [torch.tensor([0])])["total"].backward()
    zeros = [name for name, value in model.named_parameters() if not value.any() and not value.grad.any()]
    assert idle_tensors(model) == len(zeros) == 70
    assert idle_tensors(build_model(tiny_recipe(**SGP, model__sgp_deviation=0.1))) == 0


def test_offsets_of_the_trident_head_by_loops():
    torch.manual_seed(0)
    bins, steps, classes = 3, 6, 2
    level = Boundaries(
        torch.randn(1, steps, classes), torch.randn(1, steps, classes), torch.rand(1, steps, 2 * bins + 2)
    )
    for point in range(steps):
        for label in range(classes):
            near = range(bins + 1)
            at = lambda scores, place: scores[0, place, label].item() if 0 <= place < steps else 0.0  # noqa: E731, B023
            left = torch.tensor([at(level.onsets, point - bins + j) for j in near]) + level.bins[0, point, : bins + 1]
            right = torch.tensor([at(level.ends, point + j) for j in near]) + level.bins[0, point, bins + 1 :]
            distances = torch.arange(bins + 1.0)
            expected = [(left.softmax(0) * distances.flip(0)).sum(), (right.softmax(0) * distances).sum()]
            found = offsets_of(level, torch.tensor(0), torch.tensor(point), torch.tensor(label))
            torch.testing.assert_close(found, torch.stack(expected))


@pytest.mark.parametrize(
    "settings", [SGP, {"model__neck_norm": "group"}, {"model__backbone": "maxpool", "model__stem_layers": 0}], ids=str
)
def test_a_recording_gets_the_same_alone_and_beside_others(settings):
    """As far as a network reads padded steps, it is padded as the original's, in whatever company."""
    recipe = tiny_recipe(**settings, decode__pre_nms_thresh=0.0)
    torch.manual_seed(0)
    model = build_model(recipe)
    items = [item_of(steps) for steps in (9, 64, 40)]
    together = detect_items(model, recipe, items)
    for item in items:
        alone = detect_items(model, recipe, [item])
        beside = together[together.video == item.video].reset_index(drop=True)
        np.testing.assert_allclose(beside.score, alone.score, rtol=1e-5)


def item_of(steps):
    """A recording of random features."""
    from afkit.data.items import Item

    features = np.random.default_rng(steps).standard_normal((6, steps)).astype(np.float32)
    return Item(f"video{steps}", torch.from_numpy(features), None, None, 1.0, float(steps), 1.0, 1.0)


def test_a_shared_norm_is_averaged_once_for_each_of_its_names():
    """As in the release, whose average goes over the entries of the state: 0.999 ** 3 with three levels."""
    recipe = tiny_recipe(model__neck_norm="shared")
    state = new_state(recipe, 1, 0, torch.device("cpu"))
    assert len(list(state.model.neck.fpn_norms.parameters())) == 2
    with torch.no_grad():
        for parameter in state.model.parameters():
            parameter.add_(1)
    before = copy.deepcopy(state.average.state_dict())
    for averaged, current in state.rounds:
        update_average(averaged, current, 0, recipe.optim)
    for name, value in state.average.state_dict().items():
        names = recipe.model.num_levels if name.startswith("neck") else 1
        torch.testing.assert_close(value - before[name], torch.full_like(value, 1 - 0.999**names), rtol=1e-3, atol=0)
