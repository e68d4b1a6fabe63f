"""Recipes, sweeps, cluster files and run folders of other people that are hostile."""

import json
import shutil

import pytest
from hostile import as_json, in_child
from run_folders import change_json, write_run
from tiny_data import write_tiny_data

from afkit.recipe_files import read_recipe_file
from afkit.recipes import _RECIPES
from afkit.workbench.analysis.report import headline
from afkit.workbench.original import recipe_from_original
from afkit.workbench.runs.launch import _error, error_file
from afkit.workbench.runs.opened import read_metrics, read_runs
from afkit.workbench.runs.paired_test import choose_pairs, class_differences
from afkit.workbench.runs.predicting import open_predictor
from afkit.workbench.runs.status import run_status, status_table
from afkit.workbench.sweeps.batch_jobs import read_cluster
from afkit.workbench.sweeps.sweep_file import read_sweep

SECTION = "Hostile and broken files"


def read_recipe(path):
    return read_recipe_file(path, _RECIPES)


YAML_READERS = {
    "recipes": read_recipe,
    "recipes of the original": recipe_from_original,
    "sweeps": read_sweep,
    "cluster files": read_cluster,
}
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
HOSTILE_YAML = {
    "a billion laughs": LAUGHS,
    "an alias that holds itself": "a: &a [*a]\n",
    "a python object": "a: !!python/object/apply:os.mkdir [ran]\n",
    "a python name": "a: !!python/name:os.system\n",
    "a tag of one's own": "a: !mine 3\n",
    "a date": "a: 2001-02-03\n",
    "an impossible date": "a: 2001-99-99\n",
    "bytes": "a: !!binary aGVsbG8=\n",
    "a set": "a: !!set {b}\n",
    "a number of 5000 digits": "a: " + "9" * 5000 + "\n",
    "no truth value": "a: !!bool x\n",
    "no number": "a: !!int x\n",
    "deep lists": "a: " + "[" * 3000 + "\n",
    "a list as a key": "? [a, b]\n: 3\n",
    "a mapping as a key": "{a: 1}: 3\n",
    "merged with itself": "a: &a\n  <<: *a\n",
    "half of a character": '"\\ud800": 3\n',
    "a control character": "a: \x07\n",
    "no text": "\udcff",
    "two documents": "a: 1\n---\nb: 2\n",
    "nothing": "",
    "a text": "watch",
}


@pytest.mark.parametrize("kind", HOSTILE_YAML)
@pytest.mark.parametrize("row", YAML_READERS)
def test_hostile_yaml(tmp_path, monkeypatch, row, kind, tally):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "theirs.yaml"
    path.write_bytes(HOSTILE_YAML[kind].encode("utf-8", "surrogateescape"))

    def read():
        with pytest.raises(ValueError) as caught:
            YAML_READERS[row](path)
        assert type(caught.value) is ValueError
        message = str(caught.value)
        assert "theirs" in message and "\n" not in message and len(message) < 2000
        return message

    ended = in_child(read, seconds=20)
    assert ended.end == "done" and ended.memory_mb < 50, ended
    assert not (tmp_path / "ran").exists()
    expected = {
        "a billion laughs": "aliases stand for",
        "a date": "kind 'timestamp'",
        "bytes": "kind 'binary'",
        "an alias that holds itself": "holds itself",
    }.get(kind, "")
    assert expected in ended.said
    tally(SECTION, row, cases=1, refused=1, code_run=0, other_exceptions=0)


