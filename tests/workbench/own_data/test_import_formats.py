"""Formats of published data sets and of other programs, as they are found."""

import pytest
from imported import refused, segments, subsets

from afkit.files import read_json
from afkit.workbench.own_data.exporting import export_annotations
from afkit.workbench.own_data.importing import describe, import_annotations

CHARADES = """id,subject,scene,quality,objects,actions,length
46GP8,HR43,Kitchen,6,food;cup,c092 11.90 21.20;c147 0.00 12.60,24.83
N11GT,0KZ7,Kitchen,,cup,c098 3.60 9.30,18.17
"""
DETAILS = {"resolution": "1920x1080", "url": None}


def test_charades_as_a_table(bring):
    file = bring(CHARADES, columns={"group": "subject"})
    assert segments(file) == {"46GP8": [(0.0, 12.6, "c147"), (11.9, 21.2, "c092")], "N11GT": [(3.6, 9.3, "c098")]}
    assert {name: video.duration_sec for name, video in file.videos.items()} == {"46GP8": 24.83, "N11GT": 18.17}


def test_the_text_files_of_thumos14_and_multithumos(bring):
    folder = {
        "BaseballPitch_val.txt": "video_validation_0000266  72.80 76.40\nvideo_validation_0000266 0.1 1\n",
        "Diving_test.txt": "video_test_0000004 1.5 2.5\n",
        "Diving_val.txt": "video_validation_0000267 1.5 2.5\n",
        "TwoHandedCatch.txt": "video_test_0000004 2.0 3.0\n",
    }
    file = bring(folder, "folder")
    assert segments(file)["video_test_0000004"] == [(1.5, 2.5, "Diving"), (2.0, 3.0, "TwoHandedCatch")]
    assert segments(file)["video_validation_0000266"] == [(0.1, 1.0, "BaseballPitch"), (72.8, 76.4, "BaseballPitch")]
    assert subsets(file) == {
        "video_test_0000004": "test",
        "video_validation_0000266": "validation",
        "video_validation_0000267": "validation",
    }


def row(start, end, label, **more):
    return {"segment": [start, end], "label": label, **more}


@pytest.mark.parametrize(
    "content",
    [
        {  # FineAction
            "version": "1.0",
            "taxonomy": [],
            "database": {
                "a": DETAILS | {"filename": "a.mp4", "subset": "training", "annotations": [row(0.5, 2, "x", id=1)]},
                "b": DETAILS | {"filename": "b.mp4", "subset": "testing", "annotations": [row(1, 3.25, "y", id=2)]},
            },
        },
        {  # MUSES
            "database": {
                "a": {"subset": "training", "annotations": [row("0.5", "2", "x", label_id="3")]},
                "b": {"subset": "testing", "annotations": [row(1.0, 3.25, "y", label_id="4")]},
            }
        },
        {"videos": [{"id": "a", "split": "training", "events": [{"t": {"start": 0.5, "end": 2}, "label": "x"}]},
                    {"id": "b", "split": "testing", "events": [{"t": {"start": 1, "end": 3.25}, "label": "y"}]}]},
        [{"video": "a.mp4", "subset": "training", "start": 0.5, "end": 2, "label": {"name": "x", "id": 3}},
         {"video": "b.mp4", "subset": "testing", "start": 1, "end": 3.25, "label": {"name": "y", "id": 4}}],
        {"a": {"split": "Training", "segments": [{"timestamp": [0.5, 2], "class": "x"}]},
         "b": {"split": "Testing", "segments": [{"timestamp": [1, 3.25], "class": "y"}]}},
        {"a": {"actions": [{"start": 0.5, "end": 2.0, "action": "x"}]},
         "b": {"actions": [{"start": 1, "end": 3.25, "action": "y"}]}},
        {"a": [[0.5, 2, "x"]], "b": [["1", "3.25", "y"]]},
        {"a": [{"segment": "[0.5, 2]", "label": "x"}], "b": [{"segment": "[1, 3.25]", "label": "y"}]},
        {"a": {"subset": "training", "segments": [[0.5, 2]], "labels": ["x"]},
         "b": {"subset": "testing", "segments": [[1, 3.25]], "labels": ["y"]}},
        {"categories": [{"id": 3, "name": "x"}, {"id": 4, "name": "y"}],
         "videos": [{"id": 1, "file_name": "a.mp4"}, {"id": 2, "file_name": "b.mp4"}],
         "annotations": [{"video_id": 1, "subset": "training", "segment": [0.5, 2], "category_id": 3},
                         {"video_id": 2, "subset": "testing", "segment": [1, 3.25], "category_id": 4}]},
        [{"data": {"video": "/x/a.mp4", "split": "training"},
          "annotations": [{"id": 1, "result": [{"value": {"start": 0.5, "end": 2, "labels": ["x"]}}]}]},
         {"data": {"video": "/x/b.mp4", "split": "testing"},
          "annotations": [{"id": 2, "result": [{"value": {"start": 1, "end": 3.25, "labels": ["y"]}}]}]}],
    ],
)  # fmt: skip
def test_videos_and_rows_nested_in_many_ways(bring, content):
    file = bring(content, "source.json")
    assert segments(file) == {"a": [(0.5, 2.0, "x")], "b": [(1.0, 3.25, "y")]}
    if "split" in str(content) or "subset" in str(content):
        assert len(set(subsets(file).values())) == 2


