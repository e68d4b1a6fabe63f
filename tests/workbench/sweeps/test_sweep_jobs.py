"""Jobs of a batch system: their script, what is refused, and workers that only the sweep reaches. Commands stand in."""

import stat
import threading
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="sweeps are made by dask")
pytest.importorskip("dask_jobqueue", reason="an extra")

from afkit.workbench.sweeps import sweep, tasks
from afkit.workbench.sweeps.batch_jobs import job_script, read_cluster, refusals
from afkit.workbench.sweeps.clusters import open_client
from afkit.workbench.sweeps.sweep_file import SweepFile

psutil = pytest.importorskip("psutil", reason="comes with dask")

ROOT = Path(__file__).parents[3]
SETTINGS = SweepFile(recipes=["watch"], memory_gb=0.5)
SLURM = "kind: slurm\njobs: 2\nqueue: gpu\nwalltime: 24:00:00\n"
SBATCH = 'cp "$1" "$0.$$"; setsid bash "$0.$$" > "$0.$$.log" 2>&1 &\necho Submitted batch job $!\n'  # it runs here
SCANCEL = 'kill -- "-$1"\n'
REFUSAL = "sbatch: error: Batch job submission failed:\n  Invalid account"


def write_cluster(folder: Path, text: str = SLURM) -> str:
    (folder / "c.yaml").write_text(text)
    return str(folder / "c.yaml")


