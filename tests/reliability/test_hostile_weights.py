"""Checkpoints, weights and score files that would run code, take all memory, or hold something else than numbers."""

import io
import json
import math
import pickle
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch
from hostile import Runs, in_child
from safetensors.torch import save as save_safetensors
from tiny_data import tiny_recipe

from afkit.detect.fusion import read_scores
from afkit.model.checkpoints import load_weights, read_original
from afkit.train.checkpoints import Checkpoints
from afkit.train.execution import DEFAULT_EXECUTION
from afkit.train.state import new_state
from afkit.workbench.datasets.ego4d import _read_tensor
from afkit.workbench.runs.launch import read_table, write_table

SECTION = "Hostile and broken files"


def refused(read, path, match, tally, row, trace=None):
    """One sentence with the file, and no code ran."""
    with pytest.raises(ValueError, match=match) as caught:
        read(path)
    assert path.name in str(caught.value) and "\n" not in str(caught.value)
    assert trace is None or not trace.exists()
    tally(SECTION, row, cases=1, refused=1, code_run=0, other_exceptions=0)


def load(path):
    load_weights(torch.nn.Linear(4, 3), path)


def resume(path):
    state = new_state(tiny_recipe(), 3, 1, torch.device("cpu"))
    return Checkpoints(path.parent, tiny_recipe(), 1, DEFAULT_EXECUTION).load(state)


def saved(content, **options):
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def weights(**changes):
    return saved({"state_dict_ema": {"weight": torch.ones(3, 4), "bias": torch.ones(3)} | changes})


READERS = {  # of pickles: a file's name, and its row in the table
    "epoch.pth.tar": (load, "published checkpoints"),
    "theirs.pth.tar": (read_original, "published checkpoints"),
    "step000000001.pt": (resume, "training checkpoints"),
    "clip.pt": (_read_tensor, "Ego4D tensors"),
    "scores.pkl": (read_scores, "class scores"),
    "predict_job.npz": (read_table, "tables between processes"),
}


def writings(trace):
    """Ways to write an object that runs code when it is read."""
    thing = Runs(trace)
    yield pickle.dumps(thing)
    yield pickle.dumps({"a": thing}, protocol=0)
    yield saved({"state_dict_ema": {"weight": thing}})
    yield saved(thing, _use_new_zipfile_serialization=False)
    yield _npz({"video": np.array([thing], dtype=object)})
    yield b"cos\nsystem\n(S'mkdir " + str(trace).encode() + b"'\ntR."


def _npz(arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


@pytest.mark.parametrize("name", READERS)
def test_a_pickle_that_would_run_code_is_refused_and_nothing_runs(tmp_path, name, tally):
    read, row = READERS[name]
    trace, path = tmp_path / "ran", tmp_path / name
    for data in writings(trace):
        path.write_bytes(data)
        refused(read, path, "not|no ", tally, row, trace)


def test_the_trace_appears_where_a_pickle_is_read_carelessly(tmp_path):
    pickle.loads(next(writings(tmp_path / "ran")))
    assert (tmp_path / "ran").is_dir()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"weight": torch.full((3, 4), math.nan)}, "'weight' holds NaN or infinity"),
        ({"bias": torch.tensor([1.0, math.inf, 0.0])}, "'bias' holds NaN or infinity"),
        ({"weight": torch.ones(3, 4).to_sparse()}, "'weight' is no plain torch.float32 tensor"),
        ({"weight": torch.ones(3, 4, dtype=torch.complex64)}, "'weight' is no plain"),
        ({"weight": torch.ones(3, 4, dtype=torch.int64)}, "'weight' is no plain"),
        ({"weight": torch.ones(3, 4, device="meta")}, "'weight' is no plain"),
        ({"weight": torch.quantize_per_tensor(torch.ones(3, 4), 0.1, 0, torch.qint8)}, "'weight' is no plain|safely"),
        ({"weight": torch.ones(1).expand(10**6, 10**6)}, r"'weight' is \(1000000, 1000000\)"),
        ({"weight": 3.0}, "no 'state_dict_ema' with named tensors"),
        ({"other": torch.ones(1)}, "the recipe has no 'other'"),
    ],
)
def test_weights_that_are_no_plain_numbers(tmp_path, changes, match, tally):
    path = tmp_path / "a.pth.tar"
    path.write_bytes(weights(**changes))
    refused(load, path, match, tally, "published checkpoints")


def test_weights_of_half_precision_are_read(tmp_path):
    path, model = tmp_path / "a.pth.tar", torch.nn.Linear(4, 3)
    path.write_bytes(weights(weight=torch.full((3, 4), 0.5).half()))
    load_weights(model, path)
    assert model.weight.dtype == torch.float32 and bool((model.weight == 0.5).all())


