"""Annotations of other tools: what is read from each format, ids and subsets, and what is wrong, named and repaired."""

import json
from pathlib import Path

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from imported import refused, segments, subsets

from afkit.__main__ import main
from afkit.data.annotations import read_annotations
from afkit.workbench.own_data.import_recordings import Medium
from afkit.workbench.own_data.importing import describe, import_annotations

CSV = """video,start,end,label,subset
b,1,2,walk,training
a,0.5,3,sit,validation
a,4,5.25,walk,validation
"""


THREE = {"a": [(0.5, 3.0, "sit"), (4.0, 5.25, "walk")], "b": [(1.0, 2.0, "walk")]}


# ---- formats


def test_a_table_becomes_an_annotation_file_with_stable_ids(bring, tmp_path):
    file = bring(CSV)
    assert segments(file) == THREE
    assert file.label_names == {0: "sit", 1: "walk"}
    assert subsets(file) == {"a": "validation", "b": "training"}
    assert bring.report.recordings == {"validation": 1, "training": 1}
    assert bring.report.segments == {"validation": 2, "training": 1}
    with pytest.raises(ValueError, match=r"mine\.json exists; remove it, or name another file"):
        import_annotations(tmp_path / "source.csv", tmp_path / "out" / "mine.json")


def test_frames_and_samples_become_seconds_and_the_rate_is_not_taken_for_that_of_the_features(bring, tmp_path):
    file = bring("video,start,end,label\na,50,125,x\nb,0,25,y\n", unit="frames", rate=25)
    assert segments(file) == {"a": [(2.0, 5.0, "x")], "b": [(0.0, 1.0, "y")]}
    assert {video.fps for video in file.videos.values()} == {None}
    assert any("times were in frames" in change.what for change in bring.report.changes)
    table = "video,fps,subset\na,25,training\nb,50,training\n"  # of each recording, where none is given
    file = bring("video,start,end,label\na,50,100,x\nb,50,100,x\n", unit="samples", recordings=table)
    assert segments(file) == {"a": [(2.0, 4.0, "x")], "b": [(1.0, 2.0, "x")]}


@pytest.mark.parametrize(
    ("rows", "names"),
    [
        ([("zebra", 2), ("ant", 5)], {2: "zebra", 5: "ant"}),  # those of the source
        ([("zebra", -1), ("ant", 0)], {0: "ant", 1: "zebra"}),
        ([("zebra", 3), ("ant", 3)], {0: "ant", 1: "zebra"}),
        ([("zebra", 2), ("ant", None)], {0: "ant", 1: "zebra"}),
        ([("zebra", 2), ("ant", None), ("ant", 5)], {0: "ant", 1: "zebra"}),
        ([("zebra", 2), ("ant", 2**17)], {0: "ant", 1: "zebra"}),  # more classes than a network may have
        ([("zebra", 2), ("ant", 2**63)], {0: "ant", 1: "zebra"}),
        ([("zebra", "2"), ("ant", "--5")], {0: "ant", 1: "zebra"}),
        ([("10", None), ("9", None)], {0: "9", 1: "10"}),  # sorted as numbers
    ],
)
def test_label_ids_of_the_source_are_kept_where_they_can_be_used(bring, rows, names):
    rows = [{"segment": [2 * i, 2 * i + 1], "label": label, "label_id": n} for i, (label, n) in enumerate(rows)]
    rows = [{key: value for key, value in row.items() if value is not None} for row in rows]
    assert bring({"a": {"subset": "t", "annotations": rows}}, "source.json").label_names == names
    assert ("label ids are the sorted labels" in describe(bring.report)) == (0 in names)


