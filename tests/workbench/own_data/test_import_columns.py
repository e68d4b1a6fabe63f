"""Which column is what: names in many languages, rows without names, tiers, ids, and what is asked."""

import pytest
from imported import refused, segments

from afkit.workbench.own_data.import_names import Meaning, read_name, unit_of

FOUND = {"a": [(1.5, 2.0, "gehen")], "b": [(0.5, 3.25, "stehen")]}
CELLS = ["a;1,5;2;gehen", "b;0,5;3,25;stehen"]


@pytest.mark.parametrize(
    "head",
    [
        "recording;begin;finish;behaviour",
        "Datei;Anfang;Ende;Verhalten",
        "Aufnahme;Startzeit (s);Endzeit (s);Aktivität",
        "fichier;début;fin;étiquette",
        "Vidéo;Temps de départ - ss.msec;Temps de fin - ss.msec;Activité",
        "archivo;inicio;fin;etiqueta",
        "vídeo;início;fim;rótulo",
        "filmato;inizio;fine;etichetta",
        "bestand;begintijd;eindtijd;gedrag",
        "视频;开始时间;结束时间;标签",
        "動画;開始時刻;終了時刻;ラベル",
        "videoName;tStart;tEnd;className",
        "file_path;from;to;event type",
        "VIDEO ID;Segment Start;Segment End;Action Name",
        "video\tstart\tend\tlabel",
    ],
)
def test_names_of_columns_in_many_languages(bring, head):
    text = "\n".join([head, *CELLS]) + "\n"
    assert segments(bring(text.replace(";", "\t") if "\t" in head else text)) == FOUND


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("Begin Time - hh:mm:ss.ms", Meaning("start", "clock")),
        ("Begin Time - msec", Meaning("start", "milliseconds")),
        ("segment(frames)", Meaning("segment", "frames")),
        ("numFrame", Meaning("duration", "frames")),
        ("class_id", Meaning("label_id", "")),
        ("metadata.frame_rate", Meaning("fps", "")),
        ("Begin File", Meaning("video", "")),
        ("verb_class", None),
        ("segment_id", None),
        ("narration_timestamp", None),
        ("Begin Time - hh:mm:ss:ff", None),
        ("", None),
    ],
)
def test_a_name_counts_only_where_all_its_words_are_known(name, meaning):
    assert read_name(name) == meaning


def test_the_unit_of_a_name_counts_whatever_its_other_words():
    assert unit_of("freeze onset (ms)") == "milliseconds" and unit_of("freeze") == ""
    assert {unit_of(name) for name in ("onset (mSec)", "ECG_milliSec", "t msec")} == {"milliseconds"}
    assert [unit_of(name) for name in ("EMG µSec", "EMG t [nanoSec]")] == ["microseconds", "nanoseconds"]


# ---- rows without names


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([[57, 0.5, 1.2], [3, 4.0, 9.75]], [(0.5, 1.2, "57"), (4.0, 9.75, "3")]),  # MultiTHUMOS, Charades
        ([[0.5, 1.2, 57], [4.0, 9.75, 3]], [(0.5, 1.2, "57"), (4.0, 9.75, "3")]),
        ([["sit", 0.5, 1.2], ["walk", 4, 9.75]], [(0.5, 1.2, "sit"), (4.0, 9.75, "walk")]),
        ([[0.5, "sit", 1.2], [4, "walk", 9.75]], [(0.5, 1.2, "sit"), (4.0, 9.75, "walk")]),
        ([["0.5", "1.2", "sit"]], [(0.5, 1.2, "sit")]),
        ([[92, 11, 21.5], [147, 22, 30]], [(11.0, 21.5, "92"), (22.0, 30.0, "147")]),
        ([[40, 1, 5], [41, 6, 9]], [(1.0, 5.0, "40"), (6.0, 9.0, "41")]),  # the other order would run backwards
    ],
)
def test_the_order_of_a_list_is_that_which_is_possible(bring, rows, found):
    content = {name: {"subset": name, "duration": 40.0, "actions": rows} for name in ("training", "testing")}
    file = bring(content, "source.json")
    assert segments(file) == {name: sorted(found) for name in content}


