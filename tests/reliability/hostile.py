"""Hostile files: code in pickles, damaged bytes, twisted structures, and a child process with bounded memory."""

import copy
import io
import json
import os
import pickle
import resource
import select
import signal
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from hypothesis import strategies as st

MB = 2**20
DEEP = "@deep@"  # in a structure; becomes lists in lists when it is written
LEVELS = 100_000
VALUES = (  # what stands in a file in place of what should
    None, True, False, 0, -1, 3, 2**31, 2**63, 10**400, 0.5, -0.0, 1e-320, 1e308, float("inf"), float("nan"), "", " ",
    "a", "1", "nan", "1e400", "9" * 400, "1:2:3:4", "9" * 400 + ":1", "../../x", "/etc/x", "a/b", "..", "a\\b", "CON",
    "<script>alert(1)</script>", "\x1b[31m", "\x00", "\u202egnp", "\ud800", "é" * 300, "x" * 5000, [], {}, [[]], [{}],
    [1], [1, 2], [2, 1], ["a", "b"], [None, None], [[1, 2], [3]], {"a": 1}, {"": {}}, {"segment": [0, 1]}, DEEP, [DEEP],
)  # fmt: skip
TOKENS = (
    *b"nan|inf|-0.0|1e400|null|true|-1|0|,|;|\t|\n|\r\n|\"|'|[|]|{|}|:|&a |*a|<<: ".split(b"|"),
    b"!!python/name:os.system ",
    *(b"\\u0000", b"\\ud800", b"../", b"/etc/x", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\x80\x02", b"PK\x03\x04", b"|"),
    *(b"9" * 5000, b"0" * 400, b"[" * 3000),
)
RUNS = b" \t\n09.,;:-_a(<[{\"'\\/"  # characters of which many in a row take a poor pattern for ever


class Runs:
    """Pickled, it makes a folder when somebody reads it: the trace of code that ran."""

    def __init__(self, trace: Path):
        self.trace = trace

    def __reduce__(self):
        return os.mkdir, (str(self.trace),)


class Ended(NamedTuple):
    """How a child process ended."""

    end: str  # "done", the name of an exception, or "code" and the exit code
    said: Any  # what the action gave, or the exception's message
    memory_mb: float  # by which its memory grew
    seconds: float  # of the processor, whatever else is running


def in_child(action: Callable[[], Any], memory_mb: int = 1024, seconds: float = 60) -> Ended:
    """Carry out an action in a child process that may take so much more memory (addresses), and so much time.

    What it gives must be JSON.
    """
    read_end, write_end = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            bound_memory(memory_mb)
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            try:
                end, said = "done", action()
            except BaseException as error:
                end, said = type(error).__name__, str(error)[:5000]
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            os.write(write_end, json.dumps([end, said, grown]).encode())
        finally:
            os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as pipe:
        if not select.select([pipe], [], [], seconds)[0]:  # from outside: a library may never come back
            os.kill(child, signal.SIGKILL)
        answer = pipe.read()
    _, status, used = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    end, said, grown = json.loads(answer) if answer else (f"code {code}", "", 0.0)
    return Ended(end, said, grown, used.ru_utime + used.ru_stime)


def bound_memory(memory_mb: int) -> None:
    """Let this process map so much more memory than it has mapped now."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + memory_mb * MB
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))


@st.composite
def damaged(draw, seeds: tuple[bytes, ...], longest_run: int = 2**16) -> bytes:
    """A valid file with up to five bytes flipped, parts cut, inserted or doubled, runs, or another's end."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(1, 5))):
        place = draw(st.integers(0, len(data)))
        end = min(place + draw(st.sampled_from([1, 2, 4, 8, 64, 1024])), len(data))
        kind = draw(st.sampled_from(["flip", "number", "cut", "end", "insert", "run", "double", "splice"]))
        if kind == "flip":
            data[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif kind == "number":  # a length or an offset
            number = draw(st.sampled_from([0, 1, 2**15, 2**31 - 1, 2**32 - 1, 2**63 - 1, 2**64 - 1]))
            data[place:end] = struct.pack("<Q", number)[: end - place]
        elif kind == "cut":
            del data[place:end]
        elif kind == "end":
            del data[place:]
        elif kind == "insert":
            data[place:place] = draw(st.sampled_from(TOKENS) | st.binary(max_size=8))
        elif kind == "run":
            data[place:place] = bytes([draw(st.sampled_from(RUNS))]) * longest_run
        elif kind == "double":
            data[place:place] = data[place:end]
        else:
            other = draw(st.sampled_from(seeds))
            data[place:] = other[draw(st.integers(0, len(other))) :]
    return bytes(data)


@st.composite
def twisted(draw, content: Any) -> Any:
    """A structure of dictionaries and lists in which up to three entries are replaced, gone, doubled or deeper."""
    root = {"": copy.deepcopy(content)}
    for _ in range(draw(st.integers(1, 3))):
        holder, key = root, ""
        while isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 4)):
            holder = holder[key]
            key = draw(st.sampled_from(list(holder) if isinstance(holder, dict) else range(len(holder))))
        kind = draw(st.sampled_from(["replace", "replace", "remove", "nest", "name", "double"]))
        if kind == "replace" or holder is root:
            holder[key] = copy.deepcopy(draw(st.sampled_from(VALUES)))
        elif kind == "remove":
            del holder[key]
        elif kind == "nest":
            holder[key] = draw(st.sampled_from([[holder[key]], {"results": holder[key]}, {"a": [holder[key]]}]))
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            name = draw(st.sampled_from([value for value in VALUES if isinstance(value, str) and value != DEEP]))
            holder[name] = copy.deepcopy(holder[key])
            if kind == "name":
                holder.pop(key, None)
    return root[""]


