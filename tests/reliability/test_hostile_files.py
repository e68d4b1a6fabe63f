"""Files of other people in every format: each hostile one is refused in a sentence, runs no code and leaves nothing.

What a file may hold stands in tables: its content (or what writes it), and what the sentence says.
"""

import json
import math
import pickle
import struct
from functools import partial

import h5py
import numpy as np
import pytest
import torch
from hostile import LEVELS, Runs, as_json, as_safetensors, npy_bytes, npz_bytes, packed_again, saved, zipped
from readers import (
    MOMENTS,
    TABLE,
    feature_rows,
    load_linear,
    read_recipe,
    resume_training,
    training_checkpoint,
)
from safetensors.torch import save as save_safetensors

from afkit.data.annotations import read_annotations
from afkit.model.checkpoints import read_original
from afkit.workbench.analysis.fusion import read_scores
from afkit.workbench.analysis.report import headline
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.datasets.ego4d import _read_moments, _read_tensor, read_leads
from afkit.workbench.original import recipe_from_original
from afkit.workbench.own_data.importing import import_annotations
from afkit.workbench.sweeps.batch_jobs import read_cluster
from afkit.workbench.sweeps.sweep_file import read_sweep

HUGE, NESTED, DEEP = "1" + "0" * 400, "[" * 500 + "]" * 500, "[" * LEVELS + "]" * LEVELS
ROW = '{"segment": [0, 1], "label": "walk", "label_id": 0}'


def one_video(entry='"subset": "x"', rows=ROW, name='"a"'):
    return f'{{"database": {{{name}: {{{entry}, "annotations": [{rows}]}}}}}}'


def prediction(label='"walk"', score="0.5", segment="[0, 1]"):
    return f'{{"results": {{"a": [{{"label": {label}, "score": {score}, "segment": {segment}}}]}}}}'


def said(match, *contents):
    """Contents that are refused with the same words."""
    return [(content, match) for content in contents]


ANNOTATIONS = [
    *said("not a readable JSON", DEEP, '{"a": ' * 50_000, '{"database": {"a": 1' + "0" * 5000 + "}}"),
    *said("not a readable JSON", '\ufeff{"database": "\ud800"}', b"\xff\xfe\x00", b"\x00" * 100, b""),
    *said("annotation 0: expected", *(one_video(rows=ROW.replace(*change)) for change in [
        ("0, 1", f"0, {HUGE}"), ("[0, 1]", '"01"'), ("[0, 1]", '{"0": 1, "1": 2}'), ("0, 1", "0, 1, 2"),
        ('"label_id": 0', f'"label_id": {HUGE}'), ('"label_id": 0', '"label_id": 1e30'), ('"walk"', NESTED),
    ])),
    *said("annotation 0: expected", one_video(rows=json.dumps("x" * 10**6))),
    *said("segment is not finite", *(one_video(rows=ROW.replace("0, 1", times))
                                     for times in ("0, 1e400", "0, NaN", "-Infinity, 1"))),
    *said("'duration' must be a number above 0", *(one_video(entry=f'"subset": "x", "duration": {number}')
                                                   for number in (HUGE, "1e400"))),
    *said("'fps' must be a number above 0", *(one_video(entry=f'"subset": "x", "fps": {number}')
                                              for number in ("-0.0", NESTED))),
    *said("'subset' is missing", one_video(entry='"subset": ["x"]')),
    *said("gives 'subset' twice", one_video(entry='"subset": "x", "subset": "y"')),
    *said("a key of 2001 letters", one_video(entry='"subset": "x", "' + "y" * 2001 + '": 1')),
    *said("gives 'a' twice", '{"database": {"a": {"subset": "x"}, "a": {"subset": "y"}}}'),
]  # fmt: skip
NAMES = ("\x1b[31m", "\u202egnp.a", "a\x00b", "a\nb", "x" * 201, "\ud800")
PREDICTIONS = (
    DEEP,
    *(prediction(label=label) for label in (HUGE, '"' + "9" * 5000 + '"', NESTED, "NaN")),
    *(prediction(score=score) for score in (HUGE, "NaN", '"1e400"')),
    *(prediction(segment=f'["{clock}", 3]') for clock in ("9" * 400 + ":1", "9" * 5000 + ":1", "1:1:1:1")),
    *(prediction(segment=segment) for segment in (NESTED, "[0, 1e400]", '"01"')),
    *('{"results": {"\\ud800": []}}', '{"results": [1]}', '{"results": {"a": [], "a": []}}'),
)
IMPORTS = {
    "json": (
        '{"a": {"subset": {"b": ' + NESTED + '}, "annotations": []}}',
        '{"a": [[' + HUGE + ', 2, "x"]]}',
        '{"a": [[{"b": 1}, 2, "x"]]}',
        '{"a": {"duration": ' + HUGE + ', "annotations": []}}',
        '{"a": {"annotations": ' + NESTED + "}}",
        '{"a\\u001b[31m": [[0, 1, "x"]]}',
    ),
    "csv": (
        "video,start,end,label\n" + "x" * 200_000 + ",0,1,x\n",
        "video,start,end,label\na\x00,0,1,x\n",
        "video,start,end,label\n../../x\x1b[31m,0,1,x\nb,0,1,x\n",
        "video,start,end,label\na,0,1e400,x\nb,0,1,x\n",
        'video,start,end,label\n"a,0,1,x\n',
    ),
    "text": ("9" * 5000 + " x y\n",),
    "elan": ("a\tb\t1:1\t\t\n",),
    "steps": ("\n\x00\n",),
}
IDS = ("", ".", "..", "../x", "a/b", "a\\b", "a\x00", "a\n", "\ud800", "x" * 101, None, 3, ["x"])
MOMENT_FILES = (
    *("[]", "{}", '{"videos": 3}', '{"videos": [[]]}', '{"videos": [{"clips": [{"clip_uid": "../x"}]}]}'),
    '{"videos": [{"video_uid": ' + NESTED + ', "clips": [{}]}]}',
    *(json.dumps(MOMENTS).replace('"c1"', json.dumps(name)) for name in IDS),
)


