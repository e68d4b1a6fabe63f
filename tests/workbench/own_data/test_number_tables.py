"""Tables of numbers in text: separators, decimal signs, names, and which columns are channels."""

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.clocks import clock_problem, read_clock, regular_samples
from afkit.workbench.own_data.number_tables import read_numbers
from afkit.workbench.own_data.sample_files import SensorKind
from afkit.workbench.own_data.signal_files import Windowing, features_of

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
        ("ticks,x,y", lambda i: str(7 * i + i % 2), "'ticks' rises in every row"),
        ("time,x,y", lambda i: "7", "'time' is called like a clock, but does not rise"),
        ("index,x,y", lambda i: str(-i % 5), "'index' is called like the number of something"),
        ("", clock, "the column '1' rises in every row"),
        (",x,y", lambda i: str(-i % 5), "has no name"),
    ],
)
def test_what_may_be_no_channel_is_asked(read, head, first, question):
    with pytest.raises(ValueError, match=r"choose the channels with --columns, e\.g\. --columns ") as caught:
        read(lines(head, first), gaps=True)
    assert question in str(caught.value)
    chosen = read(lines(head, first), gaps=True, columns=("y", "x") if head else "32")
    np.testing.assert_array_equal(chosen.values, ROWS[:, ::-1], "in the order that is given")
    with pytest.raises(ValueError, match=r"it has no column 'w', but .*; correct --columns"):
        read(lines(head, first), columns=["w"])


def test_numbers_as_names_of_columns_are_no_vector(read):
    head = ",".join(map(str, range(3)))
    assert len(read(f"{head}\n0.5,1.5,2.5\n3,4,5\n").values) == 2
    assert len(read(f",{head}\n0,0.5,1.5,2.5\n1,3,4,5\n").values) == 2
    assert len(read("0.0,1.0,2.0\n0.5,1.5,2.5\n").values) == 2
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
        (np.arange(400) / 49, "time", "by its clock 'time' it has 49 samples a second, not 50"),
        (np.arange(100) / 50 + 1.5 * (np.arange(100) > 60), "time", "its clock 'time' jumps by 1.52 s after sample 61"),
        (np.arange(100) / 50 + np.random.default_rng(0).uniform(0, 0.015, 100), "time", ""),
    ],
)
def test_a_clock_is_compared_with_the_rate(times, name, problem):
    assert clock_problem(times, name, 50) == problem
    times = np.array([0.0, 0.02, 0.06, 0.08])
    clock = read_clock(times, name, rate_hz=50)
    np.testing.assert_allclose(regular_samples(times[:, None] * 3, clock, 50), 3 * np.arange(5)[:, None] / 50)


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
    assert "p.csv: its clock 'time' jumps by 1.02 s after sample 101; correct it" in capsys.readouterr().err
    assert main([*command, "--fix"]) == 0
    assert "columns that are no channels, left out: time" in capsys.readouterr().out
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
