"""From when on times of labels count: beginnings, clocks in several time zones, and times of day."""

import json

import pytest

from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.importing import describe, import_annotations

NINE = 1709283600.0  # 2024-03-01 09:00:00 UTC
HOURS = 3600.0


def told(tmp_path, start, end, begin=None, lasts=3 * HOURS, zoned=None, **options):
    """[start, end] of an action in a recording that begins at a second of its clock, and the report."""
    source, target = tmp_path / "labels.csv", tmp_path / "out.json"
    target.unlink(missing_ok=True)
    source.write_text("video,start,end,label\n" + "".join(f"{name},{start},{end},x\n" for name in "ab"))
    media = {name: Medium("x", lasts, begin, zoned=zoned) for name in "ab"}
    report = import_annotations(source, target, media=media, **options)
    return json.loads(target.read_text())["database"]["a"]["annotations"][0]["segment"], describe(report)


@pytest.mark.parametrize(
    ("start", "zoned", "truth"),
    [
        ("2024-03-01 11:00:00{}", True, HOURS),  # local time, the sensor counts from 1970
        ("2024-03-01 09:00:00Z{}", False, HOURS),  # the sensor's clock says 09:00, which is local time
        ("11:00:00{}", True, HOURS),
    ],
)
def test_where_one_clock_tells_its_zone_and_the_other_none_the_zone_is_asked(tmp_path, start, zoned, truth):
    times = start.format(""), start.replace(":00{}", ":10").replace(":00Z{}", ":10Z")
    with pytest.raises(ValueError, match=r"They fit if the one that tells none is of .*\+01:00.*: say"):
        told(tmp_path, *times, NINE, zoned=zoned)
    found, said = told(tmp_path, *times, NINE, zoned=zoned, label_clock="+01:00")
    assert found == [truth, truth + 10]
    assert "subtracted, of 'a' 2024-03-01 09:00:00, where no zone is told read as +01:00" in said
    assert told(tmp_path, "2024-03-01 11:00:00", "2024-03-01 11:00:10", NINE, zoned=False)[0] == [2 * HOURS, 7210]


def test_times_of_day_that_fit_in_another_zone_alone_are_asked(tmp_path):
    with pytest.raises(ValueError, match=r"They fit if the one that tells none is of \+02:00: say it"):
        told(tmp_path, "11:00:10", "11:00:20", NINE, 600.0)
    assert told(tmp_path, "11:00:10", "11:00:20", NINE, 600.0, label_clock="+02:00")[0] == [10, 20]


def test_dates_of_which_some_tell_a_zone_are_refused(tmp_path):
    with pytest.raises(ValueError, match="row 2: some dates have a time zone, others none; write all alike"):
        told(tmp_path, "2024-03-01 11:00:00", "2024-03-01 11:00:10Z", NINE)


@pytest.mark.parametrize("begin", [10 * HOURS, NINE + HOURS])
def test_times_of_day_in_hours_and_minutes_or_minutes_and_seconds_are_asked(tmp_path, begin):
    times = "10:05", "10:10", begin, 1800.0
    with pytest.raises(ValueError, match="say which, with --label-clock sensor or --label-clock recording"):
        told(tmp_path, *times)
    found, said = told(tmp_path, *times, label_clock="sensor")
    assert found == [300, 600] and "times such as 10:05 were read as hours:minutes, of a day" in said
    found, said = told(tmp_path, *times, label_clock="recording")
    assert found == [605, 610] and "times such as 10:05 were read as minutes:seconds" in said


def test_times_of_day_lie_in_dated_recordings(tmp_path):
    assert told(tmp_path, "09:10:00", "09:20:00", NINE, 1800.0)[0] == [600, 1200]
    assert told(tmp_path, "14:05", "14:20", NINE, 6 * HOURS, label_clock="sensor")[0] == [18300, 19200]
    night = NINE + 14 * HOURS
    assert told(tmp_path, "23:59:50", "00:00:10", night, 2 * HOURS)[0] == [3590, 3610]
    assert told(tmp_path, "00:30:00", "00:40:00", night, 2 * HOURS, label_clock="sensor")[0] == [5400, 6000]
    long = "14:05:00", "14:20:00", NINE, 30 * HOURS
    with pytest.raises(ValueError, match="the recordings' clocks begin at 2024-03-01 09:00:00, and the times may be"):
        told(tmp_path, *long)
    found, said = told(tmp_path, *long, label_clock="sensor")
    assert found == [18300, 19200] and "times of day are those of each recording's first 24 hours" in said


def test_times_of_two_parts_without_a_sensor_are_told(bring):
    head = "video,start,end,label\n"
    file = bring(head + "a,14:05,14:20,x\nb,14:05,14:20,x\n")
    assert file.videos["a"].segments_sec.tolist() == [[845, 860]]
    assert "times such as 14:05 were read as minutes:seconds" in describe(bring.report)
    bring(head + "a,14:05,54:20,x\nb,14:05,14:20,x\n")
    assert "minutes:seconds" not in describe(bring.report), "there are no 54 hours"
