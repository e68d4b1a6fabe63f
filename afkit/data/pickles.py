"""Features of HACS, which its SlowFast release keeps as pickled tensors, read without running anything else."""

import io
import math
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

STREAMS = ("slow_feature", "fast_feature")  # their channels follow each other


def read_pickle(path: Path) -> np.ndarray:
    """(T, C) of a pickled {"slow_feature": tensor (1, c, T), "fast_feature": tensor (1, c', T)}.

    Raises:
        pickle.UnpicklingError: it asks for anything but tensors, which could run code.
        ValueError: it holds something else.
    """
    content = _TensorUnpickler(io.BytesIO(path.read_bytes())).load()
    if not isinstance(content, dict) or not all(isinstance(content.get(name), Tensor) for name in STREAMS):
        raise ValueError(f"it must hold the tensors {' and '.join(STREAMS)}")
    streams = [content[name].numpy() for name in STREAMS]
    if any(stream.ndim != 3 or len(stream) != 1 for stream in streams):
        raise ValueError(f"its tensors are {[stream.shape for stream in streams]}, not (1, C, T)")
    return np.concatenate([stream[0].T for stream in streams], axis=1)


class _TensorUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, and only tensors are read")
        return _ALLOWED[module, name]


def _load_storage(packed: bytes) -> Any:
    """The numbers of a tensor, which are a pickle inside the pickle."""
    return torch.load(io.BytesIO(packed), map_location="cpu", weights_only=True)


def _rebuild(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    if math.prod(size) > storage._size():
        raise pickle.UnpicklingError(f"a tensor of {storage._size()} numbers claims the shape {tuple(size)}")
    return torch.empty(0, dtype=storage.dtype).set_(storage, offset, size, stride)


_ALLOWED = {
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
    ("torch.storage", "_load_from_bytes"): _load_storage,
    ("collections", "OrderedDict"): OrderedDict,
}
