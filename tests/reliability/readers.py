"""All readers of files that may come from somebody else, with files that they accept: what is fuzzed."""

import gzip
import io
import json
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import workbench_readers
from fuzz import Reader
from hostile import as_json, as_npy, as_pickle, as_safetensors, as_yaml, npy_bytes, npz_bytes, saved, zipped
from run_folders import write_run
from safetensors.torch import save as save_safetensors
from tiny_data import tiny_recipe, write_tiny_data

from afkit.data.annotations import load_annotations, read_annotations
from afkit.data.feature_formats import array_names, holds_array, open_array
from afkit.data.features import RawFeatures
from afkit.model.checkpoints import load_weights
from afkit.recipe_files import read_recipe_file
from afkit.recipes import _RECIPES, recipe
from afkit.train.checkpoints import Checkpoints
from afkit.train.execution import DEFAULT_EXECUTION
from afkit.train.state import TrainingState, new_state
from afkit.workbench.analysis.fusion import read_scores
from afkit.workbench.analysis.report import headline
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.datasets import ego4d, twin
from afkit.workbench.datasets.archives import unpack
from afkit.workbench.datasets.sensors import sensor_arguments
from afkit.workbench.original import recipe_from_original
from afkit.workbench.own_data import signal_files
from afkit.workbench.own_data.exporting import export_annotations
from afkit.workbench.own_data.importing import import_annotations
from afkit.workbench.own_data.sample_files import SensorKind, read_samples
from afkit.workbench.runs import opened, paired_test, predicting, status
from afkit.workbench.sweeps.batch_jobs import read_cluster
from afkit.workbench.sweeps.sweep_file import read_sweep

HOME = Path()  # where the files are read, and what belongs to them lies; see `prepare`
TABLE = np.arange(24, dtype=np.float32).reshape(6, 4)
ANNOTATIONS = {
    "database": {
        "a": {
            "subset": "training",
            "duration": 9.5,
            "fps": 10.0,
            "annotations": [
                {"segment": [0.5, 2.0], "label": "walk", "label_id": 0, "lead_sec": 0.25},
                {"segment": [3.0, 5.0], "label": "sit", "label_id": 1},
            ],
            "lead_sec": 0.5,
        },
        "b": {"subset": "validation", "duration": 8.0, "fps": 10.0, "annotations": [], "lead_sec": 0},
    }
}
PREDICTIONS = {
    "version": "VERSION 1.3",
    "results": {
        "a": [
            {"label": "walk", "score": 0.5, "segment": [0.5, 2.0]},
            {"label": 1, "score": "0.25", "segment": ["0:1", "1:02:03.5"]},
        ],
        "b": [],
    },
    "external_data": {},
}  # fmt: skip
ORIGINAL = {
    "dataset_name": "thumos",
    "train_split": ["validation"],
    "val_split": ["test"],
    "dataset": {"json_file": "./data/thumos/a.json", "feat_folder": "./data/thumos/f", "num_classes": 20},
    "model": {"fpn_type": "identity", "backbone_arch": [2, 2, 5], "train_cfg": {"dropout": 0.0}},
    "opt": {"learning_rate": 0.0001, "epochs": 30},
    "train_cfg": {"init_loss_norm": 100},
    "test_cfg": {"voting_thresh": 0.7},
}  # fmt: skip
RECIPE = {
    "base": "watch",
    "optim": {"epochs": 20, "learning_rate": 1e-3},
    "data": {"test_subsets": ["test"], "fps": 50},
}
SWEEP = {
    "recipes": ["watch"],
    "overrides": {"optim.epochs": [1, 2], "model.windows": [9, [9, 9, 9, 9, 9, -1]]},
    "seeds": [1, 2],
    "parameters": {},
    "memory_gb": 2.5,
}
RUNS = {
    "runs": [{"recipe": "watch", "seeds": [3], "overrides": {"optim.epochs": 2}}],
    "results": "results/x",
    "gpus": 0,
}
CLUSTER = {"kind": "slurm", "jobs": 4, "queue": "long", "job_extra_directives": ["--gres=gpu:1"]}
MOMENTS = {
    "videos": [
        {
            "video_uid": "v1",
            "split": "train",
            "clips": [
                {
                    "clip_uid": "c1", "video_start_sec": 1.0, "video_end_sec": 11.0, "video_start_frame": 30,
                    "video_end_frame": 330,
                    "annotations": [
                        {"labels": [{"label": "cook", "primary": True, "video_start_time": 2, "video_end_time": 4}]}
                    ],
                }
            ],
        }
    ]
}  # fmt: skip
SIGNALS = {
    "sensors": [{"name": "acc", "rate_hz": 50.0, "channels": 3}],
    "window": 2,
    "stride": 4,
    "rate_hz": 50.0,
    "normalise": "none",
}
STREAMS = {"slow_feature": torch.ones(1, 4, 6), "fast_feature": torch.ones(1, 2, 6)}
NPY = {"descr": "<f4", "fortran_order": False, "shape": (6, 4)}
SAFETENSORS = {"__metadata__": {"weights": "ema"}, "weight": {"dtype": "F32", "shape": [3, 4], "data_offsets": [0, 48]},
               "bias": {"dtype": "F32", "shape": [3], "data_offsets": [48, 60]}}  # fmt: skip
