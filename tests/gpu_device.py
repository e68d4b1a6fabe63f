"""On which device the GPU tests run, and errors planted for them. Imports torch and pytest only.

They need a GPU. AFKIT_TEST_DEVICE=cpu tries them without one: then both sides of each comparison are the processor.
"""

import os

import pytest
import torch

DEVICE = os.environ.get("AFKIT_TEST_DEVICE") or "cuda"
needs_device = [
    pytest.mark.gpu,
    pytest.mark.skipif(DEVICE == "cuda" and not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]
only_cuda = pytest.mark.skipif(DEVICE != "cuda", reason="it is about CUDA itself")


def nudged(tensor: torch.Tensor, by: float) -> torch.Tensor:
    """A copy whose largest number is another one, by a share of it; the next one in its precision for 0."""
    tensor = tensor.clone()
    flat = tensor.view(-1)
    place = flat.abs().argmax()
    beyond = torch.full_like(flat[place], torch.inf)
    flat[place] = flat[place] * (1 + by) if by else torch.nextafter(flat[place], beyond)
    return tensor
