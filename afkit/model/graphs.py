"""The network as CUDA graphs: its kernels are launched all at once, where a GPU would wait for the processor.

A graph is of one shape of inputs. Sequences are therefore padded to one of few lengths, and the first of each length is
captured. What has to be decided anew at every step (targets, losses, decoding) stays outside.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.model.actionformer import Output

LENGTHS = 8  # up to max_seq_len; each has a graph that stays in memory
Network = Callable[[Tensor, Tensor], Output]


class Graphs(nn.Module):
    """A network in one mode (training, or evaluation without gradients) that is captured for each length it meets.

    Sequences come padded as of `padded_batch_length`, so that more padding changes nothing. Outputs are those of the
    padded sequence, and are written over by the next call. Sequences longer than max_seq_len, of which no two may be
    alike, go through the network itself.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, capture: Callable[[nn.Module, Tensor, Tensor], Network]):
        super().__init__()
        self.network, self._capture = network, capture
        self._captured: dict[torch.Size, Network] = {}  # by the shape of the features
        stride, self._longest = recipe.model.level_strides[-1], recipe.data.max_seq_len
        self._every = -(-self._longest // (LENGTHS * stride)) * stride  # steps from one length to the next

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        """As of the network: (B, C, T), (B, T) bool."""
        steps = features.shape[2]
        if steps > self._longest:
            return self.network(features, mask)
        more = min(-(-steps // self._every) * self._every, self._longest) - steps
        features = F.pad(features.mT, (0, 0, 0, more)).mT  # channels lie side by side, as before
        mask = F.pad(mask, (0, more))
        if features.shape not in self._captured:
            self._captured[features.shape] = self._capture(self.network, features, mask)
        return self._captured[features.shape](features, mask)


class _Apart(nn.Module):
    """Stands for a network where a graph is made, which takes the place of its `forward`."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        return self.network(features, mask)


def capture(network: nn.Module, features: Tensor, mask: Tensor) -> Network:
    """A graph of the network for these shapes, with its backward pass where gradients are wanted; nothing is drawn."""
    random, cached = torch.cuda.get_rng_state(), torch.is_autocast_cache_enabled()
    torch.set_autocast_cache_enabled(False)  # a weight in bfloat16 must be made anew from the weight at each replay
    try:
        apart = _Apart(network).train(network.training)
        inputs = features.clone(), mask.clone()  # of the graph, which reads here what each call copies
        return torch.cuda.make_graphed_callables(apart, inputs, allow_unused_input=True)  # type: ignore[return-value]
    finally:
        torch.set_autocast_cache_enabled(cached)
        torch.cuda.set_rng_state(random)


def with_graphs(network: nn.Module, recipe: Recipe) -> nn.Module:
    """The network as CUDA graphs; the network itself where it is not on a GPU, and a line that says so."""
    if next(network.parameters()).is_cuda:
        return Graphs(network, recipe, capture)
    print("afkit: cuda_graphs was asked for, but there is no GPU, so it goes on without", flush=True)
    return network