@pytest.mark.parametrize(
    "lines",
    [
        "Tier\tBegin Time - hh:mm:ss.ms\tBegin Time - ss.msec\tEnd Time - hh:mm:ss.ms\tEnd Time - ss.msec\tAnnotation\n"
        "act\t00:00:01.500\t1.5\t00:01:02.000\t62.0\twalk fast\n",
        "act\t\t00:00:01.500\t00:01:02.000\twalk fast\n",
        "act\t\t00:00:01.500\t1.500\t1500\t00:01:02.000\t62.000\t62000\t00:01:00.500\t60.500\t60500\twalk fast\n",
        "act\t\t1500\t62000\t60500\twalk fast\n",
        "Tier\tBegin Time - msec\tEnd Time - msec\tAnnotation\nact\t1500\t62000\twalk fast\n",
    ],
)
def test_elan_exports(bring, lines):
    file = bring({"a.txt": lines, "b.txt": lines}, "folder", form="elan")
    assert segments(file) == {"a": [(1.5, 62.0, "walk fast")], "b": [(1.5, 62.0, "walk fast")]}


def test_a_folder_of_text_files_has_a_recording_each(bring):
    text = "1.000000\t2.500000\twalk fast\n\\\t100.0\t200.0\n3.0\t4.0\tsit\n"
    for form in ("audacity", ""):
        file = bring({"a.txt": text, "b.txt": text}, "folder", form=form)
        assert segments(file)["a"] == [(1.0, 2.5, "walk fast"), (3.0, 4.0, "sit")]
    file = bring({"a.txt": "1 2 walk fast\n3,4,sit\n", "b.txt": "0\t1\tsit\n", ".hidden": "?", "x.md": "?"}, "folder")
    assert segments(file) == {"a": [(1.0, 2.0, "walk fast"), (3.0, 4.0, "sit")], "b": [(0.0, 1.0, "sit")]}
    assert [Path(change.where).name for change in bring.report.changes if "ending" in change.what] == ["x.md"]


def test_a_label_per_step_becomes_runs(bring):
    folder = {"a.txt": "none\nwalk\nwalk\nnone\nsit\n", "b.txt": "walk\n" * 4, "c.txt": "none\nnone\n"}
    table = "video,duration\na,\nb,9\nc,\n"  # a known duration counts more than the last step
    file = bring(folder, "folder", form="steps", rate=2, background=["None"], recordings=table)
    assert segments(file) == {"a": [(0.5, 1.5, "walk"), (2.0, 2.5, "sit")], "b": [(0.0, 2.0, "walk")], "c": []}
    assert {name: video.duration_sec for name, video in file.videos.items()} == {"a": 2.5, "b": 9.0, "c": 1.0}
    assert sum("background" in change.what for change in bring.report.changes) == 3


@given(labels=st.lists(st.sampled_from(["x", "y", "none"]), min_size=1, max_size=30))
@settings(max_examples=25)
def test_runs_give_every_step_its_label_back(labels, tmp_path_factory):
    folder = tmp_path_factory.mktemp("steps")
    table = "video,label\n" + "".join(f"a,{label}\n" for label in labels) + "b,x\n"
    (folder / "steps.csv").write_text(table)
    import_annotations(folder / "steps.csv", folder / "out.json", form="steps", rate=10, background=["none"])
    file = read_annotations(folder / "out.json")
    steps = ["none"] * len(labels)
    for start, end, label in segments(file)["a"]:
        steps[round(start * 10) : round(end * 10)] = [label] * (round(end * 10) - round(start * 10))
    assert steps == labels


# ---- ids and subsets


def test_a_given_order_of_labels(bring):
    with pytest.raises(ValueError, match="row 3: the label 'sit' is not in the given order"):
        bring(CSV, labels=["walk"])
    assert bring(CSV, labels=["walk", "run", "sit"]).label_names == {0: "walk", 2: "sit"}


def test_no_group_is_in_both_subsets(bring):
    rows = [f"r{i},0,1,x,p{i % 5}" for i in range(20)]
    file = bring("video,start,end,label,person\n" + "\n".join(rows), columns={"group": "person"}, test_share=0.4)
    people = {subset: {int(name[1:]) % 5 for name, s in subsets(file).items() if s == subset} for subset in
              set(subsets(file).values())}  # fmt: skip
    assert {subset: len(group) for subset, group in people.items()} == {"training": 3, "validation": 2}
    assert not people["training"] & people["validation"]
    assert [file.videos[f"r{number}"].group for number in range(6)] == ["p0", "p1", "p2", "p3", "p4", "p0"]
    without = bring("video,start,end,label,person\n" + "\n".join(rows), "other.csv")
    assert {video.group for video in without.videos.values()} == {None}


