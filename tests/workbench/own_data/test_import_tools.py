"""Files of labelling tools as these write them, with what is odd in them; made by hand from their specifications."""

import json

import pytest
from imported import refused, segments, subsets

from afkit.files import read_json
from afkit.workbench.own_data.importing import describe

TWO = "video,subset\na,train\nb,test\n"


def eaf(slots, tiers, media="day1.mp4", more=""):
    """A document of ELAN; slots {id: ms or None}, tiers [(attributes, annotations)], more of its film."""
    order = "".join(
        f'<TIME_SLOT TIME_SLOT_ID="{name}"' + ("/>" if ms is None else f' TIME_VALUE="{ms}"/>')
        for name, ms in slots.items()
    )
    body = "".join(f"<TIER {attributes}>{annotations}</TIER>" for attributes, annotations in tiers)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT AUTHOR="" DATE="2024-01-01T00:00:00+01:00" '
        'FORMAT="3.0" VERSION="3.0" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
        'xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd"><HEADER MEDIA_FILE="" '
        f'TIME_UNITS="milliseconds"><MEDIA_DESCRIPTOR MEDIA_URL="file:///films/{media}" MIME_TYPE="x/y"{more}/>'
        f"</HEADER><TIME_ORDER>{order}</TIME_ORDER>{body}</ANNOTATION_DOCUMENT>"
    )


def aligned(name, start, end, text):
    return (
        f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="{name}" TIME_SLOT_REF1="{start}" TIME_SLOT_REF2="{end}">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>"
    )


def referring(name, parent, text):
    return (
        f'<ANNOTATION><REF_ANNOTATION ANNOTATION_ID="{name}" ANNOTATION_REF="{parent}">'
        f"<ANNOTATION_VALUE>{text}</ANNOTATION_VALUE></REF_ANNOTATION></ANNOTATION>"
    )


DOCUMENT = eaf(
    {"ts1": 1000, "ts2": None, "ts3": None, "ts4": 4000, "ts5": 5000, "ts6": 6500},
    [
        ('TIER_ID="move" LINGUISTIC_TYPE_REF="t" PARTICIPANT="Ann"', aligned("a1", "ts1", "ts4", "walk &amp; talk")),
        (
            'TIER_ID="steps" LINGUISTIC_TYPE_REF="s" PARENT_REF="move"',
            aligned("a2", "ts1", "ts2", "one")
            + aligned("a3", "ts2", "ts3", "two")
            + aligned("a4", "ts3", "ts4", "three"),
        ),
        ('TIER_ID="comment@Ann" LINGUISTIC_TYPE_REF="r" PARENT_REF="move"', referring("a5", "a1", "slow, Müde")),
        ('TIER_ID="gloss" LINGUISTIC_TYPE_REF="r" PARENT_REF="comment@Ann"', referring("a6", "a5", "tired")),
        ('TIER_ID="empty" LINGUISTIC_TYPE_REF="t"', ""),
    ],
)


def test_slots_of_elan_without_a_time_lie_evenly_between_the_others(bring):
    file = bring({"a.eaf": DOCUMENT, "b.eaf": DOCUMENT}, "folder", TWO, tiers=["steps"])
    assert segments(file)["a"] == [(1.0, 2.0, "one"), (2.0, 3.0, "two"), (3.0, 4.0, "three")]
    assert subsets(file) == {"a": "train", "b": "test"}


def test_comments_of_elan_stay_with_what_they_comment_on_and_references_have_its_times(bring, tmp_path):
    bring({"a.eaf": DOCUMENT, "b.eaf": DOCUMENT}, "folder", TWO, tiers=["move", "gloss"])
    entries = read_json(tmp_path / "out" / "mine.json")["database"]["a"]["annotations"]
    assert entries == [
        {"segment": [1.0, 4.0], "label": "tired", "label_id": 0, "tier": "gloss"},
        {"segment": [1.0, 4.0], "label": "walk & talk", "label_id": 1, "comment": "slow, Müde", "tier": "move"},
    ]
    said = refused(tmp_path, bring, {"a.eaf": DOCUMENT}, "folder")
    assert "has several tiers: gloss, move, steps; its columns" in said and "choose with --tier NAME" in said


