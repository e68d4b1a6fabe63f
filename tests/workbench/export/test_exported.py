"""Exported networks: onnxruntime gives what the network gives, detections as the run's, and what is wrong is told."""

import itertools
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnx
import pytest
import torch
from golden_files import assert_same_detections
from run_folders import write_trained
from tiny_data import CHANNELS, TEMPORALMAXER, TRIDET, tiny_recipe, write_tiny_data

from afkit.__main__ import main
from afkit.detect import prediction, reference
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.export import exported, exporting
from afkit.workbench.export.exported import KEY, detect, open_exported, suppress
from afkit.workbench.export.exporting import export_network

SMALL = {  # as little as there can be: to trace a network takes seconds for each layer
    "model__stem_layers": 0,
    "model__branch_layers": 1,
    "model__regression_ranges": [(0, 4), (4, 10000)],
    "model__embed_layers": 1,
    "model__head_layers": 1,
    "model__class_prior": 0.3,
    "data__max_seq_len": 48,
    "decode__voting_threshold": 0.5,
}
NETWORKS = {  # settings, and the length that the exported network takes
    "temporalmaxer": (SMALL | TEMPORALMAXER | {"decode__nms": "hard"}, 0),
    "tridet": (SMALL | TRIDET | {"model__sgp_deviation": 0.3}, 48),
    "actionformer": (SMALL | {"decode__multiclass": False, "model__relative_position": True}, 0),
    "resized": (SMALL | TEMPORALMAXER | {"data__resize": True}, 48),
    "absolute positions and fpn": (SMALL | {"model__absolute_position": True, "model__neck": "fpn"}, 48),
}
NEW = (1, 17, 48, 49, 301)  # steps of new recordings: one vector, few, as many as in training, one more, in windows


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data set, and `new`, a folder of other recordings."""
    root = tmp_path_factory.mktemp("data")
    write_tiny_data(root, training=1, test=2)
    (root / "new").mkdir()
    for steps in NEW:
        features = np.random.default_rng(steps).normal(size=(steps, CHANNELS)).astype(np.float32)
        np.save(root / "new" / f"of{steps}.npy", features)
    with pytest.MonkeyPatch.context() as patch:
        for module in (prediction, exporting):
            patch.setattr(module, "WHOLE_STEPS", 128)
        yield root


class Run(NamedTuple):
    """A run with random weights that was exported."""

    name: str
    folder: Path
    file: Path
    said: list[str]


@pytest.fixture(scope="module", params=NETWORKS)
def run(request, data, tmp_path_factory):
    """A run of each network, with its network as ONNX."""
    folder, said, (settings, length) = tmp_path_factory.mktemp(request.param), [], NETWORKS[request.param]
    write_trained(folder, data, tiny_recipe(**settings))
    return Run(request.param, folder, export_network(folder, "onnx", length=length, say=said.append), said)


simple = pytest.mark.parametrize("run", ["temporalmaxer"], indirect=True)  # one is enough


def detections(source, places, out):
    """{recording: segments, scores, labels} that predict writes."""
    given = ["--format", "json", "--out", out, "--min-score", 0]
    assert main(["predict", *map(str, (source, *places, *given))]) == 0
    names, found = {label: f"action {label}" for label in range(3)}, {}
    for path in out.glob("*.json"):
        table = read_predictions(path, names)
        found[path.stem] = [
            table[["start_sec", "end_sec"]].to_numpy(),
            table["score"].to_numpy(),
            table["label"].to_numpy(),
        ]
    return found


def test_an_exported_network_gives_the_detections_of_its_run(run, data, tmp_path):
    assert run.file == run.folder / "tiny.onnx"
    fixed = NETWORKS[run.name][1]
    steps = "5, 17, 29, 41, 48" if fixed else "1, 17, 47, 48, 49, 103"
    assert run.said[0].endswith(f"; {fixed or 'any number of'} feature vectors")
    assert run.said[1].startswith(f"compared with the network at {steps} steps: scores by ")
    assert str(Path(exported.__file__).parents[2]).encode() not in run.file.read_bytes(), "whose machine made it"
    most = 301 if run.name == "resized" or not fixed else fixed
    places = [data / "new" / f"of{steps}.npy" for steps in NEW if steps <= most]
    own, other = (detections(source, places, tmp_path / name) for name, source in (("a", run.folder), ("b", run.file)))
    assert len(own) == len(places) and len(own["of48"][1]) > 10
    for name, expected in own.items():
        assert_same_detections(other[name], expected)
    if most < 301:
        remedy = "predict it with the run" if "absolute" in run.name else "export the run without --length"
        with pytest.raises(ValueError, match=rf"^x has 49 steps, .* and it is exported for 48; {remedy}$"):
            detect(open_exported(run.file), np.load(data / "new" / "of49.npy"), name="x")


def test_a_norm_over_thousands_of_steps_is_as_exact_elsewhere(data, tmp_path):
    longer = SMALL | TEMPORALMAXER | {"model__neck_norm": "group", "data__max_seq_len": 4096}
    write_trained(tmp_path, data, tiny_recipe(**longer))
    assert export_network(tmp_path, "onnx", length=4096).is_file(), "it is refused where it is not"


@simple
def test_suppression_without_torch_is_that_of_the_network(run):
    rng = np.random.default_rng(0)
    onset, scores = rng.uniform(0, 60, 300), rng.uniform(0.01, 1, 300).astype(np.float32)
    segments = np.stack([onset, onset + rng.exponential(8, 300)], axis=1).astype(np.float32)
    labels, own = rng.integers(0, 3, 300), open_exported(run.file).about["recipe"]["decode"]
    cases = [("soft", True), ("soft", False), ("hard", True), ("hard", False), ("none", True)]
    for (method, multiclass), weight in itertools.product(cases, ("score", "score_iou")):
        changes = {"nms": method, "multiclass": multiclass, "voting_weight": weight, "max_segments": 300}
        settings = own | changes
        arguments = [
            settings[name] for name in ("iou_threshold", "sigma", "min_score", "max_segments", "voting_threshold")
        ]
        wanted = reference.suppress(
            *map(torch.from_numpy, (segments, scores, labels)),
            reference.Settings(method, multiclass, *arguments, weight),
        )
        for found, expected in zip(suppress(segments, scores, labels, settings), wanted, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=f"{method} {multiclass} {weight}")


@simple
def test_one_file_predicts_without_torch_and_without_afkit(run, data, tmp_path):
    shutil.copy(exported.__file__, tmp_path / "exported.py")
    for name in ("torch", "pandas", "afkit", "onnx"):  # found before those that are installed
        (tmp_path / f"{name}.py").write_text("raise ImportError('it is not here')")
    command = [sys.executable, "exported.py", run.file, data / "new" / "of48.npy", "--min-score", "0.1"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rows = done.stdout.splitlines()
    found = detect(open_exported(run.file), np.load(data / "new" / "of48.npy"), min_score=0.1)
    assert first == "video,start_sec,end_sec,label,name,score" and len(rows) == len(found.score) > 0
    start, end, label, score = (column[found.start_sec.argmin()] for column in found)
    assert rows[0] == f'"of48",{start:.3f},{end:.3f},{label},"action {label}",{score:.4f}'
    done = subprocess.run([*map(str, command), "--fps", "25"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.startswith(f"{run.file} is for 10 frames per second, not 25; ")


def test_a_program_of_torch_export_is_the_network(data, tmp_path, capsys):
    settings = NETWORKS["temporalmaxer"][0]
    write_trained(tmp_path, data, tiny_recipe(**settings))
    assert main(["export", str(tmp_path), "--to", "torch", "--length", "64", "--out", str(tmp_path / "x.pt2")]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(tmp_path / "x.pt2")
    extra = {"afkit.json": ""}
    program = torch.export.load(tmp_path / "x.pt2", extra_files=extra).module()
    scores, segments, *_ = program(torch.randn(64, CHANNELS), torch.tensor(40))
    assert scores.shape == (64 + 32, 3) and segments.shape == (96, 1, 2) and not scores[40:64].any()
    assert json.loads(extra["afkit.json"])["recipe"]["model"]["backbone"] == "maxpool"


@pytest.mark.parametrize("factor", [1.001, np.nan])
def test_what_differs_from_the_network_is_not_written(factor, data, tmp_path, monkeypatch):
    write_trained(tmp_path, data, tiny_recipe(**NETWORKS["temporalmaxer"][0]))
    monkeypatch.setattr(
        exporting, "_as_program", lambda traced, facts: (b"", lambda *x: [factor * y for y in traced.module()(*x)])
    )
    with pytest.raises(ValueError, match=r"^what was exported differs from the network, .*; nothing is written"):
        export_network(tmp_path, "torch", length=48)
    assert not list(tmp_path.glob("*.pt2"))


def changed(file, target, **entries):
    """An exported network that says something else of itself."""
    model = onnx.load(file)
    about = json.loads(model.metadata_props[0].value)
    about |= {"digest": exported.digest({name: about[name] for name in about if name != "digest"} | entries)} | entries
    onnx.helper.set_model_props(model, {KEY: json.dumps(about)} if entries else {})
    onnx.save(model, target)
    return target


@simple
def test_what_is_wrong_with_an_exported_file_or_its_features_is_one_sentence(run, tmp_path, monkeypatch, capsys):
    features, whole = np.zeros((20, CHANNELS), np.float32), open_exported(run.file)
    (tmp_path / "short.onnx").write_bytes(run.file.read_bytes()[:9000])
    for name, old in (("key", KEY), ("place", "scores")):
        (tmp_path / f"{name}.onnx").write_bytes(run.file.read_bytes().replace(old.encode(), b"\xff" * len(old)))
    recipe = whole.about["recipe"]
    wide = recipe | {"data": recipe["data"] | {"input_dims": [7]}}
    files = {
        tmp_path / "none.onnx": r"does not exist; write it with: python -m afkit export RUN --to onnx$",
        tmp_path / "short.onnx": r"is no ONNX file that onnxruntime can read; export it again \(",
        tmp_path / "key.onnx": r"is no ONNX file that onnxruntime can read; export it again \(",
        tmp_path / "place.onnx": r"is no ONNX file that onnxruntime can read; export it again \(",
        changed(run.file, tmp_path / "bare.onnx"): "does not say how to predict with it; take one of",
        changed(run.file, tmp_path / "later.onnx", format=3): "says in format 3 how to predict with it, this program",
        changed(
            run.file, tmp_path / "rate.onnx", fps=25.0, digest=""
        ): "holds other settings than it was exported with",
        changed(
            run.file, tmp_path / "wide.onnx", recipe=wide
        ): "is of another recipe than it says: 'tiny' has 7 features",
    }
    for file, message in files.items():
        with pytest.raises(ValueError, match=f"^{file} {message}"):
            open_exported(file)
        np.save(tmp_path / "x.npy", features)
        assert main(["predict", str(file), str(tmp_path / "x.npy")]) == 2
        assert len(capsys.readouterr().err.splitlines()) == 1
    for wrong, message in (
        (features[:, :5], "must be numbers"),
        (features[0], "must be numbers"),
        (features * np.nan, "NaN"),
    ):
        with pytest.raises(ValueError, match=f"^x:? {message}"):
            detect(whole, wrong, name="x")
    for fps, message in (
        (25, "is for 10 frames per second, not 25"),
        (0, "the frame rate is 0; give a number above 0"),
    ):
        with pytest.raises(ValueError, match=message):
            detect(whole, features, fps)
    with pytest.raises(ValueError, match="is for recordings of several frame rates; give yours"):
        detect(whole._replace(about=whole.about | {"fps": None}), features)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ValueError, match=r"tiny\.onnx needs onnxruntime \(.*\); pip install onnxruntime"):
        open_exported(run.file)


@simple
def test_what_cannot_be_exported_is_one_sentence(run, data, tmp_path, monkeypatch, capsys):
    write_trained(tmp_path, data, tiny_recipe())
    cases = {
        ("--length", "30"): "the length 30 must be a multiple of 4, the stride of the last level of recipe 'tiny'",
        ("--out", "x.pb"): "x.pb must end in .pt2; name another file with --out",
        ("--media", "films"): "--media is for annotations, not for a network (--to torch); leave it out",
        ("--to", "eaf"): f"{tmp_path} is a folder: of a run, --to is onnx or torch; of labels, name their file",
    }
    for words, message in cases.items():
        assert main(["export", str(tmp_path), "--to", "torch", *words]) == 2
        assert message in capsys.readouterr().err
    assert main(["export", str(data / "tiny" / "annotations.json"), "--to", "csv"]) == 2
    assert "annotations need --out, a folder to write" in capsys.readouterr().err
    assert main(["predict", str(run.file), str(tmp_path), "--signal"]) == 2
    assert "tiny.onnx takes features, not films or samples" in capsys.readouterr().err
    (tmp_path / "checkpoints" / "ema.safetensors").unlink()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", str(tmp_path), "--to", "onnx"]) == 2
    assert "--to onnx needs onnx, onnxscript and onnxruntime (" in capsys.readouterr().err
    monkeypatch.undo()
    assert main(["export", str(tmp_path), "--to", "onnx"]) == 2
    assert "ema.safetensors does not exist; train the run first" in capsys.readouterr().err