# ---- settings

LAUGHS = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
YAML = [
    ("a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + LAUGHS, "aliases stand for"),
    ("a: &a [*a]\n", "holds itself"),
    ("a: 2001-02-03\n", "kind 'timestamp'"),
    ("a: !!binary aGVsbG8=\n", "kind 'binary'"),
    ("a:\n  b: no\n", "line 2: no may be true or false, or a word"),
    ("a: [1]\na: [2]\n", "line 2: 'a' is given twice"),
    ("a:\n- 1\n- 010\n", "line 3: 010 may be a number or a name"),
    *said("", "a: !!python/object/apply:os.mkdir [ran]\n", "a: !!python/name:os.system\n", "a: !mine 3\n"),
    ("a: " + "9" * 2001 + "\n", "line 1: a word of 2001 letters"),
    *said("", "a: 2001-99-99\n", "a: !!set {b}\n", "a: !!bool x\n", "a: !!int x\n"),
    *said("", "a: " + "[" * 1000 + "\n", "? [a, b]\n: 3\n", "{a: 1}: 3\n", "a: &a\n  <<: *a\n", '"\\ud800": 3\n'),
    *said("", "a: \x07\n", b"\xff", "a: 1\n---\nb: 2\n", "", "watch"),
]
PLACES = {"json_file": "a", "feat_folder": "f"}
ORIGINAL = (
    *({"dataset_name": ["thumos"]}, {"model": 3}, {"model": {"train_cfg": [1]}}, {"train_cfg": True}),
    *({"dataset": {"json_file": 3, "feat_folder": {}}}, {"dataset": PLACES, "dataset_name": None}),
    *({"dataset": PLACES, "model": model}
      for model in ({"embd_dim": "x"}, {"backbone_type": [3]}, {"backbone_arch": 2**63})),
    *({"dataset": PLACES, "opt": {"learning_rate": math.nan}}, {"9": 1, "x": {"y": 3}}, [], "@deep@"),
)  # fmt: skip
CLUSTERS = [f"kind: {kind}" for kind in ("[slurm]\njobs: 1\n", "{a: 1}\n", "slurm\njobs: 1.5\n", "slurm\njobs: -1\n")]
HEADLINES = (
    *("[]", "3", "{}", '{"map": 3, "baseline": 3}', '{"map": {"x": "y"}, "average_map": 1}', "[" * 10**5),
    '{"map": {"0.3": "x"}, "average_map": 1, "baseline": {"map": {}, "average_map": 0}}',
)

# ---- features


def header(text, version=b"\x01\x00"):
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode() + bytes(96)


def shaped(shape, kind="<f4", version=b"\x01\x00"):
    return header(f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}}}\n", version)