def test_comments_of_elan_with_times_of_their_own_belong_to_what_they_lie_in(bring, tmp_path):
    slots = {"t1": 1000, "t2": 3000, "t3": 2000, "t4": 2900, "t5": 4000, "t6": 5000}
    walks = aligned("a1", "t1", "t2", "walk") + aligned("a2", "t5", "t6", "walk")
    tiers = [
        ('TIER_ID="remarks" LINGUISTIC_TYPE_REF="i" PARENT_REF="move"', aligned("a3", "t3", "t4", "limps")),
        ('TIER_ID="move" LINGUISTIC_TYPE_REF="t"', walks),
    ]
    bring({name: eaf(slots, tiers[::step]) for name, step in (("a.eaf", 1), ("b.eaf", -1))}, "folder", TWO)
    database = read_json(tmp_path / "out" / "mine.json")["database"]
    for name in "ab":
        assert [(one["label"], one.get("comment")) for one in database[name]["annotations"]] == [
            ("walk", "limps"),
            ("walk", None),
        ]


def test_times_of_elan_are_those_of_the_film_into_which_it_begins(bring):
    tiers = [('TIER_ID="t" LINGUISTIC_TYPE_REF="t"', aligned("a1", "t1", "t2", "walk"))]
    documents = {f"{name}.eaf": eaf({"t1": 500, "t2": 2000}, tiers, more=' TIME_ORIGIN="3000"') for name in "ab"}
    assert segments(bring(documents, "folder", TWO))["a"] == [(3.5, 5.0, "walk")]
    assert "ELAN begins 3 s into the film 'day1.mp4' (TIME_ORIGIN): all times were moved" in describe(bring.report)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a.eaf is empty; copy it anew"),
        (DOCUMENT[:400], "no document that ELAN can open (ParseError: "),
        (DOCUMENT.replace('"6500"', '"x"'), "no document that ELAN can open (ValueError: invalid literal"),
    ],
)
def test_what_is_wrong_with_a_document_of_elan_is_one_sentence(bring, tmp_path, text, said):
    assert said in refused(tmp_path, bring, {"a.eaf": text, "b.eaf": DOCUMENT}, "folder", TWO)


def test_a_document_of_elan_can_name_the_film(bring):
    file = bring(DOCUMENT, "coded.eaf", "video,subset\nday1,x\n", tiers=["move"], columns={"video": "linked file"})
    assert list(file.videos) == ["day1"]


def test_an_annotation_of_elan_without_any_time_and_one_that_refers_to_nothing_are_told(bring, tmp_path):
    tier, timeless = 'TIER_ID="{}" LINGUISTIC_TYPE_REF="t"'.format, aligned("a2", "ts1", "ts2", "walk")
    slots, timed = {"ts1": None, "ts2": None, "ts3": 5, "ts4": 2005}, aligned("a1", "ts3", "ts4", "walk")
    text = eaf(slots, [(tier("walk"), timed), (tier("walk [2]"), timeless)])
    said = refused(tmp_path, bring, text, "a.eaf", "video,subset\na,x\n")
    assert "a.eaf, tier 'walk [2]', annotation a2: a time is not finite, or missing" in said
    said = refused(tmp_path, bring, eaf({}, [(tier("t"), referring("a1", "a9", "walk"))]), "a.eaf")
    assert "a.eaf is no document that ELAN can open (KeyError: 'a9'); open it there" in said


LONG = '''File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 9.5
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "birds"
        xmin = 0
        xmax = 9.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 1.25
            text = ""
        intervals [2]:
            xmin = 1.25
            xmax = 2.5
            text = "Krähe ""Max"""
        intervals [3]:
            xmin = 2.5
            xmax = 9.5
            text = " "
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 9.5
        points: size = 1
        points [1]:
            number = 3.5
            mark = "click"
'''
SHORT = '''File type = "ooTextFile"
Object class = "TextGrid"

0
9.5
<exists>
2
"IntervalTier"
"birds"
0
9.5
3
0
1.25
""
1.25
2.5
"Krähe ""Max"""
2.5
9.5
""
"TextTier"
"clicks"
0
9.5
1
3.5
"click"
'''


