"""Training and prediction on a GPU against the CPU, and against themselves. Needs a GPU, see gpu_device.

Each comparison is tried with a planted error, too, which it must find.
"""

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from gpu_device import DEVICE, needs_device, nudged
from safetensors.torch import load_file, save_file
from tiny_data import tiny_recipe, training_set
from trainings import RECIPE, WEIGHTS, LostMachineError, assert_same_training, start, stop_after

from afkit.data.batches import training_batches
from afkit.data.items import Dataset
from afkit.detect.prediction import predict, predict_dataset
from afkit.model.actionformer import build_model, padding_alignment
from afkit.model.graphs import with_graphs
from afkit.train.execution import Execution
from afkit.train.loop import train_step
from afkit.train.state import new_state
from benchmarks import synthetic
from benchmarks.infer import make_talkative

pytestmark = needs_device

# Rounding of float32 in networks of this size: sums in another order, exponentials with another last digit. The planted
# errors are ten times as large.
OUTPUTS, LOSSES, GRADIENTS, SCORES, SECONDS = 2e-5, 1e-5, 1e-4, 1e-4, 1e-3
BF16 = (1e-4, 5e-2)  # how far from float32, relative to its norm: at least, else it is not bfloat16, and at most
RECIPES = ("thumos_i3d", "anet_tsp", "epic_verb", "ego4d_o_e")
PLANTED = pytest.mark.parametrize("planted", [False, True], ids=["as it is", "with a planted error"])