ARRAYS = (
    *(shaped("(10000000000000, 4)"), shaped(f"({10**40}, 4)"), shaped("(-6, -4)"), shaped("(3, 4)", "|O")),
    *(shaped("(6, 4)", version=b"\x09\x00"), b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{}"),
    *(header("__import__('os').mkdir('ran')\n"), header("(" * 3000 + "\n"), header("{'descr': ('<f4', \n")),
    *(npy_bytes(np.zeros((6, 4), kind)) for kind in ([("x", "<f4"), ("y", "<f4")], "datetime64[s]", complex)),
    *(npy_bytes(np.full((6, 4), "abc")), npy_bytes(np.zeros((0, 4))), npy_bytes(np.zeros(4))),
)
ZIPS = (
    *({"feats.npy": b"no array"}, {"feats.npy": b""}, {"readme.txt": b"x"}, {"../feats.npy": b"\x93NUMPY"}, {}),
    {"a.npy": npy_bytes(TABLE), "b.npy": npy_bytes(TABLE)},
)
TABLES = (
    *("", "a,b\n", "1,2\n3\n", "1,x\n", "1,nan\n", "1,1e400\n", "\x00", "1,2\n\x00,3\n", "9" * 5000 + ",y", "\ufeff"),
    *("=cmd|' /C calc'!A0,1", "1;2,3\n4;5.6"),
)


def objects(path):
    """An array of objects that run code when they are unpickled."""
    array = np.array([[Runs(path.parent / "ran")] * 4] * 6, dtype=object)
    path.write_bytes(npy_bytes(array, allow_pickle=True) if path.suffix == ".npy" else npz_bytes(feats=array))


def npz_bomb(path):
    np.savez_compressed(path, feats=np.zeros((25_000_000, 4), np.float32))
    assert path.stat().st_size < 10**6


def hdf5(write):
    """What writes a file by a function, beside one that it may point to."""

    def written(path):
        with h5py.File(path.parent / "other.h5", "w") as other:
            other.create_dataset("video", data=TABLE)
        with h5py.File(path, "w") as file:
            write(file)

    return written


def array(*arguments, **options):
    return hdf5(lambda file: file.create_dataset("video", *arguments, **options))


def links(**targets):
    return hdf5(lambda file: [file.__setitem__(name, target) for name, target in targets.items()])


def virtual(file):
    layout = h5py.VirtualLayout((6, 4), "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "video", (6, 4))
    file.create_virtual_dataset("video", layout)


SMALL = (6, 4)
HDF5 = [
    *said("is a link", links(video=h5py.ExternalLink("other.h5", "video")), links(video=h5py.SoftLink("/b")),
          links(video=h5py.SoftLink("/b"), b=h5py.SoftLink("/video"))),
    *said("lie in other files", array(SMALL, "<f4", external=[("other.h5", 0, 96)]), hdf5(virtual)),
    *said("type object, which is no number", *(array(SMALL, kind) for kind in (
        h5py.ref_dtype, h5py.string_dtype(), h5py.vlen_dtype(np.float32)))),
    *said("which is no number", array(SMALL, [("x", "<f4")])),
    *said("is a group", hdf5(lambda file: file.create_group("video"))),
    *said("has no array", hdf5(lambda file: None)),
    *said("is empty", array(data=h5py.Empty("f4"))),
    *said("must be", array(data=3.0)),
    *said("unpacks to 4000000000000 bytes", array((250 * 10**9, 4), "<f4", chunks=(1000, 4), compression="gzip")),
    *said("unpacks to", array(data=np.zeros((10**7, 4), "<f4"), compression="gzip")),
    *said("unpacks to 960000000 bytes", array(SMALL, "<f4", chunks=(6 * 10**7, 4), maxshape=(None, 4))),
]  # fmt: skip


class Called:
    """Pickled, it calls a function when it is read."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def streams(slow, fast=None):
    """A file of features, as HACS' are kept."""
    return pickle.dumps({"slow_feature": slow, "fast_feature": torch.ones(1, 2, 6) if fast is None else fast})


def stored(packed):
    """A tensor whose numbers are what torch is to read from these bytes."""
    return rebuilt(storage=Called(torch.storage._load_from_bytes, packed))


def rebuilt(offset=0, size=(1, 2, 6), stride=(12, 6, 1), storage=None):
    """A tensor that claims a place and a shape in 12 numbers."""
    storage = torch.ones(12).storage() if storage is None else storage
    return streams(Called(torch._utils._rebuild_tensor_v2, storage, offset, size, stride, False, {}))


def numbers(content):
    """What torch keeps of a tensor's numbers, if these are something else."""
    return saved(content, _use_new_zipfile_serialization=False)


def nested_pickle(path):
    """Code in the pickle within the pickle."""
    path.write_bytes(stored(numbers(Runs(path.parent / "ran"))))


def in_tuples(levels):
    """A key of a dictionary, so deep that its hash takes all of the stack."""
    return b"\x80\x04})" + b"\x85" * levels + b"K\x01s."


ORDINARY = numbers(torch.ones(12).storage())
CLAIMED = ORDINARY.replace(b"K\x0cN", b"\x8a\x08" + struct.pack("<q", 2**61) + b"N")
assert CLAIMED != ORDINARY
FEATURE_PICKLES = [
    *said("asks for posix.mkdir, and only tensors", lambda path: path.write_bytes(streams(Runs(path.parent / "ran")))),
    *said("asks for posix.mkdir within a tensor", nested_pickle),
    *said("not as torch saves them", stored(b"cposix\nmkdir\n(S'ran'\ntR."), stored(saved(torch.ones(12).storage())),
          stored(packed_again(saved(torch.zeros(1000)))), stored(b"")),
    *said("within a tensor|instruction", stored(numbers(bytearray(8))), stored(numbers({"a": torch.ones(12)}))),
    *said("no pickle of tensors", stored(CLAIMED), stored(ORDINARY[:-8])),
    *said("claims the shape", rebuilt(size=(1, 2, 10**9)), rebuilt(offset=10**9), rebuilt(stride=(12, 10**12, 1)),
          rebuilt(size=(1, 10**6, 10**6), stride=(0, 0, 0))),
    *said("no shape of numbers above 0", rebuilt(size=(1, -2, 6)), rebuilt(size=(10**9, (0,))), rebuilt(offset=-1),
          rebuilt(storage=3), rebuilt(size=("x" * 9, 10**9), stride=(1, 1))),
    *said("more numbers than it has bytes", b"(ctorch.storage\n_load_from_bytes\nq\x00B"
          + struct.pack("<I", len(ORDINARY)) + ORDINARY + b"\x85q\x01R" + b"h\x00h\x01R" * 100 + b"t."),
    *said("holds more than 500 instructions", in_tuples(LEVELS), b"\x80\x04" + b"N" * 600 + b"."),
    *said("instruction BUILD", b"\x80\x03ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb."),
    *said("no pickle of tensors", b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.", b"",
          b"\x80\x04Nr\xff\xff\xff\x7f"),
    *said("instruction", b"\x80\x05\x96" + struct.pack("<Q", 1) + b"x.", pickle.dumps([1]), pickle.dumps({3: 0.5})),
    *said("must hold the tensors", b"\x80\x04}r\xff\xff\xff\x7f.",
          pickle.dumps({}), pickle.dumps({"slow_feature": torch.ones(1, 2, 6)})),
    *said(r"not \(1, C, T\)", streams(torch.ones(2, 6)), streams(torch.ones(2, 2, 6))),
    *said("not a readable feature file", streams(torch.ones(1, 2, 7)), streams(torch.ones(1, 2, 6).bfloat16())),
]  # fmt: skip

# ---- weights and scores

ONES = torch.ones(3, 4)


def weights(**changes):
    return saved({"state_dict_ema": {"weight": ONES, "bias": torch.ones(3)} | changes})


CHECKPOINTS = [
    (weights(weight=torch.full((3, 4), math.nan)), "'weight' holds NaN or infinity"),
    (weights(bias=torch.tensor([1.0, math.inf, 0.0])), "'bias' holds NaN or infinity"),
    *said("'weight' is no plain", *(weights(weight=tensor) for tensor in (
        ONES.to_sparse(), ONES.to(torch.complex64), ONES.to(torch.int64), ONES.to("meta")))),
    (weights(weight=torch.quantize_per_tensor(ONES, 0.1, 0, torch.qint8)), "'weight' is no plain|safely"),
    (weights(weight=torch.ones(1).expand(10**6, 10**6)), r"'weight' is \(1000000, 1000000\)"),
    (weights(weight=3.0), "no 'state_dict_ema' with named tensors"),
    (weights(other=torch.ones(1)), "the recipe has no 'other'"),
]  # fmt: skip


def runs_code(path, number):
    """Write an object that runs code when it is read, in one of CODES ways."""
    thing = Runs(path.parent / "ran")
    ways = (
        lambda: pickle.dumps(thing),
        lambda: pickle.dumps({"a": thing}, protocol=0),
        lambda: saved({"state_dict_ema": {"weight": thing}}),
        lambda: saved(thing, _use_new_zipfile_serialization=False),
        lambda: npz_bytes(video=np.array([thing], dtype=object)),
        lambda: b"cos\nsystem\n(S'mkdir " + str(thing.trace).encode() + b"'\ntR.",
    )
    path.write_bytes(ways[number]())


CODES = [partial(runs_code, number=number) for number in range(6)]


def unpacks_to_100_mb(path):
    path.write_bytes(packed_again(saved({"a": torch.zeros(25_000_000)})))
    assert path.stat().st_size < 10**6


def tensor(**changes):
    return as_safetensors({"weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]} | changes})


SAFETENSORS = (
    *(struct.pack("<Q", 2**63) + b"{}", struct.pack("<Q", 10**9) + b"{}", b"", b"\x00" * 7),
    *(struct.pack("<Q", 100_000) + b"[" * 100_000, tensor(shape=[2**62, 4]), tensor(dtype="OBJECT")),
    *(tensor(data_offsets=[0, 2**60]), tensor(data_offsets=[48, 0])),
    save_safetensors({"weight": torch.full((3, 4), math.nan), "bias": torch.ones(3)}),
)


def shared_lists(levels):
    """Ten lists in each list, all the same one: small in a pickle, 10 ** levels in an array."""
    inner = [0.5] * 10
    for _ in range(levels):
        inner = [inner] * 10
    return {"a": inner}


SCORE_PICKLES = (
    b"\x80\x04]r\xff\xff\xff\x01.",  # for which the library's reader in C takes half a gigabyte
    b"\x80\x04]r\xff\xff\xff\x7f.",  # the second thousand millionth object that is remembered
    b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b"x.",  # a terabyte of bytes
    *(b"\x80\x05\x96" + struct.pack("<Q", size) + b"x." for size in (2**27, 2**40)),
    b"\x80\x04\x8b" + struct.pack("<i", 2**31 - 1) + b"x.",
    *(pickle.dumps(scores) for scores in (shared_lists(9), {"a": [10**400, 0.5]}, {"a": [math.nan]}, {3: [0.5]})),
    *(pickle.dumps({"a": np.array(scores)}) for scores in ([None], [1j], [[1.0, 1.0], [1.0, 1.0]])),
)
SCORES = (
    *('{"a": [1e400]}', '{"a": [NaN]}', '{"a": [[1], [2]]}', '{"a": ["1"]}', '{"a": [true]}', '{"a": []}'),
    *('{"a": [1' + "0" * 400 + ", 0.5]}", '{"a": [1], "a": [2]}', '{"\\ud800": [1]}', "[" * 100_000),
)

# ---- all of them


def imported(path, form):
    import_annotations(path, path.with_name("mine.json"), form=form)


FILES = [  # the row of the table in docs/reliability.md, the file's name, its reader, contents and what is said of them
    ("annotations", "theirs.json", read_annotations, ANNOTATIONS),
    ("names of videos", "theirs.json", read_annotations,
     said("cannot be shown|not a readable JSON", *(one_video(name=json.dumps(name)) for name in NAMES))),
    ("predictions", "p.json", lambda path: read_predictions(path, {0: "walk", 1: "sit"}), said("", *PREDICTIONS)),
    *(("imported annotations", f"s.{form}", partial(imported, form=form), said("", *texts))
      for form, texts in IMPORTS.items()),
    ("Ego4D moments", "moments_train.json", _read_moments,
     said("is not in the official format|not a readable", *MOMENT_FILES)),
    ("Ego4D moments", "ego4d.json", read_leads, said("has no number 'lead_sec'", *(
        f'{{"database": {{"a": {{"lead_sec": {lead}}}}}}}' for lead in ("NaN", HUGE, "[]", '"1e400"')))),
    ("recipes", "theirs.yaml", read_recipe, YAML),
    ("recipes of the original", "theirs.yaml", recipe_from_original, YAML),
    ("sweeps", "theirs.yaml", read_sweep, YAML),
    ("cluster files", "theirs.yaml", read_cluster, YAML),
    *(("recipes of the original", f"theirs.{ending}", recipe_from_original, said("", *map(as_json, ORIGINAL)))
      for ending in ("json", "yaml")),  # JSON is YAML
    ("cluster files", "theirs.yaml", read_cluster, said("there is no kind|'jobs' is", *CLUSTERS)),
    ("run folders", "eval.json", headline, said("", *HEADLINES)),
    ("features", "video.npy", feature_rows, said("not a readable feature file|must be", *ARRAYS)),
    ("features", "video.npz", feature_rows, said("not a readable feature file|must be", *(
        zipped({"feats.npy": data}) for data in ARRAYS))),
    ("features", "video.npz", feature_rows, said("not a readable feature file|has no array", *map(zipped, ZIPS))),
    *(("features", f"video.{ending}", feature_rows, said("pickle|Python objects", objects))
      for ending in ("npy", "npz")),
    ("features", "video.npz", feature_rows, said("unpacks to 400000128 bytes, more than 100 times", npz_bomb)),
    ("features", "video.csv", feature_rows, said("not a readable feature file", *TABLES)),
    ("features", "video.pkl", feature_rows, FEATURE_PICKLES),
    ("features in HDF5", "video.h5", feature_rows, HDF5),
    ("published checkpoints", "a.pth.tar", load_linear, CHECKPOINTS),
    *((row, name, read, said("not|no ", *CODES)) for row, name, read in (
        ("published checkpoints", "epoch.pth.tar", load_linear), ("published checkpoints", "x.tar", read_original),
        ("training checkpoints", "step000000001.pt", resume_training), ("Ego4D tensors", "clip.pt", _read_tensor),
        ("features", "video.pkl", feature_rows), ("class scores", "scores.pkl", read_scores))),
    *((row, name, read, said("claim|not a readable", unpacks_to_100_mb)) for row, name, read in (
        ("published checkpoints", "epoch.pth.tar", load_linear), ("Ego4D tensors", "clip.pt", _read_tensor),
        ("training checkpoints", "step000000001.pt", resume_training))),
    ("weights .safetensors", "ema.safetensors", load_linear,
     said("not a readable safetensors file|holds NaN", *SAFETENSORS)),
    ("class scores", "scores.pkl", read_scores, said("scores|pickle", *SCORE_PICKLES)),
    ("class scores", "scores.json", read_scores, said("class scores|not a readable JSON", *SCORES)),
]  # fmt: skip
CASES = [
    pytest.param(row, name, read, *case, id=f"{row}-{name}-{number}")
    for row, name, read, cases in FILES
    for number, case in enumerate(cases)
]


@pytest.fixture(scope="module", autouse=True)
def imported_late(tmp_path_factory):
    """What torch imports with the first optimiser, which no reader's child is to wait for."""
    training_checkpoint(tmp_path_factory.mktemp("training"))


@pytest.mark.parametrize(("row", "name", "read", "content", "match"), CASES)
def test_a_hostile_file_is_refused(tmp_path, monkeypatch, refused, row, name, read, content, match):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    if callable(content):
        content(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))
    refused(row, read, path, match)


def test_the_trace_appears_where_a_pickle_is_read_carelessly(tmp_path):
    CODES[0](tmp_path / "a.pkl")
    pickle.loads((tmp_path / "a.pkl").read_bytes())
    assert (tmp_path / "ran").is_dir()