SMALL = SHORT.replace("1.25", "125e-02"), LONG.replace("= 1.25\n", "= 1.25e+00\n").replace("= 0\n", "= 5.55e-17\n")


@pytest.mark.parametrize("text", [LONG, SHORT, SHORT.rstrip("\n"), LONG.replace("\n", "\r\n"), *SMALL])
@pytest.mark.parametrize("code", ["utf-8", "utf-16", "utf-8-sig"])
def test_both_forms_of_textgrids_in_all_codes(bring, tmp_path, text, code):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.TextGrid").write_bytes(text.encode(code))
    file = bring({}, "folder", "video,subset\na,x\n", tiers=["birds"])
    assert segments(file) == {"a": [(1.25, 2.5, 'Krähe "Max"')]} and file.videos["a"].duration_sec == 9.5


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (LONG, "has several tiers: birds, clicks"),
        (LONG.replace("birds", "clicks"), "entry 1: segment 3.5 to 3.5 s is shorter than 1 ms"),
        ("\n".join(SHORT.splitlines()[:-1]), "says that its tiers have [3, 1] entries, and has [3, 0]; save it anew"),
        (LONG.replace("xmin = 1.25", "xmin = -1.25"), "has times before 0; shift them in Praat (Modify times)"),
        (LONG.replace("xmax = 2.5", "xmax = many"), "is no TextGrid that Praat can read (Expected field"),
        ("\xff\xfe\x00", 'does not begin as a TextGrid does, with File type = "ooTextFile"'),
        ("", "a.TextGrid is empty; copy it anew"),
    ],
)
def test_what_is_wrong_with_a_textgrid_is_one_sentence(bring, tmp_path, text, seen):
    said = refused(tmp_path, bring, text, "a.TextGrid", "video,subset\na,x\n")
    assert seen in said.replace("'", "")


BORIS = (
    "Observation id,Observation date,Description,Observation duration,Observation type,Source,Media duration (s),"
    "Subject,Behavior,Behavioral category,Modifier #1,Behavior type,Time,Media file name,Image index,Comment\n"
)


def events(*rows):
    """Tabular events: (observation, subject, behaviour, modifier, kind, time, media, comment)."""
    of = "{0},2024-01-01 10:00:00,,60,Media file,player #1:{6},60.0,{1},{2},,{3},{4},{5},{6},NA,{7}"
    return BORIS + "\n".join(of.format(*row) for row in rows) + "\n"


def test_start_and_stop_of_boris_are_one_action_of_a_behaviour_and_subject(bring, tmp_path):
    text = events(
        ("obs1", "cow 1", "walk", "", "START", 1.0, "films/a.mp4", "begins"),
        ("obs1", "cow 2", "walk", "", "START", 1.5, "films/a.mp4", ""),
        ("obs1", "cow 1", "walk", "", "STOP", 2.0, "films/a.mp4", '"ends, here"'),
        ("obs1", "cow 1", "walk", "fast", "START", 2.0, "films/a.mp4", ""),
        ("obs1", "cow 2", "walk", "", "STOP", 3.0, "films/a.mp4", ""),
        ("obs1", "cow 1", "walk", "fast", "STOP", 4.0, "films/a.mp4", ""),
        ("obs2", "No focal subject", "eat", "", "START", 0.0, "films/b.mp4", ""),
        ("obs2", "No focal subject", "eat", "", "STOP", 5.0, "films/b.mp4", ""),
    )
    file = bring(text, "events.csv", TWO, tiers=["all"], allow_overlaps=True)
    assert segments(file) == {
        "a": [(1.0, 2.0, "walk"), (1.5, 3.0, "walk"), (2.0, 4.0, "walk")],
        "b": [(0.0, 5.0, "eat")],
    }
    assert file.videos["a"].duration_sec == 60
    entries = read_json(tmp_path / "out" / "mine.json")["database"]["a"]["annotations"]
    assert [(one["tier"], one.get("comment")) for one in entries] == [
        ("cow 1", "begins; ends, here"),
        ("cow 2", None),
        ("cow 1", "fast"),
    ]


