"""Clocks of samples: units, rates and gaps; samples on regular times; times of labels on the recordings' clocks."""

import json
import shutil

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.data.annotations import read_annotations, to_frame
from afkit.workbench.own_data.clocks import as_seconds, clock_problem, read_clock, regular_samples
from afkit.workbench.own_data.gaps import leave_out_gaps
from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.importing import import_annotations
from afkit.workbench.own_data.sample_files import SensorKind, read_samples
from afkit.workbench.own_data.signal_files import SETTINGS, Windowing, features_of, look
from afkit.workbench.own_data.signals import Sensor, signal_features

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
    assert len(clock.gaps_sec) == 0


@pytest.mark.parametrize(
    ("values", "name", "message"),
    [
        (np.arange(10.0), "time", "rises by 1 a sample, in what is not told; give the rate as FOLDER@HZ, or a name"),
        (np.ones(10), "time", "its clock 'time' does not rise"),
        (np.arange(15360) * 1.953125, "Timestamp", "rises by 1.953 a sample, in what is not told; give the rate as"),
        (123_456_789_012_345 + 2e7 * np.arange(500), "timestamp", "rises by 2e+07 a sample, in what is not told"),
        (1_234_567_890_123_456 + 2e7 * np.arange(500), "timestamp", "rises by 2e+07 a sample, in what is not told"),
        (639_103_734 * 1e9 + 2e5 * np.arange(500), "timestamp", "a sample, in what is not told"),  # 100 ns from year 1
    ],
)
def test_a_clock_that_tells_nothing_is_one_sentence(values, name, message):
    with pytest.raises(ValueError) as caught:
        read_clock(values, name)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("values", "name", "what"),
    [
        (
            46000 + np.arange(5000) / 50 / 86400,
            "time",
            "seconds, it has 4.32e+06 {}, not 50 (in days it would be 50); cor",
        ),
        (
            np.arange(500) / 3000,
            "time",
            "seconds, it has 3e+03 {}, not 50 (in minutes it would be 50); correct the rate,",
        ),
        (
            np.arange(100) * 300.0,
            "time",
            "milliseconds, it has 3.33 {}, not 50; correct the rate, write seconds, or rem",
        ),
        (np.arange(100) / 50, "time_ms", "milliseconds, it has 5e+04 {}, not 50; correct"),
    ],
)
def test_a_clock_of_another_rate_than_is_given_is_told_with_both(values, name, what):
    with pytest.raises(ValueError) as caught:
        read_clock(values, name, rate_hz=50)
    assert f"by its clock '{name}', read in {what.format('samples a second')}" in str(caught.value)


def test_a_clock_that_makes_too_high_a_rate_is_asked_for_its_unit():
    with pytest.raises(
        ValueError, match=r"'time', read in seconds, makes 4.32e\+06 samples .* \(in days it would be 50\)"
    ):
        read_clock(46000 + np.arange(5000) / 50 / 86400, "time")
    assert read_clock(np.arange(5000.0), "time_us").rate_hz == pytest.approx(1e6), "the name says so"


def test_gaps_are_no_drift():
    times = np.arange(1000) / 50
    clock = read_clock(times + 3 * (times > 5) + 3 * (times > 10) + 3 * (times > 15), "time")
    assert len(clock.gaps_sec) == 3 and clock.drift_sec(1 / 50) == pytest.approx(0, abs=1e-9)
    assert read_clock(times * 1.001, "time").drift_sec(1 / 50) == pytest.approx(0.02, rel=0.01)


def test_gaps_count_from_the_limit_on_and_do_not_change_the_rate():
    times = np.arange(100) / 50 + 0.98 * (np.arange(100) > 60)
    clock = read_clock(times, "time")
    assert clock.rate_hz == pytest.approx(50) and clock.gaps_sec.tolist() == [[1.2, pytest.approx(2.2)]]
    assert len(read_clock(times, "time", longest_gap_sec=1.1).gaps_sec) == 0
    with pytest.raises(ValueError, match=r"jumps by 3601 s after sample 61, and gaps are 100 % of its time; cut"):
        read_clock(times + 3600 * (times > 1.3), "time")


