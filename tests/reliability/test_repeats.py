"""Trainings made twice and compared bit by bit, and a whole run made again from its run.json."""

import os
import shutil

import pytest
import torch
from safetensors.torch import load_file
from tiny_data import tiny_recipe, training_set, write_tiny_data

from afkit.__main__ import main
from afkit.files import read_json
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.workbench.runs.differences import compare_results

RECIPE = tiny_recipe()  # 3 epochs of 3 steps
SECTION = "Repeated trainings"
WAYS = {  # none of which may change a bit
    "twice the same": {},
    "deterministic": {"deterministic": True},
    "with two loading processes": {"workers": 2},
    "with a cache": {"cache_mb": 1},
    "with a checkpoint at each step": {"checkpoint_steps": 1},
    "evaluated on the way": {"evaluate_every": 1},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root)
    return root


@pytest.fixture(scope="module")
def reference(data, tmp_path_factory):
    """A training of each seed: a function that gives its folder."""
    folders = {}

    def of(seed):
        if seed not in folders:
            folders[seed] = trained(data, tmp_path_factory.mktemp("reference"), seed)
        return folders[seed]

    return of


def trained(data, folder, seed, recipe=RECIPE, **execution):
    """The folder of a finished training."""

    def evaluate(model):
        torch.rand(7)
        return 0.5

    dataset = training_set(data, recipe, seed=seed)
    train(recipe, dataset, folder, seed, Execution(**execution), evaluate=evaluate)
    return folder


def differing_bits(one, other):
    """(tensors, bits that differ in them) of the weights of two folders."""
    tensors = bits = 0
    for name in ("ema", "raw"):
        first, second = (load_file(folder / "checkpoints" / f"{name}.safetensors") for folder in (one, other))
        assert first.keys() == second.keys()
        for key in first:
            pairs = zip(first[key].numpy().tobytes(), second[key].numpy().tobytes(), strict=True)
            bits += sum((a ^ b).bit_count() for a, b in pairs)
            tensors += 1
    return tensors, bits


@pytest.mark.parametrize("seed", [1, 2, 3] if "AFKIT_TALLY" in os.environ else [1])
@pytest.mark.parametrize("way", WAYS)
def test_no_bit_differs(data, reference, tmp_path, tally, seed, way):
    folder = trained(data, tmp_path, seed, **WAYS[way])
    tensors, bits = differing_bits(reference(seed), folder)
    tally(SECTION, way, runs=1, tensors_compared=tensors, differing_bits=bits)
    assert bits == 0 and tensors > 100
    losses, *_ = compare_results(reference(seed), folder)
    assert losses.same is True


def test_bits_that_differ_are_counted(data, reference):
    """Another seed: about half of the bits of each mantissa."""
    tensors, bits = differing_bits(reference(1), reference(2))
    assert bits > 100 * tensors


@pytest.mark.slow
@pytest.mark.skipif("AFKIT_TALLY" not in os.environ, reason="takes a minute or two; make reliability does it")
def test_a_run_is_repeated_from_its_run_json_alone(tmp_path, tally, capsys):
    """By papermill, as a user does it, in a folder that holds nothing else."""
    pytest.importorskip("papermill", reason="notebooks are run by papermill")
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    common = ["--data-root", str(tmp_path / "data")]
    settings = ["optim.epochs=1", "optim.warmup_epochs=1", "model.embed_dim=16", "data.max_seq_len=160"]
    command = ["run", "watch", *common, "--results", str(tmp_path), "--name", "run", "--stages", "01,02,03"]
    command += [part for setting in settings for part in ("--set", setting)]
    assert main([*command, "-p", "deterministic=true", "-p", "weights=raw"]) == 0
    folder = tmp_path / "watch" / "run"
    values = read_json(folder / "run.json")["stages"]["02_train"]["values"]
    assert values["deterministic"] is True and values["precision"] == "fp32", "also what nobody has set"
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(folder / "run.json", alone)
    capsys.readouterr()
    assert main(["rerun", str(alone)]) == 0
    assert capsys.readouterr().out.startswith("nothing has changed since the run")
    again = tmp_path / "alone-rerun"
    rows = read_json(again / "rerun.json")["compared"]
    assert [row["same"] for row in rows] == [True, True, None, True, True, True, None], "by digests, if there are any"
    assert {row.same for row in compare_results(folder, again)} == {True}
    tensors, bits = differing_bits(folder, again)
    tally(SECTION, "a whole run, from its run.json", runs=1, tensors_compared=tensors, differing_bits=bits)
    assert bits == 0
    assert read_json(folder / "run.json")["deterministic"] == {"threads": 1, "not_deterministic": []}