def test_a_drawn_split_depends_on_the_seed_alone_and_leaves_no_subset_empty(bring, tmp_path):
    rows = [f"r{i:02d},0,1,x" for i in range(10)]
    splits = []
    for seed, order, share in ((1, 1, 0.3), (1, -1, 0.3), (2, 1, 0.3), (1, 1, 0.01), (1, 1, 0.99)):
        text = "video,start,end,label\n" + "\n".join(rows[::order])
        splits.append(subsets(bring(text, f"{seed}{order}.csv", seed=seed, test_share=share)))
    assert splits[0] == splits[1] != splits[2]
    assert [list(split.values()).count("validation") for split in splits] == [3, 3, 3, 1, 9]


def test_a_group_in_both_given_subsets_is_refused(bring, tmp_path):
    text = CSV.replace("subset", "subset,who").replace("ing\n", "ing,ann\n").replace("ion\n", "ion,ann\n")
    message = refused(tmp_path, bring, text, columns={"group": "who"}, fix=True)
    assert "group 'ann' is in 'validation' and, with recording 'b', in 'training'" in message


# ---- what is wrong


@pytest.mark.parametrize(
    ("rows", "message", "left"),
    [
        ("a,3,1,x", "row 3: segment 3 to 1 s is reversed", [(1.0, 3.0, "x")]),
        ("a,1,1,x", "row 3: segment 1 to 1 s is shorter than 1 ms", []),
        ("a,nan,1,x", "row 3: a time is not finite", []),
        ("a,1,inf,x", "row 3: a time is not finite", []),
        ("a,1,2, x", "row 3: the label ' x' has stray spaces", [(1.0, 2.0, "x")]),
        ("a,1,2,X", "row 3: the label 'X' is elsewhere spelled 'x'", [(1.0, 2.0, "x")]),
        ("a,1,2,", "row 3: the label is empty", []),
        ("a,9,12,x", "row 3: segment 9 to 12 s is beyond the recording's 10 s", [(9.0, 10.0, "x")]),
        ("a,9,10.2,x", "row 3: segment 9 to 10.2 s is beyond", [(9.0, 10.0, "x")]),
        ("a,-1,2,x", "row 3: segment -1 to 2 s is beyond", [(0.0, 2.0, "x")]),
        ("a,11,12,x", "row 3: segment 11 to 12 s is beyond", []),
        ("a,-3,-2,x", "row 3: segment -3 to -2 s is beyond", []),
        ("a,1,3,x\na,2,5,x", "row 4: segment 2 to 5 s overlaps another 'x'", [(1.0, 5.0, "x")]),
        ("a,1,6,x\na,2,5,x\na,5.5,7,x", "row 5: segment 5.5 to 7 s overlaps another 'x'", [(1.0, 7.0, "x")]),
        ("a,1,3,x\na,1.0005,3,x", "row 4: segment 1.0005 to 3 s repeats another 'x'", [(1.0, 3.0, "x")]),
        ("c,1,3,x", "row 3: no recording 'c' is listed", []),
        (",1,3,x", "row 3: no recording '' is listed", []),
    ],
)
def test_what_is_wrong_is_named_with_its_row_and_repaired_on_request(bring, tmp_path, rows, message, left):
    text = f"video,start,end,label\nb,0,1,x\n{rows}\na,7.2,8,y\nb,5,6,x\n"
    table = "video,duration,subset\na,10,test\nb,10,training\n"
    assert message in (refused(tmp_path, bring, text, recordings=table))
    file = bring(text, recordings=table, fix=True)
    assert segments(file) == {"a": sorted([(7.2, 8.0, "y"), *left]), "b": [(0.0, 1.0, "x"), (5.0, 6.0, "x")]}
    told = [f"{change.where}: {change.what}" for change in bring.report.changes]
    assert sum(message in line for line in told) == 1


