"""The command line answers a wrong input with one sentence and a non-zero exit status."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from run_folders import write_run

import afkit
from afkit.__main__ import main
from afkit.workbench.commands.parser import COMMANDS, EXAMPLES, parse

ROOT = Path(__file__).parents[1]


def start(*arguments, path=ROOT):
    """A command in a process of its own, which prints errors where it prints the rest."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    environment = os.environ | {"PYTHONPATH": f"{path}{os.pathsep}{ROOT}", "PYTHONUNBUFFERED": "1"}
    return subprocess.Popen([sys.executable, "-m", "afkit", *arguments], cwd=ROOT, env=environment, **pipes)


SUGGEST = "suggest tiny/annotations.json --data-root ."
REFUSED = {
    "rum watch": "there is no command 'rum'; did you mean 'run'?",
    "run watch --seed x": "argument --seed: 'x' is no seed; give a whole number, 0 or more",
    "run watch --seed -1": "argument --seed: '-1' is no seed; give a whole number, 0 or more",
    "run wach": "afkit: there is no recipe 'wach'; did you mean 'watch'?",
    "run watch --set optim.epoch=3": "did you mean 'optim.epochs'?",
    "run watch --set optim.epochs": "afkit: --set takes NAME=VALUE, not 'optim.epochs'",
    "run watch --set a.b=2 --set a.b=3": "afkit: --set a.b is given twice; remove one",
    "run watch --set optim.epochs=2 -p epochs=3": "afkit: the parameter epochs is 3, but optim.epochs 2; give one",
    "run watch --set optim.epochs=010": "--set optim.epochs, line 1: 010 may be a number or a name; write it without",
    "run watch --set optim.epochs=true": "'optim.epochs' = True: give a value like 1",
    "run watch --set data.fps=None": "--set data.fps, line 1: None may be nothing, or a word; write null",
    "run watch -p weihgts=raw": "did you mean 'weights'?",
    "run thumos_i3d": "thumos14.json; name its folder with --data-root, or prepare it with: python -m",
    "run watch --again 2": "there is no stage '2'",
    "run watch --stages 05": "there is no stage '05'",
    "run watch --stages 03 --again 02": "02_train is to be done again, but is not among those to run; add it to",
    "run watch --epochs 3": "--epochs is a parameter of the notebooks: write -p epochs=VALUE",
    "compare --resamples=9": "--resamples is a parameter of the notebooks: write -p resamples=VALUE",
    "run watch --learning-rate 1": "--learning-rate is a setting of the recipe: write --set optim.learning_rate=VALUE",
    "sweep s.yaml --dryrun": "sweep has no option --dryrun; did you mean '--dry-run'?",
    "run watch 7": "'7' is one word too many for run",
    "prepare thumos_i3d": "download thumos.tar.gz (md5 375f76ffbf7447af1035e694971ec9b2)",
    "compare": "there is no run in ",
    "compare watch/seed1": "there is no run in 'watch/seed1'",
    "compare -p resample=5": "did you mean 'resamples'?",
    "compare -p resamples=few": "parameter 'resamples' takes int",
    "compare -p resamples=1": "resamples is 1; draw at least 2",
    "compare -p results=x": "'results' is not set as a notebook parameter",
    "view nothing --html": "nothing holds no run.json with a recipe; name the folder of a run",
    SUGGEST: "give stride_frames",
    f"{SUGGEST} --write mine.yaml": "--write needs --features, since a recipe says where its features lie",
    f"{SUGGEST} --features tiny/features --write watch.yaml": "'watch' is the name of a built-in recipe",
    f"{SUGGEST} --features tiny/features --write mine.json": "mine.json must end in .yaml",
    f"{SUGGEST} --features tiny/nothing": "no video has features in tiny/nothing",
    f"{SUGGEST} --features tiny/features --prefix v_": "put v_video0.npy or the like there",
    f"{SUGGEST} --train trainign --test test": "did you mean 'training'?",
    f"{SUGGEST} --train training --test Training": "'training' is for training and for test; name another for test",
}


