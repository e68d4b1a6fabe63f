"""Units of times: what a name says, what else the files say, and what is asked."""

import pytest
from imported import refused, segments

PLAIN = "video,start,end,label"
SECONDS = {"a": [(2.0, 4.5, "x")], "b": [(0.5, 1.0, "y")]}


def table(head, *rows):
    return "\n".join([head, *rows]) + "\n"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (table("video,start_frame,stop_frame,label", "a,50,112,x", "b,13,25,y"), {"rate": 25}),
        (table("video,startFrame,endFrame,label,fps", "a,200,450,x,100", "b,25,50,y,50"), {}),
        (table("video,start_sample,end_sample,label", "a,32000,72000,x", "b,8000,16000,y"), {"rate": 16000}),
        (table("video,start_ms,end_ms,label", "a,2000,4500,x", "b,500,1000,y"), {}),
        (table("video,onset (ms),offset (ms),label", "a,2000,4500,x", "b,500,1000,y"), {}),
        (table("video,onset_s,offset_s,label", "a,2,4.5,x", "b,0.5,1,y"), {}),
        (table("video,start_us,end_us,label", "a,2000000,4500000,x", "b,500000,1000000,y"), {}),
        (table("video,start [µs],end [µs],label", "a,2000000,4500000,x", "b,500000,1000000,y"), {}),
        (table("video,start_minutes,end_minutes,label", "a,0.0333333,0.075,x", "b,0.0083333,0.0166667,y"), {}),
        (table("video,Startbild,Endbild,Klasse", "a,50,112,x", "b,13,25,y"), {"rate": 25}),
        (table("video,onset_s,duration,label", "a,2,2.5,x", "b,0.5,0.5,y"), {}),
        (table("video,onset_s,duration_samples,label", "a,2,250,x", "b,0.5,50,y"), {"rate": 100}),
        (table("video,start_ms,duration_s,label", "a,2000,2.5,x", "b,500,0.5,y"), {}),
        (
            table(
                "video,start_frame,stop_frame,start_time,stop_time,label", "a,6,13,0:02,0:04.5,x", "b,1,3,0:00.5,0:01,y"
            ),
            {},
        ),
        (table("video,start,end,start_frame,end_frame,label", "a,2,4.5,60,135,x", "b,0.5,1,15,30,y"), {}),
        (table("video,start,end,label", "a,0:00:02,0:04.5,x", "b,00:00.5,00:01,y"), {}),
        (table("video,start_ms,end_s,label", "a,2000,4.5,x", "b,500,1,y"), {}),
        (table("video,start,end,label", "a,2000,4500,x", "b,500,1000,y"), {"unit": "milliseconds"}),
        (table("video,start,end,label", "a,50,112,x", "b,13,25,y"), {"unit": "frames", "rate": 25}),
        (table("video,t0,t1_ms,label", "a,2000,4500,x", "b,500,1000,y"), {"columns": {"start": "t0", "end": "t1_ms"}}),
        (table("video,start,end,duration_s,label", "a,2000,4500,2.5,x", "b,500,1000,0.5,y"), {}),
        (table(PLAIN, "a,2000,4500,x", "b,500,1000,y"), {"recordings": "video,duration\na,5\nb,1.2\n"}),
        (table(PLAIN, "a,50,112,x", "b,13,25,y"), {"recordings": "video,length_s,fps\na,5,25\nb,1,25\n"}),
        (table(PLAIN, "a,2,4.5,x", "b,0.5,1,y"), {"recordings": "video,duration_ms\na,5000\nb,2000\n"}),
        (table("video,start_index,end_index,label", "a,50,112,x", "b,13,25,y"), {"unit": "samples", "rate": 25}),
    ],
)
def test_a_name_or_the_files_tell_the_unit(bring, text, options):
    found = segments(bring(text, **options))
    for video, rows in SECONDS.items():
        assert [row[2] for row in found[video]] == [rows[0][2]]
        assert found[video][0][:2] == pytest.approx(rows[0][:2], abs=0.03)


