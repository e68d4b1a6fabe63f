"""A network captured for each length that it meets; in place of a GPU's graphs, calls over the same buffers."""

import pytest
import torch
from tiny_data import TEMPORALMAXER, TRIDET, tiny_recipe, training_set

from afkit.data.batches import training_batches
from afkit.data.items import Dataset
from afkit.detect import prediction
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model, padding_alignment
from afkit.model.graphs import LENGTHS, Graphs, with_graphs
from afkit.train.execution import Execution
from afkit.train.loop import train, train_step
from afkit.train.state import new_state

SETTINGS = {"data__max_seq_len": 128, "data__crop_ratio": (0.3, 1.0), "model__drop_path": 0.0}
SETTINGS |= {"optim__optimizer": "sgd", "optim__learning_rate": 0.1}  # AdamW would make much of the last digits
NETWORKS = {"actionformer": {}, "tridet": TRIDET, "temporalmaxer": TEMPORALMAXER}


def over_buffers(lengths):
    """A capture that notes the length, and calls the network on buffers of its own, written over at each call."""

    def capture(network, features, mask):
        lengths.append(features.shape[2])
        buffers = features.clone(), mask.clone()

        def replay(features, mask):
            for buffer, tensor in zip(buffers, (features, mask), strict=True):
                buffer.copy_(tensor)  # fails where the shape is another
            return network(*(buffer.clone() for buffer in buffers))

        return replay

    return capture


@pytest.mark.parametrize("network", NETWORKS)
def test_steps_of_a_captured_network_are_those_of_the_network(root, network):
    recipe = tiny_recipe(**SETTINGS | NETWORKS[network])
    states = [new_state(recipe, 3, seed=1, device=torch.device("cpu")) for _ in range(2)]
    captured, met = [], set()
    states[1].network = Graphs(states[1].model, recipe, over_buffers(captured))
    dataset, align = training_set(root, recipe, seed=1), padding_alignment(recipe)
    for batch in training_batches(dataset, 2, epochs=8, align=align):
        met.add(batch.features.shape[2])
        losses = [train_step(state, batch, recipe) for state in states]
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-5, atol=0)
    for own, expected in zip(states[1].current, states[0].current, strict=True):
        torch.testing.assert_close(own, expected, rtol=1e-4, atol=1e-6)
    assert len(set(captured)) == len(captured) <= LENGTHS, "each length once"
    assert all(length % recipe.model.level_strides[-1] == 0 and length <= 128 for length in captured)
    if align:
        assert len(captured) < len(met), "fewer than there were"


def test_detections_of_a_captured_network_are_those_of_the_network(root, monkeypatch):
    recipe = tiny_recipe(data__max_seq_len=64)  # shorter than some of the videos
    torch.manual_seed(0)
    model, captured = build_model(recipe), []
    dataset = Dataset(recipe.data, root, ["training", "test"])
    expected = predict_dataset(model, recipe, dataset)
    monkeypatch.setattr(prediction, "with_graphs", lambda model, recipe: Graphs(model, recipe, over_buffers(captured)))
    predict_dataset(model, recipe, dataset, window_steps=48, cuda_graphs=True)
    assert not captured, "a window may lack the padding after which more changes nothing"
    found = predict_dataset(model, recipe, dataset, cuda_graphs=True)
    assert found["label"].tolist() == expected["label"].tolist() and captured
    torch.testing.assert_close(*(torch.tensor(t[["start_sec", "score"]].to_numpy()) for t in (found, expected)))


def test_without_a_gpu_it_goes_on_without_and_says_so(root, capsys):
    recipe = tiny_recipe(optim__epochs=1)
    model = build_model(recipe)
    assert with_graphs(model, recipe) is model
    assert "cuda_graphs was asked for, but there is no GPU" in capsys.readouterr().out
    train(recipe, training_set(root, recipe, seed=1), root / "run", seed=1, execution=Execution(cuda_graphs=True))
    assert "cuda_graphs was asked for, but there is no GPU" in capsys.readouterr().out