def test_what_boris_leaves_open_and_its_points_are_told(bring, tmp_path):
    nobody = ("obs", "No focal subject")
    text = events(
        (*nobody, "walk", "", "STOP", 1.0, "a.mp4", ""),
        (*nobody, "walk", "", "START", 2.0, "a.mp4", ""),
        (*nobody, "bark", "", "POINT", 3.0, "a.mp4", ""),
    )
    said = refused(tmp_path, bring, text, "events.csv", "video,subset\na,x\n")
    assert "row 2 (STOP alone): a time is not finite, or missing" in said
    assert "row 3 (START alone): a time is not finite, or missing" in said
    assert "row 4: segment 3 to 3 s is shorter than 1 ms" in said
    cut_off = text[: text.index("POINT") + len("POINT")]
    said = refused(tmp_path, bring, cut_off, "events.csv", "video,subset\na,x\n")
    assert "row 4: a time is not finite, or missing" in said


def test_old_tables_of_boris_begin_with_what_is_said_of_the_observation(bring):
    text = (
        "Observation id\tday1\n\nMedia file(s)\n\nPlayer #1\t/films/x1.mp4\n\nTime\tMedia file path\tTotal length\t"
        "FPS\tSubject\tBehavior\tBehavioral category\tComment\tStatus\n"
        "1.5\t/films/x1.mp4\t60.5\t25.0\t\twalk\t\t\tSTART\n"
        "2.5\t/films/x1.mp4\t60.5\t25.0\t\twalk\t\tgood\tSTOP\n4\t/films/x2.mp4\t60.5\t25.0\t\tsit\t\t\tSTART\n"
        "5\t/films/x2.mp4\t60.5\t25.0\t\tsit\t\t\tSTOP\n"
    )
    file = bring(text, "events.tsv", "video,subset\nday1,x\n")
    assert segments(file) == {"day1": [(1.5, 2.5, "walk"), (4.0, 5.0, "sit")]}, "of two films, the observation"


def test_aggregated_events_of_boris(bring):
    text = (
        "Observation id,Observation date,Description,Observation type,Source,Total length,FPS (frame/s),Subject,"
        "Behavior,Behavioral category,Modifiers,Behavior type,Start (s),Stop (s),Duration (s),Media file name,"
        "Image index start,Comment start,Comment stop\n"
        "o1,2024-01-01,,Media file,x,60,25,No focal subject,walk,,,STATE,1.25,2.5,1.25,a.mp4,31,,done\n"
        "o2,2024-01-01,,Media file,x,60,25,No focal subject,sit,,,STATE,3,4,1,b.mp4,75,,\n"
    )
    assert segments(bring(text, "aggregated.csv", TWO)) == {"a": [(1.25, 2.5, "walk")], "b": [(3.0, 4.0, "sit")]}


RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)\tHigh Freq (Hz)\tDelta Time (s)\t"
    "Begin File\tFile Offset (s)\tBegin Clock Time\tAnnotation\n"
    "1\tWaveform 1\t1\t1.500\t2.750\t0\t8000\t1.25\ta.wav\t1.500\t10:00:01.5\tcrow\n"
    "1\tSpectrogram 1\t1\t1.500\t2.750\t500\t4000\t1.25\ta.wav\t1.500\t10:00:01.5\tcrow\n"
    "2\tSpectrogram 1\t1\t63.000\t64.500\t500\t4000\t1.5\tb.wav\t3.000\t10:01:03\tjay\n"
)