@pytest.fixture(autouse=True)
def full_float32():
    """No TensorFloat-32, which torch's convolutions use by default."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before


def found_if(planted):
    """Where an error was planted, the comparison must fail."""
    return pytest.raises(AssertionError) if planted else nullcontext()


@torch.no_grad()
def plant(model):
    """Make one weight, in the middle of the network, wrong by a share that exceeds rounding."""
    weight = model.backbone.stem[0].mlp[0].weight
    weight += 1e-2 * weight.norm() * torch.nn.functional.one_hot(torch.tensor(0), weight.numel()).view_as(weight)


def networks(name, planted=False):
    """The same talkative network on both devices, and a batch of two videos for each."""
    recipe = synthetic.sized(name, "tiny", {"model.dropout": 0.0, "model.drop_path": 0.0})
    torch.manual_seed(0)
    here = build_model(recipe)
    make_talkative(here)
    with torch.no_grad():
        for parameter in here.parameters():  # off the start, where drop-path scales hide what a block computes
            if parameter.dim() < 3 or parameter.shape[0] == 1:
                parameter += 0.1 * torch.randn(parameter.shape)
    there = build_model(recipe)
    there.load_state_dict(here.state_dict())
    if planted:
        plant(there)
    longest = recipe.data.max_seq_len
    items = [synthetic.item(recipe, steps, seed) for seed, steps in enumerate((longest, longest // 2))]
    return (
        recipe,
        (here, there.to(DEVICE)),
        [synthetic.padded("ours", items, longest, device) for device in ("cpu", DEVICE)],
    )


@PLANTED
@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_outputs_equal_the_cpu_within_rounding(name, planted):
    _, models, batches = networks(name, planted)
    here, there = (model.eval()(batch.features, batch.mask) for model, batch in zip(models, batches, strict=True))
    with found_if(planted):
        for ours, theirs in ((there.logits, here.logits), (there.offsets, here.offsets)):
            for level, (a, b) in enumerate(zip(ours, theirs, strict=True)):
                assert torch.equal(there.masks[level].cpu(), here.masks[level])
                difference = (a.cpu() - b).abs()[here.masks[level]]
                assert (difference <= OUTPUTS * (1 + b.abs()[here.masks[level]])).all(), level


@pytest.mark.parametrize("name", RECIPES)
@torch.no_grad()
def test_bfloat16_is_used_and_stays_near_float32(name):
    _, (_, model), (_, batch) = networks(name)
    exact = model.eval()(batch.features, batch.mask)
    with torch.autocast(DEVICE, torch.bfloat16):
        rough = model(batch.features, batch.mask)
    a, b = (torch.cat(out.logits, dim=1).float()[torch.cat(out.masks, dim=1)] for out in (rough, exact))
    assert BF16[0] < (a - b).norm() / b.norm() < BF16[1]


@PLANTED
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_training_steps_equal_the_cpu_within_rounding(data, optimizer, planted):
    recipe = tiny_recipe(model__drop_path=0.0, optim__warmup_epochs=0, optim__optimizer=optimizer)
    states = [new_state(recipe, 3, seed=1, device=torch.device(device)) for device in ("cpu", DEVICE)]
    if planted:
        plant(states[1].model)
    dataset = training_set(data, recipe, seed=1)
    numbers = []
    for state in states:
        state.model.train()
        stream = training_batches(
            dataset, recipe.optim.batch_size, epochs=1, pin=DEVICE == "cuda" and state is states[1]
        )
        numbers.append(torch.stack([train_step(state, batch, recipe).cpu() for batch in stream]))  # (steps, 4)
    with found_if(planted):
        assert torch.allclose(numbers[1], numbers[0], rtol=LOSSES * 10, atol=0)
        here, there = (dict(state.model.named_parameters()) for state in states)  # with the last step's gradients
        norm = torch.stack([value.grad.norm() for value in here.values()]).norm()
        for key, value in here.items():
            difference = (there[key].grad.cpu() - value.grad).norm()
            assert difference <= GRADIENTS * (10 * value.grad.norm() + norm / 100), key
            assert (there[key].cpu() - value).abs().max() <= 2.1 * 3 * recipe.optim.learning_rate, key


@PLANTED
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_steps_and_detections_with_cuda_graphs_equal_those_without(data, precision, planted):
    recipe = tiny_recipe(model__drop_path=0.0, optim__optimizer="sgd", data__crop_ratio=(0.3, 1.0))
    states = [new_state(recipe, 3, seed=1, device=torch.device(DEVICE)) for _ in range(2)]
    states[1].network = with_graphs(states[1].model, recipe)
    if planted:
        plant(states[1].model)
    dataset = training_set(data, recipe, seed=1)
    for state in states:
        state.model.train()
    align = padding_alignment(recipe)
    numbers = [
        torch.stack([train_step(state, batch, recipe, precision).cpu() for state in states])
        for batch in training_batches(dataset, recipe.optim.batch_size, epochs=4, align=align)
    ]
    videos = Dataset(recipe.data, data, ["training", "test"])
    make_talkative(states[0].model)
    make_talkative(states[1].model)
    plain, graphs = (
        predict_dataset(state.model, recipe, videos, precision=precision, cuda_graphs=wanted)
        for state, wanted in zip(states, (False, True), strict=True)
    )
    with found_if(planted):
        without, captured = torch.stack(numbers, dim=1)  # (steps, 4) each
        assert torch.allclose(captured, without, rtol=LOSSES * 10 if precision == "fp32" else BF16[1], atol=0)
        if precision == "fp32" or planted:
            assert_same_detections(graphs, plain)


@PLANTED
@pytest.mark.parametrize("name", RECIPES)
def test_detections_equal_the_cpu_within_rounding(name, planted):
    recipe, models, _ = networks(name, planted)
    features = np.random.default_rng(0).standard_normal((150, sum(recipe.data.input_dims)), np.float32)
    here, there = (predict(model, recipe, features, fps=30.0, duration=100.0) for model in models)
    assert len(here) > 5
    with found_if(planted):
        assert_same_detections(there, here)


def assert_same_detections(found, expected):
    """As many, each with a partner of its label, with nearly its score and its ends; the order of near ties is free."""
    assert len(found) == len(expected)
    for row in expected.itertuples():
        near = found[(found["label"] == row.label) & ((found["score"] - row.score).abs() <= SCORES)]
        distance = (near[["start_sec", "end_sec"]] - [row.start_sec, row.end_sec]).abs().max(axis=1)
        assert distance.min() <= SECONDS, row


def test_videos_together_are_detected_as_alone(data):
    model = build_model(RECIPE).to(DEVICE)
    make_talkative(model)
    dataset = Dataset(RECIPE.data, data, ["training", "test"])
    together, alone = (predict_dataset(model, RECIPE, dataset, batch_size=size) for size in (4, 1))
    for video, own in alone.groupby("video"):
        assert_same_detections(together[together["video"] == video], own)


@PLANTED
def test_a_deterministic_training_gives_the_same_bits_twice(data, tmp_path, planted):
    execution = Execution(deterministic=True, checkpoint_minutes=0)
    tables = [start(data, tmp_path / name, execution=execution) for name in ("first", "second")]
    if planted:
        path = tmp_path / "second" / WEIGHTS[0]
        weights = load_file(path)
        name = max(weights, key=lambda key: weights[key].numel())
        save_file({**weights, name: nudged(weights[name], 0)}, path)
    with found_if(planted):
        assert_same_training(tmp_path / "second", tables[1], (tmp_path / "first", tables[0]))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_an_interrupted_training_goes_on_to_the_same_bits(data, tmp_path, precision):
    execution = Execution(deterministic=True, checkpoint_minutes=0, checkpoint_steps=5, precision=precision)
    whole = start(data, tmp_path / "whole", execution=execution)
    with pytest.raises(LostMachineError):
        start(data, tmp_path / "cut", execution=execution, on_progress=stop_after(7))
    table = start(data, tmp_path / "cut", execution=execution)
    assert_same_training(tmp_path / "cut", table, (tmp_path / "whole", whole))


def test_a_training_in_bfloat16_goes_as_one_in_float32(data, tmp_path):
    tables = [
        start(data, tmp_path / precision, execution=Execution(precision=precision, checkpoint_minutes=0))
        for precision in ("fp32", "bf16")
    ]
    exact, rough = (table["loss_total"] for table in tables)
    assert not rough.equals(exact)
    assert rough.mean() == pytest.approx(exact.mean(), rel=0.02)