def test_labels_that_touch_or_differ_may_stand_side_by_side_and_others_on_request(bring, tmp_path):
    head = "video,start,end,label,subset\n"
    assert len(segments(bring(f"{head}a,0,1,x,t\na,1,2,x,t\na,0,2,y,t\n"))["a"]) == 3
    assert not [change for change in bring.report.changes if "overlap" in change.what]
    assert len(segments(bring(f"{head}a,0,1,x,t\na,0,1,x,t\na,0.5,2,x,t\n", allow_overlaps=True))["a"]) == 3


def test_rounded_durations_are_no_fault(bring):
    file = bring("video,start,end,label\na,0,10.04,x\nb,0,1,x\n", recordings="video,duration\na,10\nb,9\n")
    assert segments(file)["a"] == [(0.0, 10.04, "x")]


def test_ids_that_contradict_each_other(bring, tmp_path):
    rows = [{"segment": [0, 1], "label": "x", "label_id": 0}, {"segment": [2, 3], "label": "x", "label_id": 4}]
    content = {"a": {"subset": "t", "annotations": rows}}
    message = refused(tmp_path, bring, content, "source.json")
    assert "annotation 1: 'x' has the label id 4 here and 0 elsewhere" in message
    assert bring(content, "source.json", fix=True).label_names == {0: "x"}


def test_frames_among_seconds_are_for_a_person_to_mend(bring, tmp_path):
    text, table = "video,start,end,label\nb,0,1,x\na,90,180,x\n", "video,duration\na,10\nb,10\n"
    message = refused(tmp_path, bring, text, recordings=table, rate=30, fix=True)
    assert "row 3: mixed units? segment 90 to 180 s is beyond the recording's 10 s, but not in frames at 30" in message
    for row in ("a,1.5,2", "a,0:01,0:02"):  # seconds among frames
        text = f"video,start,end,label\nb,0,25,x\n{row},x\n"
        assert "row 3: mixed units" in refused(tmp_path, bring, text, unit="frames", rate=25, fix=True)


def test_recordings_without_labels(bring, tmp_path):
    table = "video,duration,subset\na,10,test\nb,10,training\nempty,10,training\n"
    text = "video,start,end,label\na,0,1,x\nb,0,1,x\n"
    message = refused(tmp_path, bring, text, recordings=table)
    assert "recordings.csv, row 4: recording 'empty' has no annotation" in message
    assert set(segments(bring(text, recordings=table, fix=True))) == {"a", "b"}
    assert any("'empty' has no annotation: left out" in change.what for change in bring.report.changes)
    assert bring.report.notes[0] == "there is one class only, 'x': set data.num_classes to 1"
    folder = {"a.txt": "0 1 x\n", "b.txt": "0 1 x\n", "empty.txt": ""}
    assert "empty.txt: recording 'empty' has no annotation" in refused(tmp_path, bring, folder, "folder")
    file = bring(text, recordings="video,subset\na,training\nb,training\nsecret,testing\n")
    assert segments(file)["secret"] == [], "a subset without any label is kept"
    assert "recordings in subsets without any label, kept: 1" in bring.report.notes


