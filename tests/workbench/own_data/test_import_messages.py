"""What is said of files that cannot be read as they are: what was seen, and the next step; empty cells; --fix."""

import json

import h5py
import numpy as np
import pytest
from imported import refused, segments

from afkit.__main__ import main
from afkit.data.feature_formats import open_array
from afkit.workbench.own_data.importing import describe
from afkit.workbench.survey.suggest import suggest

RAVEN = "Selection\tView\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tSpecies\n1\tw\t1.5\t2.5\t100\tcrow\n"
VIA = '# Exported\n# CSV_HEADER = id,file_list,coordinates\n"1_x","[""one.mp4""]","[1.5,2.5]","{""1"":""walk""}"\n'
BORIS = "Time,Media file path,FPS,Subject,Behavior,Status\n1.5,a.mp4,60,s1,walk,START\n2.5,a.mp4,60,s1,walk,STOP\n"
STUDIO = [{"id": 1, "annotations": [{"result": [{"value": {"start": 1.5, "labels": ["x"]}}]}]}]
BORIS_PROJECT = '{"time_format": "hh:mm:ss", "project_name": "p", "project_format_version": "7.0", "observations": {}}'
CAPTIONS = {"v": {"duration": 9.5, "timestamps": [[0.5, 4], [5, 7]], "sentences": ["A man sits", "He walks"]}}


@pytest.mark.parametrize(
    ("name", "content", "seen"),
    [
        ("a.txt", RAVEN, "no column for 'label'; its columns are Selection, View, 'Begin Time (s)'"),
        ("a.csv", VIA, "without names: 1: '1_x', 2: '[\"one.mp4\"]', 3: '[1.5,2.5]'"),
        ("a.csv", BORIS.replace("STOP", "PAUSE"), "row 3: expected START, STOP or POINT, found 'PAUSE'; correct it"),
        ("a.json", STUDIO, "nothing in its column for 'end'; its columns are 'start [s]', 'end [s]', label, comment"),
        ("a.json", CAPTIONS, "no column for 'label'; its columns are timestamps, sentences; name it"),
        ("a.json", {"info": {"by": "Ann"}, "n": 3}, "1 recordings, which say by"),
        ("a.json", {"a": {"fps": 25, "tags": ["x"]}}, "which say fps"),
        ("a.json", [1, 2], "has no videos, but [1, 2]"),
        ("a.json", [{"annotations": [{"start": 1, "end": 2}]}], "none of its keys annotations names the video"),
        ("a.eaf", '<?xml version="1.0"?>\n<ANNOTATION_DOCUMENT>', "can open (ParseError: no element found"),
        ("a.txt", '<?xml version="1.0"?>\n<ANNOTATION_DOCUMENT>', "it looks like eaf, so try --format eaf"),
        ("a.TextGrid", "x", "begin as a TextGrid does, with File type = \"ooTextFile\"; save it in Praat"),
        ("a.txt", 'File type = "ooTextFile"\n', "it looks like textgrid, so try --format textgrid"),
        ("a.xlsx", "PK\x03\x04", "looks like a spreadsheet; save the sheet as CSV"),
        ("a.boris", BORIS_PROJECT, "looks like a project of BORIS; export its events as a table"),
        ("a.json", BORIS_PROJECT, "looks like a project of BORIS; export its events as a table"),
        ("folder", {"a.csv": "start,end,label\n1,2,x\n", "a.txt": "1 2 x\n"}, "a.txt and a.csv are of one name"),
        ("a.csv", "video,start,end,label\na,23:59:50,0:00:10,x\n", "is reversed, as over midnight; write"),
        ("a.xml", "<?xml version='1.0'?>\n<annotations/>", "looks like XML; export a table with start, end and label"),
        ("a.txt", "[Script Info]\n[Events]\nDialogue: 0,0:00:01.5", "subtitles of SubStation; save them as .srt"),
        ("a.jsonl", '{"video": "a"}\n{"video": "b"}\n', "looks like a JSON object a line; join them to one list"),
        ("a.csv", 'video,start,end,label\na,1,2,"x\nb,3,4,y\n', "row 3: a cell holds whole rows, as after a quote"),
        ("a.csv", "who,start,end,label,split\na,1,2,x,train\n", "no column says which recording a row is of; its"),
        ("a.csv", "video,start,end,label\na,0:01,,x\na,0:01,0:02,y\n", "row 2: a time is not finite, or missing"),
        ("a.mat", "MATLAB 5.0", "looks like an array file"),
        ("a.txt", "1\n00:00:01,000 --> 00:00:02,000\nwalk\n", "it looks like srt, so try --format srt"),
        ("a.txt", '{"a": []}', "it looks like json, so try --format json"),
        ("a.labels", "1.5\t2.5\twalk\n", "it looks like text, so try --format text"),
        ("a.dat", "video,start,end,label\na,1,2,x\n", "it looks like csv, so try --format csv"),
        ("a.srt", "walk\nsit\n", "has no line with '-->'"),
        ("a.csv", "video,start,end,label\n", "a.csv has the columns video, start, end, label and no rows"),
        ("a.csv", "video;start;end;label\na;1;2;3;4\n", "5 cells under 4 columns (video, start, end, label)"),
        ("a.csv", "video,start,end,label\na,1,5,2,5,x\n", "perhaps a decimal comma; separate cells by semicolons"),
        ("a.csv", 'video,start,end,label\na,"1,234","2,500",x\n', "'1,234' may be a thousand or a decimal comma"),
        ("a.csv", "video,start,end,label\na,soon,2,x\n", "row 2: 'start' is no time: 'soon'; write a number, or"),
        ("a.csv", "time,label\n0,x\n1,x\n", "or, where each row is the label of a time step, give --format steps"),
        ("folder", {"a.doc": "x", "b.pdf": "y"}, ".vtt, .eaf, .textgrid, .json, .edf, .bdf, .hea, but"),
    ],
)  # fmt: skip
def test_what_was_seen_and_the_next_step_are_told(bring, tmp_path, name, content, seen):
    message = refused(tmp_path, bring, content, name)
    assert seen in message and len(message) < 700


