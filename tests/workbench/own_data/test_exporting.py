"""Annotations go to labelling tools, are corrected there, and come back with all that the tools cannot hold."""

import json
import re

import numpy as np
import pytest
from imported import segments

from afkit.__main__ import main
from afkit.data.annotations import read_annotations
from afkit.files import read_json
from afkit.workbench.own_data.exporting import TOOLS, export_annotations, has_overlaps
from afkit.workbench.own_data.importing import describe, import_annotations

ODD = 'say "hi", x;\ty'


def entry(start, end, label, number, **more):
    return {"segment": [start, end], "label": label, "label_id": number} | more


def content():
    first = [entry(3.5, 5.25, "Läufer & <b>", 3), entry(1.2344, 3.0, "walk", 0, by="Ann"), entry(2.0, 4.5, "walk", 0)]
    first[1]["comment"], first[2]["comment"] = "line 1\n  line 2", 'slow, "odd"'
    second = [entry(0.0, 1.0, ODD, 7, tier="left"), entry(0.5, 2.0, "walk", 0, tier="left", comment="müde; sehr")]
    return {
        "version": "1",
        "database": {
            "day 1": {
                "subset": "Training",
                "group": "ann",
                "duration": 20.5,
                "fps": 25.0,
                "url": "x",
                "annotations": first,
            }
            | {"annotated": [1.0, 19.0], "ignored": [[8.0, 9.0]]},
            "b/2": {"subset": "validation", "duration": 9.0, "annotations": second},
            "empty": {"subset": "validation", "duration": 4.0, "annotations": []},
        },
    }


@pytest.fixture
def source(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(content()))
    return tmp_path / "a.json"


def back(source, folder, **options):
    target = source.with_name("back.json")
    target.unlink(missing_ok=True)
    back.report = import_annotations(folder, target, like=source, allow_overlaps=True, **options)
    return read_json(target)


@pytest.mark.parametrize("form", TOOLS)
def test_what_goes_out_comes_back_whole(source, tmp_path, form):
    files = export_annotations(source, tmp_path / "out", form)
    assert sorted((tmp_path / "out").iterdir()) == sorted(files)
    assert back(source, tmp_path / "out") == content()
    assert back(source, tmp_path / "out", form=form.removesuffix("-aggregated")) == content(), (
        "the format as it is named"
    )


def test_annotations_where_nobody_judged_stay_behind(source, tmp_path):
    whole = content()
    whole["database"]["day 1"]["annotations"].append(entry(19.2, 20.0, "walk", 0))
    source.write_text(json.dumps(whole))
    export_annotations(source, tmp_path / "out", "audacity")
    assert len((tmp_path / "out" / "day 1.txt").read_text().splitlines()) == 3
    assert back(source, tmp_path / "out") == whole


CORRECTIONS = {  # of each format: what is replaced in the files, so that walk of day 1 ends 4.75 rather than 4.5 s
    "eaf": ('TIME_VALUE="4500"', 'TIME_VALUE="4750"'),
    "textgrid": ("4.5 ", "4.75 "),
    "boris": ("STOP,4.500", "STOP,4.750"),
    "boris-aggregated": ("2.000,4.500,2.500", "2.000,4.750,2.750"),
    "raven": ("4.500", "4.750"),
    "via": ("4.5\n", "4.75\n"),
    "labelstudio": ('"end": 4.5', '"end": 4.75'),
    "audacity": ("4.500000", "4.750000"),
    "csv": (",2.0,4.5,", ",2.0,4.75,"),
}
WITHOUT_COMMENTS = ("textgrid", "audacity")


@pytest.mark.parametrize("form", TOOLS)
def test_a_correction_changes_one_segment_and_nothing_else(source, tmp_path, form):
    old, new = CORRECTIONS[form]
    for path in export_annotations(source, tmp_path / "out", form):
        text = path.read_text()
        if "b_2" not in path.name:
            path.write_text(text.replace(old, new))
            assert "empty" in path.name or text != path.read_text()
    wanted = content()
    first = wanted["database"]["day 1"]["annotations"]
    first[:] = [first[1], first[2] | {"segment": [2.0, 4.75]}, first[0]]  # by time, since one has changed
    if form in WITHOUT_COMMENTS:
        del first[1]["comment"]
    assert back(source, tmp_path / "out") == wanted


def test_new_labels_get_new_ids_and_recordings_that_are_not_there_stay(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "b_2-72e3cde1.txt").write_text("1.0\t2.5\tjump\n3\t4\twalk\n")
    wanted = content()
    wanted["database"]["b/2"]["annotations"] = [entry(1.0, 2.5, "jump", 8), entry(3.0, 4.0, "walk", 0)]
    assert back(source, tmp_path / "out") == wanted
    said = describe(back.report)
    assert f"{source} has no label 'jump' (8): new" in said and "2 recordings that are not there stay as in" in said


def test_a_recording_or_a_time_that_cannot_be_is_refused_as_always(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "day 2.txt").write_text("1.0\t2.5\twalk\n")
    with pytest.raises(ValueError, match=r"no recording 'day 2' is listed \(but 'day 1' is\)"):
        back(source, tmp_path / "out")
    (tmp_path / "out" / "day 2.txt").rename(tmp_path / "out" / "empty.txt")
    (tmp_path / "out" / "empty.txt").write_text("1.0\t5.5\twalk\n2.0\t3.0\tsit\n")
    with pytest.raises(ValueError, match=r"segment 1 to 5\.5 s is beyond the recording's 4 s"):
        back(source, tmp_path / "out")
    with pytest.raises(ValueError, match="--like tells recordings, labels and parts; leave --recordings, --labels"):
        back(source, tmp_path / "out", labels=["walk"])
    assert not source.with_name("back.json").exists()


