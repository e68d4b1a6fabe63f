"""start: from labels and recordings to a recipe, for tables with clocks and labels, sounds, films and features."""

import json
import wave
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from afkit.__main__ import main
from afkit.data.annotations import AnnotationFile, Video
from afkit.recipes import recipe
from afkit.workbench.start.media import Media
from afkit.workbench.start.start import action_rows
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
        " on the data",
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

    made = json.loads(Path("data/mine/start.json").read_text())
    Path("data/mine/start.json").write_text(json.dumps({"labels": made["labels"]}))  # killed before it wrote the rest
    assert "training: 3 recordings, 9 segments" in said(capsys, "raw", "--fix")
    assert json.loads(Path("data/mine/start.json").read_text()) == made


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


def test_labels_of_another_time_zone_than_the_clock_are_asked(project, capsys):
    nine = 1_709_283_600  # 2024-03-01 09:00 in UTC
    Path("raw").mkdir()
    for name in "abc":
        rows = [f"{nine + second}.0,{second % 7},{second % 5}" for second in range(4 * 3600)]
        Path(f"raw/{name}.csv").write_text("\n".join(["unix_time_s,x,y", *rows]), encoding="utf-8")
    local = "".join(f"{name},2024-03-01 11:00:00,2024-03-01 11:10:00,walk\n" for name in "abc")
    Path("labels.csv").write_text(f"recording,start,end,label\n{local}", encoding="utf-8")
    assert "They fit if the one that tells none is of " in said(capsys, "labels.csv", "raw", status=2)
    said(capsys, "labels.csv", "raw", "--label-clock=+01:00")
    database = json.loads(Path("data/mine/annotations/mine.json").read_text())["database"]
    assert [one["segment"] for one in database["b"]["annotations"]] == [[3600, 4200]]


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


def test_gaps_of_the_clock_end_an_action_unless_they_are_short_and_do_not_count(project, capsys):
    write_tables("raw", ["a", "b", "c", "d"])
    spoil("raw/b.csv", lambda lines: [lines[0], *lines[1:81], *lines[221:321], *lines[331:]])  # 4 to 11, 16 to 16.5 s
    out = said(capsys, "raw")
    assert "features    gap: b has no samples for 7.05 s after 3.95 s (2 gaps, together 7.6 s)" in out
    assert "annotations the gaps of 1 recordings are left out of training and evaluation" in out
    path = Path("data/mine/annotations/mine.json")
    made = json.loads(path.read_text())["database"]
    assert [one["segment"] for one in made["b"]["annotations"]] == [[3, 4], [11, 12], [15, 18]]
    half = recipe("mine").data.num_frames / 2 / HZ + 0.1
    np.testing.assert_allclose(made["b"]["ignored"], [[3.95 - half, 11 + half], [15.95 - half, 16.5 + half]])
    assert [name for name in made if "ignored" in made[name]] == ["b"]
    changed = path.stat().st_mtime_ns
    said(capsys, "raw")
    assert path.stat().st_mtime_ns == changed


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda: spoil("raw/b.csv", hour_later),
            "b.csv: its clock 'timestamp' jumps by 3600 s after sample 99, and gaps are 99 % of its time; cut",
        ),
        (
            lambda: spoil("raw/b.csv", lambda lines: [*lines[:50], *lines[20:]]),
            "its clock 'timestamp' runs backwards in row 51, from ",
        ),
        (
            lambda: Path("raw/b.csv").write_text(""),
            "b.csv is not a readable feature file for video 'b': it holds no row",
        ),
        (lambda: Path("raw/b.csv").unlink() or Path("raw").rename("x"), "raw does not exist"),
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
    assert Path("data/mine/x").exists() or not Path("data/mine").exists()


def test_names_of_recordings_are_shown_where_labels_name_none_of_them(project, capsys):
    write_tables("raw", ["a", "b"], label=False)
    Path("labels.csv").write_text("video,start,end,label\nday1,1,3,x\nday2,5,7,y\n")
    assert "the recordings are called a, b, ..." in said(capsys, "labels.csv", "raw", status=2)


def test_labels_on_the_clock_of_samples_with_a_rate_count_from_its_beginning(project, capsys):
    write_tables("raw", ["a", "b", "c"], late_sec=12.3, label=False, clock=lambda t: f"{t:.3f}")
    Path("labels.csv").write_text("video,start,end,label\n" + "".join(f"{n},14,17,x\n{n},20,23.5,y\n" for n in "abc"))
    said(capsys, "labels.csv", "raw", "--channels", "x,y", "--label-clock", "sensor", "--name", "clock")
    assert "clocks begin at 12.3 s, and the times may be those of" in said(capsys, "labels.csv", "raw@20", status=2)
    said(capsys, "labels.csv", "raw@20", "--label-clock", "sensor")
    for name in ("clock", "mine"):
        database = json.loads(Path(f"data/{name}/annotations/{name}.json").read_text())["database"]
        assert np.allclose([one["segment"] for one in database["a"]["annotations"]], [[1.7, 4.7], [7.7, 11.2]])


def test_the_labels_may_lie_among_the_samples_and_the_place_of_both_have_a_rate(project, capsys):
    write_tables("raw", ["a", "b", "c"], label=False)
    Path("raw/labels.csv").write_text("video,start,end,label\n" + "".join(f"{n},2,6,x\n{n},8,11,y\n" for n in "abc"))
    assert "3 recordings, " in said(capsys, str(Path("raw/labels.csv").resolve()), "raw")
    assert sorted(path.stem for path in Path("data/mine/features").glob("*.npy")) == ["a", "b", "c"]
    write_tables("both", ["a", "b", "c"])
    assert "20 samples a second\n" in said(capsys, f"both@{HZ}", "--name", "both")


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


