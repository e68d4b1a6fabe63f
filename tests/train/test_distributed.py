"""Two processes (gloo) that train and detect together: the same numbers as one process with the same batches."""

import subprocess

import pandas as pd
import pytest
import torch
from job_processes import start_rank
from tiny_data import TEMPORALMAXER, TRIDET, tiny_recipe, training_set, write_tiny_data
from trainings import LostMachineError, stop_after

from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model
from afkit.train.distributed import (
    check_same_everywhere,
    gather_bytes,
    gather_numbers,
    gather_objects,
    sum_over_ranks,
    world,
)
from afkit.train.execution import Execution
from afkit.train.loop import train
from afkit.train.state import random_state, set_random_state
from afkit.workbench.runs.launch import predict_shared
from afkit.workbench.runs.training import validation

pytestmark = pytest.mark.slow

SGD = {"optim__optimizer": "sgd", "optim__learning_rate": 0.1}
RECIPES = {
    name: tiny_recipe(optim__epochs=3, **({"model__drop_path": 0.0} | settings))
    for name, settings in {
        "plain": {},
        "sgd": SGD,
        "four rows": SGD | {"optim__batch_size": 4},
        "automatic weight": SGD | {"loss__regression_weight": -1},
        "continued": SGD,
        "drop path": {"model__drop_path": 0.3},
        "tridet": SGD | TRIDET,
        "temporalmaxer": SGD | TEMPORALMAXER,
    }.items()
}
EVALUATED = "four rows"  # on the way, too
PROGRAM = """
from pathlib import Path
import torch
from test_distributed import RECIPES, EVALUATED, no_pickles, share_numbers, start_training, detect
from afkit.workbench.runs.peers import start, stop

torch.set_num_threads(1)
root = Path(sys.argv[1])
sys.addaudithook(no_pickles)
start(str(root / "store"))
share_numbers(root)
for name in RECIPES:
    start_training(name, root, root / name, devices=2)
detect(root, root)
stop()
"""


def start_training(name, root, folder, devices=1, **arguments):
    """Train one of the recipes; this is one of the processes."""
    recipe = RECIPES[name]
    execution = Execution(devices=devices, checkpoint_minutes=0, evaluate_every=2 if name == EVALUATED else 0)
    if name == EVALUATED:
        arguments["evaluate"] = validation(recipe, root)
    dataset = training_set(root, recipe, seed=1)
    return train(recipe, dataset, folder, seed=1, execution=execution, **arguments)


def no_pickles(event, arguments):
    """An audit hook: whatever looks for code that a pickle names fails."""
    assert event != "pickle.find_class", arguments


def share_numbers(root):
    """What the processes tell each other, and whether weights that differ are found; written down by each."""
    rank, ranks = world()
    told = {
        "world": (rank, ranks),
        "sum": sum_over_ranks(torch.tensor([1, 10**rank])).tolist(),
        "numbers": gather_numbers([rank + 0.5, float("nan") if rank else 0.0]),
        "objects": gather_objects({"rank": rank}),
        "tensors": gather_objects((torch.tensor([rank]), 0.1)),
        "bytes": gather_bytes(bytes([0, 1, 255]) * (1 + rank)),
    }
    check_same_everywhere(3, [torch.ones(2), torch.zeros(3)])
    try:
        check_same_everywhere(3, [torch.ones(2), torch.full((3,), 1e-7 * rank)])
    except RuntimeError as error:
        told["differ"] = str(error)
    torch.save(told, root / f"told{rank}.pt")


def detect(root, folder):
    """The shared detections of all test videos, and of the first one only, as each process receives them."""
    recipe = RECIPES["plain"]
    torch.manual_seed(5)
    model, dataset = build_model(recipe), Dataset(recipe.data, root, recipe.data.test_subsets)
    for name in ("all", "one"):
        predict_shared(model, recipe, dataset).to_pickle(folder / f"{name}{world()[0]}.pkl")
        dataset.videos = dataset.videos[:1]


@pytest.fixture(scope="module")
def together(tmp_path_factory, on_the_processor):
    """The folder in which two processes have done everything; one training goes on from where one process stopped."""
    root = tmp_path_factory.mktemp("together")
    write_tiny_data(root, training=8, test=5)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(LostMachineError):
        patch.setattr("afkit.train.record.PROGRESS_SEC", 0)
        recipe, execution = RECIPES["continued"], Execution(checkpoint_steps=5)
        dataset = training_set(root, recipe, seed=1)
        train(recipe, dataset, root / "continued", 1, execution, on_progress=stop_after(7))
    processes = [start_rank(rank, PROGRAM, root, stdout=subprocess.PIPE, text=True) for rank in range(2)]
    try:
        said = [process.communicate(timeout=600)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0]
    (root / "said.txt").write_text("".join(said))
    return root