def test_one_recording_makes_no_split_but_a_table_can_name_its_subset(bring, tmp_path):
    text = "start,end,label,session\n1,2,x,a\n3,4,x,b\n"
    message = refused(tmp_path, bring, text)
    assert "add another, or a column 'subset' (here, or in a table for --recordings)" in message
    assert "if one of the columns start, end, label, session names the recording, --column video=NAME" in message
    assert set(bring(text, recordings="video,subset\nsource,training\n").videos) == {"source"}


@pytest.mark.parametrize(
    "empty", ["", " ", "NA", "N/A", "n.a.", "-", "--", "nan", "NULL", "leer", "vide", "vacío", "空"]
)
def test_empty_cells_have_many_spellings(bring, tmp_path, empty):
    text = f"video,start,end,label,subset\na,1,2,x,t\nquiet,{empty},{empty},{empty},v\nb,1,2,x,v\n"
    assert "row 3: recording 'quiet' has no annotation" in refused(tmp_path, bring, text)
    text = f"video,start,end,label,subset\na,1,2,x,t\nb,1,2,{empty},t\nc,{empty},2,x,t\nb,3,4,x,t\nc,3,4,x,t\n"
    message = refused(tmp_path, bring, text)
    assert "row 3: the label is empty" in message and "row 4: a time is not finite, or missing" in message


def test_a_label_that_is_spelled_like_an_empty_cell_can_be_named(bring):
    text = "video,start,end,label\na,1,2,leer\nb,1,2,voll\n"
    assert segments(bring(text, labels=["leer", "voll"])) == {"a": [(1.0, 2.0, "leer")], "b": [(1.0, 2.0, "voll")]}


# ---- repairs


def many(wrong, right):
    rows = [("a,{1},{0},x" if i < wrong else "a,{0},{1},x").format(2 * i + 1, 2 * i + 2) for i in range(wrong + right)]
    return "video,start,end,label\nb,0,1,x\n" + "\n".join(rows) + "\n"


def test_fix_repairs_few_rows_and_asks_before_it_changes_many(bring, tmp_path):
    message = refused(tmp_path, bring, many(20, 80), fix=True)
    assert "20 problems" in message and "(20 reversed)" in message
    assert "repair 20 with --fix=reversed (20 of 101 rows are of the kind reversed, more than --fix alone" in message
    assert len(segments(bring(many(20, 80), fix=["", "reversed"]))["a"]) == 100
    assert len(segments(bring(many(5, 95), fix=True))["a"]) == 100
    for wrong in (1, 2, 4):  # rows that are all wrong are never repaired unasked
        assert "of the kind reversed" in refused(tmp_path, bring, many(wrong, 0).replace("b,0,1,x\n", ""), fix=True)
    message = refused(tmp_path, bring, many(30, 10) + "a,500,501,\n")
    assert "31 problems" in message and "(30 reversed, 1 empty)" in message
    assert "row 43: the label is empty" in message and message.splitlines()[-1] == "... and 11 more"