def test_aliases_and_merges_of_ordinary_size_are_read(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("recipes: [watch]\nseeds: &s [1, 2]\noverrides: {optim.epochs: *s}\n")
    assert len(read_sweep(path).cells) == 4
    run = "{recipe: watch, overrides: {<<: *fold, optim.epochs: %d}}"
    text = f"runs:\n- recipe: watch\n  overrides: &fold {{model.windows: 7}}\n- {run % 3}\n- {run % 4}\n"
    path.write_text(text)
    assert [cell.overrides.get("model.windows") for cell in read_sweep(path).cells] == [7, 7, 7]
    path.write_text(
        "base: watch\nmodel: {regression_ranges: [[0, &a 4], [*a, 8], [8, 16], [16, 32], [32, 64], [64, 1e4]]}\n"
    )
    assert read_recipe(path)["model"]["regression_ranges"][1] == (4, 8)


@pytest.mark.parametrize(
    "content",
    [
        {"dataset_name": ["thumos"]},
        {"model": 3},
        {"model": {"train_cfg": [1]}},
        {"train_cfg": True},
        {"dataset": {"json_file": 3, "feat_folder": {}}},
        {"dataset": {"json_file": "a", "feat_folder": "f"}, "model": {"embd_dim": "x"}},
        {"dataset": {"json_file": "a", "feat_folder": "f"}, "model": {"backbone_type": [3]}},
        {"dataset": {"json_file": "a", "feat_folder": "f"}, "model": {"backbone_arch": 2**63}},
        {"dataset": {"json_file": "a", "feat_folder": "f"}, "opt": {"learning_rate": float("nan")}},
        {"dataset": {"json_file": "a", "feat_folder": "f"}, "dataset_name": None},
        {"9": 1, "x": {"y": 3}},
        [],
        "@deep@",
    ],
)
def test_settings_of_other_types_in_a_file_of_the_original(tmp_path, content, tally):
    for name in ("theirs.json", "theirs.yaml"):  # JSON is YAML
        (tmp_path / name).write_bytes(as_json(content))
        with pytest.raises(ValueError, match="theirs"):
            recipe_from_original(tmp_path / name)
        tally(SECTION, "recipes of the original", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize(
    "text", ["kind: [slurm]\njobs: 1\n", "kind: {a: 1}\n", "kind: slurm\njobs: 1.5\n", "kind: slurm\njobs: -1\n"]
)
def test_hostile_cluster_files(tmp_path, text, tally):
    path = tmp_path / "theirs.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"theirs\.yaml: (there is no kind|'jobs' is)"):
        read_cluster(path)
    tally(SECTION, "cluster files", cases=1, refused=1, code_run=0, other_exceptions=0)


# ---- run folders: what cannot be read is told as the state of a run, and the others stay


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "results" / "tiny" / "seed1")


RUN_JSON = [
    b"",
    b"[]",
    b"3",
    b"null",
    b'"recipe"',
    b"\xff",
    b"[" * 100_000,
    b'{"stages": 3}',
    b'{"stages": {"01_data": []}}',
    b'{"stages": {"01_data": {"status": "failed", "error": ["\\u001b[31m"]}}}',
    b'{"recipe": 3}',
    b'{"recipe": []}',
    b'{"recipe": {"name": 3}}',
    b'{"recipe": {"data": 3, "optim": {"epochs": 1' + b"0" * 400 + b', "warmup_epochs": 1}}}',
    b'{"data_root": [3]}',
    b'{"stages": {"02_train": {"status": "done", "finished": 5}, "03_eval": {"status": "done", "started": "4"}}}',
]


@pytest.mark.parametrize("data", RUN_JSON, ids=range(len(RUN_JSON)))
def test_a_hostile_run_json(run, data, tally):
    good = write_run(run.parent / "seed2")
    (run / "run.json").write_bytes(data)
    runs = read_runs([run, good])
    assert runs[0].state != "done" and not runs[0].scores and runs[1].state == "done"
    assert runs[0].subsets == [] and choose_pairs(runs) == []
    table = status_table([run_status(run, "tiny/\x1b[31mseed1")])
    assert table.replace("\n", "").isprintable()
    with pytest.raises(ValueError, match=r"run\.json|is no run folder|does not exist"):
        open_predictor(run, "ema")
    tally(SECTION, "run folders", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize("value", ["NaN", "1e400", '"0.5"', "[0.5]", "true", "null", "1" + "0" * 400])
def test_an_average_map_that_is_no_number(run, value, tally):
    text = (run / "eval.json").read_text().replace('"average_map": 0.5', f'"average_map": {value}', 1)
    (run / "eval.json").write_text(text)
    (found,) = read_runs([run])
    state = found.state
    if value.startswith("10"):  # a whole number, however long, but beyond all fractions
        assert run_status(run, "x").map_percent is None
    assert not found.scores and ("average_map" in state or "eval.json" in state)
    assert run_status(run, "x").map_percent is None
    tally(SECTION, "run folders", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize(
    "line", ["nan,nan,nan,nan", "1,inf,2,3", "1", "1,2", "x,y,z,w", "\x00", "9" * 5000 + ",1,1,1", ""]
)
def test_the_end_of_hostile_metrics(run, line, tally):
    change_json(run / "run.json", stages={"01_data": {"status": "done"}})
    with (run / "metrics.csv").open("a") as file:
        file.write(line + "\n")
    assert run_status(run, "x").stage == "02_train"
    assert list(read_metrics(run).columns) == ["epoch", "loss_total", "seconds"]
    tally(SECTION, "run folders", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "label,name\n0,a\n",
        "label,name,ap_average\n0,a,x\n",
        "label,name,ap_average\n0,a,0.5\n0,a,0.5\n",
        "\x00",
        '"',
        "\ud800",
    ],
)
def test_hostile_tables_of_classes(run, text, tally):
    (run / "per_class.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    (found,) = read_runs([run])
    with pytest.raises(ValueError, match=r"no readable per_class\.csv"):
        class_differences(found, found)
    tally(SECTION, "run folders", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "3",
        "{}",
        '{"map": 3, "baseline": 3}',
        '{"map": {"x": "y"}, "average_map": 1}',
        "[" * 10**5,
        '{"map": {"0.3": "x"}, "average_map": 1, "baseline": {"map": {}, "average_map": 0}}',
    ],
)
def test_a_hostile_eval_json_as_a_headline(tmp_path, text, tally):
    (tmp_path / "eval.json").write_text(text)
    with pytest.raises(ValueError, match=r"eval\.json"):
        headline(tmp_path / "eval.json")
    tally(SECTION, "run folders", cases=1, refused=1, code_run=0, other_exceptions=0)


@pytest.mark.parametrize(
    "point",
    [
        "3",
        "[1]",
        '{"by_class": 3}',
        '{"by_class": {"a": {}}}',
        '{"by_class": {"a": {"threshold": "x"}}}',
        '{"by_class": {}, "one_threshold": []}',
        '{"by_class": {}, "one_threshold": {"threshold": [1]}}',
    ],
)
def test_hostile_thresholds(run, tmp_path, point, tally):
    write_tiny_data(tmp_path)
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "ema.safetensors").write_bytes(b"")
    change_json(run / "eval.json", operating_point=json.loads(point), weights="ema")
    with pytest.raises(ValueError, match=r"eval\.json holds no thresholds"):
        open_predictor(run, "ema", data_root=str(tmp_path))
    tally(SECTION, "run folders", cases=1, refused=1, code_run=0, other_exceptions=0)
    shutil.rmtree(run)


@pytest.mark.parametrize("text", ["[]", "3", '{"kind": ["x"], "message": 3}', '{"kind": "exec", "message": ""}', ""])
def test_a_hostile_note_of_what_ended_a_job(tmp_path, text):
    job = tmp_path / "train_job.json"
    error_file(job).write_text(text)
    job.with_suffix(".log").write_text("")
    assert type(_error(job, [3])) is RuntimeError