def test_selections_of_raven_in_several_views_and_files(bring, tmp_path):
    assert segments(bring(RAVEN, "x.txt", TWO)) == {"a": [(1.5, 2.75, "crow")], "b": [(3.0, 4.5, "jay")]}
    rows = [line.split("\t") for line in RAVEN.splitlines()]
    without = "\n".join("\t".join(cells[:9] + cells[11:]) for cells in rows)
    said = refused(tmp_path, bring, without, "x.txt", TWO)
    assert "has selections of several files, and no 'File Offset (s)' says where in each; add that measurement" in said


def test_the_name_of_a_selection_table_is_that_of_the_sound(bring):
    head, first, *_ = RAVEN.splitlines()
    short = "\n".join("\t".join(line.split("\t")[i] for i in (0, 1, 3, 4, 11)) for line in (head, first))
    files = {"a.Table.1.selections.txt": short, "b.Table.1.selections.txt": short.splitlines()[0]}
    assert segments(bring(files, "folder", TWO)) == {"a": [(1.5, 2.75, "crow")], "b": []}


def via(metadata, attribute=None):
    return {
        "project": {"pid": "x", "rev": "1", "pname": "p", "vid_list": ["1", "2"]},
        "config": {},
        "attribute": attribute
        or {
            "1": {
                "aname": "TEMPORAL-SEGMENTS",
                "anchor_id": "FILE1_Z2_XY0",
                "type": 4,
                "options": {"0": "walk", "1": "sit"},
            }
        },
        "file": {"1": {"fid": "1", "fname": "a.mp4"}, "7": {"fid": "7", "fname": "b.mp4"}},
        "metadata": metadata,
        "view": {"1": {"fid_list": ["1"]}, "2": {"fid_list": ["7"]}},
    }


def item(view, times, option, region=()):
    return {"vid": view, "flg": 0, "z": list(times), "xy": list(region), "av": {"1": option}}


def test_segments_of_via_have_the_names_of_their_options(bring, tmp_path):
    found = {"1_a": item("1", [1.5, 2.5], "1"), "2_b": item("2", [3, 4], "0"), "1_c": item("1", [], "0")}
    found["1_d"] = item("1", [2], "0", [2, 10, 10, 5, 5])
    file = bring(via(found), "p.json", TWO)
    assert segments(file) == {"a": [(1.5, 2.5, "sit")], "b": [(3.0, 4.0, "walk")]}
    assert "1 regions in single pictures are left out" in describe(bring.report)
    said = refused(tmp_path, bring, via(found | {"1_e": item("1", [7.5], "0")}), "p.json", TWO)
    assert "p.json, metadata '1_e': a time is not finite, or missing" in said
    wrong = via({"1_a": {"vid": "9", "z": [1, 2]}})
    assert "p.json, metadata '1_a' is not as VIA 3 writes it" in refused(tmp_path, bring, wrong, "p.json", TWO)


def test_the_segments_that_via_exports_as_csv(bring):
    head = "# Exported using VGG Image Annotator (http://www.robots.ox.ac.uk/~vgg/software/via)\n# CSV_HEADER = "
    whole = (
        head + "metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
        '"1_x","[""a.mp4""]",0,"[1.5,2.5]","[]","{""1"":""walk""}"\n"2_y","[""b.mp4""]",0,"[3,4]","[]","{""1"":""sit""}"\n'
    )
    short = (
        head + "metadata_id,file_list,temporal_segment_start,temporal_segment_end,metadata\n"
        '"1_x","[""a.mp4""]",1.5,2.5,"{""TEMPORAL-SEGMENTS"":""walk""}"\n'
        '"2_y","[""b.mp4""]",3,4,"{""TEMPORAL-SEGMENTS"":""sit""}"\n'
    )
    for text in (whole, short):
        assert segments(bring(text, "x.csv", TWO)) == {"a": [(1.5, 2.5, "walk")], "b": [(3.0, 4.0, "sit")]}


def task(number, media, *results, by=1, **more):
    given = [{"id": 1, "completed_by": by, "was_cancelled": False, "result": list(results)}] if results else []
    return {"id": number, "data": {"video": media}, "annotations": given, "predictions": []} | more