def test_the_kind_of_a_repair_must_be_known(bring, tmp_path, capsys):
    assert "--fix knows no kind 'revers'; choose from: unlisted" in refused(tmp_path, bring, many(1, 9), fix=["revers"])
    (tmp_path / "a.csv").write_text(many(20, 80))
    command = ["import", str(tmp_path / "a.csv"), str(tmp_path / "a.json")]
    assert main([*command, "--fix"]) == 2 and not (tmp_path / "a.json").exists()
    assert "--fix=reversed" in capsys.readouterr().err
    assert main([*command, "--fix=reversed"]) == 0


def test_a_message_of_overlaps_names_the_way_that_keeps_them_first(bring, tmp_path):
    text = "video,start,end,label\na,1,3,x\na,2,4,x\nb,1,2,x\nb,5,4,x\nb,8,9,x\nb,10,11,x\n"
    message = refused(tmp_path, bring, text).splitlines()[0]
    assert "(1 reversed, 1 overlaps)" in message
    assert message.index("--allow-overlaps") < message.index("--fix")
    only = refused(tmp_path, bring, text.replace("b,5,4,x\n", "")).splitlines()[0]
    assert only.endswith(
        "accept overlaps of a label with --allow-overlaps, if they are meant (several people or sources), or correct, "
        "or repair 1 with --fix (fix=True):"
    )


def test_the_report_counts_changes_and_notes_by_kind(bring):
    text = many(30, 700) + "".join(f"a,{2000 + i},{2000 + i + 0.5},rare{'abcdefgh'[i]}\n" for i in range(8))
    bring(text.replace("b,0,1,x", "b,0,1,x\nc,0,1,x"), fix=True, seed=3)
    shown = describe(bring.report).splitlines()
    assert sum("reversed" in line for line in shown) == 1
    assert any("and 29 more: segment" in line and "(30 of the kind reversed)" in line for line in shown)
    assert len([line for line in shown if line.startswith("note:")]) == len(bring.report.notes) <= 5
    assert len(shown) < 15


# ---- what looks alike


def test_labels_that_differ_by_an_accent_or_a_letter_are_noted(bring):
    labels = ["Preparação", "Preparacao", "jumping", "jumpng", "walk1", "walk2", "cut", "cup", "talking", "walking"]
    rows = [f"{'ab'[i % 2]},{i},{i + 0.5},{label}" for i, label in enumerate(labels)]
    bring("\n".join(["video,start,end,label", *rows, *(f"c,{row[2:]}" for row in rows)]) + "\n")
    (note,) = [note for note in bring.report.notes if "differ by" in note]
    assert "'Preparacao' and 'Preparação', 'jumping' and 'jumpng'; if they are one, write them alike" in note


@pytest.mark.parametrize(
    ("names", "who"),
    [
        (["s01_01", "s01_02", "s02_01", "s02_02"], "s01"),
        (["P01_101", "P01_102", "P02_01"], "p01"),
        (["acc_exp01_user01", "acc_exp02_user01", "acc_exp03_user02"], "user01"),
        (["mouse3-day1", "mouse3-day2", "mouse4-day1"], "mouse3"),
        (["video_test_0001", "video_test_0002", "v_a", "v_b"], ""),
        (["day1", "day2", "day3"], ""),
        (["cam1_a", "cam1_b", "cam2_a"], ""),
    ],
)
def test_recordings_of_one_person_in_two_subsets_are_noted(bring, names, who):
    rows = "".join(f"{name},1,2,x,{('training', 'test')[i % 2]}\n" for i, name in enumerate(names))
    bring("video,start,end,label,subset\n" + rows)
    notes = [note for note in bring.report.notes if "several subsets" in note]
    assert len(notes) == bool(who)
    if who:
        assert notes[0].startswith(f"recordings of '{who}', as {names[0]} and {names[1]}, are in several subsets")
        assert "--column group=NAME" in notes[0]
    rows = "".join(f"s{i // 2}_{i},1,2,x,s{i // 2}\n" for i in range(8))
    bring("video,start,end,label,person\n" + rows, "other.csv", columns={"group": "person"})
    assert not [note for note in bring.report.notes if "several subsets" in note], "a group keeps people together"


# ---- features


def test_files_with_several_arrays_list_them_and_an_axis_of_length_one_is_dropped(tmp_path):
    np.savez(tmp_path / "v.npz", rgb=np.zeros((2, 3)), flow=np.zeros((2, 3)))
    with h5py.File(tmp_path / "all.h5", "w") as file:
        file["b"] = file["c"] = np.zeros((2, 3))
    for name, seen in (("v.npz", "has no array 'feats', but rgb, flow"), ("all.h5", "has no array 'a', but b, c")):
        with pytest.raises(ValueError, match=seen):
            open_array(tmp_path / name, "a", "a")
    for shape in ((2, 1, 3), (1, 2, 3)):
        np.save(tmp_path / "v.npy", np.arange(6.0).reshape(shape))
        np.testing.assert_array_equal(open_array(tmp_path / "v.npy", "v", "v"), np.arange(6.0).reshape(2, 3))


