"""The GPU command without a GPU: every part runs with what a bare GPU machine has, errors are told, limits hold."""

import json
import os
import re
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

from benchmarks import folds, gpu
from benchmarks.timing import read_csv

ROOT = Path(gpu.__file__).parents[1]
LACKING = ("papermill", "nbformat", "dask", "distributed", "playwright", "matplotlib", "seaborn", "seglearn", "yaml",
           "IPython", "ipywidgets", "tensorboard", "anywidget", "psutil", "jupyterlab")  # fmt: skip
HIDE = """
from importlib.machinery import PathFinder
find = PathFinder.find_spec
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in {names!r} else find(name, path, target)
PathFinder.find_spec = Finder.find_spec
"""


def run(arguments, folder, **environment):
    """The command in an interpreter that lacks what a bare GPU machine may lack; (exit code, output)."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(HIDE.format(names=LACKING))
    environment = os.environ | {"PYTHONPATH": str(folder / "site"), "OMP_NUM_THREADS": "1"} | environment
    command = [sys.executable, "-m", "benchmarks.gpu", "--device", "cpu", "--size", "tiny", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def write_people(root, people=3, steps=150):  # at least as many as fill a batch, and one more
    """A data set like `hapt` of a few people, with features of its width."""
    random, database = np.random.default_rng(0), {}
    (root / "hapt" / "acceleration").mkdir(parents=True)
    (root / "hapt" / "annotations").mkdir()
    for number in range(1, people + 1):
        name = f"person{number:02d}"
        actions = [{"segment": [5.0 * k, 5.0 * k + 4], "label": f"class {k}", "label_id": k} for k in range(12)]
        database[name] = {"subset": name, "duration": steps / 2, "fps": 50, "annotations": actions}
        features = random.standard_normal((steps, 150)).astype(np.float32)
        np.save(root / "hapt" / "acceleration" / f"{name}.npy", features)
    (root / "hapt" / "annotations" / "people.json").write_text(json.dumps({"database": database}))


def test_a_hidden_package_is_as_if_it_were_not_installed(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(HIDE.format(names=LACKING))
    code = "import importlib.util, torch; assert importlib.util.find_spec('matplotlib') is None; import matplotlib"
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "ModuleNotFoundError: No module named 'matplotlib'"


@pytest.mark.slow
def test_every_part_runs_without_what_a_bare_machine_lacks(tmp_path):
    write_people(tmp_path / "data")
    out, few = tmp_path / "out", "-k 'few or noticed or thumos'"  # on a processor both sides are one
    arguments = ["--minutes", 60, "--data", tmp_path / "data", "--out", out]
    code, said = run(arguments, tmp_path, PYTEST_ADDOPTS=few)
    summary = {row["part"]: row for row in read_csv(out / "summary.csv")}
    assert {name: row["state"] for name, row in summary.items()} == dict.fromkeys(gpu.PARTS, "done"), said
    assert code == 0
    assert re.fullmatch(r"\d{2,} passed, .*deselected.*", summary["tests"]["why"])
    assert {path.name for path in out.iterdir()} == {
        "summary.csv", "log.txt", "nms.csv", "train.csv", "library.csv", "infer.csv", "graphs.csv", "graphs_infer.csv",
        "whole.csv", "folds.csv",
    }  # fmt: skip
    assert {row["cuda_graphs"] for row in read_csv(out / "graphs.csv") + read_csv(out / "graphs_infer.csv")} == {"True"}
    assert {row["same_picks"] for row in read_csv(out / "nms.csv")} == {"True"}
    assert [row["precision"] for row in read_csv(out / "train.csv")] == ["fp32", "bf16"]
    assert all(float(row["kernels"]) > 10 and 0 < float(row["host_share"]) <= 1 for row in read_csv(out / "infer.csv"))
    assert [(row["what"], row["how"]) for row in read_csv(out / "whole.csv")] == [
        ("test", "run"), ("training", "projected"), ("training", "projected"), ("training", "run"),
    ]  # fmt: skip
    made = sorted(read_csv(out / "folds.csv"), key=lambda row: row["person"])  # people are trained at once
    assert [row["person"] for row in made] == [f"person0{n}" for n in (1, 2, 3) for _ in "er"]
    assert all(0 <= float(row["average_map"]) <= 1 and float(row["seconds"]) > 0 for row in made)


def part(code, share=1.0, needs=""):
    """A part that runs a line of Python."""
    return gpu.Part(share, lambda options: ["-c", code], needs)


@pytest.fixture
def parts(monkeypatch):
    """Parts by name, in place of the real ones."""

    def use(**own):
        monkeypatch.setattr(gpu, "PARTS", own)

    return use


def call(tmp_path, *arguments):
    """The command in this process; (exit code, {part: its line})."""
    code = 0
    try:
        gpu.main(["--device", "cpu", "--out", str(tmp_path), *arguments])
    except SystemExit as end:
        code = end.code
    return code, {row["part"]: row for row in read_csv(tmp_path / "summary.csv")}


def test_a_failed_part_is_told_and_stops_only_those_that_need_it(parts, tmp_path, capsys):
    parts(a=part("raise ValueError('no such thing')"), b=part("print('well done')"), c=part("print(1)", needs="a"))
    code, lines = call(tmp_path)
    assert code == 1
    assert [lines[name]["state"] for name in "abc"] == ["failed", "done", "failed"]
    assert lines["a"]["why"] == "ValueError: no such thing"
    assert lines["c"]["why"] == "it needs the part a"
    said = capsys.readouterr().out
    assert "well done" in said and "ValueError: no such thing" in said
    assert "well done" in (tmp_path / "log.txt").read_text()


def test_a_part_that_takes_too_long_ends_with_all_that_it_started(parts, tmp_path, monkeypatch):
    monkeypatch.setattr(gpu, "LEAST_SEC", 0)
    child = tmp_path / "child"
    start = "import subprocess, sys, time; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])"
    parts(a=part(f"{start}; open({str(child)!r}, 'w').write(str(p.pid)); time.sleep(600)", 0.1), b=part("pass"))
    code, lines = call(tmp_path, "--minutes", "0.5")
    assert code == 1
    assert (lines["a"]["state"], lines["b"]["state"]) == ("out of time", "done")
    stat = Path(f"/proc/{child.read_text()}/stat")
    until = time.monotonic() + 60
    while stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < until
        time.sleep(0.05)


def test_no_time_left_no_data_and_a_wrong_name_are_told(parts, tmp_path, capsys):
    parts(a=part("pass"), folds=part("pass"))
    code, lines = call(tmp_path, "--minutes", "0.01")
    assert code == 1 and lines["a"]["state"] == "out of time"
    assert lines["folds"] | {"seconds": "", "limit_sec": ""} == {
        "part": "folds", "state": "left out", "seconds": "", "limit_sec": "", "why": "--data names no data root",
    }  # fmt: skip
    with pytest.raises(SystemExit):
        gpu.main(["--device", "cpu", "--parts", "a,nsm"])
    assert "there is no part 'nsm'" in capsys.readouterr().err


@pytest.mark.parametrize("body", ["", "import pytest; pytestmark = pytest.mark.skip('no')\ndef test_it(): pass"])
def test_no_test_executed_is_a_failure(monkeypatch, tmp_path, body):
    path = tmp_path / "test_nothing.py"
    path.write_text(body)
    monkeypatch.setattr(gpu, "TESTS", (str(path),))
    code, lines = call(tmp_path / "out", "--parts", "tests")
    assert code == 1 and lines["tests"]["state"] == "failed"


def test_the_test_files_are_there_and_need_no_tree():
    for name in gpu.TESTS:
        assert (ROOT / name).is_file() and "gpu" in Path(name).name


def test_the_wheels_of_the_docstring_are_the_tested_versions_and_all_that_pydantic_needs():
    named = dict(re.findall(r"([a-z-]+)==([\d.]+)", gpu.__doc__))
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(), re.M))
    pinned = {name.replace("_", "-").lower(): version for name, version in pinned.items()}
    assert named == {name: pinned[name] for name in named}
    needed, known = ["pydantic"], set()
    while needed:
        known.add(name := needed.pop())
        wanted = [line for line in metadata.requires(name) or [] if "extra ==" not in line]
        needed += {re.match(r"[\w-]+", line)[0].replace("_", "-").lower() for line in wanted} - known
    assert known == set(named)


def test_a_fold_leaves_one_person_out_in_the_published_setting():
    people = [f"person{number:02d}" for number in range(1, 31)]
    recipe = folds.fold_recipe("actionformer", "published", "person07", people)
    assert recipe.data.test_subsets == ["person07"]
    assert len(recipe.data.train_subsets) == 29 and "person07" not in recipe.data.train_subsets
    assert (recipe.model.embed_dim, recipe.optim.epochs, recipe.optim.warmup_epochs) == (512, 100, 5)
    assert (recipe.decode.pre_nms_topk, recipe.decode.max_segments, recipe.decode.min_score) == (5000, 2000, 0)
    tridet = folds.fold_recipe("tridet", "published", "person07", people)
    assert (tridet.model.mlp_dim, tridet.model.embed_dim, tridet.model.head) == (768, 512, "trident")
    maxer = folds.fold_recipe("temporalmaxer", "gyroscope", "person07", people)
    assert (maxer.model.stem_layers, maxer.loss.label_smoothing, maxer.data.input_dims) == (0, 0, [150, 150])


def test_the_interval_is_that_of_the_mean_over_people():
    low, high = folds.interval(np.repeat([80.0, 100.0], 50))  # standard error 1
    assert (low, high) == pytest.approx((88, 92), abs=0.3)
    assert folds.interval(np.array([97.0])) == (97, 97)


def start_instead(monkeypatch, code):
    """Folds whose processes run a line of Python in place of a training, in which {person} is the one left out."""

    def start(person, options):
        command = [sys.executable, "-c", code.format(person=person)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    monkeypatch.setattr(folds, "start_fold", start)


def test_folds_go_on_where_they_were_cut_short(tmp_path, capsys, monkeypatch):
    write_people(tmp_path / "data")
    path, row = tmp_path / "folds.csv", "person='{person}', average_map=0.25, normalised_map=0.125, seconds=2.0"
    start_instead(
        monkeypatch, f"import json; print(json.dumps([dict(weights=which, {row}) for which in ('ema', 'raw')]))"
    )
    arguments = ["--data-root", str(tmp_path / "data"), "--setting", "tiny", "--csv", str(path)]
    folds.main(arguments)
    first = read_csv(path)
    people = [(f"person0{number}", which) for number in (1, 2, 3) for which in ("ema", "raw")]
    assert [(row["person"], row["weights"]) for row in first] == people
    assert re.search(r"actionformer +tiny +ema +3 +25\.00 +12\.50 +12\.50 to 12\.50 +94\.3", capsys.readouterr().out)
    path.write_text("\n".join(path.read_text().splitlines()[:3]) + "\n")  # as if cut after the first person
    folds.main(arguments)
    assert "3 people, 2 to do" in capsys.readouterr().out
    assert read_csv(path) == first


def test_folds_that_fail_are_named_and_not_written(tmp_path, monkeypatch):
    write_people(tmp_path / "data")
    path = tmp_path / "folds.csv"
    start_instead(monkeypatch, "raise SystemExit(3)")
    with pytest.raises(SystemExit, match="3 folds failed: person01, person02, person03"):
        folds.main(["--data-root", str(tmp_path / "data"), "--setting", "tiny", "--at-once", "3", "--csv", str(path)])
    assert not path.exists()
    (tmp_path / "data" / "hapt" / "acceleration" / "person02.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match=r"person02\.npy"):
        folds.main(["--data-root", str(tmp_path / "data"), "--setting", "tiny", "--fold", "person01"])