@pytest.mark.parametrize(
    ("name", "content", "shown"),
    [
        ("a.json", {"a": [[1, 5, 9]], "b": [[2, 5, 7]]}, "without names: 1: '1', 2: '5', 3: '9'"),
        ("a.json", {"a": [[1.5, 5.5, 9.5]]}, "does not tell which column is what"),
        ("a.json", {"a": [["x", "y", 9.5]]}, "without names: 1: 'x', 2: 'y', 3: '9.5'"),
        ("a.json", {"a": [[1, 2, "x", 0.9]]}, "4: '0.9'; say it, e.g. --column label=1 --column start=2"),
        ("a.csv", "v1,0.5,2,walk\nv2,1,2,run\n", "1: 'v1', 2: '0.5', 3: '2', 4: 'walk'; say it"),
        ("a.csv", "walk,0.5,2\n", "has a text before two times, a label or a recording; its columns are without names"),
        ("a.txt", "v1 0.5 2\n", "say which: --column label=1 --column start=2 --column end=3, or --column video=1"),
        ("a.txt", "1 5 9\n2 6 8\n", "does not tell which column is what"),
        ("a.txt", "a\tb\t0.5\t2.5\tx\ty\n", "no column for 'label'; its columns are Tier, Participant"),
    ],
)
def test_an_order_that_nobody_can_decide_is_asked(bring, tmp_path, name, content, shown):
    message = refused(tmp_path, bring, content, name)
    assert shown in message and "--column" in message and "\n" not in message


def test_places_can_be_named_like_columns(bring):
    text = "v1,0.5,2,walk,p\nv2,1,2,run,q\n"
    columns = {"video": "1", "start": "2", "end": "3", "label": "4"}
    assert segments(bring(text, columns=columns)) == {"v1": [(0.5, 2.0, "walk")], "v2": [(1.0, 2.0, "run")]}


def test_a_file_for_each_class_is_named_like_it(bring):
    folder = {"jump.txt": "v1 0.5 2.5\nv2 1 2\n", "run.txt": "v1 3 4.5\n"}
    columns = {"video": "1", "start": "2", "end": "3", "label": "file"}
    file = bring(folder, "folder", columns=columns)
    assert segments(file) == {"v1": [(0.5, 2.5, "jump"), (3.0, 4.5, "run")], "v2": [(1.0, 2.0, "jump")]}


# ---- several columns for one field


@pytest.mark.parametrize(
    ("head", "rows", "question"),
    [
        ("video,start,end,label,action", "a,1.5,2,x,jump\nb,1,2,y,run", "for the label (label, action)"),
        ("video,start,end,verb,noun", "a,1.5,2,take,cup\nb,1,2,put,cup", "has no column for 'label'; its columns are"),
        ("video,start,end,label,name", "a,1.5,2,0,Ann\nb,1,2,0,Bob", "for the label (label, name)"),
        ("video,file,start,end,label", "a,c.mp4,1.5,2,x\nb,d.mp4,1,2,y", "for the recording (video, file)"),
        ("video,start,onset,end,label", "a,1.5,1.7,2,x\nb,1,1,2,y", "tells the times twice"),
        ("session,begin,stop,what", "a,1.5,2,x\nb,1,2,y", "its columns are session, begin, stop, what; name it"),
    ],
)
def test_more_than_one_candidate_is_a_question(bring, tmp_path, head, rows, question):
    message = refused(tmp_path, bring, f"{head}\n{rows}\n")
    assert question in message and ("--column" in message)


@pytest.mark.parametrize("names", ["label,name", "class_id,class", "label,label_name", "activity,action"])
def test_a_number_beside_a_name_is_its_id(bring, names):
    file = bring(f"video,start,end,{names}\na,1.5,2,4,walk\nb,1,2,2,sit\nb,3,4,4,walk\n")
    assert file.label_names == {2: "sit", 4: "walk"}
    assert segments(file)["b"] == [(1.0, 2.0, "sit"), (3.0, 4.0, "walk")]


def test_one_mapping_is_for_the_labels_and_the_table_of_recordings(bring, tmp_path):
    labels, table = "clip,start,end,label\na,1,2,x\nb,1,2,x\n", "video,duration\na,10\nb,12\n"
    file = bring(labels, recordings=table, columns={"video": "clip"})
    assert {name: video.duration_sec for name, video in file.videos.items()} == {"a": 10.0, "b": 12.0}
    message = refused(tmp_path, bring, labels, recordings=table, columns={"video": "clips"})
    assert "no file has a column 'clips' for 'video'; its columns are clip, end, label, start" in message


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        (["C:/v/one.mp4", "v_b.mp4"], ["one", "v_b"]),
        (["C:\\v\\one.MOV", "two.wav"], ["one", "two"]),
        (["1/a.mp4", "2/a.mp4"], ["1/a", "2/a"]),
        (["day1.2", "s1/day1"], ["day1.2", "s1/day1"]),
        (["a.mp4", "a.avi"], ["a.avi", "a.mp4"]),
    ],
)
def test_recordings_lose_folder_and_ending_of_their_films(bring, raw, names):
    file = bring("filename,start,end,label\n" + "".join(f"{name},1,2,x\n" for name in raw))
    assert sorted(file.videos) == names
    changed = [change.what for change in bring.report.changes if "lost folder and ending" in change.what]
    assert len(changed) == (sorted(raw) != names)


# ---- ELAN

