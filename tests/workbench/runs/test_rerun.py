"""A run made again from its run.json: what it is made with, what is said first, what is refused, what is compared."""

import os
import shutil

import pytest
from run_folders import change_json
from stage_results import Executed, change_code, write_data

from afkit.__main__ import main
from afkit.files import read_json, write_json
from afkit.recipes import recipe as named_recipe
from afkit.workbench.runs import pipeline, provenance
from afkit.workbench.runs import rerun as module
from afkit.workbench.runs.folder import note_stage
from afkit.workbench.runs.opened import read_run
from afkit.workbench.trust import project_root

OVERRIDES = {"optim.epochs": 7, "optim.warmup_epochs": 1}


@pytest.fixture
def executed(monkeypatch):
    """Stages are done at once; which they were."""
    monkeypatch.setattr(pipeline, "execute", executed := Executed())
    monkeypatch.setattr(provenance, "git_state", lambda: {"commit": "a" * 40, "dirty": False})
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return executed


@pytest.fixture
def root(tmp_path, executed):
    """Data and a finished run in `tmp_path`/run."""
    write_data(tmp_path / "data")
    make(tmp_path)
    executed.clear()
    return tmp_path


def make(root, recipe="watch"):
    arguments = {"parameters": {"precision": "bf16", "weights": "raw"}, "overrides": OVERRIDES}
    pipeline.run(recipe, 5, data_root=str(root / "data"), folder=root / "run", say=lambda line: None, **arguments)


def rerun(root, name="", **options):
    """Whether the results are the same, what was said, and {what was compared: whether it is the same}."""
    said, new = [], root / (name or "run-rerun")
    identical = module.rerun(root / "run", name and new, say=said.append, **options)
    report = read_json(new / "rerun.json") if new.exists() else {"identical": True, "compared": []}
    assert report["identical"] is identical
    return identical, said, {row["what"]: row["same"] for row in report["compared"]}


def test_it_is_made_as_run_json_says_and_compared(root, executed):
    identical, said, same = rerun(root)
    threads = str(read_run(root / "run")["stages"]["02_train"]["device"]["threads"])
    assert executed == [
        ("01_data", {}, threads),
        ("02_train", {"precision": "bf16"}, threads),
        ("03_eval", {"precision": "bf16", "weights": "raw"}, threads),
    ]
    assert "OMP_NUM_THREADS" not in os.environ
    before, now = (read_run(root / name) for name in ("run", "run-rerun"))
    assert all(before[key] == now[key] for key in ("recipe", "seed", "overrides", "data"))
    assert said[0] == "nothing has changed since the run: data, recipe, code, versions, device"
    compared = ["recipe", "data", "losses", "weights", "weights", "detections", "scores"]
    assert [line.split()[0] for line in said[-7:]] == compared
    assert said[-1] == "scores         same         average mAP 13.00 %"
    assert identical and set(same.values()) == {True}
    assert read_json(root / "run-rerun" / "rerun.json")["changed_since"] == []


def test_run_json_alone_is_enough(root, executed):
    for path in (root / "run").iterdir():
        if path.name != "run.json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    identical, _, same = rerun(root)
    assert identical and len(executed) == 3
    assert same.pop("losses") is same.pop("scores") is None
    assert set(same.values()) == {True} and len(same) == 5


def test_other_results_are_told_and_give_status_1(root, executed, monkeypatch, capsys):
    change = {"precision": "fp32"}
    monkeypatch.setattr(pipeline, "execute", lambda *given: executed(*given[:2], given[2] | change, given[3]))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert main(["rerun", str(root / "run"), "--out", str(root / "other")]) == 1
    assert {threads for _, _, threads in executed} == {"3"} and os.environ["OMP_NUM_THREADS"] == "3"
    assert "weights (ema)  DIFFERS      1 of 2 tensors, by 1 at most, e.g. b" in capsys.readouterr().out
    assert read_json(root / "other" / "rerun.json")["identical"] is False