def files_below(folder):
    """What there is, with the times of the last changes."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_the_help_has_every_command_once_and_each_an_example_that_it_takes(capsys, monkeypatch):
    with pytest.raises(SystemExit) as end:
        main([])
    shown = capsys.readouterr().out
    assert end.value.code == 0 and max(map(len, shown.splitlines())) <= 100
    for name, command in COMMANDS.items():
        assert shown.count(f"  {name} ") == 1 and command.help in shown
        words = EXAMPLES[name].partition(" > ")[0].split()
        assert words[0] == name and parse(words).command is command.do
        with pytest.raises(SystemExit):
            main([name, "--help"])
        assert f"example: python -m afkit {EXAMPLES[name]}" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0 and capsys.readouterr().out == f"afkit {afkit.__version__}\n"


def test_a_folder_of_runs_offers_them(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for seed in (1, 2):
        write_run(tmp_path / "results" / "watch" / f"seed{seed}", 0.5, seed)
    for command in (["view", "results/watch", "--html"], ["rerun", "results/watch"], ["predict", "results", "x.npy"]):
        assert main(command) == 2
        said = capsys.readouterr().err
        assert "is not one run but holds 2; name one of them" in said and said.count("results/watch/seed") == 2


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not there")
def test_a_shell_completes_commands_options_and_files(tmp_path, capsys):
    pytest.importorskip("shtab", reason="an extra")
    assert main(["completion", "bash"]) == 0
    (tmp_path / "completion.sh").write_text(capsys.readouterr().out)
    (tmp_path / "recording.npy").touch()
    code = """source completion.sh
    for line in "afkit comp" "afkit sweep --dr" "afkit predict rec"; do
        COMP_WORDS=($line) COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMPREPLY=()
        _shtab_afkit
        echo "${COMPREPLY[*]}"
    done"""
    done = subprocess.run(["bash", "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["compare completion", "--dry-run", "recording.npy"]


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_done_gives_one_line_and_status_2_and_writes_nothing(root, monkeypatch, capsys, line):
    monkeypatch.chdir(root)  # no project is above it, so relative folders begin here
    before = files_below(root)
    try:
        status = main(line.split())
    except SystemExit as stop:
        status = stop.code
    shown = capsys.readouterr()
    assert status == 2 and (
        not shown.out or line.startswith("suggest")
    )  # suggestions are shown before they are written
    assert shown.err.count("\n") == 1 and REFUSED[line] in shown.err
    assert files_below(root) == before


def test_a_wrong_pair_is_named_before_anything_starts(tmp_path, capsys):
    write_run(tmp_path / "results" / "tiny" / "seed1")
    arguments = ["--results", str(tmp_path / "results"), "--out", str(tmp_path / "out")]
    assert main(["compare", *arguments, "-p", 'pair=["tiny/seed1", "tiny/sed2"]']) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and "'tiny/sed2' of pair is no run with scores; did you mean 'tiny/seed1'?" in shown.err
    assert not (tmp_path / "out").exists()


def test_prepare_writes_the_watch_data_and_says_where(tmp_path, capsys):
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    assert main(["prepare", "watch", "--data-root", str(tmp_path)]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "watch")
    assert (tmp_path / "watch" / "annotations" / "watch.json").is_file()


def test_suggestions_are_shown_and_written_as_a_recipe(root, monkeypatch, capsys):
    monkeypatch.chdir(root)
    arguments = [*SUGGEST.split(), "--features", "tiny/features", "--num-frames", "8"]
    assert main([*arguments, "--write", "mine.yaml"]) == 0
    shown = capsys.readouterr().out
    assert "data.num_classes = 3\n    Label ids go from 0 to 2.\n" in shown
    assert Path(shown.splitlines()[-1]) == Path("mine.yaml")
    recipe = afkit.recipe("mine.yaml")
    assert (recipe.name, recipe.data.stride_frames, recipe.data.input_dims) == ("mine", 4, [6])
    assert "  # Label ids go from 0 to 2.\n  num_classes: 3\n" in Path("mine.yaml").read_text()
    given = ["--stride-frames", "5", "--fps", "20", "--train", "test", "--test", "training"]
    assert main([*arguments, *given, "--write", "other.yaml"]) == 0
    data = afkit.recipe("other.yaml").data
    assert (data.stride_frames, data.num_frames, data.fps) == (5, 8, 20)
    assert (data.train_subsets, data.test_subsets) == (["test"], ["training"])


def test_a_message_does_not_command_the_terminal(capsys):
    assert main(["status", "results/\x1b[31mred\u202e"]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\u202e" not in said and r"\x1b[31mred\u202e" in said


def test_an_interrupt_while_the_commands_load_ends_them_without_a_word(tmp_path):
    (tmp_path / "pydantic.py").write_text("print('loading', flush=True)\nimport time\ntime.sleep(600)\n")
    process = start("status", path=tmp_path)
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", None) and process.returncode == -signal.SIGINT


def test_without_an_extra_the_package_and_what_brings_it_are_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "papermill", None)
    monkeypatch.delitem(sys.modules, "afkit.workbench.runs.pipeline", raising=False)
    assert main(["run", "watch"]) == 2
    needs = "afkit: run needs papermill, which is not there; install it with: pip install 'afkit[notebooks]'\n"
    assert capsys.readouterr().err == needs


def test_a_closed_output_is_no_error():
    command = f"{sys.executable} -m afkit twin --help >&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr


def test_a_watch_that_is_interrupted_ends_with_a_sentence():
    pytest.importorskip("papermill", reason="the parameters of notebooks are read by papermill")
    process = start("status", "sweeps/watch.yaml", "--watch")
    assert "state" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    said = process.communicate()[0]
    assert process.returncode == 130 and said.endswith("afkit: interrupted; the same command goes on from here\n")
    assert "Traceback" not in said
