"""Hostile annotations, predictions and tables of other people: numbers, nesting, names, and very many videos."""

import gzip
import json

import pytest
from hostile import in_child

from afkit.data.annotations import read_annotations, to_frame
from afkit.files import read_json
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.datasets.ego4d import _read_moments, _uid, read_leads
from afkit.workbench.own_data.importing import import_annotations

SECTION = "Hostile and broken files"
NAMES = {0: "walk", 1: "sit"}
ROW = '{"segment": [0, 1], "label": "walk", "label_id": 0}'
HUGE, DEEP = "1" + "0" * 400, "[" * 100_000 + "]" * 100_000


def refused(read, path, match, tally, row):
    with pytest.raises(ValueError, match=match) as caught:
        read(path)
    message = str(caught.value)
    assert type(caught.value) is ValueError and path.name in message and len(message) < 2000
    assert message.replace("\n", "").isprintable()
    tally(SECTION, row, cases=1, refused=1, code_run=0, other_exceptions=0)


def one_video(entry='"subset": "x"', rows=ROW, name='"a"'):
    return f'{{"database": {{{name}: {{{entry}, "annotations": [{rows}]}}}}}}'


@pytest.mark.parametrize(
    ("text", "match"),
    [
        (DEEP, "not a readable JSON"),
        ('{"a": ' * 50_000, "not a readable JSON"),
        (one_video(rows=ROW.replace("0, 1", f"0, {HUGE}")), "annotation 0: expected"),
        (one_video(rows=ROW.replace("0, 1", "0, 1e400")), "segment is not finite"),
        (one_video(rows=ROW.replace("0, 1", "0, NaN")), "segment is not finite"),
        (one_video(rows=ROW.replace("0, 1", "-Infinity, 1")), "segment is not finite"),
        (one_video(rows=ROW.replace("[0, 1]", '"01"')), "annotation 0: expected"),
        (one_video(rows=ROW.replace("[0, 1]", '{"0": 1, "1": 2}')), "annotation 0: expected"),
        (one_video(rows=ROW.replace("0, 1", "0, 1, 2")), "annotation 0: expected"),
        (one_video(rows=ROW.replace('"label_id": 0', f'"label_id": {HUGE}')), "annotation 0: expected"),
        (one_video(rows=ROW.replace('"label_id": 0', '"label_id": 1e30')), "annotation 0: expected"),
        (one_video(rows=ROW.replace('"walk"', "[" * 500 + "]" * 500)), "annotation 0: expected"),
        (one_video(rows=json.dumps("x" * 10**6)), "annotation 0: expected"),
        (one_video(entry=f'"subset": "x", "duration": {HUGE}'), "'duration' must be a number above 0"),
        (one_video(entry='"subset": "x", "duration": 1e400'), "'duration' must be a number above 0"),
        (one_video(entry='"subset": "x", "fps": -0.0'), "'fps' must be a number above 0"),
        (one_video(entry=f'"subset": "x", "fps": {"[" * 500 + "]" * 500}'), "'fps' must be a number above 0"),
        (one_video(entry='"subset": ["x"]'), "'subset' is missing"),
        (one_video(entry='"subset": "x", "subset": "y"'), "gives 'subset' twice"),
        ('{"database": {"a": {"subset": "x"}, "a": {"subset": "y"}}}', "gives 'a' twice"),
        ('{"database": {"a": 1' + "0" * 5000 + "}}", "not a readable JSON"),
        ('\ufeff{"database": "\ud800"}'.encode("utf-8", "surrogatepass"), "not a readable JSON"),
        (b"\xff\xfe\x00", "not a readable JSON"),
        (b"\x00" * 100, "not a readable JSON"),
        (b"", "not a readable JSON"),
    ],
)
def test_hostile_annotation_files(tmp_path, text, match, tally):
    path = tmp_path / "theirs.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    refused(read_annotations, path, match, tally, "annotations")


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        ("../../x", True),
        ("/etc/x", True),
        ("a/b", True),
        ("CON", True),
        ("<script>alert(1)</script>", True),
        ("\x1b[31m", False),
        ("\u202egnp.a", False),
        ("a\x00b", False),
        ("a\nb", False),
        ("x" * 201, False),
        ("x" * 200, True),
        ("\ud800", False),
        ("é影", True),
        ("'; DROP TABLE videos", True),
    ],
)
def test_names_of_videos(tmp_path, name, accepted, tally):
    """Those accepted never leave a folder, see the tests of features and exports; a page writes them escaped."""
    path = tmp_path / "theirs.json"
    path.write_text(one_video(name=json.dumps(name)))
    if accepted:
        assert list(read_annotations(path).videos) == [name]
    else:
        refused(read_annotations, path, "cannot be shown|not a readable JSON", tally, "names of videos")


def test_an_emoji_in_escapes_is_no_lone_surrogate(tmp_path):
    path = tmp_path / "theirs.json"
    path.write_text(one_video(name='"\\ud83d\\ude00"'))
    assert list(read_annotations(path).videos) == ["\U0001f600"]


def test_negative_zero_and_repeated_numbers_stay(tmp_path):
    path = tmp_path / "theirs.json"
    path.write_text(one_video(rows=ROW.replace("0, 1", "-0.0, 1e-320")))
    assert read_annotations(path).videos["a"].segments_sec.tolist() == [[0.0, 1e-320]]


