"""Run folders of other people: what cannot be read is told as the state of a run, and the others stay."""

import pytest
from run_folders import change_json, write_run
from tiny_data import write_tiny_data

from afkit.workbench.runs.launch import _error, error_file
from afkit.workbench.runs.opened import read_metrics, read_runs
from afkit.workbench.runs.paired_test import choose_pairs, class_differences
from afkit.workbench.runs.predicting import open_predictor
from afkit.workbench.runs.status import run_status, status_table

ROW = "run folders"


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "results" / "tiny" / "seed1")


RUN_JSON = (
    *(b"", b"[]", b"3", b"null", b"\xff", b"[" * 100_000, b'{"stages": 3}', b'{"stages": {"01_data": []}}'),
    *(b'{"recipe": 3}', b'{"recipe": []}', b'{"recipe": {"name": 3}}', b'{"data_root": [3]}'),
    b'{"stages": {"01_data": {"status": "failed", "error": ["\\u001b[31m"]}}}',
    b'{"recipe": {"data": 3, "optim": {"epochs": 1' + b"0" * 400 + b', "warmup_epochs": 1}}}',
    b'{"stages": {"02_train": {"status": "done", "finished": 5}, "03_eval": {"status": "done", "started": "4"}}}',
)


@pytest.mark.parametrize("data", RUN_JSON, ids=range(len(RUN_JSON)))
def test_a_hostile_run_json(run, data, hostile):
    good = write_run(run.parent / "seed2")
    (run / "run.json").write_bytes(data)
    runs = read_runs([run, good])
    assert runs[0].state != "done" and not runs[0].scores and runs[1].state == "done"
    assert runs[0].subsets == [] and choose_pairs(runs) == []
    table = status_table([run_status(run, "tiny/\x1b[31mseed1")])
    assert table.replace("\n", "").isprintable()
    with pytest.raises(ValueError, match=r"run\.json|holds no run|does not exist"):
        open_predictor(run, "ema")
    hostile(ROW)


@pytest.mark.parametrize("value", ["NaN", "1e400", '"0.5"', "[0.5]", "true", "null", "1" + "0" * 400])
def test_an_average_map_that_is_no_number(run, value, hostile):
    text = (run / "eval.json").read_text().replace('"average_map": 0.5', f'"average_map": {value}', 1)
    (run / "eval.json").write_text(text)
    (found,) = read_runs([run])
    state = found.state
    if value.startswith("10"):  # a whole number, however long, but beyond all fractions
        assert run_status(run, "x").map_percent is None
    assert not found.scores and ("average_map" in state or "eval.json" in state)
    assert run_status(run, "x").map_percent is None
    hostile(ROW)


@pytest.mark.parametrize(
    "line", ["nan,nan,nan,nan", "1,inf,2,3", "1", "1,2", "x,y,z,w", "\x00", "9" * 5000 + ",1,1,1", ""]
)
def test_the_end_of_hostile_metrics(run, line, hostile):
    change_json(run / "run.json", stages={"01_data": {"status": "done"}})
    with (run / "metrics.csv").open("a") as file:
        file.write(line + "\n")
    assert run_status(run, "x").stage == "02_train"
    assert list(read_metrics(run).columns) == ["epoch", "loss_total", "seconds"]
    hostile(ROW)


TABLES = ("label,name\n0,a\n", *(f"label,name,ap_average\n{rows}\n" for rows in ("0,a,x", "0,a,0.5\n0,a,0.5")))


@pytest.mark.parametrize("text", [*TABLES, "", "\x00", '"', "\ud800"])
def test_hostile_tables_of_classes(run, text, hostile):
    (run / "per_class.csv").write_bytes(text.encode("utf-8", "surrogatepass"))
    (found,) = read_runs([run])
    with pytest.raises(ValueError, match=r"no readable per_class\.csv"):
        class_differences(found, found)
    hostile(ROW)


POINTS = (
    *(3, [1], {"by_class": 3}, {"by_class": {"a": {}}}, {"by_class": {"a": {"threshold": "x"}}}),
    *({"by_class": {}, "one_threshold": point} for point in ([], {"threshold": [1]})),
)


@pytest.mark.parametrize("point", POINTS, ids=range(len(POINTS)))
def test_hostile_thresholds(run, tmp_path, point, hostile):
    write_tiny_data(tmp_path)
    (run / "checkpoints").mkdir()
    (run / "checkpoints" / "ema.safetensors").write_bytes(b"")
    change_json(run / "eval.json", operating_point=point, weights="ema")
    with pytest.raises(ValueError, match=r"eval\.json holds no thresholds"):
        open_predictor(run, "ema", data_root=str(tmp_path))
    hostile(ROW)


@pytest.mark.parametrize("text", ["[]", "3", '{"kind": ["x"], "message": 3}', '{"kind": "exec", "message": ""}', ""])
def test_a_hostile_note_of_what_ended_a_job(tmp_path, text):
    job = tmp_path / "train_job.json"
    error_file(job).write_text(text)
    job.with_suffix(".log").write_text("")
    assert type(_error(job, [3])) is RuntimeError
