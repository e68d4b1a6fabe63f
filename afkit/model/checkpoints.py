"""Weights on disk: our own safetensors files and the original's .pth.tar, read without executing anything."""

from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from afkit.files import atomic_open
from afkit.opening import check_stored

_ENTRY = {"ema": "state_dict_ema", "raw": "state_dict"}  # of the original's files


def save_weights(model: nn.Module, path: str | Path, weights: str) -> None:
    """Write a network's weights as safetensors, atomically; `weights` ("ema" or "raw") is noted inside."""
    state = {name: value.contiguous() for name, value in model.state_dict().items()}
    if len({value.data_ptr() for value in state.values()}) < len(state):  # a norm that levels share has many names
        state = {name: value.clone() for name, value in state.items()}
    with atomic_open(path) as file:
        file.write(safetensors.torch.save(state, metadata={"weights": weights}))


def load_weights(model: nn.Module, path: str | Path, weights: str = "ema") -> None:
    """Load weights into a network; every name and shape must fit.

    From a .safetensors file of ours, or a .pth.tar of the original (names with or without "module."): "ema", the
    running average that evaluation uses, or "raw". A ValueError says what does not fit; the model is then unchanged.
    """
    if weights not in _ENTRY:
        raise ValueError(f"weights must be 'ema' or 'raw', not '{weights}'")
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} does not exist; train first, or name a checkpoint file")
    if path.suffix == ".safetensors":
        state = _read_safetensors(path, weights)
    else:
        state = original_weights(read_original(path), weights, path)
    fit_weights(model, state, path)


def fit_weights(model: nn.Module, state: dict[str, Tensor], path: str | Path) -> None:
    """Load a file's named tensors into a network; a ValueError names the first that does not fit, and none is taken."""
    expected, first_names = model.state_dict(), dict[int, str]()
    for name, value in expected.items():
        if name not in state:
            raise ValueError(f"{path} is of another architecture: it lacks '{name}' {tuple(value.shape)}")
        found = state[name]
        if not _is_plain(found, value):
            raise ValueError(f"{path}: '{name}' is no plain {value.dtype} tensor; take another checkpoint")
        if found.shape != value.shape:
            raise ValueError(
                f"{path} is of another architecture: '{name}' is {tuple(found.shape)}, the recipe needs "
                f"{tuple(value.shape)}"
            )
        if not torch.isfinite(found).all():
            raise ValueError(f"{path}: '{name}' holds NaN or infinity; take another checkpoint")
        first = first_names.setdefault(value.data_ptr(), name)
        if not (found == state[first]).all():
            raise ValueError(f"{path} is of another architecture: '{first}' and '{name}' differ, and are one here")
    surplus = state.keys() - expected.keys()
    if surplus:
        raise ValueError(f"{path} is of another architecture: the recipe has no '{min(surplus)}'")
    model.load_state_dict(state, strict=True)


def _is_plain(found: Tensor, expected: Tensor) -> bool:
    """Whether one can be copied into the other: dense, in memory, and floating where the other is."""
    dense = found.layout == torch.strided and not found.is_quantized and found.device.type == "cpu"
    return dense and not found.is_complex() and found.is_floating_point() == expected.is_floating_point()


def _read_safetensors(path: Path, weights: str) -> dict[str, Tensor]:
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            held = (file.metadata() or {}).get("weights", weights)
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, safetensors.SafetensorError) as error:
        raise ValueError(f"{path} is not a readable safetensors file: {error}") from None
    if held != weights:
        raise ValueError(f"{path} holds the '{held}' weights, but '{weights}' were asked for")
    return state


def read_original(path: str | Path) -> dict[str, Any]:
    """The content of an original's .pth.tar: state_dict, state_dict_ema, optimizer, scheduler, epoch.

    A file that is no checkpoint, or holds more than tensors and plain values, is a ValueError: nothing is executed.
    """
    try:
        check_stored(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise almost anything
        reason = str(error).split("\n")[0]
        raise ValueError(f"{path} is not a checkpoint that can be read safely: {reason}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds no named entries; is it a checkpoint?")
    return content


def original_weights(content: dict[str, Any], weights: str, path: str | Path) -> dict[str, Tensor]:
    """The "ema" or "raw" tensors of an original checkpoint by our names; a ValueError where it does not hold them."""
    state = content.get(_ENTRY[weights])
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"{path} has no '{_ENTRY[weights]}' with named tensors; is it a checkpoint?")
    return {str(name).removeprefix("module."): value for name, value in state.items()}
