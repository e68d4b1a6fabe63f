"""start: from labels and recordings to a recipe, for tables with clocks and labels, sounds, films and features."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from afkit.__main__ import main
from afkit.recipes import recipe
from afkit.workbench.start.windows import Windows, choose_windows
from afkit.workbench.survey import minutes

UNIX = 1_767_261_600  # 2026-01-01 10:00:00
HZ, LASTS_SEC = 20, 24
ACTIONS = [(3.0, 6.0, "gehen"), (9.0, 12.0, "stehen"), (15.0, 18.0, "gehen")]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project's folder, in which no training is timed."""
    (tmp_path / "project").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setattr(minutes, "training_time", lambda *args: minutes.TrainingTime(3.2, 0.5, 4, 96))
    return tmp_path / "project"


def write_tables(folder, names, ending="", hz=HZ, late_sec=0.0, label=True, clock=lambda t: f"{1000 * (UNIX + t):.0f}"):
    """Tables with clock, one channel that shows the action, and a label for each sample."""
    Path(folder).mkdir(exist_ok=True)
    for name in names:
        rows = []
        for t in late_sec + np.arange(LASTS_SEC * hz) / hz:
            now = next((one for a, b, one in ACTIONS if a <= t < b), "")
            rows.append(",".join([clock(t), f"{2.0 * (now == 'gehen'):.2f}", f"{t % 0.3:.3f}", *[now] * label]))
        head = ",".join(["timestamp", "x", "y", *["label"] * label])
        (Path(folder) / f"{name}{ending}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def said(capsys, *command, status=0):
    """What a command printed, or complained of."""
    assert main(["start", *command]) == status
    streams = capsys.readouterr()
    return streams.err if status else streams.out


PEOPLE = [f"s{who}_ü{take}" for who in (1, 2, 3, 4) for take in (1, 2)]


def test_tables_with_clock_and_labels_become_a_recipe_and_a_second_start_leaves_all(project, capsys):
    write_tables("raw", PEOPLE, "_phone")
    write_tables("raw", PEOPLE, "_watch", hz=25, late_sec=0.1, label=False)
    command = ["raw/*_phone.csv", "raw/*_phone.csv", "raw/*_watch.csv", "--name", "mine"]
    lines = said(capsys, *command).splitlines()
    assert lines[-1] == "python -m afkit run mine"
    assert "about 3.2 minutes on this machine (96 epochs of 4 steps, 0.5 s each)" in lines[-2]
    shown = "\n".join(lines)
    for seen in (
        "25 samples a second by 'timestamp'",
        "recordings  8, 24 to 24, median 24 s, together 3.2 minutes",
        "people      4, by the names of the recordings ('s1_ü1' is of 's1')",
        "classes     2: gehen 16, stehen 8",
        "actions     24, 3 to 3, median 3 s",
        "no action   62 % of the time; before the first 3 s, after the last 6 s (median)",
        "windows     0.76 s every 0.4 s, at 25 samples a second",
        "0 notes on the data",
    ):
        assert seen in shown, shown
    database = json.loads((project / "data/mine/annotations/mine.json").read_text())["database"]
    assert sorted(database) == PEOPLE and len({database[f"s3_ü{take}"]["subset"] for take in (1, 2)}) == 1
    assert [one["segment"] for one in database["s1_ü1"]["annotations"]] == [[3, 6], [9, 12], [15, 18]]
    assert np.load("data/mine/features/s1_ü1.npy").shape == (59, 19 * 4)
    assert recipe("mine").data.fps == 25 and recipe("mine").data.num_frames == 19

    files = {path: path.stat().st_mtime_ns for path in project.rglob("*.*")}
    again = said(capsys, *command)
    assert again.count(" is there\n") == 3 and files == {path: path.stat().st_mtime_ns for path in project.rglob("*.*")}
    assert "the features of 'mine' are there, made otherwise (stride_sec None)" in said(
        capsys, *command, "--stride", "0.5", status=2
    )
    assert "windows     1.04 s every 0.52 s" in said(capsys, *command, "--stride", "0.52", "--force")


def test_what_fails_midway_leaves_what_is_complete_and_other_options_go_on(project, capsys):
    write_tables("raw", ["a", "b", "c", "d"])
    text = Path("raw/b.csv").read_text().splitlines()
    Path("raw/b.csv").write_text("\n".join([*text[:50], text[50].replace("2.00", "").replace("0.00", ""), *text[51:]]))
    assert "NaN or infinite (1 such samples)" in said(capsys, "raw", status=2)
    assert not Path("data/mine/features").exists() and Path("data/mine/annotations/mine.json").exists()
    assert not Path("recipes").exists()
    out = said(capsys, "raw", "--fix")
    assert "labels      data/mine/annotations/mine.json is there" in out.replace(f"{project}/", "")
    assert Path("recipes/mine.yaml").exists()


def test_labels_with_dates_in_a_table_of_their_own(project, capsys):
    write_tables("raw", ["day1", "day2", "day3"], label=False, clock=lambda t: f"2026-01-01 10:00:{t:09.6f}")
    rows = [
        f"day{n},2026-01-01 10:00:{a:04.1f},2026-01-01 10:00:{b:04.1f},{x}" for n in (1, 2, 3) for a, b, x in ACTIONS
    ]
    Path("labels.csv").write_text("\n".join(["recording,start,end,label", *rows]), encoding="utf-8")
    out = said(capsys, "labels.csv", "raw")
    assert "times of the recordings' clocks: their beginnings were subtracted" in out
    database = json.loads(Path("data/mine/annotations/mine.json").read_text())["database"]
    assert [one["segment"] for one in database["day2"]["annotations"]] == [[3, 6], [9, 12], [15, 18]]


def test_features_that_are_given_stay_where_they_are(project, capsys):
    Path("data/given").mkdir(parents=True)
    for name in ("a", "b", "c"):
        np.save(f"data/given/{name}.npy", np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32))
    Path("labels.csv").write_text("video,start,end,label\n" + "".join(f"{n},2,6,x\n{n},8,11,y\n" for n in "abc"))
    assert "arrays (a.npy), samples or features; for samples give their rate, data/given@HZ" in said(
        capsys, "labels.csv", "data/given", status=2
    )
    out = said(
        capsys, "labels.csv", "data/given", "--stride-frames", "10", "--num-frames", "20", "--fps", "25", "--name", "f"
    )
    assert "features    data/given: 5 numbers every 0.4 s" in out
    settings = yaml.safe_load(Path("recipes/f.yaml").read_text())["data"]
    assert settings["features"] == ["given"] and (settings["stride_frames"], settings["fps"]) == (10, 25)