@pytest.mark.parametrize(
    ("text", "options", "question"),
    [
        ("start_sec,end_sec", {"unit": "frames", "rate": 25}, "has times in seconds by the name of 'start_sec'"),
        ("start_ms,end_ms", {"unit": "seconds"}, "has times in milliseconds by the name of 'start_ms' and 'end_ms'"),
        ("start_frame,end_frame", {"unit": "samples", "rate": 9}, "has times in frames by the name of 'start_frame'"),
        ("start_frame,end_frame", {}, "row 2: the times are in frames without a rate; give the frames per second"),
        ("start_sample,end_sample", {}, "row 2: the times are in samples without a rate"),
        ("start_idx,end_idx", {}, "are whole numbers and they are numbers of something ('start_idx' and 'end_idx')"),
        ("start,end", {}, "are whole numbers and they reach 7200, so their unit is not clear; say it"),
        ("start,end", {"recordings": "video,duration\na,100\nb,90\n"}, "reach 7200 in recording 'b', which lasts 90 s"),
        ("start,end", {"recordings": "video,fps\na,30\nb,30\n"}, "are whole numbers and frame rates are given"),
        ("onset_index,offset_index", {}, "their unit is not clear; say it, e.g. --unit seconds"),
    ],
)
def test_what_tells_no_unit_is_asked_and_a_contradiction_refused(bring, tmp_path, text, options, question):
    rows = table(f"video,{text},label", "a,3600,5400,x", "b,25,7200,y")
    message = refused(tmp_path, bring, rows, **options)
    assert question in message and "\n" not in message


def test_two_ways_of_telling_times_must_agree(bring, tmp_path):
    head = "video,start_s,end_s,start_ms,end_ms,label"
    message = refused(tmp_path, bring, table(head, "a,2,4.5,2000,9500,x", "b,0.5,1,500,1000,y"))
    assert "tells the times twice, in 'start_s' and 'end_s' and 'start_ms' and 'end_ms', and they differ" in message
    assert segments(bring(table(head, "a,2,4.5,2000,4500,x", "b,0.5,1,500,1000,y"))) == SECONDS


@pytest.mark.parametrize(("unit", "factor"), [("us", 10**6), ("ms", 1000), ("s", 1)])
def test_frame_numbers_beside_timestamps_tell_their_unit(bring, unit, factor):
    rows = [{"timestamps": [2 * factor, 4 * factor], "frame_ids": [60, 120], "label": "x"}]
    about = {"frame_rate": 30.0, "num_frames": 300}
    content = {name: {"metadata": about | {"split": name}, "action_localisation": rows} for name in ("train", "test")}
    file = bring(content, "source.json")
    assert segments(file) == {name: [(2.0, 4.0, "x")] for name in ("train", "test")}
    assert {video.duration_sec for video in file.videos.values()} == {10.0}


def test_few_times_beyond_the_recordings_are_a_fault_and_no_other_unit(bring, tmp_path):
    rows = [f"a,{i},{i + 1},x" for i in range(9)] + ["a,900,1000,y", "b,1,2,x"]
    message = refused(tmp_path, bring, table("video,start,end,label", *rows), recordings="video,duration\na,10\nb,10\n")
    assert "row 11: segment 900 to 1000 s is beyond the recording's 10 s" in message


def test_a_length_beside_start_and_end_may_be_the_recordings(bring):
    file = bring(table("video,start,end,length,label", "a,2,4.5,30,x", "a,5,7,30,x", "b,0.5,1,20,y", "b,1,2.5,20,y"))
    assert {name: video.duration_sec for name, video in file.videos.items()} == {"a": 30.0, "b": 20.0}


