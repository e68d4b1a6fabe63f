"""Raw samples in files: one folder per sensor becomes a folder of features, or a list of what is wrong."""

import json

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.signal_files import SETTINGS, read_samples, write_windows
from afkit.workbench.own_data.signals import Sensor, signal_features


def ramp(samples, channels=1):
    return np.arange(samples * channels, dtype=float).reshape(samples, channels)


def write_table(path, table, head=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [",".join("xyz"[: table.shape[1]])] * head + [",".join(map(str, row)) for row in table.tolist()]
    path.write_text("\n".join(rows) + "\n")
    return path


@pytest.fixture
def sensors(tmp_path):
    """Folders of two sensors with two recordings, `acc` at 10 Hz and `gyro` at 5 Hz."""
    for name, seconds in (("a", 8), ("b", 6)):
        write_table(tmp_path / "acc" / f"{name}.csv", ramp(10 * seconds, 2))
        write_table(tmp_path / "gyro" / f"{name}.csv", ramp(5 * seconds), head=False)
    return [tmp_path / "acc", tmp_path / "gyro"]


def make(sensors, tmp_path, **options):
    """The folder of features, and what was said."""
    said = []
    arguments = {"window": 20, "stride": 10} | options
    write_windows(sensors, [10, 5], tmp_path / "out" / "features", say=said.append, **arguments)
    return tmp_path / "out" / "features", said


def refused(sensors, tmp_path, **options):
    """The message of what must fail and write nothing."""
    with pytest.raises(ValueError) as caught:
        make(sensors, tmp_path, **options)
    assert not (tmp_path / "out").exists()
    return str(caught.value)


def test_features_of_all_recordings_and_how_they_were_made(sensors, tmp_path):
    folder, said = make(sensors, tmp_path, normalise="recording")
    assert sorted(path.name for path in folder.iterdir()) == ["a.npy", "b.npy", SETTINGS]
    made = signal_features([Sensor("acc", ramp(60, 2), 10), Sensor("gyro", ramp(30), 5)], 20, 10, None, "recording")
    features = np.load(folder / "b.npy")
    assert features.dtype == np.float32
    np.testing.assert_array_equal(features, made.features)
    plain = {"by_clock": False, "pose": False}
    assert json.loads((folder / SETTINGS).read_text()) == {
        "sensors": [
            {"name": "acc", "rate_hz": 10.0, "channels": 2, "columns": ["x", "y"], **plain},
            {"name": "gyro", "rate_hz": 5.0, "channels": 1, "columns": [], **plain},
        ],
        "window": 20,
        "stride": 10,
        "rate_hz": 10.0,
        "normalise": "recording",
        "longest_gap_sec": 0,
    }
    assert said == ["2 recordings, 60 numbers in a feature vector"]
    with pytest.raises(ValueError, match="features exists; remove it, or name another folder"):
        make(sensors, tmp_path, stride=5)
    assert np.load(folder / "a.npy").shape[0] == 7


@pytest.mark.parametrize(
    ("file", "text", "message", "repaired"),
    [
        ("acc/a.csv", "1,2\n" * 5 + "1,\n" + "1,2\n" * 74, "acc/a.csv', sample 5: NaN or infinite", True),
        ("acc/a.csv", "1,2\n" * 5 + "inf,2\n" + "1,2\n" * 74, "acc/a.csv', sample 5: NaN or infinite", True),
        ("acc/a.csv", "x,y\n" + "0.5,2\n" * 79 + "0.6,-9999\n", "acc/a.csv: channel 'y' is -9999 in 1 of its 80", True),
        ("acc/a.csv", "x,y\n" + "1,2\n" * 60, "gyro/a.csv' ends 2 s after sensor", True),
        ("acc/a.csv", "", "acc/a.csv is not a readable feature file for video 'a': it holds no row of numbers", False),
        ("acc/a.csv", "x,y\n", "it holds no row of numbers, only the names x, y", False),
        ("acc/a.csv", "1,2\n3\n", "row 2 has 1 cells, those before it 2", False),
        ("acc/a.csv", "1,2\n3,x\n", "row 2: 'x' is no number", False),
        ("acc/a.csv", "1,nan\n" * 80, "NaN or infinite (80 such samples)", False),
        ("acc/b.csv", "1,2,3\n" * 60, "acc/b.csv has 3 channels, that sensor has 2 elsewhere", False),
        ("acc/a.csv", "x,y\n" + "1,2\n" * 15, "has 15 samples at 10 Hz; a window needs 20", False),
    ],
)
def test_what_is_wrong_is_told_by_file_and_repaired_on_request(sensors, tmp_path, file, text, message, repaired):
    (tmp_path / file).write_text(text)
    lines = refused(sensors, tmp_path).splitlines()
    assert lines[0] == "1 of 2 recordings cannot be used; correct them, or repair gaps and ends with --fix:"
    assert len(lines) == 2
    if not repaired:
        assert message in refused(sensors, tmp_path, fix=True)
        return
    folder, said = make(sensors, tmp_path, fix=True)
    assert message in lines[1] and said[0].startswith(f"changed: {lines[1].partition(';')[0]}")
    assert np.abs(np.load(folder / "a.npy")).max() < 1000  # of samples, neither NaN nor a code


def test_many_problems_and_repairs_are_told_in_few_lines(sensors, tmp_path):
    for sensor, rate in zip(sensors, (10, 5), strict=True):
        for number in range(25):
            write_table(sensor / f"bad{number}.csv", np.where(ramp(5 * rate, rate // 5) == 4, np.nan, 0))
    lines = refused(sensors, tmp_path).splitlines()
    assert lines[0].startswith("25 of 27 recordings") and len(lines) == 22 and lines[-1] == "... and 5 more"
    assert len(make(sensors, tmp_path, fix=True)[1]) == 22


def test_recordings_must_have_all_sensors(sensors, tmp_path):
    (sensors[1] / "b.csv").unlink()
    assert "gyro has no file of the recording" in refused(sensors, tmp_path)
    (sensors[1] / "b.csv").write_text("1\n")
    (sensors[0] / "a.txt").write_text("1\n")
    assert "a.txt and a.csv are of one name; keep one" in refused(sensors, tmp_path)
    (sensors[0] / "a.txt").unlink()
    assert "none does not exist; name another" in refused([sensors[0], tmp_path / "none"], tmp_path)
    (tmp_path / "empty").mkdir()
    assert "empty has no file that ends in .npy" in refused([sensors[0], tmp_path / "empty"], tmp_path)


def test_samples_may_be_separated_by_blanks(tmp_path):
    (tmp_path / "a.txt").write_text("0.5 1 -2e1\n\n  3   4 5 \n")
    assert read_samples(tmp_path / "a.txt").values.tolist() == [[0.5, 1, -20], [3, 4, 5]]


def test_the_command_says_what_the_recipe_needs(sensors, tmp_path, capsys):
    out = tmp_path / "features"
    command = ["signals", f"{sensors[0]}@10", f"{sensors[1]}@5", "--out", str(out), "--window", "20", "--stride", "10"]
    assert main(command) == 0
    assert capsys.readouterr().out.splitlines()[1:] == [
        "channels of acc: x, y",
        "channels of gyro: 1",
        "data.input_dims: [60]",
        "data.stride_frames: 10",
        "data.num_frames: 20",
        "data.fps: 10",
        str(out),
    ]
    for sensor in ("acc@", "@5", "acc@x", "acc@0", "acc@nan", "acc@inf"):
        assert main(["signals", sensor, *command[3:]]) == 2
        assert f"a sensor is FOLDER@HZ, its folder and samples per second, not '{sensor}'" in capsys.readouterr().err
    assert main([*command[:-2], "--stride", "0", "--out", str(tmp_path / "b")]) == 2
    assert "window and stride must be above 0" in capsys.readouterr().err