def test_what_is_allowed_but_worth_knowing_is_noted(bring):
    bring("video,start,end,label,subset\na,0,1,x,training\nb,0,1,x,test\nb,1,2,y,test\n")
    notes = "\n".join(bring.report.notes)
    assert "source.csv, row 4: the class 'y' is absent from training; it cannot be learned" in notes
    assert "there are 2 recordings in all" in notes
    assert "some recordings have no duration" in notes


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("", {}, "holds no annotation"),
        ("video,start,label\na,1,x\n", {}, "has no column for 'end'; its columns are video, start, label; name it"),
        ("video,start,end,label\na,1,x\n", {}, "row 2: 3 cells under 4 columns"),
        ("video,start,end,label\na,1,0:02,x\n", {}, "row 2: mixed units"),
        (CSV, {"columns": {"start": "onset"}}, "no file has a column 'onset' for 'start'; its columns are end, label"),
        (CSV, {"columns": {"group": "person"}}, "no file has a column 'person' for 'group'"),
        (CSV, {"columns": {"strat": "start"}}, "no field 'strat' to map a column to; did you mean 'start'?"),
        (CSV, {"unit": "weeks"}, "the unit is 'weeks'; choose from: seconds, milliseconds"),
        (CSV, {"form": "cvs"}, "there is no format 'cvs'; did you mean 'csv'?"),
        (CSV.replace("b,", ","), {}, "row 2: the recording has no name"),
        (CSV, {"rate": 0}, "the rate is 0"),
        (CSV, {"test_share": 1}, "the test share is 1"),
        (CSV, {"labels": ["x", "x"]}, "a label is twice"),
        (CSV, {"background": ["walk", "sit"]}, "no annotation left"),
        (CSV.replace("a,4,5.25,walk,validation", "a,4,5,x,other"), {}, "row 4: recording 'a' has subset 'other' here"),
        (CSV.replace("a,4,5.25,walk,validation", "c,4,5,x,"), {}, "row 4: recording 'c' has no subset"),
        ("video,start,end,label\na,1,2,x\n", {}, "row 2: a split needs two recordings, there is only 1"),
        ("video,start,end,label,fps\na,1,2,x,-3\n", {}, "row 2: 'fps' must be a number above 0"),
    ],
)
def test_what_cannot_be_understood_is_refused(bring, tmp_path, content, options, message):
    assert message in refused(tmp_path, bring, content, **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", [], "has no videos"),
        ("a.json", {"a": [[[1, 2], 1.5, 2.5]], "b": []}, "video 'a', annotation 0: the label is no text, but [1, 2]"),
        (
            "a.json",
            [{"video": ["p", "q"], "start": 1, "end": 2, "label": "x"}],
            "the recording is no text, but ['p', 'q']",
        ),
        (
            "a.json",
            {"a": [{"segment": [1, 2], "label": "x", "label_id": [7]}]},
            "video 'a', annotation 0: the label's id is no number, but [7]",
        ),
        ("a.json", {"a": {"annotations": 3}}, "video 'a': its annotations must be a list"),
        ("a.json", {"a": [{"segment": [1], "label": "x"}]}, "video 'a', annotation 0: expected a segment"),
        ("a.json", {"a": {"annotations": [{"segment": [1, 2], "label": None}]}}, "has nothing in its column for"),
        ("a.json", {"a": [[10**400, 2, "x"]]}, "does not tell which column is what"),
        ("a.json", {"a": [3]}, "video 'a', annotation 0: expected a segment"),
        ("a.txt", "1 2\n", "row 1: expected start, end and label, found '1 2'"),
    ],
)
def test_files_that_are_no_annotations(bring, tmp_path, name, content, message):
    assert message in refused(tmp_path, bring, content, name)
    (tmp_path / "a.csv").write_bytes(b"video,start,end,label\n\xff,1,2,x\n")
    with pytest.raises(ValueError, match=r"a\.csv is not a readable text file"):
        import_annotations(tmp_path / "a.csv", tmp_path / "b.json")


CELLS = st.sampled_from(
    ["0", "1.5", "-2", "nan", "1e999", "9:61", "x", " X", "", "a", "b", '"', "{", "[1, 2]", "training"]
)
LINES = st.lists(st.lists(CELLS, max_size=6), max_size=8)


@given(form=st.sampled_from(["csv", "elan", "audacity", "text", "steps", "json"]), lines=LINES, fix=st.booleans())
@settings(max_examples=150)
def test_whatever_a_file_holds_it_is_imported_or_refused(tmp_path_factory, form, lines, fix):
    folder = tmp_path_factory.mktemp("any")
    separator = "," if form == "csv" else "\t"
    head = [["video", "start", "end", "label", "subset"]] if form == "csv" else []
    text = json.dumps({"a": lines, "b": lines}) if form == "json" else ""
    text = text or "\n".join(separator.join(line) for line in head + lines)
    (folder / "source").mkdir()
    for name in ("a.txt", "b.txt") if form != "json" else ("a.txt",):
        (folder / "source" / name).write_text(text)
    target = folder / "out" / "a.json"
    try:
        import_annotations(folder / "source", target, form=form, rate=10, fix=fix)
    except ValueError:
        assert not target.parent.exists()
    else:
        for video in read_annotations(target).videos.values():
            assert (video.segments_sec[:, 0] < video.segments_sec[:, 1]).all()