TIMES = "Begin Time - ss.msec\tEnd Time - ss.msec\tDuration - ss.msec"


def elan(*rows):
    return "\n".join("\t".join(row) for row in rows) + "\n"


PER_TIER = elan(
    [TIMES, "Freeze", "Task"],
    ["1.000", "3.000", "2.000", "freeze", ""],
    ["2.000", "9.000", "7.000", "", "turn"],
    ["10.000", "12.000", "2.000", "freeze", "turn"],
)
FREEZE = [(1.0, 3.0, "freeze"), (10.0, 12.0, "freeze")]
TURN = [(2.0, 9.0, "turn"), (10.0, 12.0, "turn")]
TIERS = elan(["hands", "", "1.000", "3.000", "2.000", "wave"], ["gaze", "", "0.000", "9.000", "9.000", "left"])
FILES = elan(["gesture", "", "1.000", "3.000", "2.000", "wave", "x/day1.eaf"])
FRENCH = elan(
    ["Acteur", "Temps de départ - ss.msec", "Temps de fin - ss.msec", "marche"], ["x", "1.000", "3.000", "pas"]
)
GERMAN = elan(["Anfangszeit - ss.msec", "Endzeit - ss.msec", "Gang"], ["1.000", "3.000", "Schritt"])
NUMBERS = elan(["x", "", "1000", "3000", "2000", "5"], ["y", "", "2000", "4000", "2000", "5"])
UNLABELLED = elan(["walk", "", "1.000", "3.000", "2.000", ""], ["run", "", "5.000", "9.000", "4.000", ""])


@pytest.mark.parametrize(
    ("text", "options", "found"),
    [
        (PER_TIER, {"columns": {"label": "Freeze"}}, FREEZE),
        (PER_TIER, {"tiers": ["Task"]}, TURN),
        (PER_TIER, {"tiers": ["all"]}, sorted(FREEZE + TURN)),
        (TIERS, {"tiers": ["gaze"]}, [(0.0, 9.0, "left")]),
        (TIERS, {"tiers": ["all"]}, [(0.0, 9.0, "left"), (1.0, 3.0, "wave")]),
        (TIERS, {"columns": {"label": "Tier"}}, [(0.0, 9.0, "gaze"), (1.0, 3.0, "hands")]),
        (FRENCH, {}, [(1.0, 3.0, "pas")]),
        (GERMAN, {}, [(1.0, 3.0, "Schritt")]),
        (UNLABELLED, {"columns": {"label": "tier"}}, [(1.0, 3.0, "walk"), (5.0, 9.0, "run")]),
        (NUMBERS, {"tiers": ["all"]}, [(1.0, 3.0, "5"), (2.0, 4.0, "5")]),
    ],
)
def test_tiers_of_elan_are_chosen_by_name(bring, text, options, found):
    file = bring({"a.txt": text, "b.txt": text}, "folder", form="elan", allow_overlaps=True, **options)
    assert segments(file) == {"a": found, "b": found}


def test_a_column_of_file_names_is_the_recording_not_the_label(bring):
    folder = {"e1.txt": FILES + FILES.replace("day1", "day2").replace("wave", "point")}
    assert segments(bring(folder, "folder")) == {"day1": [(1.0, 3.0, "wave")], "day2": [(1.0, 3.0, "point")]}


@pytest.mark.parametrize(
    ("text", "options", "question"),
    [
        (PER_TIER, {}, "has several tiers: Freeze, Task; its columns are 'Begin Time - ss.msec', 'End Time - ss.m"),
        (PER_TIER, {"fix": True}, "choose with --tier NAME, or take --tier all"),
        (PER_TIER, {"tiers": ["freeze"]}, "has no tier 'freeze'"),
        (TIERS, {}, "has several tiers: gaze, hands"),
        (UNLABELLED, {}, "to take the names of the tiers (run, walk), give --column label=Tier"),
        (TIERS, {"columns": {"label": "Freeze"}}, "no file has a column 'Freeze' for 'label'; its columns are Annota"),
        (elan(["a", "", "x", "y", "z", "1.000"]), {}, "no begin and end time in"),
    ],
)
def test_tiers_that_nobody_can_choose_are_asked(bring, tmp_path, text, options, question):
    assert question in refused(tmp_path, bring, {"a.txt": text, "b.txt": text}, "folder", form="elan", **options)


def test_options_that_a_format_does_not_use_are_refused(bring, tmp_path):
    assert "--column start=... has no use" in refused(
        tmp_path, bring, {"a.txt": "x\ny\n"}, "folder", form="steps", rate=2, columns={"start": "t"}
    )
    text = "video,start,end,label\na,1,2,x\nb,1,2,x\n"
    assert "has no tiers or lists to choose from" in refused(tmp_path, bring, text, tiers=["hands"])