SHOWN = {
    "average_map": 0.5,
    "map": {"0.30": 0.5},
    "baseline": {"average_map": 0.25, "map": {"0.30": 0.25}},
    "split": "x",
}


def prepare(folder: Path) -> None:
    """Write what belongs to the files into a folder, in which they are read from then on."""
    global HOME
    HOME = folder
    write_tiny_data(folder)
    write_run(folder / "run")
    (folder / "recordings.csv").write_text(
        "video,subset\nsource,training\na,training\nb,validation\nother,validation\n"
    )


def feature_rows(path: Path) -> np.ndarray:
    """All that is read of a feature file."""
    if path.suffix == ".h5":
        array_names(path)
        holds_array(path, "video")
    return RawFeatures([open_array(path, "video", "video")], [path], "video").rows()


def _features(name: str, *seeds: bytes, content: Any = None, dump: Callable | None = None) -> Callable[[], Reader]:
    return lambda: Reader(name, feature_rows, seeds, content, dump)


def _hdf5(**options: Any) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("video", data=TABLE, **options)
        file.create_group("group").create_dataset("inner", data=TABLE[:2])
        file["link"] = h5py.SoftLink("/group/inner")
    return buffer.getvalue()


def _original(content: Any) -> bytes:
    """A checkpoint of the original; lists of numbers become tensors."""
    return saved(_with_tensors(content))


def _with_tensors(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _with_tensors(value) for key, value in content.items()}
    return torch.tensor(content) if isinstance(content, list) else content


OF_TORCH = 2**12  # longest run of one character in a pickle
CHECKPOINT = {"state_dict_ema": {"module.weight": TABLE[:3].tolist(), "module.bias": [1.0, 2.0, 3.0]}, "epoch": 3}


def resume_training(path: Path) -> bool:
    """A training checkpoint: reading it must not change the one that is there."""
    return Checkpoints(path.parent, tiny_recipe(), 1, DEFAULT_EXECUTION).load(_new_state())


def training_checkpoint(folder: Path) -> bytes:
    """One that fits."""
    Checkpoints(folder / "made", tiny_recipe(), 1, DEFAULT_EXECUTION).save(_new_state())
    data = (folder / "made" / "step000000000.pt").read_bytes()
    shutil.rmtree(folder / "made")
    return data


def _new_state() -> TrainingState:
    return new_state(tiny_recipe(), 3, 1, torch.device("cpu"))


def _training() -> Reader:
    data = training_checkpoint(HOME)
    return Reader("step000000001.pt", resume_training, (data,), torch.load(io.BytesIO(data)), saved, OF_TORCH)


def _archive(ending: str) -> Callable[[], Reader]:
    def made() -> Reader:
        members, buffer = {"d/a.npy": npy_bytes(TABLE), "d/" + "n\u00e9" * 60: b"x" * 700}, io.BytesIO()
        if ending == "zip":
            return Reader("a.zip", _unpack, (zipped(members),))
        with tarfile.open(fileobj=buffer, mode=f"w:{ending.partition('.')[2]}") as packed:
            for member, data in members.items():
                info = tarfile.TarInfo(member)
                info.size = len(data)
                packed.addfile(info, io.BytesIO(data))
        return Reader(f"a.{ending}", _unpack, (buffer.getvalue(),))

    return made


def _unpack(path: Path) -> None:
    """Nothing may appear beside the folder that it makes."""
    before, target = sorted(path.parent.iterdir()), path.parent / "unpacked"
    try:
        unpack(path, target, max_members=1000, max_bytes=2**24)
    finally:
        shutil.rmtree(target, ignore_errors=True)
        left = sorted(path.parent.iterdir())
        assert left == before, f"it left {set(left) - set(before)}"