def test_many_videos(tmp_path, tally):
    """A million took 1.4 GB and a minute of a busy processor; the memory is in proportion."""
    path = tmp_path / "many.json"
    with path.open("w") as file:
        file.write('{"database": {')
        file.writelines(f'"v{i}": {{"subset": "x", "annotations": [{ROW}]}},' for i in range(10**5))
        file.write('"last": {"subset": "x"}}}')
    ended = in_child(lambda: len(to_frame(read_annotations(path).videos.values(), clean=False)), 4096, 120)
    assert ended.end == "done" and ended.said == 10**5, ended
    assert ended.memory_mb < 300
    tally(SECTION, "annotations", cases=1, refused=0, code_run=0, other_exceptions=0)


def test_a_compressed_bomb(tmp_path, tally):
    path = tmp_path / "p.json.gz"
    path.write_bytes(gzip.compress(b" " * 2**28, 9))

    def read():
        refused(read_json, path, "unpacks to more than 67108864 bytes", lambda *_, **__: None, "")

    ended = in_child(read, memory_mb=400)
    assert ended.end == "done" and ended.memory_mb < 200, ended
    tally(SECTION, "predictions", cases=1, refused=1, code_run=0, other_exceptions=0)


def prediction(label='"walk"', score="0.5", segment="[0, 1]"):
    return f'{{"results": {{"a": [{{"label": {label}, "score": {score}, "segment": {segment}}}]}}}}'


CLOCK = '["%s", 3]'


@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        prediction(label=HUGE),
        prediction(label='"' + "9" * 5000 + '"'),
        prediction(label="[" * 500 + "]" * 500),
        prediction(label="NaN"),
        prediction(score=HUGE),
        prediction(score="NaN"),
        prediction(score='"1e400"'),
        prediction(segment=CLOCK % ("9" * 400 + ":1")),
        prediction(segment=CLOCK % ("9" * 5000 + ":1")),
        prediction(segment=CLOCK % "1:1:1:1"),
        prediction(segment="[" * 500 + "]" * 500),
        prediction(segment="[0, 1e400]"),
        prediction(segment='"01"'),
        '{"results": {"\\ud800": []}}',
        '{"results": [1]}',
        '{"results": {"a": [], "a": []}}',
    ],
)
def test_hostile_predictions(tmp_path, text, tally):
    path = tmp_path / "p.json"
    path.write_text(text)
    refused(lambda path: read_predictions(path, NAMES), path, "p.json", tally, "predictions")


def test_numbers_that_are_no_ids_are_unknown_labels(tmp_path):
    path = tmp_path / "p.json"
    for label in (HUGE, '"' + "9" * 5000 + '"', "1e300", "-5"):
        path.write_text(prediction(label=label))
        assert read_predictions(path, NAMES, "keep")["label"].tolist() == [-1]


@pytest.mark.parametrize(
    ("name", "form", "text"),
    [
        ("s.json", "json", '{"a": {"subset": {"b": ' + "[" * 500 + "]" * 500 + '}, "annotations": []}}'),
        ("s.json", "json", '{"a": [[' + HUGE + ', 2, "x"]]}'),
        ("s.json", "json", '{"a": [[{"b": 1}, 2, "x"]]}'),
        ("s.json", "json", '{"a": {"duration": ' + HUGE + ', "annotations": []}}'),
        ("s.json", "json", '{"a": {"annotations": ' + "[" * 500 + "]" * 500 + "}}"),
        ("s.json", "json", '{"a\\u001b[31m": [[0, 1, "x"]]}'),
        ("s.csv", "csv", "video,start,end,label\n" + "x" * 200_000 + ",0,1,x\n"),
        ("s.csv", "csv", "video,start,end,label\na\x00,0,1,x\n"),
        ("s.csv", "csv", "video,start,end,label\n../../x\x1b[31m,0,1,x\nb,0,1,x\n"),
        ("s.csv", "csv", "video,start,end,label\na,0,1e400,x\nb,0,1,x\n"),
        ("s.csv", "csv", 'video,start,end,label\n"a,0,1,x\n'),
        ("s.txt", "text", "9" * 5000 + " x y\n"),
        ("s.txt", "elan", "a\tb\t1:1\t\t\n"),
        ("s.txt", "steps", "\n\x00\n"),
    ],
)
def test_hostile_imports_write_nothing(tmp_path, name, form, text, tally):
    path, target = tmp_path / name, tmp_path / "mine.json"
    path.write_text(text)
    refused(lambda path: import_annotations(path, target, form=form), path, name, tally, "imported annotations")
    assert not target.exists()


@pytest.mark.parametrize(
    "value", ["", ".", "..", "../x", "a/b", "a\\b", "a\x00", "\ud800", "x" * 101, None, 3, ["x"], "a\n"]
)
def test_ids_of_clips_become_names_of_files(value):
    with pytest.raises(ValueError, match="is not an id"):
        _uid(value)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        '{"videos": 3}',
        '{"videos": [[]]}',
        '{"videos": [{"video_uid": ' + "[" * 500 + "]" * 500 + ', "clips": [{}]}]}',
        '{"videos": [{"clips": [{"clip_uid": "../x"}]}]}',
    ],
)
def test_hostile_moments(tmp_path, text, tally):
    path = tmp_path / "moments_train.json"
    path.write_text(text)
    refused(_read_moments, path, "is not in the official format", tally, "Ego4D moments")


def test_a_lead_that_is_no_number(tmp_path, tally):
    path = tmp_path / "ego4d.json"
    for lead in ("NaN", HUGE, "[]", '"1e400"'):
        path.write_text(f'{{"database": {{"a": {{"lead_sec": {lead}}}}}}}')
        refused(read_leads, path, "has no number 'lead_sec'", tally, "Ego4D moments")