@pytest.fixture
def commands(tmp_path, monkeypatch):
    """commands(sbatch=..., scancel=...): the only programs of these names, as scripts of the shell."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    def write(**scripts: str) -> None:
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/bash\n{script}")
            (folder / name).chmod(0o755)

    return write


@pytest.mark.slow
def test_jobs_are_reached_by_their_sweep_alone(tmp_path, commands):
    commands(sbatch=SBATCH, scancel=SCANCEL)
    shared = tmp_path / "results"
    with open_client(SETTINGS, cluster=write_cluster(tmp_path, SLURM + "interface: lo\n"), folder=shared) as client:
        client.wait_for_workers(2, timeout=300)
        assert client.submit(sum, [1, 2]).result(timeout=300) == 3
        (place,) = shared.iterdir()
        files = list(place.iterdir())
        assert "PRIVATE KEY" in "".join(path.read_text() for path in files)
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        assert {worker.partition("://")[0] for worker in client.nthreads()} == {"tls"}
        jobs = [psutil.Process(int(job.job_id)) for job in client.cluster.workers.values()]
        own = [process for job in jobs for process in (job, *job.children(recursive=True))]
        lines = [process.cmdline() for process in own]
        scratch = {line[line.index("--local-directory") + 1] for line in lines if "--local-directory" in line}
        assert len(scratch) == 2 and {stat.S_IMODE(Path(folder).stat().st_mode) for folder in scratch} == {0o700}
        for process in own:
            assert "PRIVATE" not in " ".join([*process.cmdline(), *process.environ().values()])
        listening = [entry for process in own for entry in process.net_connections("tcp") if entry.status == "LISTEN"]
        assert {entry.laddr.ip for entry in listening} == {"127.0.0.1"}
        assert len(listening) == 2 * len(client.nthreads()), "a nanny and a worker each, and no port for browsers"
    assert list(shared.iterdir()) == []
    assert psutil.wait_procs(own, timeout=60)[1] == []


def test_without_the_commands_of_the_batch_system_nothing_begins(tmp_path, commands):
    shared = tmp_path / "results"
    for scripts, missing in (({"scancel": SCANCEL}, "sbatch"), ({"sbatch": SBATCH}, "scancel")):
        commands(**scripts)
        with pytest.raises(ValueError, match=f"there is no command '{missing}' here, .*; start this on a machine"):
            open_client(SETTINGS, cluster=write_cluster(tmp_path), folder=shared).__enter__()
        (tmp_path / "bin" / next(iter(scripts))).unlink()
    commands(sbatch=SBATCH, scancel=SCANCEL)
    with pytest.raises(ValueError, match=r"jobs cannot be told of the folder '.*my results'; give it a plain name"):
        open_client(SETTINGS, cluster=write_cluster(tmp_path), folder=tmp_path / "my results").__enter__()
    assert not shared.exists()


def sweep_file(folder: Path) -> Path:
    (folder / "mine.yaml").write_text(
        f"recipes: [thumos_i3d]\nseeds: [1]\ndata: twin\ndata_root: {folder}/data\nresults: {folder}/results\n"
    )
    return folder / "mine.yaml"


def test_a_sweep_whose_jobs_are_all_refused_ends_with_the_reason(tmp_path, commands, monkeypatch):
    commands(sbatch=f'echo "{REFUSAL}" >&2; exit 1', scancel=SCANCEL)
    monkeypatch.setattr(sweep, "missing_space", lambda plan, cells: "")
    said = []
    with pytest.raises(RuntimeError) as error:
        sweep.sweep(sweep_file(tmp_path), cluster=write_cluster(tmp_path), say=said.append)
    reason = "sbatch: sbatch: error: Batch job submission failed: Invalid account"
    assert str(error.value) == f"no job could be submitted ({reason}); correct that, and start again"
    assert said[1:] == ["waiting for the first job of the cluster"]
    assert list((tmp_path / "results").iterdir()) == [], "no key is left behind"


def test_jobs_that_are_refused_beside_others_are_told_of_once(tmp_path, commands):
    once = f'mkdir "$0.lock" || {{ echo "{REFUSAL}" >&2; exit 1; }}\n'
    commands(sbatch=once + 'setsid sleep 600 > "$0.log" 2>&1 &\necho job $!\n', scancel=SCANCEL)
    said, told = [], set()
    with open_client(SETTINGS, cluster=write_cluster(tmp_path), folder=tmp_path) as client:
        while not any(refusals(client.cluster)):
            tasks.time.sleep(0.05)
        for _ in range(2):
            tasks._look_at_jobs(client, told, said.append)
    assert [line.partition(" (")[0] for line in said] == ["1 of 2 jobs could not be submitted"]
    assert said[0].endswith("Invalid account); the others go on")
    commands(sbatch="echo welcome")
    with open_client(SETTINGS, cluster=write_cluster(tmp_path), folder=tmp_path) as client:
        while not refusals(client.cluster):
            tasks.time.sleep(0.05)
        assert refusals(client.cluster)[0].startswith("sbatch: Could not parse job id from submission command output")


def test_the_job_of_a_batch_system_makes_one_run_with_what_it_needs(tmp_path):
    path = tmp_path / "slurm.yaml"
    path.write_text("kind: slurm\njobs: 4\nqueue: gpu\nwalltime: '10:00:00'\njob_extra_directives: ['--gres=gpu:1']\n")
    script = job_script(path, SweepFile(gpus=1, memory_gb=20))
    assert "#SBATCH -p gpu\n" in script and "#SBATCH --gres=gpu:1\n" in script and "#SBATCH -t 10:00:00\n" in script
    assert "#SBATCH --mem=19G\n" in script, "20 GB, as Slurm counts"
    assert "--nthreads 1 " in script and '--resources "MEMORY_GB=20 GPU=1"' in script
    limits = {"slurm": "#SBATCH -t 24:00:00", "pbs": "#PBS -l walltime=24:00:00", "lsf": "#BSUB -W 24:00:00"}
    for kind, limit in limits.items():  # as it stands in the file
        script = job_script(write_cluster(tmp_path, SLURM.replace("slurm", kind)), SETTINGS)
        assert f"{limit}\n" in script
        assert "--protocol tls:// --tls-ca-file CERTIFICATE --tls-cert CERTIFICATE --tls-key KEY" in script


def test_the_job_is_told_of_where_its_scheduler_could_not_run(tmp_path, commands):
    commands(qsub=SBATCH, qdel=SCANCEL)
    (tmp_path / "pbs.yaml").write_text("kind: pbs\njobs: 1\ninterface: absent0\n")
    before = threading.active_count()
    assert "--interface absent0" in job_script(tmp_path / "pbs.yaml", SETTINGS)
    assert threading.active_count() == before
    with pytest.raises(ValueError, match=r"does not fit PBSCluster: .*'absent0' is not a valid network interface"):
        open_client(SETTINGS, cluster=str(tmp_path / "pbs.yaml"), folder=tmp_path).__enter__()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: slrm\njobs: 1", "there is no kind 'slrm' of cluster; did you mean 'slurm'?"),
        ("- 1", "there is no kind 'None' of cluster"),
        ("kind: pbs", "'jobs' is the number of runs at once, 1 or more, not None"),
        ("kind: pbs\njobs: true", "'jobs' is the number of runs at once, 1 or more, not True"),
        ("kind: pbs\njobs: 2\nsecurity: true", "'security' is set by the sweep"),
        ("kind: pbs\njobs: 2\nscheduler_options: {protocol: tcp}", "'protocol' is set by the sweep"),
        ("kind: pbs\njobs: 2\nscheduler_options: [a]", "'scheduler_options' must be a section"),
    ],
)
def test_a_wrong_cluster_file_is_said_in_one_sentence(tmp_path, text, message):
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ValueError) as error:
        read_cluster(tmp_path / "c.yaml")
    assert message in str(error.value) and "c.yaml" in str(error.value) and "\n" not in str(error.value)