def as_json(content: Any) -> bytes:
    """JSON as Python writes it, with NaN, lone surrogates and lists in lists."""
    return json.dumps(content).replace(f'"{DEEP}"', "[" * LEVELS + "]" * LEVELS).encode()


def as_yaml(content: Any) -> bytes:
    """YAML with lists in lists."""
    text = yaml.safe_dump(content, default_flow_style=True, width=10**9)
    return text.replace(f"'{DEEP}'", "[" * 400 + "]" * 400).encode()


def as_pickle(content: Any) -> bytes:
    """A pickle; numbers in lists become arrays, as in score files."""
    return pickle.dumps(_with_arrays(content), protocol=2)


def _with_arrays(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _with_arrays(value) for key, value in content.items()}
    if isinstance(content, list) and content and all(isinstance(value, float) for value in content):
        return np.array(content)
    return content


def as_safetensors(content: Any) -> bytes:
    """A file of the header given, and a few bytes of data."""
    header = json.dumps(content).encode()
    return struct.pack("<Q", len(header)) + header + bytes(range(96))


def as_npy(content: Any) -> bytes:
    """A file of the header given (it is Python's literal), and a few bytes of data."""
    header = repr(content).encode("utf-8", "replace")[:60_000]
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(96)


def npy_bytes(array: np.ndarray, **options: Any) -> bytes:
    """The array as a file."""
    buffer = io.BytesIO()
    np.save(buffer, array, **options)
    return buffer.getvalue()


def npz_bytes(save: Callable = np.savez, **arrays: np.ndarray) -> bytes:
    """The arrays as a file; `save` may compress."""
    buffer = io.BytesIO()
    save(buffer, **arrays)
    return buffer.getvalue()


def zipped(members: dict[str, bytes]) -> bytes:
    """A compressed zip."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def saved(content: Any, **options: Any) -> bytes:
    """What torch saves."""
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def packed_again(data: bytes) -> bytes:
    """A checkpoint whose parts are compressed, which torch reads as well."""
    with zipfile.ZipFile(io.BytesIO(data)) as stored:
        return zipped({name: stored.read(name) for name in stored.namelist()})
