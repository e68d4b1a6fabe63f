"""Features of HACS, which its SlowFast release keeps as pickled tensors, read without running anything else.

A pickle is a program for a small machine. Only such as consist of the few instructions that tensors need are read.
"""

import io
import math
import pickle
import pickletools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from afkit.opening import read_bytes

STREAMS = ("slow_feature", "fast_feature")  # their channels follow each other
MOST_INSTRUCTIONS = 500  # of a file; two tensors need some 70
_PLAIN = {
    *("PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "NONE"),
    *("NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE", "EMPTY_TUPLE"),
    *("TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_DICT", "SETITEM", "SETITEMS"),
}
_OF_TENSORS = _PLAIN | {"STACK_GLOBAL", "REDUCE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"}
_OF_NUMBERS = _PLAIN | {"BINPERSID", "EMPTY_LIST", "APPEND", "APPENDS"}  # no call of anything
_NUMBERS_BEGIN = pickle.dumps(torch.serialization.MAGIC_NUMBER, protocol=2)  # what torch saves with a tensor
_NUMBERS_PICKLES = 5  # one after another, before the numbers


def read_pickle(path: Path) -> np.ndarray:
    """(T, C) of a pickled {"slow_feature": tensor (1, c, T), "fast_feature": tensor (1, c', T)}.

    Raises:
        pickle.UnpicklingError: it asks for anything but tensors, which could run code, or is damaged.
        ValueError: it holds something else.
    """
    data = read_bytes(path)
    try:
        _check(io.BytesIO(data), _OF_TENSORS)
        content = _TensorUnpickler(data).load()
    except pickle.UnpicklingError:
        raise
    except Exception as error:  # what is no pickle, or a forged one, can fail in any way
        raise pickle.UnpicklingError(f"it is no pickle of tensors ({str(error)[:200]})") from None
    if not isinstance(content, dict) or not all(isinstance(content.get(name), Tensor) for name in STREAMS):
        raise ValueError(f"it must hold the tensors {' and '.join(STREAMS)}")
    streams = [content[name].numpy() for name in STREAMS]
    if any(stream.ndim != 3 or len(stream) != 1 for stream in streams):
        raise ValueError(f"its tensors are {[stream.shape for stream in streams]}, not (1, C, T)")
    return np.concatenate([stream[0].T for stream in streams], axis=1)


def _check(file: io.BytesIO, allowed: set[str]) -> None:
    """Read over a pickle; an UnpicklingError for an instruction that is not allowed, or for too many."""
    for number, (instruction, argument, _) in enumerate(pickletools.genops(file)):
        if instruction.name not in allowed:
            raise pickle.UnpicklingError(f"it holds the instruction {instruction.name}, and only tensors are read")
        if number >= MOST_INSTRUCTIONS:
            raise pickle.UnpicklingError(f"it holds more than {MOST_INSTRUCTIONS} instructions; tensors need few")
        name = str(argument) if instruction.name == "GLOBAL" else ""
        if "BINPERSID" in allowed and name and not (name.startswith("torch ") and name.endswith("Storage")):
            raise pickle.UnpicklingError(f"it asks for {name.replace(' ', '.')[:80]} within a tensor")


class _TensorUnpickler(pickle._Unpickler):
    """The one in Python: that in C takes memory for as many objects as a file claims to hold."""

    def __init__(self, data: bytes):
        super().__init__(io.BytesIO(data))
        self.bytes_left = len(data)  # for numbers, of which a file can hold no more, however often it names them
        self.allowed = {
            ("torch._utils", "_rebuild_tensor_v2"): _rebuild,
            ("torch.storage", "_load_from_bytes"): self._load_numbers,
            ("collections", "OrderedDict"): lambda: None,  # of hooks, which are not read
        }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {f'{module}.{name}'[:80]}, and only tensors are read")
        return self.allowed[module, name]

    def _load_numbers(self, packed: bytes) -> torch.TypedStorage:
        """The numbers of a tensor, which are pickles inside the pickle."""
        file = io.BytesIO(packed)
        if not packed.startswith(_NUMBERS_BEGIN):
            raise pickle.UnpicklingError("the numbers of a tensor are not as torch saves them")
        for _ in range(_NUMBERS_PICKLES):
            _check(file, _OF_NUMBERS)
        self.bytes_left -= len(packed) - file.tell()
        if self.bytes_left < 0:
            raise pickle.UnpicklingError("its tensors hold more numbers than it has bytes")
        file.seek(0)
        return torch.load(file, map_location="cpu", weights_only=True)


def _rebuild(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> Tensor:
    plain = all(type(number) is int and 0 <= number < 2**63 for number in (offset, *size, *stride)) and 0 not in size
    if not isinstance(storage, torch.TypedStorage) or not plain:
        raise pickle.UnpicklingError("a tensor has no numbers, or no shape of numbers above 0")
    last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
    if max(math.prod(size), last + 1) > storage._size():
        raise pickle.UnpicklingError(f"a tensor of {storage._size()} numbers claims the shape {tuple(size)}"[:200])
    return torch.empty(0, dtype=storage.dtype).set_(storage, offset, size, stride)