# ---- the command


def test_the_command_imports_and_tells_what_it_changed(tmp_path, capsys):
    source, target = tmp_path / "mine.csv", tmp_path / "mine.json"
    source.write_text("video,t0,end,label,who\nb,0,25,x,p\na,75,50,x,q\nc,0,25,none,q\n")
    command = ["import", str(source), str(target), "--column", "start=t0", "--column", "group=who", "--unit", "samples"]
    command += ["--rate", "25", "--labels", "y, x", "--background", "none", "--seed", "3", "--test-share", "0.5"]
    assert main([*command[:3], "--column", "start"]) == 2
    assert "--column takes FIELD=NAME, not 'start'" in capsys.readouterr().err
    assert main(command) == 2
    assert "row 3: segment 3 to 2 s is reversed" in capsys.readouterr().err
    assert main([command[0], "--fix", *command[1:]]) == 0, "the word behind --fix is the source, not a kind"
    target.unlink()
    capsys.readouterr()
    assert main([*command, "--fix"]) == 0
    file, out = read_annotations(target), capsys.readouterr().out
    assert segments(file) == {"a": [(2.0, 3.0, "x")], "b": [(0.0, 1.0, "x")], "c": []}
    assert file.label_names == {1: "x"}
    assert subsets(file)["a"] == subsets(file)["c"] != subsets(file)["b"]
    assert f"changed: {source}, row 3: segment 3 to 2 s is reversed: turned" in out
    assert out.splitlines()[-1] == str(target)


def test_the_part_that_was_labelled_is_kept(bring):
    part = "video,duration,annotated_start,annotated end [ms],subset\na,10,1.5,8600,validation\nb,9,0,,training\n"
    file = bring(CSV.replace(",subset", "").replace(",training", "").replace(",validation", ""), recordings=part)
    assert file.videos["a"].ignored_sec.tolist() == [[-float("inf"), 1.5], [8.6, float("inf")]]
    assert file.videos["b"].ignored_sec.tolist() == [[-float("inf"), 0], [9, float("inf")]]
    named = "video,from,until\na,1,5\nb,,\n"
    columns = {"annotated_start": "from", "annotated_end": "until"}
    file = bring(CSV, recordings=named, columns=columns)
    assert [len(file.videos[name].ignored_sec) for name in "ab"] == [2, 0]
    entry = {"annotations": [{"segment": [1, 2], "label": "x"}], "subset": "test"}
    file = bring(
        {"database": {"a": entry | {"annotated": [0.5, 3]}, "b": entry | {"subset": "training"}}}, "source.json"
    )
    assert file.videos["a"].ignored_sec[0, 1] == 0.5 and file.videos["a"].ignored_sec[1, 0] == 3


def test_each_row_may_say_which_part_of_its_recording_was_labelled(bring):
    rows = "video,start_sample,end_sample,label,annotated_start_sample,annotated end [ms]\n"
    rows += "a,150,200,x,100,3000\na,250,280,x,100,3000\na,510,600,y,500,7000\na,510,600,z,690,7500.5\n"
    rows += "b,0,100,x,,\nc,,,,0,\n"
    about = "video,subset,duration\na,training,9\nb,validation,9\nc,training,9\n"
    file = bring(rows, recordings=about, rate=100)
    inf = float("inf")
    assert file.videos["a"].ignored_sec.tolist() == [[-inf, 1], [3, 5], [7.5005, inf]]
    assert len(file.videos["b"].ignored_sec) == 0
    assert file.videos["c"].ignored_sec.tolist() == [[-inf, 0], [9, inf]]
    with pytest.raises(ValueError, match="'annotated_start' has no unit, and the other times are in samples; call it"):
        bring(rows.replace("annotated_start_sample", "annotated_start"), recordings=about, rate=100)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"annotated": [5000, 30000]}, "'a': 'annotated' and 'ignored' are spans in seconds, and the other times"),
        ({"ignored": [[20, 10]], "ms": False}, "the ignored span from 20 to 10 s of a recording of 60 s is none"),
        ({"annotated": [80, 90], "ms": False}, "it is labelled from 80 to 90 s, and lasts 60 s"),
    ],
)
def test_spans_that_cannot_be_of_the_recording_are_refused(bring, entry, message):
    key = "segment" if entry.pop("ms", True) is False else "segment_ms"
    rows = [{key: [6000, 8000] if key == "segment_ms" else [6, 8], "label": "x"}]
    one = {"subset": "test", "duration": 60, "annotations": rows}
    with pytest.raises(ValueError, match=message):
        bring({"database": {"a": one | entry, "b": one | {"subset": "training"}}}, "source.json")