def test_a_frame_rate_of_the_videos_may_be_another_than_that_of_the_labels(bring, tmp_path):
    videos = "abcde"
    rows = [f"{video},{30 * i},{30 * i + 300},x" for video in videos for i in (0, 50)]
    text = table("video,start_frame,end_frame,label", *rows)
    listed = "video,duration,fps\n" + "".join(f"{video},62,60\n" for video in videos)
    message = refused(tmp_path, bring, text, recordings=listed)
    assert "the last actions end after 48 % of their recordings (median)" in message and "--rate" in message
    assert segments(bring(text, recordings=listed, rate=30))["a"] == [(0.0, 10.0, "x"), (50.0, 60.0, "x")]
    assert "--unit" in refused(tmp_path, bring, text.replace("_frame", ""), recordings=listed)


def test_a_length_that_contradicts_start_and_end_is_told(bring, tmp_path):
    text = table("video,start,end,duration,label", "a,1.0,4.5,3.5,x", "a,5.0,90.0,2.5,x", "b,2,3,1,x")
    assert "row 3: 5 to 90 s do not last 2.5, as the row says" in refused(tmp_path, bring, text)


def test_lengths_without_a_unit_that_reach_beyond_the_next_segments_are_asked(bring, tmp_path):
    rows = [f"{video},{10 * i + 0.5},2500,x" for video in "ab" for i in range(4)]
    said = refused(tmp_path, bring, table("video,start_s,duration,label", *rows))
    assert "reach beyond the next segments, if they are in seconds; tell their unit in the column's name" in said
    file = bring(table("video,start_s,duration_ms,label", *rows))
    assert segments(file)["a"][:2] == [(0.5, 3.0, "x"), (10.5, 13.0, "x")]


def test_a_segments_length_can_be_mapped(bring, tmp_path):
    head = "video,Time_Relative_hms,Time_Relative_sf,Duration_sf,Behavior,Event_Type"
    rows = [f"{video},00:00:01,1.5,2.25,walk,State start" for video in "ab"]
    assert "or a segment's length, --column span=NAME" in refused(
        tmp_path, bring, table("video,begins,lasting,label", "a,1,2,x"), columns={"start": "begins"}
    )
    found = {"start": "Time_Relative_sf", "span": "Duration_sf", "label": "Behavior"}
    assert segments(bring(table(head, *rows), columns=found))["a"] == [(1.5, 3.75, "walk")]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (
            table("video;start;end;label", "a;987,5;990,5;x", "b;1.234;1.300;y"),
            "'987,5' and '1.300' may hold thousands",
        ),
        (table("video\tstart\tend\tlabel", "a\t987.5\t990.5\tx", "b\t1,234\t1,300\ty"), "decimals; write all with one"),
        (table("video;start_ms;end_ms;label", "a;500;900;x", "b;1.500;61.250;y"), "'1.500' and '61.250' may hold"),
        (table(PLAIN, "a,00:01:12,00:02:10,x", "b,00:01:72,00:02:80,y"), "'start' is no time: '00:01:72'; write a"),
        (table(PLAIN, "a,00:72:10,00:80:10,x"), "'start' is no time: '00:72:10'"),
        (table(PLAIN, "a,00:00:01:12,00:00:03:00,x"), "'start' is no time: '00:00:01:12'"),
        (table(PLAIN, "a,1_0,2_0,x"), "'start' is no time: '1_0'"),
    ],
)
def test_numbers_and_clocks_that_may_mean_something_else_are_refused(bring, tmp_path, text, seen):
    assert seen in refused(tmp_path, bring, text)


def test_each_file_has_its_own_decimal_sign_and_milliseconds_may_have_parts(bring):
    folder = {"a.txt": "2,0\t4,5\tx\n", "b.txt": "0.5\t1\ty\n"}
    assert segments(bring(folder, "folder")) == SECONDS
    text = table("video;start_ms;end_ms;label", "a;2000.000;4500.000;x", "b;500.000;1000.000;y")
    assert segments(bring(text)) == SECONDS


def test_a_millisecond_is_no_shorter_than_a_millisecond(bring):
    assert segments(bring(table(PLAIN, "a,38.094,38.095,x", "b,0.002,0.003,y")))["b"] == [(0.002, 0.003, "y")]