def timeline(name, start, end, label):
    return {
        "id": name,
        "type": "timelinelabels",
        "value": {"ranges": [{"start": start, "end": end}], "timelinelabels": [label]},
    }


def sound(name, start, end, label, **more):
    return {"id": name, "type": "labels", "value": {"start": start, "end": end, "channel": 0, "labels": [label]}} | more


def test_ranges_of_frames_of_label_studio_need_a_rate(bring, tmp_path):
    tasks = [
        task(1, "/data/upload/3/0a1b2c3d-a.mp4", timeline("x", 26, 50, "walk")),
        task(2, "/data/local-files/?d=films/b%20.mp4".replace("%20", ""), timeline("y", 1, 25, "sit")),
    ]
    assert segments(bring(tasks, "x.json", TWO, rate=25)) == {"a": [(1.0, 2.0, "walk")], "b": [(0.0, 1.0, "sit")]}
    assert "the times are in frames without a rate" in refused(tmp_path, bring, tasks, "x.json", TWO)
    for one in tasks:
        one["data"]["fps"] = 50
    assert segments(bring(tasks, "x.json", TWO))["a"] == [(0.5, 1.0, "walk")]


def test_regions_of_sound_of_label_studio_with_their_remarks(bring, tmp_path):
    remark = {"id": "r", "type": "textarea", "value": {"start": 1.5, "end": 2.5, "text": ["loud"]}}
    box = {"id": "b", "type": "rectanglelabels", "value": {"x": 1, "y": 2, "rectanglelabels": ["cat"]}}
    first = task(
        1, "s3://sounds/a.wav", sound("r", 1.5, 2.5, "crow", original_length=60.5, meta={"text": ["far"]}), remark, box
    )
    skipped = {"id": 9, "completed_by": 2, "was_cancelled": True, "result": [sound("z", 1, 2, "jay")]}
    first["annotations"].append(skipped)
    second = task(2, "b.wav", predictions=[{"model_version": "1", "result": [sound("p", 3, 4.5, "jay")]}])
    file = bring([first, second], "x.json", TWO)
    assert segments(file)["a"] == [(1.5, 2.5, "crow")] and segments(file)["b"] == [], (
        "what a model proposed is no label"
    )
    assert file.videos["a"].duration_sec == 60.5
    entries = read_json(tmp_path / "out" / "mine.json")["database"]["a"]["annotations"]
    assert [one["comment"] for one in entries] == ["far; loud"]
    said = describe(bring.report)
    assert "regions that are not of time" in said and "predictions are left out, as some tasks are annotated" in said
    proposed = task(4, "a.wav", predictions=second["predictions"])
    assert segments(bring([proposed, second], "x.json", TWO))["a"] == [(3.0, 4.5, "jay")]
    assert "predictions are taken, as nobody has annotated" in describe(bring.report)


def test_two_annotators_of_label_studio_are_tiers_and_mixed_times_a_question(bring, tmp_path):
    both = task(1, "a.wav", sound("r", 1.5, 2.5, "crow"))
    both["annotations"].append(
        {"id": 2, "completed_by": {"id": 7, "email": "x@y"}, "result": [sound("s", 1.6, 2.5, "crow")]}
    )
    other = task(2, "b.wav", sound("t", 1, 2.5, "crow"))
    said = refused(tmp_path, bring, [both, other], "x.json", TWO)
    assert "has several tiers: 1, x@y; its columns" in said and "choose with --tier NAME" in said
    assert segments(bring([both, other], "x.json", TWO, tiers=["1"]))["a"] == [(1.5, 2.5, "crow")]
    mixed = [both, task(2, "b.mp4", timeline("x", 26, 50, "walk"))]
    assert "tells times in several ways (start [s], start frame)" in refused(tmp_path, bring, mixed, "x.json", TWO)
    wrong = [task(1, "a.wav", {"id": "r", "value": None})]
    assert "x.json, task 1 is not as Label Studio exports it" in refused(tmp_path, bring, wrong, "x.json", TWO)