def test_the_minutes_of_training_are_those_of_timed_steps(project, capsys, monkeypatch):
    monkeypatch.undo()
    monkeypatch.chdir(project)
    monkeypatch.setattr(minutes, "MOST_STEPS", 1)
    write_tables("raw", ["a", "b", "c", "d"])
    said(capsys, "raw", "--window", "2", "--stride", "1")
    took = minutes.training_time(recipe("mine", {"model.embed_dim": 32}), project / "data")
    assert took.steps_per_epoch == 1 and took.epochs == recipe("mine").optim.total_epochs
    assert took.minutes == pytest.approx(took.step_sec * took.epochs / 60) and 0 < took.step_sec < 60


def spoil(path, change):
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    Path(path).write_text("\n".join(change(lines)) + "\n", encoding="utf-8")


def hour_later(lines):
    late = [f"{int(line.partition(',')[0]) + 3_600_000},{line.partition(',')[2]}" for line in lines[100:]]
    return [*lines[:100], *late]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda: spoil("raw/b.csv", hour_later),
            "b.csv: its clock 'timestamp' jumps by 3.6e+03 s after sample 99; cut",
        ),
        (
            lambda: spoil("raw/b.csv", lambda lines: [*lines[:50], *lines[20:]]),
            "'timestamp' is called like a clock, but runs backwards after sample 49",
        ),
        (
            lambda: Path("raw/b.csv").write_text(""),
            "b.csv is not a readable feature file for video 'b': it holds no row",
        ),
        (lambda: Path("raw/b.csv").unlink() or Path("raw").rename("x"), "raw is no folder with files of samples"),
        (lambda: Path("raw/b.txt").write_text("1\n"), "raw/b.txt and b.csv are of one name; keep one of them"),
        (
            lambda: Path("raw/c.wav").write_text("1\n"),
            "raw hold 2 sensors, 1 sounds; name the folder or pattern of one",
        ),
        (lambda: spoil("labels.csv", lambda lines: [*lines, "zz,1,2,x"] * 1), "no recording 'zz' is listed"),
        (lambda: spoil("labels.csv", lambda lines: [*lines, "a,-5,2,x"]), "segment -5 to 2 s"),
        (lambda: spoil("labels.csv", lambda lines: [*lines, "a,,2,x"]), "a time is not finite, or missing"),
        (lambda: spoil("labels.csv", lambda lines: lines[:1]), "labels.csv holds no annotation"),
        (lambda: Path("labels.csv").unlink(), "labels.csv does not exist; name the file or folder of the annotations"),
        (lambda: Path("data/mine").mkdir(parents=True) or Path("data/mine/x").write_text(""), "not made by start"),
    ],
)
def test_bad_input_is_told_in_a_sentence_and_nothing_is_written(project, capsys, break_it, message):
    write_tables("raw", ["a", "b"], label=False)
    Path("labels.csv").write_text("video,start,end,label\na,1,3,x\na,5,7,y\nb,1,3,x\nb,5,7,y\n")
    break_it()
    assert message in said(capsys, "labels.csv", "raw", status=2)
    assert not Path("data/mine/annotations").exists() and not Path("recipes").exists()


def test_names_of_recordings_are_shown_where_labels_name_none_of_them(project, capsys):
    write_tables("raw", ["a", "b"], label=False)
    Path("labels.csv").write_text("video,start,end,label\nday1,1,3,x\nday2,5,7,y\n")
    assert "the recordings are called a, b, ..." in said(capsys, "labels.csv", "raw", status=2)


def test_what_must_be_said_is_asked(project, capsys):
    write_tables("raw", ["a", "b"], label=False)
    assert "none for the label of each sample; name it with --column label=NAME" in said(capsys, "raw", status=2)
    Path("labels.csv").write_text("video,start,end,label\na,1,3,x\nb,5,7,y\n")
    three = "features need --stride-frames, --num-frames and --fps, all three"
    assert three in said(capsys, "labels.csv", "raw", "--fps", "5", status=2)
    files = ["labels.csv", "raw/a.csv", "raw/b.csv"]
    assert "each place is one sensor; name the folder of the files, or a pattern" in said(capsys, *files, status=2)
    assert "'watch' is the name of a built-in recipe" in said(capsys, "labels.csv", "raw", "--name", "watch", status=2)


def test_windows_follow_the_short_actions_or_what_is_asked():
    lengths = np.array([2.0, 4.0, 4.0, 8.0])
    assert choose_windows(lengths, Windows(window_sec=1.0)) == (1.0, 0.5)
    assert choose_windows(lengths, Windows(stride_sec=0.5)) == (1.0, 0.5)
    assert choose_windows(lengths / 100, Windows(), 0.04) == (0.08, 0.04)
    with pytest.raises(ValueError, match=r"a window of 1 s every 0 s is none"):
        choose_windows(lengths, Windows(1.0, 0.0))
