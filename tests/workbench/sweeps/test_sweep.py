"""The engine of sweeps with real worker processes on loopback; what the runs do is stood in for by small functions."""

import gc
import os
import signal
import socket
import time
from functools import partial
from pathlib import Path

import pytest

from afkit.files import read_json, write_json
from afkit.workbench.runs.notebooks import STAGES

pytest.importorskip("distributed", reason="sweeps are made by dask")
pytest.importorskip("papermill", reason="runs are made by papermill")
from distributed import Client, LocalCluster
from distributed.utils import get_ip

import afkit
from afkit.__main__ import main
from afkit.workbench.datasets.archives import MARKER
from afkit.workbench.runs.provenance import THREADS
from afkit.workbench.sweeps import clusters as sweep_cluster
from afkit.workbench.sweeps import sweep as engine
from afkit.workbench.sweeps.clusters import local_workers, needs, open_client, restart_workers, visible_gpus
from afkit.workbench.sweeps.sweep import cells_left, dry_run, execute_all, prepare_all
from afkit.workbench.sweeps.sweep_file import Cell, SweepFile, read_sweep
from afkit.workbench.sweeps.tasks import DIED
from afkit.workbench.sweeps.work import Outcome

SETTINGS = SweepFile(recipes=["watch"], memory_gb=0.1)
SMALL = (
    "{data.input_dims: [8], data.max_seq_len: 256, model.embed_dim: 48, optim.batch_size: 2, decode.pre_nms_topk: 200}"
)


@pytest.fixture(scope="module")
def client():
    """Two worker processes."""
    with pytest.MonkeyPatch.context() as patch:
        for name in THREADS:
            patch.delenv(name, raising=False)
        with open_client(SETTINGS, workers=2) as client:
            yield client


def cells_in(folder: Path, *names: str) -> list[Cell]:
    return [Cell(name, folder / name, "watch", 1, {}, 1, afkit.recipe("watch")) for name in names]


def note(folder: Path) -> int:
    """Count that a task has begun; how often by now."""
    folder.mkdir(exist_ok=True)
    (folder / f"{time.time_ns()}-{os.getpid()}").touch()
    return len(list(folder.iterdir()))


def die(folder: Path, times: int = 2) -> Outcome:
    """The cell "deadly" ends its worker so many times as the system does when memory runs out."""
    if note(folder) <= times and folder.name == "deadly":
        time.sleep(0.5)  # so that what ended before on this worker has been fetched
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.1)
    return Outcome("done")


def die_always(folder: Path) -> Outcome:
    if folder.name == "deadly":
        time.sleep(0.5)
        write_json(folder / "run.json", {"stages": {"01_data": {"status": "done"}, "02_train": {"status": "running"}}})
        os.kill(os.getpid(), signal.SIGKILL)
    note(folder)
    return Outcome("done")


def wait_for_others(folder: Path) -> Outcome:
    """The cell "busy" is held by somebody else until the others are done."""
    number = note(folder)
    others = [path for path in folder.parent.iterdir() if path != folder]
    return Outcome("busy", "held") if folder.name == "busy" and (len(others) < 3 or number < 4) else Outcome("done")


def fail(folder: Path) -> Outcome:
    note(folder)
    raise OSError("no such thing")


def look(folder: Path) -> Outcome:
    """How many run at the same time, and with how many threads."""
    folder.mkdir()
    time.sleep(0.4)
    at_once = [path for path in folder.parent.iterdir() if not (path / "over").exists()]
    (folder / "over").touch()
    return Outcome("done", f"{len(at_once)} {os.environ['OMP_NUM_THREADS']}")


def execute(client, cells, function):
    """The outcomes, and what was said."""
    said = []

    def submit(cell: Cell):
        return client.submit(function, cell.folder, pure=False)

    return execute_all(client, cells, submit, said.append, lambda: restart_workers(client)), said


def test_a_run_that_another_process_holds_comes_last_and_is_told_of_once(client, tmp_path):
    said, submitted = [], []

    def submit(cell):
        submitted.append(cell.name)
        return client.submit(wait_for_others, cell.folder, pure=False)

    outcomes = execute_all(client, cells_in(tmp_path, "busy", "a", "b", "c"), submit, said.append)
    assert {outcome.state for outcome in outcomes.values()} == {"done"} and len(outcomes) == 4
    assert submitted[-1] == "busy" and [name for name in submitted if name != "busy"] == ["a", "b", "c"]
    assert said.count("busy waits: held") == 1 and len(said) == 5