@pytest.mark.parametrize(
    ("files", "seen"),
    [
        ({"v0.pt": b"x"}, "it holds v0.pt, an ending that is not read; save arrays with numpy.save"),
        ({"v0.mat": b"x", "v1.pt": b"x"}, "it holds v0.mat, an ending that is not read"),
        ({"v0/clip1.npy": b"x"}, "it holds folders, such as v0; join the clips of a video into one file (T, C)"),
        ({"x_v0.npy": b"x"}, "it holds x_v0.npy, which is no video's name"),
        ({}, "there is no such folder"),
    ],
)
def test_a_folder_without_features_of_the_videos_says_what_it_holds(tmp_path, files, seen):
    video = {"duration": 8.0, "annotations": [{"segment": [0, 1], "label": "x", "label_id": 0}]}
    content = {"database": {"v0": video | {"subset": "train"}, "v1": video | {"subset": "test"}}}
    (tmp_path / "a.json").write_text(json.dumps(content))
    for name, data in files.items():
        (tmp_path / "f" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "f" / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"no video has features in f; put v0\.npy or the like there") as caught:
        suggest(tmp_path / "a.json", [tmp_path / "f"], data_root=tmp_path, fps=25)
    assert seen in str(caught.value)


@pytest.mark.parametrize(("lengths", "duration"), [([200, 180], None), ([200, 200], 64.0), ([200, 200], None)])
def test_features_with_their_axes_exchanged_are_recognised(tmp_path, lengths, duration):
    (tmp_path / "f").mkdir()
    database = {}
    for (name, subset), length in zip({"v0": "train", "v1": "test"}.items(), lengths, strict=True):
        np.save(tmp_path / "f" / f"{name}.npy", np.zeros((32, length)))
        rows = [{"segment": [40, 60], "label": "x", "label_id": 0}]
        database[name] = {"subset": subset, "annotations": rows} | ({"duration": duration} if duration else {})
    (tmp_path / "a.json").write_text(json.dumps({"database": database}))
    with pytest.raises(ValueError, match=r"they may be \(C, T\): transpose them"):
        suggest(tmp_path / "a.json", [tmp_path / "f"], data_root=tmp_path, fps=25, stride_frames=8, num_frames=16)


@pytest.mark.parametrize("other", ["töur1", "to\u0308ur1", "Töur1", "töur1.mp4"])
def test_recordings_that_are_hardly_told_apart_are_noted(bring, other):
    bring(f"video,start,end,label\nTöur1,1,2,x\n{other},3,4,x\nb,3,4,x\n")
    said = "differ only in case, ending or how accents are coded; if they are one, write them alike"
    assert (said in describe(bring.report)) == (other != "Töur1")


def test_a_repair_that_leaves_nothing_is_not_offered(bring, tmp_path):
    text = "video,start_s,end_s,label\na,100,102,x\nb,110,112,x\n"
    message = refused(tmp_path, bring, text, recordings="video,duration\na,60\nb,60\n")
    assert "2 outside" in message and "--fix=outside" not in message


def test_labels_that_are_known_keep_their_spelling(bring, tmp_path):
    text = "video,start,end,label\na,1,2,walk_on\nb,3,4,walk_on\nb,5,6,Sit\n"
    said = refused(tmp_path, bring, text, labels=["Walk on", "Sit"])
    assert said.count("the label 'walk_on' is elsewhere spelled 'Walk on'") == 2
    assert segments(bring(text, labels=["Walk on", "walk_on", "Sit"]))["a"] == [(1.0, 2.0, "walk_on")]


def test_a_recording_whose_accents_are_coded_otherwise_is_the_listed_one(bring, tmp_path):
    listed, text = "video,subset\nTür1,train\nb,test\n", "video,start,end,label\nTu\u0308r1.wav,1,2,x\nb,3,4,x\n"
    file = bring(text, recordings=listed)
    assert segments(file) == {"Tür1": [(1.0, 2.0, "x")], "b": [(3.0, 4.0, "x")]}
    (tmp_path / "out" / "mine.json").rename(tmp_path / "old.json")
    assert segments(bring(text, like=tmp_path / "old.json")) == segments(file)
    said = refused(tmp_path, bring, text.replace("b,", "B,"), recordings=listed)
    assert "no recording 'B' is listed (but 'b' is)" in said