def test_several_lists_of_a_video_are_chosen_by_name(bring, tmp_path):
    video = {"subset": "t", "action_localisation": [row(0.5, 2, "x")], "sound_localisation": [row(1.5, 2, "bang")]}
    with pytest.raises(ValueError, match="has several lists of annotations: action_localisation, sound_localisation"):
        bring({"a": video, "b": video}, "source.json")
    file = bring({"a": video, "b": video}, "source.json", tiers=["sound_localisation"])
    assert segments(file)["a"] == [(1.5, 2.0, "bang")]


SRT = "1\n00:00:01,500 --> 00:00:02,000\n<i>walk</i>\nfast\n\n2\n0:00:03,000 --> 0:00:04,250 X1:5\nsit (0.5)\n"
VTT = "WEBVTT - x\n\nNOTE not a label\nat all\n\nSTYLE\n::cue {}\n\nname\n00:01.500 --> 00:02.000 line:0\nwalk fast\n\n"
VTT += "00:03.000 --> 00:04.250\n<v Ann>sit (0.5)</v>\n"


@pytest.mark.parametrize("text", [SRT, SRT.replace("\n", "\r\n"), VTT, SRT.replace("\n\n", "\n")])
def test_subtitles_of_other_programs(bring, text):
    ending = "vtt" if "WEBVTT" in text else "srt"
    file = bring({f"a.{ending}": text, f"b.{ending}": text}, "folder")
    assert segments(file) == {name: [(1.5, 2.0, "walk fast"), (3.0, 4.25, "sit (0.5)")] for name in "ab"}


def test_lines_with_decimal_commas_and_labels_first(bring):
    folder = {"a.txt": "0,5 1,5 walk fast\n2;3,25;sit\n4, 5, jump high\n", "b.txt": "0.5\t1.5\twalk fast\n"}
    assert segments(bring(folder, "folder")) == {
        "a": [(0.5, 1.5, "walk fast"), (2.0, 3.25, "sit"), (4.0, 5.0, "jump high")],
        "b": [(0.5, 1.5, "walk fast")],
    }


def test_numbered_lines_of_labels_are_no_labels_per_step(bring):
    with pytest.raises(ValueError, match="its lines hold a number and a label"):
        bring({"a.txt": "0 walk\n1 walk\n2 sit\n"}, "folder", form="steps", rate=2)


def test_a_table_of_samples_gives_its_labels_per_step(bring):
    rows = "".join(f"{i % 5 * 0.1:.1f},{1000 + 20 * i},{'sit' if i < 50 else 'walk'}\n" for i in range(100))
    file = bring({"s1_1.csv": f"x_acc,timestamp,label\n{rows}", "s2_1.csv": f"x_acc,timestamp,label\n{rows}"},
                 "folder", form="steps", rate=50)  # fmt: skip
    assert segments(file)["s1_1"] == [(0.0, 1.0, "sit"), (1.0, 2.0, "walk")]


