"""Clocks of samples: units, rates and gaps; samples on regular times; times of labels on the recordings' clocks."""

import json

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.clocks import as_seconds, read_clock, regular_samples
from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.importing import import_annotations
from afkit.workbench.own_data.sample_files import SensorKind
from afkit.workbench.own_data.signal_files import SETTINGS, Windowing, features_of

UNIX = 1_700_000_000  # seconds


@pytest.mark.parametrize(
    ("values", "name", "rate_hz", "start_sec"),
    [
        (UNIX * 1000 + 20 * np.arange(100), "timestamp", 50, UNIX),
        (UNIX + np.arange(100) / 50, "clock", 50, UNIX),
        ((UNIX * 10**9 + 10**7 * np.arange(100)).astype(float), "epoch", 100, UNIX),
        (5 + np.arange(100) / 50, "time", 50, 5),
        (40 * np.arange(100), "t_ms", 25, 0),
        (UNIX + np.arange(100) // 10, "time", 10, UNIX),  # whole seconds, ten samples in each
    ],
)
def test_the_unit_is_that_of_the_name_or_of_the_size(values, name, rate_hz, start_sec):
    clock = read_clock(np.asarray(values, float), name)
    assert clock.rate_hz == pytest.approx(rate_hz, rel=1e-3) and clock.start_sec == pytest.approx(start_sec)
    np.testing.assert_allclose(clock.times_sec, np.arange(100) / rate_hz, atol=1e-5)
    assert clock.gaps == []


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        (np.array([0, 1, 2, 1.5, 3]), "time", "its clock 'time' runs backwards after sample 3, from 2 to 1.5"),
        (np.arange(10.0), "time", "rises by 1 a sample, in what is not told; give the rate as FOLDER@HZ, or a name"),
        (np.ones(10), "time", "its clock 'time' does not rise"),
    ],
)
def test_a_clock_that_tells_nothing_is_one_sentence(values, name, message):
    with pytest.raises(ValueError) as caught:
        read_clock(values, name)
    assert message in str(caught.value)


def test_gaps_count_from_the_limit_on_and_do_not_change_the_rate():
    times = np.arange(100) / 50 + 3600.0 * (np.arange(100) > 60)
    clock = read_clock(times, "time")
    assert clock.rate_hz == pytest.approx(50) and clock.gaps == [(61, pytest.approx(3600.02))]
    assert read_clock(times, "time", longest_gap_sec=4000).gaps == []


def test_samples_are_put_where_their_clock_says():
    draws = np.random.default_rng(0)
    times = np.sort(draws.uniform(0, 10, 500))
    times[0] = 0
    clock = read_clock(times + 7, "time")
    found = regular_samples(np.sin(times)[:, None], clock, 50)
    np.testing.assert_allclose(found[:, 0], np.sin(np.arange(len(found)) / 50), atol=0.01)


def test_calendars_and_times_of_day_are_seconds():
    assert as_seconds(["2023-11-14 22:13:20", "2023/11/14 22:13:20,5"]).tolist() == [UNIX, UNIX + 0.5]
    assert as_seconds(["2023-11-15T00:13:20+02:00"]).tolist() == [UNIX]
    assert as_seconds(["10:00:00", "10:00:00.25"]).tolist() == [36000, 36000.25]
    assert as_seconds(["10:00:00", "x"]) is None and as_seconds(["2023-13-14 22:13:20"]) is None


def write_two(root, late_sec=0.2, rate=100):
    """A recording of two sensors whose channel is the time, the second of another rate and started later."""
    for sensor, hz, start in (("acc", 50, 0.0), ("gyro", 30, late_sec)):
        (root / sensor).mkdir()
        for name in ("ü", "b"):
            times = start + np.arange(12 * hz) / hz
            rows = [f"{1000 * (UNIX + t):.0f},{t:.4f}" for t in times]
            (root / sensor / f"{name}.csv").write_text("\n".join(["timestamp,x", *rows]) + "\n")
    return ["signals", str(root / "acc"), str(root / "gyro"), "--out", str(root / "out")]