def _imported(form: str):
    def read(path: Path) -> None:
        """What is imported must be an annotation file."""
        target = HOME / "imported.json"
        target.unlink(missing_ok=True)
        import_annotations(path, target, form=form, fix=True, rate=25.0, recordings=HOME / "recordings.csv")
        try:
            read_annotations(target)
        except ValueError as error:
            raise AssertionError(f"what was imported cannot be read: {error}") from None

    return read


def _annotations(path: Path) -> None:
    load_annotations(path)
    ego4d.read_leads(path)


def _run(path: Path) -> None:
    """All that looks at the files of a run; what is wrong with them is its state."""
    runs = opened.read_runs([HOME / "run", path.parent])
    for run in runs:
        run.generated, run.subsets, run.changes, run.facts.planned_epochs  # noqa: B018
    row = status.run_status(path.parent, "run")
    assert status.status_table([row]).replace("\n", " ").isprintable()
    opened.read_metrics(path.parent)
    for pair in paired_test.choose_pairs(runs):
        try:
            paired_test.class_differences(*pair)
            paired_test.compare_pair(*pair, str(HOME))
        except ValueError as error:
            assert type(error) is ValueError


def _run_file(name: str, *others: str):
    """A reader of one file of a run whose others are as they should be."""

    def read(path: Path) -> None:
        folder = HOME / "mixed"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HOME / "run", folder)
        (folder / name).write_bytes(path.read_bytes())
        for other in others:
            (folder / other).unlink()
        _run(folder / name)

    return read


def _trained(name: str):
    def read(path: Path) -> None:
        folder = HOME / "given"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(HOME / "run", folder)
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "ema.safetensors").write_bytes(b"")
        (folder / name).write_bytes(path.read_bytes())
        try:
            predicting.open_predictor(folder, "ema", data_root=str(HOME))
        except ValueError as error:
            if "ema.safetensors is not a readable" not in str(error):  # the end of what is tried here
                raise type(error)(f"{path.name}: {error}") from None  # it may name another file that the run names

    return read


def _json(name: str, read: Callable[[Path], Any], *contents: Any) -> Callable[[], Reader]:
    return lambda: Reader(name, read, tuple(map(as_json, contents)), contents[0], as_json)


def _yaml(name: str, read: Callable[[Path], Any], *contents: Any) -> Callable[[], Reader]:
    return lambda: Reader(name, read, tuple(map(as_yaml, contents)), contents[0], as_yaml)


def read_recipe(path: Path) -> dict:
    """A recipe of one's own."""
    return read_recipe_file(path, _RECIPES)


def _import(name: str, form: str, *texts: str) -> Callable[[], Reader]:
    return lambda: Reader(name, _imported(form), tuple(text.encode() for text in texts))


def _exported(form: str) -> Callable[[], Reader]:
    """A reader of what is exported for a labelling tool."""

    def made() -> Reader:
        entries = [{"segment": [i + 0.5, i + 2.0], "label": "walk", "label_id": 0, "comment": "x"} for i in (0, 3)]
        database = {video: {"subset": "training", "duration": 8.0, "annotations": entries} for video in "ab"}
        (HOME / "exported.json").write_bytes(as_json({"database": database}))
        with TemporaryDirectory() as folder:
            path = export_annotations(HOME / "exported.json", folder, form)[0]
            data, content = path.read_bytes(), json.loads(path.read_bytes()) if path.suffix == ".json" else None
        return Reader(f"a{path.suffix}", _imported(form), (data,), content, as_json if content else None)

    return made


def _of_run(name: str, read: Callable[[Path], Any], twist: bool = True) -> Callable[[], Reader]:
    """A reader of one of the files of the run in HOME."""

    def made() -> Reader:
        data = (HOME / "run" / name).read_bytes()
        content = json.loads(data) if twist else None
        return Reader(name, read, (data,), content, as_json if twist else None)

    return made


def _score_pickles() -> Reader:
    scores = {"a": [0.5, 0.25], "b": [0.125, 1.0]}
    arrays = {video: np.array(values) for video, values in scores.items()}
    seeds = tuple(pickle.dumps(arrays, protocol=protocol) for protocol in (0, 2, 4, 5))
    return Reader("scores.pkl", read_scores, (*seeds, pickle.dumps({"results": scores})), scores, as_pickle)


def _prediction_pickles() -> Reader:
    times, labels = np.array([0.5, 2.0], np.float32), np.array([0, 1])
    columns = {"video-id": ["a", "b"], "t-start": times, "t-end": times + 1, "label": labels, "score": times / 4}
    lists = {name: list(map(str, cells)) for name, cells in columns.items()}
    seeds = (*(pickle.dumps(columns, protocol=protocol) for protocol in (2, 4, 5)), pickle.dumps(lists))
    return Reader("p.pkl", lambda path: read_predictions(path, {0: "walk", 1: "sit"}), seeds, lists, as_pickle)


