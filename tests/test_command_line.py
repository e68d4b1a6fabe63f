"""The command line answers a wrong input with one sentence and a non-zero exit status."""

import pytest
from run_folders import write_run, write_scored_run, write_test_data

from afkit.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run", "wach"], "afkit: there is no recipe 'wach'; did you mean 'watch'?"),
        (["run", "watch", "--set", "optim.epoch=3"], "did you mean 'optim.epochs'?"),
        (["run", "watch", "--set", "optim.epochs"], "afkit: --set takes NAME=VALUE, not 'optim.epochs'"),
        (["run", "watch", "--set", "optim.epochs=few"], "'optim.epochs' = 'few'"),
        (["run", "watch", "-p", "weihgts=raw"], "did you mean 'weights'?"),
        (["run", "thumos_i3d"], "--data-root"),
        (["prepare", "thumos_i3d"], "download thumos.tar.gz (md5 375f76ffbf7447af1035e694971ec9b2)"),
    ],
)
def test_a_wrong_input_gives_one_line_and_status_2(tmp_path, monkeypatch, capsys, arguments, message):
    folders = ["--data-root", str(tmp_path / "data")]
    folders += ["--results", str(tmp_path / "results")] if arguments[0] == "run" else []
    assert main([*arguments, *folders]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1 and message in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["rum", "watch"], "there is no command 'rum'; did you mean 'run'?"),
        ([], "COMMAND"),
        (["run", "watch", "--seed", "x"], "invalid int value: 'x'"),
    ],
)
def test_a_wrong_command_or_option_gives_one_line_and_status_2(capsys, arguments, message):
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and message in shown


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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "there is no run in "),
        (["watch/seed1"], "there is no run in 'watch/seed1'"),
        (["-p", "resample=5"], "did you mean 'resamples'?"),
        (["-p", "resamples=few"], "parameter 'resamples' takes int"),
        (["-p", "resamples=1"], "resamples is 1; draw at least 2"),
        (["-p", "results=x"], "'results' is not set as a notebook parameter"),
    ],
)
def test_a_comparison_that_cannot_be_made_gives_one_line_and_status_2(tmp_path, capsys, arguments, message):
    assert main(["compare", *arguments, "--results", str(tmp_path / "results")]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\n") == 1 and message in shown.err
    assert list(tmp_path.iterdir()) == []


def test_view_writes_the_page_where_it_is_asked_to(tmp_path, capsys):
    gt = write_test_data(tmp_path / "data")
    run = write_scored_run(tmp_path / "seed1", gt, 2, tmp_path / "data")
    assert main(["view", str(run)]) == 0
    assert main(["view", str(run), "--html", str(tmp_path / "a.html")]) == 0
    assert (run / "inspector.html").read_bytes() == (tmp_path / "a.html").read_bytes()
    assert str(tmp_path / "a.html") in capsys.readouterr().out
    assert main(["view", str(tmp_path / "nothing")]) == 2
    assert "run.json does not exist" in capsys.readouterr().err
