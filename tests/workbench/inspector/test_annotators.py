"""Two annotators in the inspector: the same differences as the command counts, at the rows they are about."""

import json

import pytest

from afkit.__main__ import main
from afkit.workbench.analysis.agreement import agreement
from afkit.workbench.inspector.annotators import collect_annotators, inspect_annotators
from afkit.workbench.inspector.inspected import describe
from afkit.workbench.runs import serving

ONE = {"a": [(0, 10, "walk"), (12, 16, "sit"), (18, 20, "walk")], "b": [(1, 3, "run"), (1, 3, "run"), (5, 9, "sit")]}
OTHER = {"b": [(5.1, 9, "sit"), (1, 3, "run")], "a": [(0, 8, "walk"), (12, 15, "run"), (16.5, 17.5, "sit")], "c": []}


@pytest.fixture
def files(tmp_path):
    """Annotation files of two, with other ids for the same names, and a part of b that one did not judge."""
    paths = []
    for name, videos, ids in (("ann", ONE, ["walk", "sit", "run"]), ("bob", OTHER, ["run", "walk", "sit"])):
        database = {
            video: {"subset": "x", "duration": 20 + (name == "bob")}
            | {
                "annotations": [
                    {"segment": [s, e], "label": label, "label_id": ids.index(label)} for s, e, label in rows
                ]
            }
            for video, rows in videos.items()
        }
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text(json.dumps({"database": database}))
    return paths


def test_differences_are_at_their_rows(files):
    inspected = collect_annotators(*files)
    assert inspected.annotators == ("ann", "bob") and inspected.videos == ["a", "b"] and "'c'" in inspected.remark
    names = dict(zip(inspected.labels.tolist(), inspected.names(), strict=True))
    found = []
    for video in inspected.videos:
        both = inspected.of_video(video)
        for one, other, what in inspected.compared[video]:
            rows = [
                None if place < 0 else tuple(table.iloc[place][["start_sec", "end_sec"]])
                for table, place in zip(both, (one, other), strict=True)
            ]
            labels = {
                names[table["label"].iloc[place]] for table, place in zip(both, (one, other), strict=True) if place >= 0
            }
            found.append((video, *rows, labels, what))
    assert found == [
        ("a", (0, 10), (0, 8), {"walk"}, "end differs by 2 s"),
        ("a", (12, 16), (12, 15), {"sit", "run"}, "label differs"),
        ("a", None, (16.5, 17.5), {"sit"}, "missed by one"),
        ("a", (18, 20), None, {"walk"}, "missed by other"),
        ("b", (1, 3), (1, 3), {"run"}, ""),
        ("b", (5, 9), (5.1, 9), {"sit"}, ""),
    ]
    videos = describe(inspected, [0.5], 0.5, 0.2)["videos"]
    assert [(entry["errors"], entry["ap"], entry["duration_sec"]) for entry in videos] == [(4, None, 21), (0, None, 21)]
    assert len(agreement(*files).differences) == 4


def test_files_of_one_name_are_told_apart_by_their_folders(files, tmp_path):
    for folder, path in zip("xy", files, strict=True):
        (tmp_path / folder).mkdir()
        path.rename(tmp_path / folder / "labels.json")
    same = [tmp_path / folder / "labels.json" for folder in "xy"]
    assert collect_annotators(*same).annotators == ("x/labels", "y/labels")


def test_the_command_writes_a_page(files, tmp_path, capsys):
    both = ["agreement", *map(str, files)]
    assert main([*both, "--html", str(tmp_path / "both.html")]) == 0
    assert "4 differences" in (said := capsys.readouterr().out) and "both.html in a browser" in said
    assert '"annotators": ["ann", "bob"]' in (tmp_path / "both.html").read_text()
    assert main([*both, "--html", str(tmp_path / "both.html"), "--videos", str(tmp_path / "none")]) == 2
    assert "does not exist" in capsys.readouterr().err


def test_the_command_serves_both_from_wherever_it_is_called(files, tmp_path, monkeypatch):
    pytest.importorskip("anywidget", reason="the widget is an extra")
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.webm").write_bytes(b"film")
    monkeypatch.chdir(tmp_path)
    served = []
    monkeypatch.setattr(serving, "serve_notebook", lambda *given: served.append(given))
    assert main(["agreement", "ann.json", "bob.json", "--open", "--videos", "films", "--port", "7"]) == 0
    ((notebook, find, port, _),) = served
    assert find("a") == tmp_path / "films" / "a.webm" and port == 7
    widgets = []
    show = {"inspect_annotators": lambda *given, **named: widgets.append(inspect_annotators(*given, **named))}
    monkeypatch.chdir("/")
    exec(notebook.cells[0].source.partition("inspect_annotators\n")[2], show)
    assert widgets[0].runs[0]["annotators"] == ["ann", "bob"] and widgets[0].video == "a"