def test_without_the_file_that_went_out_names_times_comments_and_tiers_come_back(source, tmp_path):
    comments = {"eaf", "boris", "boris-aggregated", "raven", "via", "labelstudio", "csv"}
    tiers = {"eaf", "textgrid", "boris", "boris-aggregated", "raven", "csv"}
    whole = content()
    for video in whole["database"].values():
        video["annotations"] = [
            one | {"comment": "c", "tier": "t"} for one in video["annotations"] if one["label"] != ODD
        ]
    source.write_text(json.dumps(whole))
    for form in TOOLS:
        export_annotations(source, tmp_path / form, form)
        target = tmp_path / f"{form}.json"
        import_annotations(
            tmp_path / form, target, allow_overlaps=True, tiers=["all"] * (form in tiers), fix=["unlabelled"]
        )
        assert sorted(segments(read_annotations(target))["day 1"]) == [
            (1.234 if form == "eaf" else 1.2344, 3.0, "walk"),
            (2.0, 4.5, "walk"),
            (3.5, 5.25, "Läufer & <b>"),
        ]
        entries = [one for video in read_json(target)["database"].values() for one in video["annotations"]]
        assert {one.get("comment") for one in entries} == ({"c"} if form in comments else {None}), form
        assert {one.get("tier") for one in entries} == ({"t"} if form in tiers else {None}), form


def test_comments_and_tiers_of_an_annotation_file_that_is_imported_are_kept(source, tmp_path):
    whole = content()
    del whole["database"]["day 1"], whole["database"]["empty"]
    source.write_text(json.dumps(whole))
    import_annotations(source, tmp_path / "b.json", fix=["spelling"])
    first, second = read_json(tmp_path / "b.json")["database"]["b/2"]["annotations"]
    assert first["tier"] == second["tier"] == "left" and second["comment"] == "müde; sehr" and "comment" not in first


def test_files_name_the_films_that_are_given(source, tmp_path):
    films = tmp_path / "films"
    films.mkdir()
    (films / "day 1.mp4").write_bytes(b"")
    for form in ("eaf", "via", "labelstudio", "raven", "boris"):
        export_annotations(source, tmp_path / form, form, films)
        written = "".join(path.read_text() for path in (tmp_path / form).iterdir())
        assert re.search(r"day(?: |%20)1\.mp4", written), form
        assert back(source, tmp_path / form) == content()
    with pytest.raises(ValueError, match="nowhere is no folder; name that of the films or sounds"):
        export_annotations(source, tmp_path / "again", "eaf", tmp_path / "nowhere")


def test_elan_is_given_tiers_without_overlaps_and_slots_in_the_order_of_time(source, tmp_path):
    from pympi.Elan import Eaf

    export_annotations(source, tmp_path / "out", "eaf")
    document = Eaf(tmp_path / "out" / "day 1.eaf")
    assert list(document.tiers) == ["walk", "walk - comment", "walk [2]", "walk [2] - comment", "Läufer & <b>"]
    assert list(document.timeslots.values()) == sorted(document.timeslots.values())
    assert document.get_annotation_data_for_tier("walk") == [(1234, 3000, "walk")]
    assert document.get_ref_annotation_data_for_tier("walk [2] - comment")[0][2:4] == ('slow, "odd"', "walk")


def test_the_command_says_how_labels_come_back_and_writes_over_nothing(source, tmp_path, capsys):
    command = ["export", str(source), "--to", "via", "--out", str(tmp_path / "out")]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert f"import {tmp_path / 'out'} CORRECTED.json --like {source} --allow-overlaps\n" in printed
    assert (
        main(["import", str(tmp_path / "out"), str(tmp_path / "b.json"), "--like", str(source), "--allow-overlaps"])
        == 0
    )
    assert read_json(tmp_path / "b.json") == content()
    assert main(command) == 2
    assert "a.json exists, and may hold corrections; name another folder with --out" in capsys.readouterr().err
    assert main([*command[:-1], str(tmp_path / "x"), "--to", "elan"]) == 2
    assert "there is no format 'elan'" in capsys.readouterr().err and not (tmp_path / "x").exists()
    apart = content()
    del apart["database"]["day 1"]
    source.write_text(json.dumps(apart))
    assert not has_overlaps(source)


@pytest.mark.parametrize(("module", "form"), [("pympi.Elan", "eaf"), ("praatio.utilities.textgrid_io", "textgrid")])
def test_a_package_that_is_missing_is_named(source, tmp_path, monkeypatch, module, form):
    monkeypatch.setitem(__import__("sys").modules, module, None)
    with pytest.raises(
        ValueError, match=r"needs (pympi-ling|praatio) .*; install it with: pip install 'afkit\[label\]'"
    ):
        export_annotations(source, tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["eaf", "boris"])
def test_many_overlapping_segments_come_back(tmp_path, form):
    rng = np.random.default_rng(0)
    times, labels = rng.integers(0, 60000, (80, 2)), rng.integers(0, 3, 80)
    times.sort(axis=1)
    entries = [
        entry(s / 1000, (e + 1) / 1000, f"l{i}", i) for s, e, i in zip(*times.T.tolist(), labels.tolist(), strict=True)
    ]
    (tmp_path / "a.json").write_text(json.dumps({"database": {"v": {"subset": "x", "annotations": entries}}}))
    export_annotations(tmp_path / "a.json", tmp_path / "out", form)
    assert back(tmp_path / "a.json", tmp_path / "out") == read_json(tmp_path / "a.json")
