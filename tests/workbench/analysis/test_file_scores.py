"""`python -m afkit evaluate`: detections of any program against labels of any tool."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from golden_files import SHARED

from afkit.__main__ import main
from afkit.workbench.analysis.file_scores import evaluate_files

AUTOLOC = SHARED.parent / "data" / "autoloc"
ACTIONS = {  # recording: subset, actions; of class 0 what docs/concepts/evaluation.md counts by hand
    "a": ("test", [(2, 6, 0), (10, 14, 0)]),
    "b": ("test", [(5, 9, 0), (0, 4, 3)]),
    "c": ("training", [(1, 3, 5)]),
}
FOUND = [("a", 2.0, 5.0, "walk", 0.9), ("b", 5.0, 9.5, "walk", 0.8), ("b", 20.0, 24.0, "walk", 0.7)]
FOUND += [("a", 2.5, 6.5, "walk", 0.6), ("b", 0.0, 4.0, "sit", 0.5)]
NAMES = {0: "walk", 3: "sit", 5: "run"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The labels as gt.json, with all that an annotation file may say, and as labels.csv; it is the working folder."""
    monkeypatch.chdir(tmp_path)
    named = {
        video: [{"segment": [start, end], "label": NAMES[label], "label_id": label} for start, end, label in rows]
        for video, (_, rows) in ACTIONS.items()
    }
    facts = {"duration": 30, "ignored": [[27, 30]]}
    database = {v: {"subset": ACTIONS[v][0], **facts, "annotations": rows} for v, rows in named.items()}
    (tmp_path / "gt.json").write_text(json.dumps({"database": database}))
    rows = [
        (v, s, e, NAMES[label]) for v, (subset, rows) in ACTIONS.items() if subset == "test" for s, e, label in rows
    ]
    pd.DataFrame(rows, columns=["clip", "onset", "stop", "behaviour"]).to_csv("labels.csv", index=False)
    return tmp_path


def write_table(name, rows, columns=("video", "start_sec", "end_sec", "name", "score")):
    """Detections as a table."""
    pd.DataFrame(rows, columns=list(columns)).to_csv(name, index=False)
    return name


def as_json(name):
    """The detections in the result format of ActivityNet."""
    results = {"a": [], "b": []}
    for video, start, end, label, score in FOUND:
        results[video].append({"label": label, "segment": [start, end], "score": score})
    Path(name).write_text(json.dumps({"results": results}))


def as_pickle(name):
    """The detections as the original's eval.py leaves them."""
    video, start, end, label, score = zip(*FOUND, strict=True)
    numbers = [list(NAMES.values()).index(text) * 3 for text in label]  # 0 and 3
    arrays = {"t-start": np.float32(start), "t-end": np.float32(end), "label": np.int64(numbers)}
    Path(name).write_bytes(pickle.dumps({"video-id": list(video), **arrays, "score": np.float32(score)}))


WRITERS = {"p.csv": lambda name: write_table(name, FOUND), "p.json": as_json, "p.pkl": as_pickle}


@pytest.mark.parametrize(
    ("truth", "name"), [*(("gt.json", name) for name in WRITERS), ("labels.csv", "p.csv"), ("labels.csv", "p.json")]
)
def test_the_score_is_that_by_hand_whatever_the_files(folder, truth, name):
    WRITERS[name](name)
    found = evaluate_files(truth, [name], [0.5, 0.8])
    assert found.scores.map.tolist() == pytest.approx([(2 / 3 + 1) / 2, (1 / 6 + 1) / 2])
    assert found.notes == [] and "2 recordings" in found.evaluated and "of training" not in found.evaluated
    assert found.interval == "no interval of the average: an interval needs at least 5 test recordings, there are 2"