def test_two_clocks_show_one_time_and_new_recordings_are_made_alike(tmp_path, capsys):
    command = [*write_two(tmp_path), "--window", "10", "--stride", "5"]
    assert main(command) == 0
    features = np.load(tmp_path / "out" / "ü.npy")  # (T, 20): ten times of each
    np.testing.assert_allclose(features[5:-5, :10], features[5:-5, 10:], atol=0.02)  # half a sample of each
    settings = json.loads((tmp_path / "out" / SETTINGS).read_text())
    kinds = [SensorKind(**{**kind, "columns": tuple(kind["columns"])}) for kind in settings.pop("sensors")]
    assert [(kind.rate_hz, kind.by_clock) for kind in kinds] == [(50, True), (30, True)]
    paths = [tmp_path / "acc" / "ü.csv", tmp_path / "gyro" / "ü.csv"]
    np.testing.assert_array_equal(features_of(Windowing(kinds, **settings), paths), features)


def test_clocks_that_are_not_one_and_gaps_are_refused(tmp_path, capsys):
    command = [*write_two(tmp_path, late_sec=5000), "--window", "10", "--stride", "5"]
    assert main(command) == 2 and not (tmp_path / "out").exists()
    assert "starts 5000 s after that of" in capsys.readouterr().err
    path = tmp_path / "acc" / "b.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:100] + lines[200:]) + "\n")
    alone = [command[0], command[1], *command[3:]]
    assert main(alone) == 2
    said = capsys.readouterr().err
    assert "its clock 'timestamp' jumps by 2.02 s after sample 99; cut the file there, or bridge it by" in said
    assert main([*alone, "--longest-gap", "2.02"]) == 0
    assert len(np.load(tmp_path / "out" / "b.npy")) == len(np.load(tmp_path / "out" / "ü.npy"))


def bring(tmp_path, rows, begins=(UNIX, UNIX), **options):
    """[[start, end], ...] of the first recording."""
    source, target = tmp_path / "labels.csv", tmp_path / "out.json"
    target.unlink(missing_ok=True)
    source.write_text("\n".join(["video,start,end,label", *rows, ""]))
    media = {name: Medium("x", 60.0, begin) for name, begin in zip("ab", begins, strict=True)}
    import_annotations(source, target, media=media, **options)
    return [one["segment"] for one in json.loads(target.read_text())["database"]["a"]["annotations"]]


def test_times_of_the_recordings_clock_count_from_its_beginning(tmp_path):
    dated = ["a,2023-11-14 22:13:25,2023-11-14 22:13:27.5,x", "b,2023-11-14 22:13:25,2023-11-14 22:13:28,y"]
    assert bring(tmp_path, dated) == [[5, 7.5]]
    assert bring(tmp_path, ["a,10:00:05,10:00:07,x", "b,10:00:05,10:00:09,x"], (36000, 36000)) == [[5, 7]]
    assert bring(tmp_path, ["a,5.5,7,x", "b,5,9,x"]) == [[5.5, 7]]
    assert bring(tmp_path, ["a,105.5,107,x", "b,105,109,x"], (100, 100)) == [[5.5, 7]]
    in_ms = [f"a,{1000 * UNIX + 5500},{1000 * UNIX + 7000},x", f"b,{1000 * UNIX + 5000},{1000 * UNIX + 9000},x"]
    assert bring(tmp_path, in_ms) == [[5.5, 7]]
    either = ["a,15.5,17,x", "b,15,19,x"]
    with pytest.raises(ValueError, match="say which, with --label-clock sensor or --label-clock recording"):
        bring(tmp_path, either, (10, 10))
    assert bring(tmp_path, either, (10, 10), label_clock="sensor") == [[5.5, 7]]
    assert bring(tmp_path, either, (10, 10), label_clock="recording") == [[15.5, 17]]


def test_dates_without_a_beginning_or_of_another_zone_are_one_sentence(tmp_path):
    dated = ["a,2023-11-14 23:13:25,2023-11-14 23:13:27,x", "b,2023-11-14 23:13:25,2023-11-14 23:13:28,y"]
    with pytest.raises(ValueError, match="begins 3605 s after its recording 'a', which lasts 60 s; is one of the two"):
        bring(tmp_path, dated)
    with pytest.raises(ValueError, match="row 2: the times are those of a calendar, and nothing says when"):
        bring(tmp_path, dated, (None, None))
    with pytest.raises(ValueError, match="nothing says when the recording 'a' begins"):
        import_annotations(tmp_path / "labels.csv", tmp_path / "new.json")