def load_linear(path: Path) -> None:
    """Weights of a small network."""
    load_weights(torch.nn.Linear(4, 3), path)


def _signals(path: Path) -> None:
    signal_files.read_settings(path, tiny_recipe(data__stride_frames=4, data__num_frames=2).data)


def _twin_settings() -> Reader:
    timeline = twin.Timeline("a", "training", 30.0, 10.0, [[1.0, 2.0]], {"action": [0]})
    made = twin._Twin(0, twin.GENERATED, 4, {"action": {"0": "x"}}, [timeline])._asdict()

    def read(path: Path) -> None:
        (path.parent / twin.MARKER).touch()
        twin._of_recipe(tiny_recipe(data__train_subsets=["training"], data__test_subsets=["training"]),
                        twin._read_twin(path.parent, 0, twin.GENERATED, None).timelines, path)  # fmt: skip

    return Reader(twin.SETTINGS, read, (as_json(made),), made, as_json)


def _sensor(path: Path) -> None:
    target = HOME / "watch" / "signals" / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    sensor_arguments(recipe("watch").data, HOME, target.stem)


def _by_clock(path: Path) -> None:
    signal_files.look(path, SensorKind("x", 0.0, 0, by_clock=True))


def _edf() -> bytes:
    edfio = pytest.importorskip("edfio", reason="it reads EDF")
    made = io.BytesIO()
    edfio.Edf([edfio.EdfSignal(np.sin(np.arange(200.0)), 50, label="ECG")]).write(made)
    return made.getvalue()


