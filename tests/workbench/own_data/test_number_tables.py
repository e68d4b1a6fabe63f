"""Tables of numbers in text: separators, decimal signs, names, and which columns are channels."""

import shlex

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.clocks import clock_problem, read_clock, regular_samples
from afkit.workbench.own_data.number_tables import read_numbers
from afkit.workbench.own_data.sample_files import SensorKind, read_sensor
from afkit.workbench.own_data.signal_files import Windowing, features_of, look

ROWS = np.random.default_rng(0).normal(size=(30, 2)).round(3)


def lines(head, first=None, rows=ROWS, separator=","):
    """A table with a column before the numbers: `first` of each row."""
    cells = [map(str, row) for row in rows.tolist()]
    text = [separator.join([*([] if first is None else [first(i)]), *row]) for i, row in enumerate(cells)]
    return "\n".join([*([head] if head else []), *text]) + "\n"


@pytest.fixture
def read(tmp_path):
    def read(text, **options):
        (tmp_path / "v.csv").write_text(text, encoding="utf-8")
        return read_numbers(tmp_path / "v.csv", **options)

    return read


TRUTHS = ["target", "gt", "ground_truth", "state", "trigger", "posture", "annot"]


def clock(i):
    return f"{0.02 * i:.2f}"


@pytest.mark.parametrize(
    ("head", "first"),
    [
        ("timestamp,x,y", clock),
        ("time,x,y", clock),
        ("Zeit [s],x,y", clock),
        ("時間,x,y", clock),
        ("t_ms,x,y", lambda i: str(20 * i)),
        ("epoch,x,y", lambda i: str(1657544418323 + 20 * i)),
        (",x,y", str),
        ("Unnamed: 0,x,y", str),
        ("index,x,y", str),
        ("frame,x,y", str),
        ("x,y", str),  # row names of R, which has no name for them
        ("row,x,y", lambda i: str(i + 1)),
        *((f"{name},x,y", lambda i: str(1709287200 + i // 20)) for name in ("unix_time", "utc", "ts", "recorded_at")),
        *(
            (f"{name},x,y", lambda i: str(i // 10))
            for name in ("LoggedTime", "Elapsed Time (s)", "systime", "epoc (ms)")
        ),
        ("hr:min:sec,x,y", lambda i: f"10:00:{i // 10:02d}"),
        ("when,x,y", lambda i: f"2026-01-01 10:00:{i // 10:02d}"),
    ],
)
def test_a_clock_and_a_row_number_are_no_channels(read, head, first):
    numbers = read(lines(head, first))
    assert numbers.names == ["x", "y"] and len(numbers.left_out) == 1
    np.testing.assert_array_equal(numbers.values, ROWS)


@pytest.mark.parametrize(
    ("head", "first", "question"),
    [
        ("label,x,y", lambda i: str(i % 3), "the column 'label' is called like a label"),
        ("Aktivität,x,y", lambda i: str(i % 3), "'Aktivität' is called like a label"),
        ("class_id,x,y", lambda i: str(i % 3), "'class_id' is called like a label id"),
        ("subject,x,y", lambda i: "7", "'subject' is called like the number of something"),
        ("activity,x,y", lambda i: "jogging", "'activity' holds texts ('jogging')"),
        ("kind,x,y", lambda i: "jogging" * (i > 9), "'kind' holds texts ('jogging')"),
        (
            "ticks,x,y",
            lambda i: str(7 * i + i % 2),
            "'ticks' rises like a clock (which would be called time_s, time_ms, ...) or like",
        ),
        ("time,x,y", lambda i: "7", "'time' is called like a clock, but does not rise"),
        *((f"{name},x,y", lambda i: str(i % 3), f"'{name}' is called like a label") for name in TRUTHS),
        ("q,x,y", lambda i: f"{0.2 * (i // 2):.1f}", "'q' rises like a clock"),  # batches
        ("", lambda i: str(1709287200 + i // 20), "the column '1' rises like a clock"),
        ("wall,x,y", lambda i: str(5 + i // 8), "'wall' rises like a clock"),
        ("time,x,y", lambda i: f"10:00:{i:02d} AM", "holds texts ('10:00:00 AM'), no times as 10:00:00.5 or 2026-"),
        ("index,x,y", lambda i: str(-i % 5), "'index' is called like the number of something"),
        ("", clock, "the column '1' rises like a clock"),
        (",x,y", lambda i: str(-i % 5), "has no name"),
    ],
)
def test_what_may_be_no_channel_is_asked(read, head, first, question):
    with pytest.raises(ValueError, match=r"choose the channels with --columns, e\.g\. --columns ") as caught:
        read(lines(head, first), gaps=True)
    assert question in str(caught.value)
    chosen = read(lines(head, first), gaps=True, columns=("y", "x") if head else "32")
    np.testing.assert_array_equal(chosen.values, ROWS[:, ::-1], "in the order that is given")
    with pytest.raises(ValueError, match=r"it has no column 'w', but .*; name it so, or correct --columns"):
        read(lines(head, first), columns=["w"])


def test_long_names_and_very_many_columns_are_refused_in_few_words(read):
    long = (lines("time" * 1000 + ",x,y", str), r"is called '(time){10}\.\.\.', 4000 letters; give it a shorter")
    for text, message in (long, ("1," * 20_000 + "1\n", "it has 20001 columns")):
        with pytest.raises(ValueError, match=message) as caught:
            read(text)
        assert len(str(caught.value)) < 150


@pytest.mark.parametrize("head", ["x,y", "x,y,", ""])
def test_separators_at_the_ends_of_rows_make_no_column_and_move_none(read, head):
    numbers = read(
        lines(head).replace("\n", ",\n").replace(f"{head},\n", f"{head}\n") if head else lines(head, rows=ROWS)
    )
    assert numbers.names == ["x", "y"][: 2 * bool(head)]
    np.testing.assert_array_equal(numbers.values, ROWS)


def test_columns_of_one_name_are_all_taken_in_every_recording(tmp_path):
    (tmp_path / "acc").mkdir()
    for name in "pq":
        (tmp_path / "acc" / f"{name}.csv").write_text("Frame,X,Y,X,Y\n" + "".join(f"{i},1,2,3,4\n" for i in range(60)))
    out = tmp_path / "out"
    assert main(["signals", f"{tmp_path / 'acc'}@50", "--out", str(out), "--window", "1", "--stride", "1"]) == 0
    assert [np.load(out / f"{name}.npy")[9].tolist() for name in "pq"] == [[1, 2, 3, 4]] * 2
    with pytest.raises(ValueError, match="it has 2 columns 'x'; give each a name of its own"):
        read_numbers(tmp_path / "acc" / "p.csv", columns=["x", "Y"])


def test_names_with_commas_can_be_chosen_as_the_question_says(tmp_path, capsys):
    (tmp_path / "p.csv").write_text('label,"TIB,uV",Acc x\n' + "1,2,3\n" * 60)
    command = ["signals", f"{tmp_path / 'p.csv'}@50", "--out", str(tmp_path / "out"), "--window", "1", "--stride", "1"]
    assert main(command) == 2
    asked = capsys.readouterr().err
    chosen = shlex.split(asked)[-2:]
    assert chosen == ["--columns", '"TIB,uV",Acc x'] and main([*command, *chosen]) == 0
    assert "channels of p.csv: TIB,uV, 'Acc x'\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("head", "first", "steps"),
    [
        ("PacketCounter,x,y", lambda i: (65520 + i) % 65536, 4),
        ("nSeq,x,y", lambda i: i % 16, 4),
        ("Sub Frame,x,y", lambda i: i % 10, 4),
        ("sample,x,y", lambda i: i, 4),
    ],
)
@pytest.mark.parametrize("columns", [(), ("x", "y")])
def test_counts_may_begin_anew_and_tell_what_is_lost(read, head, first, steps, columns):
    rows = np.tile(ROWS, (7, 1))
    numbers = read(lines(head, lambda i: str(first(i)), rows), columns=columns)
    assert numbers.names == ["x", "y"] and len(numbers.values) == len(rows)
    with pytest.raises(ValueError, match=f"'{head[:-4]}' rises by {steps} after row 43: add rows of empty cells"):
        read(lines(head, lambda i: str(first(i + 3 * (i > 41))), rows), columns=columns)


def test_an_unnamed_count_that_begins_anew_is_asked_about(read):
    with pytest.raises(ValueError, match=r"the column 'q' rises like a clock \(.*\) or like a number of the row"):
        read(lines("q,x,y", lambda i: str(i % 12)))


@pytest.mark.parametrize(
    ("names", "unit"), [(("EMG time [s]", "ACC time [s]"), 1), (("X[s]", "X[s]"), 1), (("time", "time 2"), 1000)]
)
@pytest.mark.parametrize("padded", ["", "0", None])
def test_clocks_of_two_rates_side_by_side_are_refused(read, names, unit, padded):
    rows = []
    for i in range(1000 if padded is not None else 100):
        other = ("", "") if padded == "" else ("0", "0")
        other = (f"{unit * i / 10:g}", str(i % 7)) if i < 100 else other
        rows.append(",".join([f"{unit * i / 100:g}", str(i % 5), *other]))
    with pytest.raises(
        ValueError, match=r"of which one runs 10 times as fast, as of sensors .* write a file for each, or"
    ):
        read("\n".join([f"{names[0]},EMG,{names[1]},ACC", *rows]), gaps=True, columns=["ACC"])


@pytest.mark.parametrize(
    ("head", "first"),
    [
        ("unix_s,t_ms,x,y", lambda i: f"{1_700_000_000 + i // 50},{20 * i}"),
        ("time,timestamp,x,y", lambda i: f"{0.02 * i:.2f},{20_000 * i}"),
        ("clock,time_min,x,y", lambda i: f"{0.02 * i:.2f},{i / 3000:.6f}"),
        ("clock,GPS time,x,y", lambda i: f"{0.02 * i:.2f},{i / 3000:.6f}"),
        ("clock,date,x,y", lambda i: f"{0.2 * i:.1f},{20260329 + (i > 99)}"),
    ],
)
def test_clocks_in_two_units_are_one(read, head, first):
    numbers = read(lines(head, first, np.tile(ROWS, (9, 1))))
    assert (numbers.names, len(numbers.left_out)) == (["x", "y"], 2)


def test_another_encoding_is_one_sentence(tmp_path):
    (tmp_path / "v.csv").write_text("x,y\n1,2\n", encoding="utf-16")
    with pytest.raises(ValueError, match=r"v\.csv is not a readable .*: it is no text in UTF-8; save it as that"):
        read_sensor(tmp_path / "v.csv", SensorKind("acc", 50, 0), False)


def test_dates_need_no_names(read):
    numbers = read(lines("", lambda i: f"2026-03-29 09:30:00.{20 * i:03d}"))
    assert numbers.values.shape == (30, 2) and numbers.naive
    np.testing.assert_allclose(np.diff(numbers.clock), 0.02, atol=1e-6)


def test_numbers_as_names_of_columns_are_no_vector(read):
    head = ",".join(map(str, range(3)))
    assert len(read(f"{head}\n0.5,1.5,2.5\n3,4,5\n").values) == 2
    assert len(read(f",{head}\n0,0.5,1.5,2.5\n1,3,4,5\n").values) == 2
    assert len(read("0.0,1.0,2.0\n0.5,1.5,2.5\n").values) == 2
    assert read("0,1\n0.5,1.5\n2.0,3.0\n").values.tolist() == [[0.5, 1.5], [2, 3]]
    assert len(read("0,1\n0.5,2\n3,4\n").values) == 3 and len(read("3,12,4,5,6,7\n" * 2).values) == 2
    with pytest.raises(ValueError, match=r"row 1 \(0, 1, 2, \.\.\.\) may be names or numbers"):
        read(f"{head}\n5,6,7\n")


@pytest.mark.parametrize(
    "text",
    [
        "0,5;-1,25\n3,0;4\n",
        "x;y\n0,5;-1,25\n3,0;4\n",
        "0,5\t-1,25\n3,0\t4\n",
        "sep=;\nx;y\n0,5;-1,25\n3;4,0\n",
        "0,5 -1,25\n3,0 4,0\n",
        "5,0e-1;-1,25\n3;4\n",
        '"x";"y"\n"0,5";"-1,25"\n"3";"4"\n',
        "x,y\n0.5,-1.25\n3,4\n",
        "# x y\n0.5 -1.25\n3 4\n",
    ],
)
def test_semicolons_tabs_and_blanks_allow_decimal_commas(read, text):
    assert read(text).values.tolist() == [[0.5, -1.25], [3, 4]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0,321\n0,45\n", "'0,321' may be two columns or one number with a decimal comma"),
        ("-1,5\n2,25\n", "may be two columns or one number"),
        ("x,y\n0,5,1,25\n", "row 2 has 4 cells, under 2 columns (x, y); correct it; with decimal commas, separate"),
        ("1,5;2.5\n3;4\n", "decimal commas and with decimal points; write them alike"),
        ("x;y\n1.000,5;2\n", "holds texts ('1.000,5')"),
        ("0,12,-0,98,9,81\n1,05,0,97,9,8\n", "'0,12' may be two columns or one number with a decimal comma"),
    ],
)
def test_commas_that_may_be_either_are_refused(read, text, message):
    with pytest.raises(ValueError) as caught:
        read(text)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("times", "name", "problem"),
    [
        (np.arange(100) / 50, "time", ""),
        (np.arange(100) * 20 + 5, "time", ""),  # milliseconds, as 50 Hz tells
        (np.arange(100) * 20_000, "timestamp", ""),
        (
            np.arange(999) / 49,
            "time",
            "by its clock 'time' it has 49 samples a second, not 50: times would be up to 0.407 s wrong",
        ),
        (np.arange(580) / 49, "time", ""),  # 0.236 s in the end
        (np.arange(100) / 50 + 1.5 * (np.arange(100) > 60), "time", "its clock 'time' jumps by 1.52 s after sample 61"),
        (np.arange(100) / 50 + np.random.default_rng(0).uniform(0, 0.015, 100), "time", ""),
    ],
)
def test_a_clock_is_compared_with_the_rate(times, name, problem):
    assert clock_problem(read_clock(times, name, rate_hz=50), name, 50) == problem
    times = np.array([0.0, 0.02, 0.06, 0.08])
    clock = read_clock(times, name, rate_hz=50)
    np.testing.assert_allclose(regular_samples(times[:, None] * 3, clock, 50), 3 * np.arange(5)[:, None] / 50)


EMPATICA = "1700000000.00, 1700000000.00\n32.000000, 32.000000\n" + "3,-4\n5,6\n" * 960


def test_rows_with_start_and_rate_are_no_samples(read, tmp_path):
    numbers = read(EMPATICA)
    assert numbers.values.shape == (1920, 2) and numbers.values[0].tolist() == [3, -4]
    seen = look(tmp_path / "v.csv", SensorKind("acc", 0, 0, by_clock=True))
    assert (seen.rate_hz, seen.duration_sec, seen.begin_sec) == (pytest.approx(32), pytest.approx(60), 1_700_000_000)
    sensor, _, _ = read_sensor(tmp_path / "v.csv", SensorKind("acc", 32, 0), False)
    assert len(sensor.signal) == 1920 and sensor.start_sec == 1_700_000_000
    with pytest.raises(ValueError, match="by its clock 'rows 1 and 2' it has 32 samples a second, not 50: times would"):
        read_sensor(tmp_path / "v.csv", SensorKind("acc", 50, 0), False)
    with pytest.raises(
        ValueError, match=r"its first row \(64\) is unlike all others \(-1 to 1\); remove it if it is a"
    ):
        read("64\n" + "-1\n0.5\n1\n" * 9)
    assert len(read("x\n64\n" + "-1\n0.5\n1\n" * 9).values) == 28, "the remedy works"


def test_blank_rows_are_missing_samples_unless_a_clock_tells_the_times(read):
    def at(text):
        return np.flatnonzero(np.isnan(read(text, gaps=True).values[:, 0])).tolist()

    assert at("x\ty\n1\t2\n\t\n3\t4\n5\t6\n\n") == [1]
    assert at("1\n\n2\n3\n4\n\n \n") == [1]
    assert at("x,y\n1,2\n\n\n3,4\n") == [1, 2]
    assert at("x,y\n\n1,2\n\n3,4\n\n") == [], "as Windows ends lines twice"
    timed = read("time,x\n0.00,1\n\n0.04,3\n0.06,4\n", gaps=True)
    assert timed.values[:, 0].tolist() == [1, 3, 4] and timed.clock.tolist() == [0, 0.04, 0.06]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("index,x\n0,5\n1,6\n4,7\n5,8\n", "its column 'index' rises by 3 after row 3: add rows of empty cells for"),
        ("time,x\n0,5\n0,5\n1,6\n1,6\n", "each of its rows is there twice, as rows 2 and 3; keep one of each"),
        ("made by X\nat 50 Hz\n\nx,y\n" + "1,2\n" * 9, "its numbers begin in line 5: of the lines before, leave one"),
        ("sep=\t\ntime\tx\nms\tm/s\n" + "1\t2\n" * 9, "its numbers begin in line 4: of the lines before, leave one"),
        ("x,y\n1,2\n3\n", "row 3 has 1 cells, those before it 2; correct it"),
    ],
)
def test_rows_that_are_lost_twice_or_no_table_are_told(read, text, message):
    with pytest.raises(ValueError) as caught:
        read(text, gaps=True)
    assert message in str(caught.value) and ("begin in line" in message or "begin in line" not in str(caught.value))


@pytest.fixture
def folder(tmp_path):
    def write(head, cells):
        (tmp_path / "acc").mkdir(exist_ok=True)
        for name in "pq":
            (tmp_path / "acc" / f"{name}.csv").write_text("\n".join([head, *cells]) + "\n")
        out = tmp_path / "out"
        return ["signals", f"{tmp_path / 'acc'}@50", "--out", str(out), "--window", "50", "--stride", "25"], out

    return write


def test_a_jump_of_the_clock_is_refused_or_bridged(folder, capsys):
    rows = np.random.default_rng(0).normal(size=(200, 2)).round(3).tolist()
    cells = [f"{i / 50 + (i > 100):.2f},{x},{y}" for i, (x, y) in enumerate(rows)]
    command, out = folder("time,x,y", cells)
    assert main(command) == 2 and not out.exists()
    assert (
        "p.csv: its clock 'time' jumps by 1.02 s after sample 101; correct it, leave out @50, so"
        in capsys.readouterr().err
    )
    assert main([*command, "--fix"]) == 0
    out_said = capsys.readouterr().out
    assert "columns that are no channels, left out: time" in out_said and "channels of acc: x, y\n" in out_said
    assert np.load(out / "p.npy").shape == (9, 100)  # 250 samples of two channels, not 200 of three


def test_a_label_beside_the_channels_is_left_out_on_request_and_in_new_recordings(folder, capsys, tmp_path):
    cells = [f"{i % 7},{i % 3},{'jogging' * (i > 9)}" for i in range(100)]
    command, out = folder("x,y,label", cells)
    assert main(command) == 2
    assert "choose the channels with --columns, e.g. --columns x,y" in capsys.readouterr().err
    assert main([*command, "--columns", "x", "--columns", "y"]) == 2
    assert "2 lists of columns for 1 sensors; give one for all, or one for each" in capsys.readouterr().err
    assert main([*command, "--columns", "y,x"]) == 0

    new = tmp_path / "new.csv"
    new.write_text("\n".join(["x,label,y", *(f"{i % 7},,{i % 3}" for i in range(100))]) + "\n")
    settings = Windowing([SensorKind("acc", 50.0, 2, ("y", "x"))], 50, 25, 50.0)
    np.testing.assert_array_equal(features_of(settings, [new])[0], np.load(out / "p.npy"))
    new.write_text("\n".join(["x,z", *(f"{i % 7},{i % 3}" for i in range(100))]) + "\n")
    with pytest.raises(ValueError, match="it has no column 'y', but x, z"):
        features_of(settings, [new])