def test_parts_count_from_the_recordings_beginning_as_their_labels_do(bring):
    media = {name: Medium("x", 100.0, begin_sec=1e9) for name in "ab"}
    rows = "video,start,end,label,subset\na,1000000010,1000000020,x,training\nb,1000000010,1000000020,x,validation\n"
    about = "video,annotated_start,annotated_end\na,1000000005,1000000070\nb,5,70\n"
    file = bring(rows, recordings=about, media=media)
    inf = float("inf")
    for video in file.videos.values():
        assert video.segments_sec.tolist() == [[10, 20]]
        assert video.ignored_sec.tolist() == [[-inf, 5], [70, inf]]


def test_labels_that_nobody_can_tell_are_ignored_there(bring):
    rows = "video,start,end,label,subset\na,1,2,x,training\na,2,3,Ambiguous,training\nb,4,5,Ambiguous,validation\n"
    file = bring(rows, ambiguous=["ambiguous"])
    assert segments(file) == {"a": [(1.0, 2.0, "x")], "b": []}
    assert [file.videos[name].ignored_sec.tolist() for name in "ab"] == [[[2, 3]], [[4, 5]]]
    assert file.label_names == {0: "x"}
    assert "the label 'ambiguous' is ambiguous: ignored there" in describe(bring.report)


def test_spans_of_an_annotation_file_survive_another_import(bring):
    rows = [{"segment": [1, 2], "label": "x"}]
    spans = {"annotated": [[0.5, 3], [5, 8]], "ignored": [[1.5, 1.75]]}
    one, other = {"subset": "test", "annotations": rows} | spans, {"subset": "training", "annotations": rows}
    file = bring({"database": {"a": one, "b": other}}, "source.json")
    inf = float("inf")
    assert file.videos["a"].ignored_sec.tolist() == [[-inf, 0.5], [1.5, 1.75], [3, 5], [8, inf]]
    assert len(file.videos["b"].ignored_sec) == 0


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("5,2,", "it is labelled from 5 to 2 s, which is nothing"),
        ("1,,", "it is labelled from 1 s on; say until when"),
        ("x,2,", "'annotated_start'"),
        ("1000,9000,60", "it is labelled from 1000 to 9000 s, and lasts 60 s; if that is another unit, name it"),
        ("-1,2,", "'annotated_start' must be 0 or more, not '-1'"),
    ],
)
def test_a_labelled_part_that_cannot_be_is_named(bring, row, message):
    with pytest.raises(ValueError, match=message):
        bring(CSV, recordings=f"video,annotated_start,annotated_end,duration\na,{row}\nb,,,\n")


def test_ambiguous_labels_may_be_spelled_in_any_way_but_their_times_are_checked(bring, tmp_path):
    rows = "video,start,end,label,subset\na,0,1,x,t\na,2,3,Unclear,t\na,4,5,unclear ,t\na,6,7,UNCLEAR,t\nb,0,1,x,v\n"
    assert bring(rows, ambiguous=["unclear"]).videos["a"].ignored_sec.tolist() == [[2, 3], [4, 5], [6, 7]]
    message = refused(tmp_path, bring, rows.replace("4,5", "5,4"), ambiguous=["unclear"])
    assert "(1 reversed)" in message and "row 4: segment 5 to 4 s is reversed" in message