CLOCKED = b"time_ms,x\n" + b"".join(b"%d.5,%d\n" % (20 * i, i % 3) for i in range(8))
DATED = b"timestamp,x\n" + b"".join(b"2026-01-01 10:00:0%d.5,1\n" % i for i in range(8))
POINTS = b"nose_x,nose_y,tail_x,tail_y,nose_likelihood\n1,2,3,4,0.9\n2,2,3,5,0.7\n"
DEEPLABCUT = b"scorer,a,a,a\nbodyparts,nose,nose,nose\ncoords,x,y,likelihood\n0,1,2,0.9\n1,2,3,0.1\n"
METRICS = "step,epoch,loss_total,seconds\n" + "".join(f"{i},{i // 4},2.5,0.25\n" for i in range(12))
PER_CLASS = "label,name,ap_0.50,ap_average\n0,jump,0.5,0.5\n1,throw,0.25,0.25\n"
TABLE_TEXT = "video,start,end,label,subset\na,0.5,2,walk,training\nb,1:02,1:05.5,sit,validation\n"
ELAN = "default\t\t00:00:01.500\t1.5\t1500\t00:00:02.500\t2.5\t2500\twalk\n"
SRT = "1\n00:00:01,000 --> 00:00:02,500\nwalk\n\n2\n00:00:03,000 --> 00:00:04,500\nsit\n"
ELAN_NAMED = "Begin Time - msec\tEnd Time - msec\tAnnotation\n1500\t2500\twalk\n"
READERS: dict[str, Callable[[], Reader]] = {
    "annotations": _json("annotations.json", _annotations, ANNOTATIONS),
    "imported tables": _import("source.csv", "csv", TABLE_TEXT, TABLE_TEXT.replace(",", "\t")),
    "imported JSON": _json("source.json", _imported("json"), ANNOTATIONS,
                           {"a": [[0, 1, "x"]], "b": [["0:01", "0:02", "y"]]}),
    "imported ELAN": _import("source.txt", "elan", ELAN, ELAN_NAMED),
    "imported Audacity": _import("source.txt", "audacity", "0.5\t2.0\twalk\n\\\t100\t200\n3\t4\tsit\n"),
    "imported lines": _import("source.txt", "text", "0.5 2.0 walk\n3, 4, sit down\n"),
    "imported subtitles": _import("source.vtt", "vtt", "WEBVTT\n\n00:01.000 --> 00:02.000\nwalk (0.913)\n", SRT),
    **{f"imported {form}": _exported(form) for form in ("eaf", "textgrid", "boris", "raven", "via", "labelstudio")},
    "imported steps": _import("source.txt", "steps", "walk\nwalk\nsit\n"),
    "features .npy": _features("video.npy", npy_bytes(TABLE), npy_bytes(TABLE.astype(">f8").T),
                               content=NPY, dump=as_npy),
    "features .npz": _features("video.npz", npz_bytes(feats=TABLE), npz_bytes(np.savez_compressed, feats=TABLE),
                               content=NPY, dump=lambda content: zipped({"feats.npy": as_npy(content)})),
    "features .hdf5": lambda: _features("video.h5", _hdf5(), _hdf5(chunks=(2, 4), compression="gzip"))(),
    "features .safetensors": _features("video.safetensors", save_safetensors({"feats": torch.ones(6, 4)}),
                                       content=SAFETENSORS, dump=as_safetensors),
    "features .pkl": _features("video.pkl", *(pickle.dumps(STREAMS, protocol=protocol) for protocol in (3, 4))),
    "features .csv": _features("video.csv", b"a,b\n1,2\n3.5,-4e3\n", b"1 2\n3 4\n"),
    "samples .txt": lambda: Reader("video.txt", signal_files.read_samples, (b"1 2\n3.5 4\n", b"x\ty\n1\t\n2\tnan\n")),
    "samples with a clock": lambda: Reader("video.csv", _by_clock, (CLOCKED, DATED)),
    "key points": lambda: Reader("video.csv", lambda path: read_samples(path, pose=True), (POINTS, DEEPLABCUT)),
    "EDF": lambda: Reader("video.edf", _by_clock, (_edf(),)),
    "signals.json": _json("signals.json", _signals, SIGNALS),
    "sensor signals": lambda: Reader("video.npy", _sensor, (npy_bytes(np.ones((7, 6))),), NPY, as_npy),
    **{f"archive .{ending}": _archive(ending) for ending in ("zip", "tar", "tar.gz", "tar.xz")},
    "Ego4D moments": _json("moments_train.json", ego4d._read_moments, MOMENTS),
    "Ego4D tensors": lambda: Reader("v1.pt", ego4d._read_tensor, (saved(torch.ones(3, 4)), saved(torch.eye(3).half())),
                                    longest_run=OF_TORCH),
    "published checkpoints": lambda: Reader("epoch.pth.tar", load_linear, (_original(CHECKPOINT),), CHECKPOINT,
                                            _original, OF_TORCH),
    "weights .safetensors": lambda: Reader("ema.safetensors", load_linear, (
        save_safetensors(torch.nn.Linear(4, 3).state_dict(), {"weights": "ema"}),), SAFETENSORS, as_safetensors),
    "training checkpoints": _training,
    "predictions": _json("p.json", lambda path: read_predictions(path, {0: "walk", 1: "sit"}, "keep"), PREDICTIONS),
    "predictions .gz": lambda: Reader("p.json.gz", lambda path: read_predictions(path, {0: "walk", 1: "sit"}),
                                      (gzip.compress(as_json(PREDICTIONS)),)),
    "predictions .csv": lambda: Reader("p.csv", lambda path: read_predictions(path, {0: "walk"}),
                                       (b"video,start,end,name,score\na,0.5,2,walk,0.5\n",)),
    "predictions .pkl": _prediction_pickles,
    "scores .json": _json("scores.json", read_scores, {"results": {"a": [0.5, 0.25], "v_b": [1, 0]}}),
    "scores .pkl": _score_pickles,
    "recipes": _yaml("mine.yaml", read_recipe, RECIPE),
    "recipes of the original": _yaml("theirs.yaml", recipe_from_original, ORIGINAL),
    "recipes of the original, JSON": _json("theirs.json", recipe_from_original, ORIGINAL),
    "sweeps": _yaml("sweep.yaml", read_sweep, SWEEP, RUNS),
    "lists of runs": _yaml("runs.yaml", read_sweep, RUNS, SWEEP),
    "cluster files": _yaml("cluster.yaml", read_cluster, CLUSTER),
    "run.json, compared": _of_run("run.json", _run_file("run.json")),
    "eval.json, compared": _of_run("eval.json", _run_file("eval.json")),
    "run.json, followed": _of_run("run.json", _run_file("run.json", "eval.json", "metrics.csv")),
    "run.json, to predict": _of_run("run.json", _trained("run.json")),
    "eval.json, to predict": _of_run("eval.json", _trained("eval.json")),
    "eval.json, shown": _json("eval.json", headline, SHOWN),
    "metrics.csv": _of_run("metrics.csv", _run_file("metrics.csv"), twist=False),
    "per_class.csv": lambda: Reader("per_class.csv", _run_file("per_class.csv"), (PER_CLASS.encode(),)),
    "twin.json": _twin_settings,
    **workbench_readers.READERS,
}  # fmt: skip