@pytest.mark.parametrize(
    ("tick_sec", "rate_hz", "missing", "gap_sec"),
    [
        (1, 50, (30, 40), [[29.98, 40.0]]),  # whole seconds
        (0.2, 50, (30, 31), [[29.98, 31.0]]),  # packets of 10
        (0.5, 40, (50, 54), [[49.975, 54.0]]),
        (1, 50, (30.5, 40.3), [[30.48, 40.3]]),  # incomplete batches on both sides
        (1, 200, (30, 31), [[29.995, 31.0]]),
        (0.1, 33.3, (30, 31), [[29.97, 31.0]]),  # 3 or 4 in a batch
    ],
)
def test_gaps_of_a_clock_that_repeats_its_times_lie_between_batches(tick_sec, rate_hz, missing, gap_sec):
    times = np.arange(round(99.7 * rate_hz)) / rate_hz
    kept = times[(times < missing[0] - 1e-9) | (times > missing[1] - 1e-9)]
    ticks = np.floor(kept / tick_sec + 1e-9) * tick_sec
    off = 1e-6 if (rate_hz * tick_sec) % 1 == 0 else tick_sec / 2
    clock = read_clock(UNIX + ticks, "time")
    assert clock.rate_hz == pytest.approx(rate_hz, rel=1e-3)
    np.testing.assert_allclose(clock.times_sec, kept, atol=off)
    np.testing.assert_allclose(clock.gaps_sec, gap_sec, atol=off)
    given = read_clock(UNIX + ticks, "time", rate_hz=rate_hz)
    np.testing.assert_array_equal(given.times_sec, clock.times_sec)
    what = f"jumps by {np.diff(clock.gaps_sec[0])[0]:.3g} s after sample {(kept < missing[0] - 1e-9).sum()}"
    assert clock_problem(given, "time", rate_hz) == f"its clock 'time' {what}"
    bridged = read_clock(UNIX + ticks, "time", longest_gap_sec=20)
    assert len(bridged.gaps_sec) == 0 and bridged.rate_hz == clock.rate_hz
    np.testing.assert_array_equal(bridged.times_sec, clock.times_sec)


def test_batches_that_come_late_are_no_gap():
    sent = np.arange(500) * 0.2
    came = np.where(np.isin(np.arange(500), (250, 251, 252)), sent[250] + 0.6 + 0.001 * (np.arange(500) - 250), sent)
    clock = read_clock(np.repeat(came, 10), "time_s")
    assert len(clock.gaps_sec) == 0 and clock.rate_hz == pytest.approx(50)


def test_an_incomplete_first_batch_ends_at_the_next_time():
    kept = 0.6 + np.arange(470) / 50
    clock = read_clock(UNIX + np.floor(kept + 1e-9), "time")
    assert clock.start_sec == pytest.approx(UNIX + 0.6, abs=1e-6) and clock.rate_hz == pytest.approx(50)
    np.testing.assert_allclose(clock.times_sec, kept - 0.6, atol=1e-6)


@pytest.mark.parametrize(
    ("cells", "what"),
    [
        (
            [f"23:59:59.{i}" for i in range(10)] + [f"0:00:00.{i}" for i in range(10)],
            "row 12, from 23:59:59.9 to 0:00:00.0, as over midnight; write times with a date and a zone, or leave it",
        ),
        ([86399.8, 86399.9, 0, 0.1], "row 4, from 86399.9 to 0, as over midnight; write times with a date and a zone"),
        (
            ["2026-10-25 02:59:58", "2026-10-25 02:59:59", "2026-10-25 02:00:00"],
            "row 4, from 2026-10-25 02:59:59 to 2026-10-25 02:00:00, as where summer time ends; write times with a",
        ),
        ([65500, 65520, 4, 24], "row 4, from 65520 to 4, as a counter that begins anew at 65536; write times that go"),
        ([0.00, 0.02, 0.01, 0.06], "row 4, from 0.02 to 0.01; correct it, or leave it out with --columns x,y and give"),
    ],
)
def test_a_clock_that_runs_backwards_is_shown_with_what_it_looks_like(tmp_path, cells, what):
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["time,x,y", *(f"{cell},1,{i % 3}" for i, cell in enumerate(cells))]))
    with pytest.raises(ValueError, match=r"a\.csv") as caught:
        read_samples(path)
    assert f"its clock 'time' runs backwards in {what}" in str(caught.value)
    assert read_samples(path, ["x", "y"]).clock is None, "the remedy works"