def test_physiology_and_key_points_are_samples_too(project, capsys):
    edfio = pytest.importorskip("edfio", reason="it writes EDF")
    wave_of = np.sin(np.arange(24 * 50) / 5)
    for name in "abc":
        Path("ecg").mkdir(exist_ok=True)
        edfio.Edf([edfio.EdfSignal(wave_of, 50, label="ECG")]).write(f"ecg/{name}.edf")
        Path("pose").mkdir(exist_ok=True)
        points = [f"{i % 7},{i % 5},{i % 3 + 9},4" for i in range(24 * 25)]
        Path(f"pose/{name}.csv").write_text("\n".join(["nose_x,nose_y,tail_x,tail_y", *points]))
    rows = [f"{name},{a},{b},{x}" for name in "abc" for a, b, x in ACTIONS]
    Path("labels.csv").write_text("\n".join(["recording,start,end,label", *rows]), encoding="utf-8")
    out = said(capsys, "labels.csv", "ecg", "--name", "ecg")
    assert "ecg: ECG" in out and "50 samples a second" in out and recipe("ecg").data.fps == 50
    assert "no recording of ecg holds annotations; give LABELS and then the recordings" in said(
        capsys, "ecg", "ecg", "--name", "none", status=2
    )
    for name in "abc":
        notes = [edfio.EdfAnnotation(a, b - a, label) for a, b, label in ACTIONS]
        edfio.Edf([edfio.EdfSignal(wave_of, 50, label="ECG")], annotations=notes).write(f"ecg/{name}.edf")
    assert "classes     2: gehen 6, stehen 3" in said(capsys, "ecg", "ecg", "--name", "inside")
    out = said(capsys, "labels.csv", "pose@25", "--pose", "--name", "pose")
    assert "pose: nose_x, nose_y, tail_x, tail_y, nose_x_velocity" in out and recipe("pose").data.fps == 25
    assert recipe("pose").data.input_dims[0] == 8 * recipe("pose").data.num_frames


def write_film(path, on_sec):
    """12 seconds of grey at 10 frames a second, white while an action lasts."""
    av = pytest.importorskip("av", reason="it writes films")
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for i in range(120):
            level = 250 if any(a <= i / 10 < b for a, b in on_sec) else 60
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def write_sound(path, on_sec):
    """12 seconds of silence at 8 kHz, a tone while an action lasts."""
    times = np.arange(12 * 8000) / 8000
    loud = np.any([(times >= a) & (times < b) for a, b in on_sec], axis=0)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes((loud * 9000 * np.sin(3000 * times)).astype("<i2").tobytes())


@pytest.mark.parametrize(
    ("write", "ending", "needs", "told"),
    [
        (write_film, "mp4", "av", "a grid of grey values and their changes, a yardstick: --backbone MODEL sees more"),
        (write_sound, "wav", "transformers", "log-mel bands of 0.5 s every 0.25 s"),
    ],
)
def test_films_and_sounds_become_features_in_which_the_action_shows(project, capsys, write, ending, needs, told):
    pytest.importorskip(needs, reason="it reads them")
    pytest.importorskip("av", reason="it reads them")
    Path("media").mkdir()
    rows = []
    for number, name in enumerate(["tür", "b", "c"]):
        actions = [(2.0 + number, 4.0 + number), (8.0, 10.0)]
        write(Path("media") / f"{name}.{ending}", actions)
        rows += [f"{name}.{ending},{a},{b},x" for a, b in actions]
    Path("labels.csv").write_text("\n".join(["file,start,end,label", *rows]), encoding="utf-8")
    out = said(capsys, "labels.csv", "media")
    assert told in out and "recordings  3, 12 to 12, median 12 s" in out
    features = np.load("data/mine/features/tür.npy")
    data = recipe("mine").data
    times = (np.arange(len(features)) * data.stride_frames + data.num_frames / 2) / data.fps
    inside, outside = (times > 2.5) & (times < 3.5), (times > 5) & (times < 7)
    spread = features[outside].std(axis=0).max() + 1e-3
    assert abs(features[inside].mean(axis=0) - features[outside].mean(axis=0)).max() > 5 * spread
    if ending == "mp4":
        command = ["labels.csv", "media", "--name", "slow", "--most-minutes", "0"]
        assert "minutes; go on with --most-minutes 1" in said(capsys, *command, status=2)
        assert not Path("data/slow/features").exists()


def test_time_without_action_is_counted_where_somebody_labelled():
    segments, ignored = np.array([[2.0, 4.0]]), np.array([[-np.inf, 2.0], [6.0, np.inf]])
    video = Video("a", "training", 10.0, None, segments, np.zeros(1, int), ignored)
    looked = Media(*[None] * len(Media._fields))  # the annotations say how long it lasts
    rows = dict(action_rows(AnnotationFile(Path("x.json"), {"a": video}, {0: "x"}), looked))
    assert rows["no action"].startswith("50 % of the time;")
    nowhere = replace(video, ignored_sec=np.array([[-np.inf, np.inf]]))
    rows = dict(action_rows(AnnotationFile(Path("x.json"), {"a": nowhere}, {0: "x"}), looked))
    assert rows["no action"].startswith("nothing of the time is judged;")