def packed_again(data, repeats=1):
    """A checkpoint whose parts are compressed, which torch reads as well."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as stored, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for info in stored.infolist():
            packed.writestr(info.filename, stored.read(info.filename))
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["epoch.pth.tar", "clip.pt", "step000000001.pt"])
def test_a_compressed_checkpoint_is_a_bomb(tmp_path, name, tally):
    path, (read, row) = tmp_path / name, READERS[name]
    path.write_bytes(packed_again(saved({"a": torch.zeros(25_000_000)})))
    assert path.stat().st_size < 10**6

    def grown():
        refused(read, path, "claim|not a readable", lambda *_, **__: None, row)

    ended = in_child(grown)
    assert ended.end == "done", ended
    assert ended.memory_mb < 50, "100 MB were unpacked"
    tally(SECTION, row, cases=1, refused=1, code_run=0, other_exceptions=0)


def safetensors_with(header, data=bytes(60)):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize(
    "data",
    [
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10**9) + b"{}",
        b"",
        b"\x00" * 7,
        safetensors_with(b"[" * 100_000),
        safetensors_with({"weight": {"dtype": "F32", "shape": [2**62, 4], "data_offsets": [0, 48]}}),
        safetensors_with({"weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 2**60]}}),
        safetensors_with({"weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [48, 0]}}),
        safetensors_with({"weight": {"dtype": "OBJECT", "shape": [3, 4], "data_offsets": [0, 48]}}),
        save_safetensors({"weight": torch.full((3, 4), math.nan), "bias": torch.ones(3)}),
    ],
)
def test_safetensors_that_lie(tmp_path, data, tally):
    path = tmp_path / "ema.safetensors"
    path.write_bytes(data)
    refused(load, path, "not a readable safetensors file|holds NaN", tally, "weights .safetensors")


def test_training_checkpoints_of_another_kind(tmp_path, tally):
    folder = tmp_path / "made"
    Checkpoints(folder, tiny_recipe(), 1, DEFAULT_EXECUTION).save(new_state(tiny_recipe(), 3, 1, torch.device("cpu")))
    good = torch.load(folder / "step000000000.pt", weights_only=True)
    path = tmp_path / "step000000001.pt"
    path.write_bytes(saved(good))
    assert resume(path)
    for changes in (
        {"step": "x"},
        {"step": None},
        {"validation": 3},
        {"random": [{}]},
        {"random": None},
        {"execution": 3},
        {"model": 3},
        {"optimizer": {}},
        {"metrics": None},
        {"schedule": []},
    ):
        path.write_bytes(saved(good | changes))
        refused(resume, path, "does not fit this version", tally, "training checkpoints")


# ---- class scores


def shared_lists(levels):
    """Ten lists in each list, all the same one: small in a pickle, 10 ** levels in an array."""
    inner = [0.5] * 10
    for _ in range(levels):
        inner = [inner] * 10
    return {"a": inner}


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\x04]r\xff\xff\xff\x01.",  # for which the library's reader in C takes half a gigabyte
        b"\x80\x04]r\xff\xff\xff\x7f.",  # the second thousand millionth object that is remembered
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",  # a terabyte of bytes
        b"\x80\x05\x96" + struct.pack("<Q", 2**40) + b"x.",
        b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
        pickle.dumps(shared_lists(9)),
        pickle.dumps({"a": [10**400, 0.5]}),
        pickle.dumps({"a": [math.nan]}),
        pickle.dumps({"a": np.array([None])}),
        pickle.dumps({"a": np.array([1j])}),
        pickle.dumps({"a": np.ones((2, 2))}),
        pickle.dumps({3: [0.5]}),
    ],
)
def test_hostile_score_pickles(tmp_path, data, tally):
    path = tmp_path / "scores.pkl"
    path.write_bytes(data)

    def read():
        refused(read_scores, path, "scores|pickle", lambda *_, **__: None, "")

    ended = in_child(read, seconds=20)
    assert ended.end == "done" and ended.memory_mb < 50, ended
    tally(SECTION, "class scores", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize(
    "text",
    [
        '{"a": [1e400]}',
        '{"a": [NaN]}',
        '{"a": [[1], [2]]}',
        '{"a": ["1"]}',
        '{"a": [true]}',
        '{"a": []}',
        '{"a": [1' + "0" * 400 + ", 0.5]}",
        '{"a": [1], "a": [2]}',
        '{"\\ud800": [1]}',
        "[" * 100_000,
    ],
)
def test_hostile_score_json(tmp_path, text, tally):
    path = tmp_path / "scores.json"
    path.write_text(text)
    refused(read_scores, path, "class scores|not a readable JSON", tally, "class scores")


# ---- the table that processes hand over


def test_a_table_keeps_every_value_and_type(tmp_path):
    names = ["a", "", "tail\x00\x00", "é\U0001f600", "x" * 500, "a"]
    numbers = [-0.0, 1e-320, math.inf, math.nan, 0.1, -(2.0**60)]
    table = pd.DataFrame(
        {"video": names, "start_sec": numbers, "label": np.arange(6), "odd": pd.Series(names, dtype=object)}
    )
    table["small"] = np.arange(6, dtype=np.float32)
    for part in (table, table[:0], pd.DataFrame(columns=["video", "score"])):
        write_table(tmp_path / "predict_job.npz", part)
        found = read_table(tmp_path / "predict_job.npz")
        pd.testing.assert_frame_equal(found, part, check_exact=True)
        assert all(found[column].dtype == part[column].dtype for column in part)
    write_table(tmp_path / "predict_job.npz", table)
    assert np.signbit(read_table(tmp_path / "predict_job.npz")["start_sec"][0])