BLANK = [""] * 20 + ["walk"] * 30 + [""] * 20 + ["sit"] * 30
TRUTH = [(2.0, 5.0, "walk"), (7.0, 10.0, "sit")]


@pytest.mark.parametrize("empty", ["", '""'])
def test_empty_rows_of_a_column_of_steps_are_steps_without_label(bring, empty):
    text = "\n".join(["label", *(label or empty for label in BLANK), ""])
    file = bring({"a.csv": text, "b.csv": text}, "folder", form="steps", rate=10, fix=["empty"])
    assert segments(file)["a"] == TRUTH and file.videos["a"].duration_sec == 10
    lines = "\n".join([*BLANK, ""])
    assert (
        segments(bring({"c.txt": lines, "d.txt": lines}, "folder", form="steps", rate=10, fix=["empty"]))["c"] == TRUTH
    )


def steps(head, rows):
    return f"video,{head},label\n" + "".join(f"{video},{at},{label}\n" for video in "ab" for at, label in rows)


SPARSE = [(i, label) for i, label in enumerate(BLANK) if label]


@pytest.mark.parametrize(
    ("head", "rows", "rate"),
    [
        ("frame", SPARSE, 10),
        ("frame_idx", SPARSE, 10),
        ("frame", [(i + 1, label) for i, label in enumerate(BLANK)], 10),
        ("time", [(f"{i / 10:.1f}", label) for i, label in SPARSE], 10),
        ("time_ms", [(100 * i, label) for i, label in SPARSE], 10),
        ("frame", [(5 * i, label) for i, label in SPARSE], 50),
    ],
)
def test_a_column_of_frames_or_times_tells_the_steps(bring, head, rows, rate):
    assert segments(bring(steps(head, rows), form="steps", rate=rate, fix=["empty"]))["a"] == TRUTH


@pytest.mark.parametrize(
    ("head", "rows", "said"),
    [
        (
            "time",
            [(f"{i / 10:.1f}", label) for i, label in SPARSE],
            "row 2: by 'time' there are 10 labels a second, not 25",
        ),
        ("frame", [(i % 40, label) for i, label in SPARSE], "row 22: 'frame' does not rise by step; correct or remove"),
    ],
)
def test_a_column_of_steps_that_falls_or_tells_another_rate_is_refused(bring, tmp_path, head, rows, said):
    assert said in refused(tmp_path, bring, steps(head, rows), form="steps", rate=25)