@pytest.fixture(scope="module", autouse=True)
def here_too():
    """This process, too, computes without a GPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", lambda: False)
        yield


def last_state(folder):
    """The content of a run's last checkpoint."""
    return torch.load(sorted((folder / "checkpoints").glob("*.pt"))[-1])


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "drop path"])
def test_two_processes_give_what_one_gives(together, tmp_path, name):
    """But for rounding: sums over a batch are added in another order. AdamW divides by a gradient's own size, so that
    parameters whose true gradient is zero (what is added to all keys, which softmax ignores) move by rounding alone."""
    table = start_training(name, together, tmp_path)
    one, two = last_state(tmp_path), last_state(together / name)
    assert two["step"] == one["step"] == (8 if name == "four rows" else 16)
    assert two["criterion"]["loss_norm"].item() == one["criterion"]["loss_norm"].item() != 100
    columns = ["step", "epoch", "learning_rate", "loss_cls", "loss_reg", "loss_total", "grad_norm"]
    other = pd.read_csv(together / name / "metrics.csv")
    pd.testing.assert_frame_equal(other[columns], table[columns], rtol=2e-6, atol=0)
    torch.manual_seed(1)
    start = build_model(RECIPES[name]).state_dict()
    for part in ("model", "average"):
        for key, value in one[part].items():
            if name == "plain" and key.endswith(("key.bias", "key_norm.bias")):
                continue
            torch.testing.assert_close(two[part][key], value, rtol=1e-5, atol=1e-6 if name == "plain" else 2e-7)
        moved = [(one[part][key] - start[key]).abs().max().item() for key in start]
        assert sum(distance > 2e-5 for distance in moved) > len(moved) / 4, "the training moves far more than that"
    if name == EVALUATED:
        assert [epoch for epoch, _ in two["validation"]] == [1, 3]
        assert dict(two["validation"]) == pytest.approx(dict(one["validation"]))


def test_each_process_drops_its_own_paths(together):
    first, second = last_state(together / "drop path")["random"]
    assert first["python"] != second["python"]
    masks = []
    for state in (first, second):
        torch.set_rng_state(state["torch"])
        masks.append(torch.rand(100))
    assert (masks[0] != masks[1]).float().mean() > 0.9


def test_a_change_of_devices_is_said(together):
    said = [line for line in (together / "said.txt").read_text().splitlines() if "from here on" in line]
    assert said == ["afkit: 1 devices up to step 5 and 2 from here on, with new random masks"], "said once"


def test_one_process_goes_on_from_two(together, tmp_path, capsys):
    (tmp_path / "checkpoints").mkdir()
    name = "checkpoints/step000000016.pt"
    (tmp_path / name).write_bytes((together / "plain" / name).read_bytes())
    table = start_training("plain", together, tmp_path)
    assert len(table) == 16
    assert "2 devices up to step 16 and 1 from here on" in capsys.readouterr().out


def test_what_processes_tell_each_other(together):
    for rank in range(2):
        told = torch.load(together / f"told{rank}.pt")
        assert told["world"] == (rank, 2)
        assert told["sum"] == [2, 11]
        assert told["numbers"][0] == [0.5, 0.0]
        assert told["numbers"][1][0] == 1.5 and told["numbers"][1][1] != told["numbers"][1][1]
        assert told["objects"] == [{"rank": 0}, {"rank": 1}]
        assert told["tensors"] == [[[0], 0.1], [[1], 0.1]], "as JSON, so that nothing is executed"
        assert told["bytes"] == [b"\0\1\xff", b"\0\1\xff\0\1\xff"]
        assert "the weights of the 2 devices are no longer the same at step 3" in told["differ"]


def test_random_states_keep_their_types(together):
    for state in last_state(together / "drop path")["random"]:
        expected = random_state()
        assert state["python"] == (expected["python"][0], state["python"][1], None)
        for part, like in ((state["torch"], expected["torch"]), (state["numpy"][0], expected["numpy"][0])):
            assert (part.dtype, part.shape) == (like.dtype, like.shape)
        before = random_state()
        set_random_state(state)
        set_random_state(before)


def test_shared_detections_are_those_of_one_process(together, tmp_path):
    detect(together, tmp_path)
    for name, videos in (("all", 5), ("one", 1)):
        expected = pd.read_pickle(tmp_path / f"{name}0.pkl")
        assert expected["video"].nunique() == videos
        for rank in range(2):
            shared = pd.read_pickle(together / f"{name}{rank}.pkl")
            pd.testing.assert_frame_equal(shared, expected, check_exact=True)
    recipe = RECIPES["plain"]
    dataset = Dataset(recipe.data, together, recipe.data.test_subsets)
    torch.manual_seed(5)
    expected = predict_dataset(build_model(recipe), recipe, dataset)
    pd.testing.assert_frame_equal(pd.read_pickle(together / "all0.pkl"), expected, check_exact=True)


def test_only_the_first_process_writes(together):
    for name in RECIPES:
        assert len(list((together / name / "tensorboard").glob("events*"))) <= 2, "one for each start"
        assert not list((together / name).rglob("*.tmp"))


def test_one_process_talks_to_itself_and_is_not_two(together, tmp_path):
    numbers = torch.ones(2)
    assert world() == (0, 1)
    assert sum_over_ranks(numbers) is numbers
    assert gather_numbers([1.0, 2.0]) == [[1.0, 2.0]]
    assert gather_objects("x") == ["x"]
    with pytest.raises(ValueError, match=r"2 devices on 1 machines .* this is one of 1; .*train_on_devices"):
        start_training("plain", together, tmp_path, devices=2)