def test_the_status_is_that_of_the_results_not_of_what_they_were_made_from(root):
    path = root / "run" / "metrics.csv"
    path.write_text(path.read_text().replace("2,1,2,13", "2,1,2,13.5"))
    assert rerun(root)[0] is False, "losses alone"
    write_data(root / "data", videos=3)
    path.write_text(path.read_text().replace("2,1,2,13.5", "2,1,2,13"))
    identical, _, same = rerun(root, "other")
    assert identical and same.pop("data") is False and set(same.values()) == {True}


def test_the_settings_are_those_of_the_run_whatever_the_recipe_says_now(root):
    facts = read_run(root / "run")
    facts["recipe"]["loss"]["init_loss_norm"] = 31  # as if the built-in recipe had been another then
    write_json(root / "run" / "run.json", facts)
    now = named_recipe("watch").loss.init_loss_norm
    changed = f"recipe: loss.init_loss_norm was 31.0, now {now} in 'watch'; the settings in run.json are used"
    assert rerun(root)[1][0] == changed
    assert read_run(root / "run-rerun")["recipe"] == facts["recipe"]


@pytest.mark.parametrize("now", ["gone", "changed"])
def test_a_recipe_file_that_has_changed_or_gone_is_not_needed(tmp_path, executed, now, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a project without notebooks of its own
    write_data(tmp_path / "data")
    path = tmp_path / "recipes" / "mine.yaml"
    path.parent.mkdir()
    ranges = "[[0, 4], [4, 8], [8, 16], [16, 10000]]"
    model = f"model: {{windows: 5, branch_layers: 3, regression_ranges: {ranges}}}"
    text = f"base: watch\ndata: {{crop_ratio: null}}\n{model}\noptim: {{learning_rate: 0.00001}}\n"
    path.write_text(text)
    make(tmp_path, "mine")
    path.unlink() if now == "gone" else path.write_text(text.replace("0.00001", "0.5"))
    identical, said, _ = rerun(tmp_path)
    before, after = (read_run(tmp_path / name)["recipe"] for name in ("run", "run-rerun"))
    assert identical and before == after and before["model"]["windows"] == 5 and before["optim"]["epochs"] == 7
    gone = "there is no 'mine' with these overrides any more"
    change = gone if now == "gone" else "optim.learning_rate was 1e-05, now 0.5 in 'mine'"
    assert said[0] == f"recipe: {change}; the settings in run.json are used"


def test_what_has_changed_is_said_first_and_a_dry_run_says_only_that(root, executed, monkeypatch, capsys):
    change_code(monkeypatch, "model")
    monkeypatch.setattr(provenance, "git_state", lambda: {"commit": "b" * 40, "dirty": True})
    monkeypatch.setattr(module, "versions", lambda: provenance.versions() | {"torch": "9"})
    write_data(root / "data", videos=3)
    threads = read_run(root / "run")["stages"]["02_train"]["device"]["threads"]
    monkeypatch.setenv("OMP_NUM_THREADS", str(threads + 1))
    note_stage(root / "run", "03_eval", values={"weights": "raw", "colour": "red"})
    (root / "run" / "checkpoints" / "raw.safetensors").write_bytes(b"other")
    assert main(["rerun", str(root / "run"), "--dry-run"]) == 0
    lines = capsys.readouterr().out.splitlines()
    began = read_run(root / "run")["data"]["fingerprint"][:8]
    assert lines[0].startswith(f"data: other than in the run (fingerprint {began}, now ")
    assert lines[1:] == [
        "code of 02_train: afkit/model (commit aaaaaaa, now bbbbbbb with changes)",
        "results: checkpoints/raw.safetensors is no longer what the run wrote",
        "code of 03_eval: afkit/model (commit aaaaaaa, now bbbbbbb with changes)",
        "code of 03_eval: the notebook has no parameter 'colour' any more",
        f"version: torch {provenance.versions()['torch']}, now 9",
        f"threads: {threads}, now {threads + 1} (OMP_NUM_THREADS)",
    ]
    assert executed == [] and not (root / "run-rerun").exists()


def test_another_device_is_named_and_so_is_a_gpu_that_adds_up_in_any_order(root, monkeypatch):
    here = provenance.device()
    monkeypatch.setattr(module, "device", lambda: here | {"gpu": "H1"})
    said = [
        f"device: gpu {here['gpu']}, now H1",
        "not deterministic: on a GPU, a training without deterministic=True gives other bits each time",
    ]
    assert rerun(root, dry_run=True)[1] == said
    change_json(root / "run" / "run.json", execution={"deterministic": True})
    assert rerun(root, dry_run=True)[1] == said[:1]


def test_an_interrupted_rerun_goes_on_and_one_of_other_code_is_done_anew(root, executed, monkeypatch):
    rerun(root)
    note_stage(root / "run-rerun", "03_eval", status="running")
    executed.clear()
    assert rerun(root)[0] is True and executed.stages == ["03_eval"]
    change_code(monkeypatch, "train")
    executed.clear()
    rerun(root)
    assert executed.stages == ["02_train", "03_eval"]


def test_values_of_the_notebook_count_and_only_finished_stages_are_repeated(root, executed):
    note_stage(root / "run", "02_train", values={"precision": "fp32", "workers": 2, "resume": True, "epochs": 7})
    note_stage(root / "run", "03_eval", status="failed")
    rerun(root)
    assert executed.stages == ["01_data", "02_train"]
    assert executed[1][1] == {"workers": 2, "epochs": 7}, "resume is as in the notebook"


def test_what_is_no_run_is_refused_in_one_sentence(root, capsys):
    def refused(*arguments):
        files = sorted(root.rglob("*"))
        assert main(["rerun", *map(str, arguments)]) == 2
        shown = capsys.readouterr()
        assert shown.err.count("\n") == 1 and sorted(root.rglob("*")) == files
        return shown.err

    run, path = root / "run", root / "run" / "run.json"
    assert "holds no run.json with a recipe; name the folder of a run" in refused(root / "data")
    assert "is the run itself; give another folder with --out" in refused(run, "--out", run)
    assert "holds something else than a rerun of" in refused(run, "--out", root / "data")
    shutil.copytree(run, root / "run-rerun")
    assert "holds something else than a rerun of" in refused(run)
    facts = read_json(path)
    for wrong, message in (
        ({"seed": None}, "run.json holds no usable 'seed', so that the run cannot be repeated"),
        ({"recipe": []}, "run.json holds no usable 'recipe', so that the run cannot be repeated"),
        ({"stages": {"02_train": {"status": "failed"}}}, "has no finished stage to repeat; finish the run first"),
        ({"stages": "none"}, "run.json is not what a run writes"),
        ({"recipe": facts["recipe"] | {"model": {"colour": 1}}}, "run.json is of another version of afkit: "),
    ):
        write_json(path, facts | wrong)
        assert message in refused(run)


def test_a_run_of_a_stranger_writes_nothing_outside_the_new_folder(root, executed, capsys):
    facts = read_run(root / "run")
    for changes in (
        {"recipe": facts["recipe"] | {"name": "../../../escape"}, "recipe_file": "01234567"},
        {"data_root": str(root / "elsewhere")},  # where `watch` would be prepared
        {"data_root": ["data"]},
    ):
        write_json(root / "run" / "run.json", facts | changes)
        before = sorted(root.parent.rglob("*"))
        assert main(["rerun", str(root / "run"), "--out", str(root / "new")]) == 2
        assert capsys.readouterr().err.count("\n") == 1
        assert sorted(root.parent.rglob("*")) == before and executed == []


def test_missing_data_and_missing_weights_are_named_before_anything_starts(root, executed, capsys):
    facts = read_run(root / "run")
    note_stage(root / "run", "03_eval", values={"checkpoint": "weights/none.pth.tar"})
    assert main(["rerun", str(root / "run")]) == 2
    assert "weights/none.pth.tar, which 03_eval of the run began with (checkpoint), is gone" in capsys.readouterr().err
    assert not (root / "run-rerun").exists()
    write_json(root / "run" / "run.json", facts | {"data_root": str(root / "nowhere"), "recipe_file": "01234567"})
    change_json(root / "run" / "run.json", recipe=facts["recipe"] | {"name": "mine"})
    assert main(["rerun", str(root / "run")]) == 2
    assert "the data of '" in (said := capsys.readouterr().err) and "--data-root" in said
    assert executed == []
    assert main(["rerun", str(root / "run"), "--data-root", str(root / "data")]) == 0
    assert (project_root() / read_run(root / "run-rerun")["data_root"]).resolve() == root / "data"