def test_the_small_json_of_label_studio(bring):
    small = [
        {
            "id": 1,
            "audio": "/data/upload/1/0a1b2c3d-a.wav",
            "label": [{"start": 1.5, "end": 2.5, "channel": 0, "labels": ["x"]}],
        },
        {
            "id": 2,
            "audio": "/data/upload/1/0a1b2c3d-b.wav",
            "label": [{"start": 3, "end": 4, "channel": 0, "labels": ["y"]}],
        },
    ]
    for form in ("", "labelstudio"):
        file = bring(json.dumps(small), "x.json", TWO, form=form)
        assert segments(file) == {"a": [(1.5, 2.5, "x")], "b": [(3.0, 4.0, "y")]}


def two_films(events, offset="", durations="60.000;70.000", head="Behavior type,Time"):
    """Events (head's cells, film) of one observation of two films in one player, of which BORIS counts on."""
    names = f"Observation id,Source,Time offset (s),Media duration (s),Subject,Behavior,{head},Media file name\n"
    return names + "".join(
        f"o{film},player #1:f/a.mp4;f/b.mp4,{offset},{durations},,walk,{cells},f/{film}.mp4\n" for cells, film in events
    )


@pytest.mark.parametrize("durations", ["60.000;70.000", "NA"])
@pytest.mark.parametrize(
    ("head", "cells"), [("Behavior type,Time", ("START,{}", "STOP,{}")), ("Start (s),Stop (s)", ("{},{}",))]
)
def test_boris_adds_a_time_offset_which_is_subtracted(bring, head, cells, durations):
    film = durations.partition(";")[0]
    pairs = list(zip(cells, [(8, 13), (13,)], strict=False))
    events = [(cell.format(*times), name) for name in "ab" for cell, times in pairs]
    text = two_films(events, "3.000", film, head).replace("f/a.mp4;f/b.mp4", "f/a.mp4")
    assert segments(bring(text, "events.csv", TWO)) == {name: [(5.0, 10.0, "walk")] for name in "ab"}
    assert "times hold BORIS' time offset of 3 s: subtracted" in describe(bring.report)


def test_the_second_of_two_films_of_boris_begins_where_the_first_ends(bring, tmp_path):
    text = two_films([("START,5", "a"), ("STOP,10", "a"), ("START,65", "b"), ("STOP,70", "b")])
    file = bring(text, "events.csv", TWO)
    assert segments(file) == {name: [(5.0, 10.0, "walk")] for name in "ab"}
    assert [video.duration_sec for video in file.videos.values()] == [60, 70]
    assert "'f/b.mp4' begins 60 s after other films: subtracted" in describe(bring.report)
    said = refused(tmp_path, bring, text.replace("60.000;70.000", "NA"), "events.csv", TWO)
    assert "row 5: 'f/b.mp4' is shown after a.mp4, and how long these last is not told; let BORIS export" in said
    both = text.replace("ob,", "oa,")
    assert segments(bring(both, "events.csv", "video,subset\noa,x\n"))["oa"] == [
        (5.0, 10.0, "walk"),
        (65.0, 70.0, "walk"),
    ]