def test_times_of_samples_in_batches_are_counted(bring):
    rows = [(i // 10, label) for i, label in enumerate(BLANK)]
    assert segments(bring(steps("time", rows), form="steps", rate=10, fix=["empty"]))["a"] == TRUTH


def test_rows_that_begin_with_a_number_sign_are_no_comments(bring, tmp_path):
    text = "# exported, 10:00:00\nvideo,start,end,label\n#1_day1,1,2,walk\n# a remark\n#2_day1,3,4,walk\n"
    file = bring(text)
    assert segments(file) == {"#1_day1": [(1.0, 2.0, "walk")], "#2_day1": [(3.0, 4.0, "walk")]}
    assert "1 lines below the names that begin with # and are no rows are left out" in describe(bring.report)
    nameless = bring(
        "#1_day1,1,2,walk\n#2_day1,3,4,walk\n", columns={"video": "1", "start": "2", "end": "3", "label": "4"}
    )
    assert list(nameless.videos) == ["#1_day1", "#2_day1"]
    source = tmp_path / "mine.json"
    (tmp_path / "out" / "mine.json").rename(source)
    (table,) = export_annotations(source, tmp_path / "sent", "csv")
    import_annotations(table, tmp_path / "back.json", like=source)
    assert read_json(tmp_path / "back.json") == read_json(source)


def test_lengths_of_columns_without_names_as_in_speech(bring):
    text = "SPEAKER a 1 1.5 2.5 <NA> <NA> x <NA>\nSPEAKER b 1 3 1 <NA> <NA> y <NA>\n"
    columns = {"video": "2", "start": "4", "span": "5", "label": "8"}
    assert segments(bring(text, "a.rttm", form="csv", columns=columns)) == {"a": [(1.5, 4.0, "x")], "b": [(3, 4, "y")]}


def test_a_label_that_looks_like_an_action_of_charades_is_a_label(bring):
    text = "video,start,end,label\na,1,2,take 1 2\nb,3,4,take 1 3\n"
    assert segments(bring(text)) == {"a": [(1.0, 2.0, "take 1 2")], "b": [(3.0, 4.0, "take 1 3")]}


def test_recordings_of_kinetics_and_labels_in_quotes_after_a_blank(bring):
    text = 'label, youtube_id, time_start, time_end, split\n"x, y", v1, 1, 11, train\n"z", v2, 5, 15, test\n'
    assert segments(bring(text)) == {"v1": [(1.0, 11.0, "x, y")], "v2": [(5.0, 15.0, "z")]}


def test_a_column_for_each_tier_of_elan_is_known_by_the_names_of_its_times(bring):
    text = "Begin Time - ss.msec\tEnd Time - ss.msec\tPosture\tGaze\n1.5\t3\tsit\t\n2\t4\t\tleft\n"
    assert segments(bring({"a.txt": text, "b.txt": text}, "folder", tiers=["Posture"]))["b"] == [(1.5, 3.0, "sit")]


def test_how_a_subtitle_is_drawn_is_no_part_of_its_label(bring):
    cues = ["{\\an8}<lang en>walk</lang>", "<00:00:03.500><c.red>sit</c>"]
    text = "WEBVTT\n" + "".join(f"\n00:0{i}.000 --> 00:0{i}.500\n{cue}\n" for i, cue in enumerate(cues, 1))
    assert segments(bring({"a.vtt": text, "b.vtt": text}, "folder"))["a"] == [(1.0, 1.5, "walk"), (2.0, 2.5, "sit")]


def test_recordings_named_by_addresses(bring):
    names = "https://x.org/f/day%201.mp4?token=3.wav", "file:///C:/films/day2.MP4"
    text = "video,start,end,label\n" + "".join(f"{name},1,2,x\n" for name in names)
    assert set(segments(bring(text))) == {"day 1", "day2"}


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "index"])
def test_rows_that_pandas_left_out_are_known_by_its_index(bring, tmp_path, name):
    def table(*rows):
        return "\n".join([f"{name},video,label", *rows]) + "\n"

    def steps(*rows):
        return segments(bring(table(*rows), form="steps", rate=10, draw=False))

    assert steps("0,a,x", "1,a,x", "57,a,y", "58,a,y") == {"a": [(0.0, 0.2, "x"), (5.7, 5.9, "y")]}
    assert steps("0,a,x", "1,a,x", "2,b,y", "3,b,y") == {"a": [(0.0, 0.2, "x")], "b": [(0.0, 0.2, "y")]}
    assert steps("0,a,x", "1,a,x", "9,a,x", "0,b,y", "1,b,y")["b"] == [(0.0, 0.2, "y")]
    rows = "0,a,x", "1,a,x", "9,b,y", "19,b,y"
    said = refused(tmp_path, bring, table(*rows), form="steps", rate=10)
    assert "counts on over the recordings, and has gaps; write a column 'frame' for each" in said


def test_rows_of_json_that_name_their_recordings_below_a_subset(bring, tmp_path):
    content = {name: [{"video": f"{name}1", "start": 1, "end": 2, "label": "x"}] for name in ("train", "test")}
    said = refused(tmp_path, bring, content, "a.json")
    assert "tells the recordings twice, as 'train' and in 'video', and they differ" in said
    assert set(segments(bring(content, "a.json", columns={"video": "video"}))) == {"train1", "test1"}
    assert set(segments(bring(content, "a.json", columns={"video": "file"}))) == {"train", "test"}


def test_a_list_in_json_can_be_a_tier(bring):
    rows = [{"video": name, "start": 1, "end": 2, "label": "x", "who": [1, 2]} for name in "ab"]
    assert set(segments(bring(rows, "a.json", columns={"tier": "who"}))) == {"a", "b"}