def test_jumps_of_summer_time_and_of_times_without_colons_are_told():
    of_day = 9 * 3600 + 1800 + np.arange(3000) / 10.0
    packed = [int(t // 3600) * 10000 + int(t % 3600 // 60) * 100 + t % 60 for t in of_day]
    with pytest.raises(ValueError, match=r"jumps by 40\.1 s after sample 600, as times do that are written HHMMSS; w"):
        read_clock(np.array(packed), "utc")
    local = UNIX + np.arange(10800.0) + 3600 * (np.arange(10800) >= 5400)
    with pytest.raises(
        ValueError, match=r"jumps by 3601 s after sample 5400, as where summer time begins; write times"
    ):
        read_clock(local, "time", unit="seconds")
    assert len(read_clock(local, "time").gaps_sec) == 1, "numbers from 1970 on know no summer time"


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
    assert as_seconds(["2023-11-14 22:13:20:000", "2023-11-14 22:13:20:500"]).tolist() == [UNIX, UNIX + 0.5]
    assert as_seconds(["10:00:00", "10:00:00.25"]).tolist() == [36000, 36000.25]
    assert as_seconds(["10:00:00", "x"]) is None and as_seconds(["2023-13-14 22:13:20"]) is None


def write_at(root, sensor, times, head="time", first="{:.4f}"):
    """A table whose channels are the time."""
    (root / sensor).mkdir(parents=True)
    rows = [f"{first.format(t)},{t:.4f},{t:.4f}" for t in times]
    (root / sensor / "a.csv").write_text("\n".join([f"{head},x,y", *rows]) + "\n")
    return str(root / sensor)


def features(root, *places):
    """The command that makes them, and the file of those of the recording."""
    return ["signals", *places, "--out", str(root / "out"), "--window", "50", "--stride", "5"], root / "out" / "a.npy"


def test_a_rate_that_drifts_against_the_clock_is_refused_however_little_it_is_off(tmp_path, capsys):
    acc = write_at(tmp_path, "acc", np.arange(20 * 60 * 49.55) / 49.55)  # true times up to 1200 s
    command, made = features(tmp_path, f"{acc}@50")
    assert main(command) == 2
    assert (
        "it has 49.55 samples a second, not 50: times would be up to 10.8 s wrong; correct it, leave out @50, so "
        in (capsys.readouterr().err)
    )
    with pytest.raises(ValueError, match=r"it has 49\.55 samples a second, not 50"):  # as for who labels it
        look(tmp_path / "acc" / "a.csv", SensorKind("acc", 50, 0), fix=False)
    command[1] = acc
    assert main(command) == 0 and "data.fps: 49.6\n" in capsys.readouterr().out
    ends = np.load(made)[:, 49]  # last sample of each window
    np.testing.assert_allclose(ends, (np.arange(len(ends)) * 5 + 49) / 49.6, atol=1e-3)


def test_with_a_rate_the_clocks_say_when_sensors_begin(tmp_path, capsys):
    acc, gyro, late, other = (
        write_at(tmp_path, name, start + np.arange(1000) / 50)
        for name, start in (("acc", 12.3), ("gyro", 12.5), ("late", 15.3), ("other", 5000))
    )
    command, made = features(tmp_path, f"{acc}@50", f"{gyro}@50")
    assert main(command) == 0 and "time 0 of a is 12.3 s of its clock 'time'\n" in capsys.readouterr().out
    found = np.load(made)[5:]
    np.testing.assert_allclose(found[:, 0], 12.3 + 0.1 * (np.arange(len(found)) + 5), atol=1e-4)
    np.testing.assert_allclose(found[:, 100], found[:, 0], atol=1e-4)
    command[1:3] = [f"{acc}@50", f"{late}@50"]
    command[command.index("--out") + 1] = str(tmp_path / "new")
    assert main(command) == 2
    assert "late/a.csv' starts 3 s after the annotations' time 0; cut the others, correct" in capsys.readouterr().err
    command[2] = f"{other}@50"
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "other/a.csv starts 4987.7 s after that of" in said and "than it lasts: both begin together\n" in said
    command[1:3] = [acc]
    command[command.index("--out") + 1] = str(tmp_path / "by_clock")
    assert main(command) == 0 and "time 0 of a is 12.3 s of its clock 'time'\n" in capsys.readouterr().out


@pytest.mark.parametrize("rate_hz", [0.0, 50.0])
def test_times_of_day_without_decimals_are_seconds(tmp_path, rate_hz):
    ticks = 0.6 + np.arange(2600) / 50
    (tmp_path / "a.csv").write_text(
        "clock [hh:mm:ss],x\n" + "".join(f"10:00:{int(t):02d},{t % 0.7:.2f}\n" for t in ticks)
    )
    seen = look(tmp_path / "a.csv", SensorKind("a", rate_hz, 0, by_clock=not rate_hz))
    assert (seen.rate_hz, seen.begin_sec, seen.duration_sec) == pytest.approx((50, 36000.6, 52))


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
    again, ignored_sec = features_of(Windowing(kinds, **settings), paths)
    np.testing.assert_array_equal(again, features)
    assert len(ignored_sec) == 0


@pytest.mark.parametrize("rate_hz", [None, 20.0, 80.0])
def test_vectors_outside_the_ignored_spans_are_those_of_samples_without_gaps(rate_hz):
    draws = np.random.default_rng(0)

    def both(hz, start_sec, *gaps):
        """The same samples without and with gaps."""
        times, values = np.arange(12 * hz) / hz, draws.normal(size=(12 * hz, 1))
        for kept in (np.ones(len(times), bool), ~np.any([(times > a) & (times < b) for a, b in gaps], axis=0)):
            clock = read_clock(times[kept], "time")
            yield Sensor("a", regular_samples(values[kept], clock, hz), hz, start_sec, clock.gaps_sec)

    pairs = zip(both(50, 0.0, (3.0, 3.6), (8.0, 9.0)), both(30, 0.2, (3.3, 4.0)), strict=True)
    whole, cut = (signal_features(list(sensors), 20, 1, rate_hz, tolerance_sec=0.5) for sensors in pairs)
    np.testing.assert_allclose(cut.gaps_sec, [[3.0, 4.2], [8.0, 9.0]])
    centres = (np.arange(len(cut.features)) + 10) / cut.fps
    outside = ~np.any([(centres > a) & (centres < b) for a, b in cut.ignored_sec], axis=0)
    same = np.isclose(cut.features, whole.features).all(axis=1)
    assert same[outside].all() and not same.all() and len(whole.ignored_sec) == 0
    assert (outside ^ same).sum() <= 4 * (3 / 30) * cut.fps, "two samples more at each of four ends, and little else"
    alone = signal_features([list(both(50, 0.0, (3.0, 8.9)))[1]], 20, 10, None, "recording")
    seen = np.concatenate([alone.features[:14], alone.features[45:]])
    assert (seen.mean(), seen.std()) == pytest.approx((0, 1), abs=0.03), "scaled by what was measured"


def test_clocks_that_are_not_one_are_refused_and_gaps_do_not_count(tmp_path, capsys):
    command = [*write_two(tmp_path, late_sec=5000), "--window", "10", "--stride", "5"]
    assert main(command) == 2 and not (tmp_path / "out").exists()
    assert "starts 5000 s after that of" in capsys.readouterr().err
    path = tmp_path / "acc" / "b.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:100] + lines[200:300] + lines[330:]) + "\n")
    alone = [command[0], command[1], *command[3:]]
    assert main([*alone, "--longest-gap", "2.02"]) == 0
    assert "gap" not in capsys.readouterr().out
    shutil.rmtree(tmp_path / "out")
    assert main(alone) == 0
    said = capsys.readouterr().out
    assert "gap: b has no samples for 2.02 s after 1.96 s (2 gaps, together 2.64 s): bridged by straight" in said
    assert f"give import --signals {tmp_path / 'out'}, so that" in said
    assert len(np.load(tmp_path / "out" / "b.npy")) == len(np.load(tmp_path / "out" / "ü.npy"))
    spans = [[1.82, 4.12], [5.82, 6.72]]  # half a window of 0.2 s and two samples wider
    assert json.loads((tmp_path / "out" / SETTINGS).read_text())["ignored"] == {"b": spans}

    (tmp_path / "labels.csv").write_text("video,start,end,label\nb,2,3,x\nb,5,5.5,x\nü,1,2,x\n")
    brought = ["import", str(tmp_path / "labels.csv"), str(tmp_path / "made.json"), "--signals", str(tmp_path / "out")]
    assert main(brought) == 0
    assert "note: the gaps of 1 recordings are not to count\n" in capsys.readouterr().out
    made = read_annotations(tmp_path / "made.json").videos
    assert made["b"].ignored_sec.tolist() == spans and len(made["ü"].ignored_sec) == 0
    assert len(to_frame([made["b"]])) == 1, "what happened in the gap is not there to be found"
    assert leave_out_gaps(tmp_path / "made.json", tmp_path / "out") == 1, "what is there already stays"
    assert read_annotations(tmp_path / "made.json").videos["b"].ignored_sec.tolist() == spans
    (tmp_path / "labels.csv").write_text("video,start,end,label\nc,2,3,x\nd,5,5.5,x\n")
    assert main([*brought[:2], str(tmp_path / "x.json"), *brought[3:]]) == 2
    assert "of any recording with labels (it holds 'b', say; labels are of 'c', say)" in capsys.readouterr().err
    assert main([*brought[:2], str(tmp_path / "x.json"), "--signals", str(tmp_path)]) == 2
    assert "signals.json does not exist; name the folder that python -m afkit signals" in capsys.readouterr().err


def test_recordings_that_would_mostly_not_count_are_refused(tmp_path, capsys):
    command = write_two(tmp_path)
    for sensor, kept in (("acc", (0, 150, 420, 601)), ("gyro", (0, 200, 350, 361))):
        lines = (tmp_path / sensor / "b.csv").read_text().splitlines()
        (tmp_path / sensor / "b.csv").write_text("\n".join(lines[kept[0] : kept[1]] + lines[kept[2] : kept[3]]) + "\n")
    assert main([*command, "--window", "10", "--stride", "5"]) == 2
    assert "b.csv: 74 % are gaps, those of all sensors joined; leave it out" in capsys.readouterr().err
    alone = [command[0], command[1], *command[3:]]
    assert main([*alone, "--window", "100", "--stride", "5"]) == 2
    said = capsys.readouterr().err
    assert "b has no samples for 5.42 s after 2.96 s, and 63 % of its windows would reach into gaps; br" in said


def write_missing(root, *spans):
    """A table at 50 Hz of 20 s whose second channel is the time, without values in those spans (start, end) in s."""
    (root / "acc").mkdir()
    rows = [
        f"{1000 * (UNIX + t):.0f},1,{'' if any(a < t + 1e-9 < b for a, b in spans) else f'{t:.2f}'}"
        for t in np.arange(1000) / 50
    ]
    (root / "acc" / "a.csv").write_text("\n".join(["timestamp,x,y", *rows]) + "\n")


@pytest.mark.parametrize("rate", ["", "@50"])
def test_long_runs_of_missing_values_are_gaps(tmp_path, capsys, rate):
    write_missing(tmp_path, (5, 8), (15, 15.3))
    command = [
        "signals",
        str(tmp_path / "acc") + rate,
        "--out",
        str(tmp_path / "out"),
        "--window",
        "10",
        "--stride",
        "5",
    ]
    if rate:
        assert main(command) == 2 and "sample 250: NaN or infinite (165 such" in capsys.readouterr().err
        command.append("--fix")
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "gap: a has no samples for 3.02 s after 4.98 s (2 gaps, together 3.34 s): bridged by straight" in said
    spans = [[4.84, 8.14], [14.84, 15.44]]  # half a window of 0.2 s and two samples wider
    assert json.loads((tmp_path / "out" / SETTINGS).read_text())["ignored"] == {"a": spans}
    features = np.load(tmp_path / "out" / "a.npy")
    np.testing.assert_allclose(features[:, 10], np.arange(len(features)) / 10, atol=1e-5)
    shutil.rmtree(tmp_path / "out")
    assert main([*command, "--longest-gap", "1"]) == (0 if rate else 2), "short runs are repaired with --fix, as ever"


def test_mostly_missing_values_are_refused_and_the_ends_may_be_missing(tmp_path, capsys):
    write_missing(tmp_path, (0, 1), (19, 20))
    command = ["signals", f"{tmp_path / 'acc'}@50", "--out", str(tmp_path / "out"), "--fix"]
    command += ["--window", "10", "--stride", "5"]
    assert main(command) == 0
    ignored = json.loads((tmp_path / "out" / SETTINGS).read_text())["ignored"]["a"]
    assert [ignored[0][0], ignored[1][1]] == [0, 20] and ignored[0][1] > 1 and ignored[1][0] < 19
    shutil.rmtree(tmp_path / "out")
    shutil.rmtree(tmp_path / "acc")
    write_missing(tmp_path, (2, 14))
    capsys.readouterr()
    assert main(command) == 2 and "a.csv: 60 % are gaps" in capsys.readouterr().err


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