def test_what_divides_an_annotation_of_elan_shares_its_time(bring):
    def child(name, text, before=""):
        made = referring(name, "a1", text)
        return made.replace("ANNOTATION_REF", f'PREVIOUS_ANNOTATION="{before}" ANNOTATION_REF') if before else made

    parts = child("a4", "stroke", "a3") + child("a2", "stroke") + child("a3", "hold", "a2")
    tiers = [
        ('TIER_ID="gesture" LINGUISTIC_TYPE_REF="t"', aligned("a1", "t1", "t2", "gesture")),
        ('TIER_ID="phase" LINGUISTIC_TYPE_REF="d" PARENT_REF="gesture"', parts),
        ('TIER_ID="hand" LINGUISTIC_TYPE_REF="r" PARENT_REF="phase"', referring("a9", "a3", "left")),
    ]
    kinds = "".join(
        f'<LINGUISTIC_TYPE LINGUISTIC_TYPE_ID="{name}" CONSTRAINTS="Symbolic_{kind}" TIME_ALIGNABLE="false"/>'
        for name, kind in (("d", "Subdivision"), ("r", "Association"))
    )
    text = eaf({"t1": 1000, "t2": 4000}, tiers).replace("</ANNOTATION_DOCUMENT>", f"{kinds}</ANNOTATION_DOCUMENT>")
    found = {}
    for tier in ("phase", "hand"):
        found[tier] = segments(bring({"a.eaf": text, "b.eaf": text}, "folder", TWO, tiers=[tier]))["a"]
    assert found["phase"] == [(1.0, 2.0, "stroke"), (2.0, 3.0, "hold"), (3.0, 4.0, "stroke")]
    assert found["hand"] == [(2.0, 3.0, "left")]


def test_a_document_of_elan_that_counts_frames_is_refused(bring, tmp_path):
    said = refused(tmp_path, bring, DOCUMENT.replace('"milliseconds"', '"PAL-frames"'), "a.eaf")
    assert "a.eaf counts its times in PAL-frames; save it in an ELAN that writes milliseconds" in said


def test_event_rows_of_several_recordings_are_not_those_of_one(bring, tmp_path):
    head = "video,time,behavior,status\n"
    text = head + "a,1,x,start\na,3,x,stop\nb,10,x,start\nb,12,x,stop\n"
    assert segments(bring(text)) == {"a": [(1.0, 3.0, "x")], "b": [(10.0, 12.0, "x")]}
    said = refused(tmp_path, bring, head + "a,1,x,start\nb,3,x,stop\n")
    assert "row 2 (START alone)" in said and "row 3 (STOP alone)" in said


def test_boxes_that_are_ticked_in_via_are_labels_each(bring):
    found = {"1_a": item("1", [1.5, 2.5], "0,1"), "2_b": item("2", [3, 4], "0")}
    file = bring(via(found), "p.json", TWO)
    assert segments(file) == {"a": [(1.5, 2.5, "sit"), (1.5, 2.5, "walk")], "b": [(3.0, 4.0, "walk")]}


def test_annotators_in_the_small_forms_of_label_studio_are_tiers(bring, tmp_path):
    rows = [("a", 1, 1.5, "x"), ("a", 2, 1.6, "y"), ("b", 1, 3, "x")]
    small = [
        {"id": 1 + (name == "b"), "audio": f"https://h/{name}.wav?X-Amz-Credential=AK%2F2020%2Fus&X-Amz-Signature=1"}
        | {"label": [{"start": start, "end": 4, "channel": 0, "labels": [label]}]}
        | {"annotator": who, "annotation_id": place, "lead_time": 1.0}
        for place, (name, who, start, label) in enumerate(rows)
    ]
    names = list(small[0])
    cells = ([str(row[name]) if name != "label" else json.dumps(row[name]) for name in names] for row in small)
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in [names, *cells]]
    for text, name in ((json.dumps(small), "x.json"), ("\n".join(quoted), "x.csv")):
        assert "has several tiers: 1, 2;" in refused(tmp_path, bring, text, name, TWO)
        assert segments(bring(text, name, TWO, tiers=["1"])) == {"a": [(1.5, 4.0, "x")], "b": [(3.0, 4.0, "x")]}
    broken = "\n".join(quoted).replace("4,", "4")
    assert "has a cell that is no JSON" in refused(tmp_path, bring, broken, "x.csv", TWO)


def test_the_film_of_a_document_of_elan_is_named_by_an_address(bring):
    text = eaf({"ts1": 1000, "ts2": 2000}, [('TIER_ID="t" LINGUISTIC_TYPE_REF="t"', aligned("a1", "ts1", "ts2", "x"))])
    text = text.replace("day1.mp4", "day%201.mp4")
    assert set(segments(bring(text, "d.eaf", columns={"video": "linked file"}, draw=False))) == {"day 1"}