def test_an_error_of_a_task_is_not_tried_again_and_stops_nobody(client, tmp_path):
    outcomes, _ = execute(client, cells_in(tmp_path, "a", "b"), fail)
    assert outcomes["a"] == Outcome("failed", "the worker could not do it: OSError: no such thing")
    assert [len(list(path.iterdir())) for path in tmp_path.iterdir()] == [1, 1]


def test_as_many_runs_as_workers_are_made_at_once_and_share_the_cores(client, tmp_path):
    said, submitted = [], []

    def submit(cell):
        submitted.append(cell)
        assert len(submitted) - len(said) <= 2, "no run waits at a worker, whose death would count against it"
        return client.submit(look, cell.folder, pure=False)

    outcomes = execute_all(client, cells_in(tmp_path, *"abcdef"), submit, said.append)
    at_once, threads = zip(*(outcome.reason.split() for outcome in outcomes.values()), strict=True)
    assert max(at_once) == "2"
    assert set(threads) == {str(max(len(os.sched_getaffinity(0)) // 2, 1))}


def test_data_is_generated_once_for_all_runs_that_share_it(client, tmp_path):
    text = f"data: twin\ndata_root: {tmp_path}/data\nresults: {tmp_path}/results\nseeds: [1, 2]\nruns:\n"
    text += "".join(f"- {{recipe: {name}, overrides: {SMALL}}}\n" for name in ("thumos_i3d", "ego4d_s", "ego4d_o"))
    (tmp_path / "mine.yaml").write_text(text)
    plan = read_sweep(tmp_path / "mine.yaml")
    said = []
    assert prepare_all(client, plan, plan.cells, said.append) == (plan.cells, {})
    assert [line.split(" in ")[0] for line in said] == ["data of thumos: done", "data of ego4d: done"]
    assert {path.name for path in (tmp_path / "data").iterdir()} == {"thumos", "ego4d"}
    for features in ("slowfast_features", "omnivore_features"):
        assert (tmp_path / "data" / "ego4d" / features).is_dir()
    (tmp_path / "data" / "thumos" / MARKER).unlink()  # as if it were real
    left, failed = prepare_all(client, plan, plan.cells, said.append)
    assert [cell.recipe for cell in left] == ["ego4d_s"] * 2 + ["ego4d_o"] * 2
    assert [outcome.state for outcome in failed.values()] == ["failed"] * 2
    assert "may be real data" in failed[plan.cells[0].name].reason


@pytest.fixture(scope="module")
def running():
    """The address of a cluster that somebody else has started."""
    own = {"n_workers": 1, "threads_per_worker": 1, "resources": {"MEMORY_GB": 0.1}}
    with LocalCluster(
        processes=False, protocol="tcp", host="127.0.0.1", dashboard_address="127.0.0.1:0", **own
    ) as cluster:
        yield cluster.scheduler_address


def test_a_running_cluster_is_used_where_it_has_what_a_run_needs(running, tmp_path, capsys):
    with open_client(SETTINGS, scheduler=running) as other:
        assert needs(other, SETTINGS) == {"MEMORY_GB": 0.1}
        assert execute(other, cells_in(tmp_path, "a"), die)[0]["a"].state == "done"
    for workers, threads, message in (
        (0, 1, "has no workers; start some as docs/how-to/sweeps.md shows"),
        (1, 2, "has 2 threads, and would make 2 runs at once; start it with --nthreads 1"),
    ):
        own = {"n_workers": workers, "threads_per_worker": threads, "dashboard_address": "127.0.0.1:0"}
        refused = pytest.raises(ValueError, match=message)
        with LocalCluster(processes=False, protocol="tcp", host="127.0.0.1", **own) as cluster, refused:
            open_client(SETTINGS, scheduler=cluster.scheduler_address).__enter__()
    with Client(running) as client:
        worker = next(iter(client.nthreads()))
    with pytest.raises(ValueError, match=f"'{worker}' is the address of a dask Worker, not of the scheduler"):
        open_client(SETTINGS, scheduler=worker).__enter__()
    wanting = SETTINGS.model_copy(update={"gpus": 1})
    with pytest.raises(
        ValueError, match=r"needs 1 GPU\(s\), and no worker of tcp.* declares any; start workers with --resources"
    ):
        open_client(wanting, scheduler=running).__enter__()
    assert capsys.readouterr().out == "", "on loopback"


def test_a_scheduler_that_the_network_reaches_and_that_asks_nobody_is_warned_of(tmp_path):
    said = []
    own = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(protocol="tcp", host="0.0.0.0", **own) as cluster:
        port = cluster.scheduler_address.rpartition(":")[2]
        for host in ("127.0.0.1", "localhost", get_ip()):
            with open_client(SETTINGS, scheduler=f"tcp://{host}:{port}", say=said.append):
                pass
    assert said == [
        f"afkit: tcp://{get_ip()}:{port} is not encrypted: whoever reaches it runs code as you; start it as "
        "docs/how-to/sweeps.md shows"
    ]


@pytest.mark.slow
def test_a_run_whose_worker_dies_is_tried_again_and_no_other_run_is(client, tmp_path):
    outcomes, said = execute(client, cells_in(tmp_path, "a", "deadly", "b", "c", "d"), die)
    assert {name: outcome.state for name, outcome in outcomes.items()} == dict.fromkeys([*"abcd", "deadly"], "done")
    begun = {path.name: len(list(path.iterdir())) for path in tmp_path.iterdir()}
    assert begun == dict.fromkeys("abcd", 1) | {"deadly": 3}
    assert len(said) == 5 and said[-1].startswith("5/5 ")


@pytest.mark.slow
def test_a_run_that_kills_every_worker_is_given_up_and_says_so(client, tmp_path):
    outcomes, said = execute(client, cells_in(tmp_path, "deadly", "a", "b"), die_always)
    assert outcomes["deadly"] == Outcome("failed", DIED)
    assert outcomes["a"].state == outcomes["b"].state == "done"
    assert [line for line in said if "deadly" in line] == [f"{len(said)}/3 deadly failed: {DIED}"]
    stages = read_json(tmp_path / "deadly" / "run.json")["stages"]
    assert stages["02_train"]["status"] == "failed" and stages["02_train"]["error"] == DIED
    assert stages["01_data"] == {"status": "done"}


@pytest.mark.slow
def test_a_worker_that_takes_too_long_to_start_again_is_replaced(monkeypatch, tmp_path):
    """As on a slow disk: dask gives such a worker up, and would have no other."""
    monkeypatch.setattr(sweep_cluster, "RESTART_SEC", 0.01)
    with open_client(SETTINGS, workers=1) as client:
        outcomes, _ = execute(client, cells_in(tmp_path, "deadly", "a"), partial(die, times=1))
    assert (outcomes["deadly"].state, outcomes["a"].state) == ("done", "done")


@pytest.fixture
def silent_port():
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("tcp://127.0.0.1:9", "nothing within 0.3 s"),
        ("tcp://127.0.0.1:{silent_port}", "nothing within 0.3 s"),
        ("nonsense://x", "unknown address scheme 'nonsense'"),
        ("127.0.0.1", "missing port number"),
        ("tls://127.0.0.1:9", "TLS"),  # without a key
    ],
)
def test_a_scheduler_that_does_not_answer_is_said_in_one_sentence(monkeypatch, silent_port, address, reason):
    monkeypatch.setattr(sweep_cluster, "ANSWER_SEC", 0.3)
    address = address.format(silent_port=silent_port)
    with pytest.raises(ValueError, match=f"no dask scheduler answers at '{address}' .*{reason}") as error:
        open_client(SETTINGS, scheduler=address).__enter__()
    assert "\n" not in str(error.value)
    assert "connecting" not in {entry.status for entry in gc.get_objects() if type(entry) is Client}


def test_gpus_are_those_that_the_user_allows_or_the_driver_lists(tmp_path, monkeypatch):
    (tmp_path / "nvidia-smi").write_text('#!/bin/sh\necho "GPU 0: A (UUID: x)"\necho "GPU 1: A (UUID: y)"\n')
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert visible_gpus() == ["0", "1"]
    for allowed, gpus in (("1", ["1"]), ("0,3", ["0", "3"]), ("", []), ("-1", [])):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
        assert visible_gpus() == gpus
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    assert visible_gpus() == []


def write_done(folder: Path) -> None:
    """A run of which all stages are done, with the files that they leave."""
    stages = {stage: {"status": "done", "files": ["run.json"]} for stage in STAGES}
    write_json(folder / "run.json", {"stages": stages})


def test_a_run_is_left_until_it_is_done_with_the_parameters_of_the_file(tmp_path):
    text = f"recipes: [watch]\nseeds: [1, 2]\nresults: {tmp_path}\n"
    (tmp_path / "mine.yaml").write_text(text)
    write_done(tmp_path / "watch" / "seed1")
    assert [cell.seed for cell in cells_left(read_sweep(tmp_path / "mine.yaml"))] == [2]
    (tmp_path / "mine.yaml").write_text(text + "parameters: {tiou: 0.7}\n")
    assert [cell.seed for cell in cells_left(read_sweep(tmp_path / "mine.yaml"))] == [1, 2]
    assert dry_run(tmp_path / "mine.yaml").splitlines()[-1] == "1 unfinished, 1 waiting"


def test_a_dry_run_lists_the_runs_and_writes_nothing_and_a_full_disk_is_said_first(tmp_path, capsys, monkeypatch):
    path, text = tmp_path / "mine.yaml", f"recipes: [thumos_i3d]\nresults: {tmp_path}/r\ndata_root: {tmp_path}/d\n"
    path.write_text(f"{text}seeds: [1, 2]\n")
    assert main(["sweep", str(path), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:3]] == [["thumos_i3d/seed1", "waiting"], ["thumos_i3d/seed2", "waiting"]]
    assert "line 1: the data of 'thumos_i3d' is not at" in lines[-1]
    assert main(["sweep", str(path)]) == 2
    assert "line 1: the data of 'thumos_i3d' is not at" in capsys.readouterr().err
    assert main(["sweep", "sweeps/watch.yaml", "--workers", "-1"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    path.write_text(f"{text}seeds: [1]\ndata: twin\nmemory_gb: 0.1\n")
    monkeypatch.setattr(engine, "missing_space", lambda plan, cells: f"no room for {len(cells)}")
    with pytest.raises(ValueError, match="no room for 1"):
        engine.sweep(path, workers=1)
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_machine_makes_as_many_runs_at_once_as_fit():
    for cores, gb, gpus, wanted, expected in (
        *((2, 64, 0, 0, 1), (16, 64, 0, 0, 8), (1, 64, 0, 0, 1), (2, 64, 0, 2, 2)),
        *((16, 10, 0, 0, 3), (16, 1, 0, 0, 1), (16, 7, 0, 8, 2)),  # 3 GB each
        *((16, 64, 4, 0, 4), (16, 64, 4, 8, 4), (16, 7, 4, 0, 2)),
    ):
        assert local_workers(cores, gb, gpus, SweepFile(memory_gb=3), wanted) == expected
    assert [local_workers(16, 64, 4, SweepFile(gpus=each)) for each in (2, 0)] == [2, 8]
    with pytest.raises(ValueError, match=r"a run needs 2 GPU\(s\) \(gpus\), and this machine has 1"):
        local_workers(16, 64, 1, SweepFile(gpus=2))


def test_only_failed_takes_a_run_that_was_begun_with_a_later_stage(tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(f"recipes: [watch]\nseeds: [1, 2, 3]\nresults: {tmp_path}\n")
    write_done(tmp_path / "watch" / "seed1")
    failed = {"stages": {"02_train": {"status": "failed", "error": "why"}}}
    write_json(tmp_path / "watch" / "seed2" / "run.json", failed)
    said = []
    monkeypatch.setattr(engine, "missing_data", lambda plan, cells: f"seeds {[cell.seed for cell in cells]}")
    with pytest.raises(ValueError, match=r"seeds \[2\]"):
        engine.sweep(tmp_path / "mine.yaml", only_failed=True, say=said.append)
    assert said == [f"3 runs in {tmp_path}, 1 to do"]