def test_the_command_prints_percent_and_writes_the_classes(folder, capsys):
    write_table("one.csv", FOUND[:2])
    write_table("two.tsv", FOUND[2:], ("clip", "begin", "stop", "class", "confidence"))
    assert main(["evaluate", "gt.json", "one.csv", "two.tsv", "--tious", "0.5,0.8", "--csv", "classes.csv"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[:2] == [
        "gt.json: 2 recordings of test, 4 actions of 2 classes",
        "one.csv, two.tsv: 5 predictions in 2 recordings",
    ]
    assert [line.split() for line in shown[2:4]] == [
        ["tIoU", "0.50", "0.80", "average"],
        ["mAP", "[%]", "83.33", "58.33", "70.83"],
    ]
    assert pd.read_csv("classes.csv")["name"].tolist() == ["walk", "sit"] and shown[-1] == "classes.csv"


def test_thresholds_keep_the_decimals_that_they_need(folder, capsys):
    write_table("p.csv", FOUND)
    words = ["evaluate", "gt.json", "p.csv", "--csv", "classes.csv", "--tious"]
    assert main([*words, "0.501,0.504,0.125"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[2:4]] == [
        ["tIoU", "0.501", "0.504", "0.125", "average"],
        ["mAP", "[%]", "83.33", "83.33", "83.33", "83.33"],
    ]
    assert pd.read_csv("classes.csv").columns[2:].tolist() == ["ap_0.501", "ap_0.504", "ap_0.125", "ap_average"]
    assert main([*words, "0.5,0.50"]) == 2
    assert "a tIoU threshold is there twice: 0.5, 0.5; give each once" in capsys.readouterr().err


def test_a_recipe_says_thresholds_and_subsets(folder, capsys):
    write_table("p.csv", FOUND)
    assert main(["evaluate", "gt.json", "p.csv", "--recipe", "watch"]) == 0
    assert "0.30   0.40   0.50   0.60   0.70  average" in capsys.readouterr().out
    assert main(["evaluate", "gt.json", "p.csv", "--recipe", "epic_verb"]) == 2
    assert "gt.json has no video of the subset 'validation'" in capsys.readouterr().err


def test_labels_may_name_no_subsets_and_be_of_one_recording(folder):
    write_table("one.csv", [("a", 2, 6, "walk")], ["clip", "onset", "stop", "behaviour"])
    found = evaluate_files("one.csv", [write_table("p.csv", FOUND[:1])], [0.5], subsets=["test"])
    assert found.scores.average_map == 1 and found.notes == ["the labels name no subsets: all recordings count"]


@pytest.mark.parametrize("spelt", ["{}.mp4", "/films/{}.npy", "v_{}", " {}", "B"])
def test_a_recording_spelt_otherwise_is_the_one_that_was_labelled(folder, spelt):
    rows = [(spelt.format(row[0]) if row[0] == "b" else row[0], *row[1:]) for row in FOUND]
    found = evaluate_files("gt.json", [write_table("p.csv", rows)], [0.5])
    assert found.scores.average_map == pytest.approx((2 / 3 + 1) / 2)
    assert found.notes == [f"recordings that the labels spell otherwise, taken for theirs: 1, '{rows[1][0]}' as 'b'"]
    both = evaluate_files("gt.json", [write_table("p.csv", [*rows, *FOUND])], [0.5])
    assert f"false alarms: 3 in 1 recordings, as '{rows[1][0]}'" in "\n".join(both.notes), "the right one is there, too"


@pytest.mark.parametrize(
    ("labelled", "predicted", "told"),
    [
        (["day1"], ["camA/day1.mp4", "camB/day1.mp4"], "camA/day1.mp4, camB/day1.mp4 may be the labels' day1,"),
        (["day1", "DAY1"], ["day1", "v_day1"], "v_day1 may be the labels' day1, DAY1,"),
    ],
)
def test_recordings_whose_bare_names_are_one_are_not_merged(folder, labelled, predicted, told):
    rows = [(name, 2.0, 6.0, "walk") for name in labelled]
    write_table("labels.csv", rows, ["clip", "onset", "stop", "behaviour"])
    write_table("p.csv", [(name, 2.0, 6.0, "walk", 0.5) for name in predicted])
    with pytest.raises(ValueError, match=rf"^the predictions' {told} nothing tells which is which; give the "):
        evaluate_files("labels.csv", ["p.csv"], [0.5])


def test_recordings_of_one_name_are_told_apart_by_their_folder(folder):
    rows = [(f"cam{name}/day1.mp4", start, start + 4.0, "walk") for name, start in (("A", 2.0), ("B", 20.0))]
    write_table("labels.csv", rows, ["clip", "onset", "stop", "behaviour"])
    write_table("p.csv", [(*row, 0.5) for row in rows])
    assert evaluate_files("labels.csv", ["p.csv"], [0.5]).scores.average_map == 1


@pytest.mark.parametrize("by", ["ids", "names"])
@pytest.mark.parametrize("kind", ["csv", "text", "ints"])
def test_classes_named_by_numbers_get_their_score_by_id_and_by_name(folder, by, kind):
    rows = [("a", 2.0 * i, 2.0 * i + 1, i % 3) for i in range(9)]  # ids 0, 1, 2 of the classes "1", "2", "3"
    named = [{"segment": [s, e], "label": str(label + 1), "label_id": label} for _, s, e, label in rows]
    Path("numbers.json").write_text(json.dumps({"database": {"a": {"subset": "test", "annotations": named}}}))
    found = [(*row[:3], row[3] + (by == "names"), 0.5) for row in rows]
    if kind == "csv":
        write_table("p.csv", found, ("video", "start", "end", "label", "score"))
    else:
        spell = str if kind == "text" else int
        entries = [{"label": spell(label), "segment": [s, e], "score": p} for _, s, e, label, p in found]
        Path("p.json").write_text(json.dumps({"results": {"a": entries}}))
    name = "p.csv" if kind == "csv" else "p.json"
    assert evaluate_files("numbers.json", [name], [0.5]).scores.average_map == 1
    assert evaluate_files("numbers.json", [name], [0.5], labels_are=by).scores.average_map == 1
    assert (
        evaluate_files("numbers.json", [name], [0.5], labels_are={"ids": "names"}.get(by, "ids")).scores.average_map
        < 0.5
    )


def test_what_the_labels_of_predictions_are_is_asked_and_told_by_an_option(folder, capsys):
    rows = [("a", 2, 6, "1", 0), ("a", 8, 9, "2", 1)]
    named = [{"segment": [s, e], "label": label, "label_id": number} for _, s, e, label, number in rows]
    Path("numbers.json").write_text(json.dumps({"database": {"a": {"subset": "test", "annotations": named}}}))
    write_table("p.csv", [("a", 2, 6, 1, 0.5)], ("video", "start", "end", "label", "score"))
    assert main(["evaluate", "numbers.json", "p.csv"]) == 2
    assert "p.csv, row 2: label '1' is the name of the class with id 0, and the id of the" in capsys.readouterr().err
    for are, score in (("names", "50.0"), ("ids", "0.0")):
        assert main(["evaluate", "numbers.json", "p.csv", "--labels-are", are, "--tious", "0.5"]) == 0
        assert ["mAP", "[%]", score, score] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_the_file_that_activitynet_publishes_is_read_with_the_cleaning_of_the_evaluation(folder):
    content = json.loads(Path("gt.json").read_text())
    for video in content["database"].values():
        video["url"] = "https://example.org"
        for row in video["annotations"]:
            del row["label_id"]
    content["database"]["b"]["annotations"] *= 2  # import would refuse that
    Path("gt.json").write_text(json.dumps({"version": "VERSION 1.3", "taxonomy": [], **content}))
    found = evaluate_files("gt.json", [write_table("p.csv", FOUND)], [0.5, 0.8], ["test"])
    assert found.scores.map.tolist() == pytest.approx([(2 / 3 + 1) / 2, (1 / 6 + 1) / 2])
    assert found.label_names == {0: "run", 1: "sit", 2: "walk"} and found.notes == [
        "labels: they have no label_id, so that their sorted names are numbered from 0 on",
        "annotations left out: 2 are repeated, or mostly where nobody judges",
    ]
    content["database"]["b"]["annotations"] = [3]
    Path("gt.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"gt\.json, video 'a', annotation 0: expected 'segment'"):
        evaluate_files("gt.json", ["p.csv"], [0.5])


def test_annotations_that_do_not_count_are_noted(folder):
    content = json.loads(Path("gt.json").read_text())
    first, second = content["database"]["a"]["annotations"]
    odd = [first | {"segment": segment} for segment in ([6, 2], [9, 8], [7, 7], [27, 29])]
    content["database"]["a"]["annotations"] = [first, second, second, *odd]
    Path("gt.json").write_text(json.dumps(content))
    found = evaluate_files("gt.json", [write_table("p.csv", FOUND)], [0.5, 0.8])
    assert found.scores.map.tolist() == pytest.approx([(2 / 3 + 1) / 2, (1 / 6 + 1) / 2])
    lost = (
        "annotations left out: 2 end before they start, 1 are shorter than 1 ms, 2 are repeated, or mostly where nobody"
    )
    assert found.notes == [f"{lost} judges"]
    content["database"] = {"a": content["database"]["a"] | {"annotations": odd[:2]}}
    Path("gt.json").write_text(json.dumps(content))
    with pytest.raises(
        ValueError, match=r"^gt\.json has no action that counts; annotations left out: 2 end before they"
    ):
        evaluate_files("gt.json", ["p.csv"], [0.5])


def test_labels_that_hold_scores_and_times_of_another_unit_are_noted(folder):
    write_table("p.csv", FOUND[:3], ("video", "start", "end", "label", "score"))
    frames = write_table("f.csv", [(row[0], row[1] * 25, row[2] * 25, *row[3:]) for row in FOUND if row[1]])
    scores, *others = evaluate_files("p.csv", [frames], [0.5]).notes
    assert scores.startswith("labels: the scores in 'score' are left out")
    assert "no prediction is a hit: they end by 600 s, the actions by 24 s; do both count seconds" in "".join(others)


def test_what_hints_at_a_mistake_is_noted(folder):
    odd = [
        ("b", 28.0, 29.0, "walk", 0.1),
        ("b", 7.0, 5.0, "walk", 0.1),
        ("b", 5000.0, 9000.0, "walk", 0.1),
        ("x", 1.0, 2.0, "walk", 0.1),
    ]
    odd += [("b", 1.0, 2.0, "wlak", 0.1), ("b", 1.0, 2.0, "run", 0.1), ("c", 1.0, 3.0, "run", 0.9), FOUND[1]]
    write_table("p.csv", [row for row in FOUND if row[0] == "b" and row[3] == "walk"] + odd)
    notes = "\n".join(evaluate_files("gt.json", ["p.csv"], [0.5], subsets=["test"]).notes)
    for text in (
        "predictions of recordings of other subsets, left out: 1",
        "predictions where nobody labelled, left out: 1",
        "given, left out: 1; the first: p.csv, row 8: label 'wlak' is neither the name nor the id of a class; the",
        "predictions of classes without an action here, left out: 1",
        "classes without a prediction, their AP is 0: 1 of 2",
        "predictions in recordings that nobody labelled, false alarms: 1 in 1 recordings, as 'x'",
        "recordings without a prediction, their actions are missed: 1 with 2 actions, as 'a'",
        "predictions beyond their recording: 1, as 5000 to 9000 s of 'b'; are their times seconds?",
        "predictions that end before they start, never a hit: 1",
        "predictions that are there twice, score and all, false alarms: 1",
    ):
        assert notes.count(text) == 1, text
    assert notes.count("\n") == 9


REFUSED = {
    "gt.json none.csv": "none.csv does not exist",
    "none.csv p.csv": "none.csv does not exist; name the file or folder of the annotations",
    "gt.json labels.csv": "labels.csv lacks score in the columns clip, onset, stop, behaviour; it needs video, ",
    "gt.json .": ". is a folder; name the files of predictions in it",
    "gt.json p.txt": "p.txt must end in .json, .json.gz, .csv, .tsv or .pkl, to tell what it is",
    "gt.json p.csv --csv ../{}/p.csv": "p.csv would write over what is read; name another file",
    "gt.json p.csv --subset training": "none of the 5 predictions can be judged: predictions of recordings of other",
    "labels.csv p.pkl": "label 0 is neither the name nor the id of a class; the labels are sit, walk, and have no ids",
    "gt.json nan.csv": "nan.csv, row 2: 'nan' is not a finite number",
    "p.csv p.csv --tious 0.5,x": "--tious takes fractions such as 0.3,0.5, not '0.5,x'",
    "frames.csv p.csv": "; or make an annotation file of it, with options: python -m afkit import frames.csv FILE.json",
    "gt.json other.csv": "gt and predictions have no video in common",
    "gt.json evil.pkl": "it asks for posix.system",
    "gt.json list.pkl": "list.pkl holds no columns",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_evaluated_is_refused_with_a_sentence(folder, capsys, words):
    write_table("p.csv", FOUND)
    write_table("nan.csv", [("a", 1.0, 2.0, "walk", "nan")])
    write_table("other.csv", [("z", 1.0, 2.0, "walk", 0.5)])
    write_table("frames.csv", [("a", 1, 2, "walk")], ["video", "start_frame", "stop_frame", "label"])
    (folder / "evil.pkl").write_bytes(b"cposix\nsystem\n(S'true'\ntR.")
    (folder / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    (folder / "p.txt").touch()
    as_pickle("p.pkl")
    assert main(["evaluate", *words.format(folder.name).split()]) == 2
    assert REFUSED[words] in capsys.readouterr().err


@pytest.mark.skipif(not AUTOLOC.is_dir(), reason=f"{AUTOLOC} is not there (AFKIT_SHARED names its parent)")
def test_published_detections_get_their_published_score_without_torch_or_notebooks():
    program = "import sys\nfrom afkit.__main__ import main\nassert main(sys.argv[1:]) == 0\nprint(*sys.modules)"
    files = [str(AUTOLOC / f"th14_{name}.json") for name in ("gt", "pred")]
    words = [sys.executable, "-c", program, "evaluate", *files, "--recipe", "thumos_i3d"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    *shown, modules = done.stdout.splitlines()
    assert shown[3].split() == ["mAP", "[%]", "35.77", "29.02", "21.21", "13.40", "5.80", "21.04"]
    assert shown[-1].endswith("(bootstrap, resampled over 213 recordings)")
    assert not {"torch", "matplotlib", "IPython", "papermill", "nbformat"} & set(modules.split())
