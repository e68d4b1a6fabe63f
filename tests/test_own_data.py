"""Own recordings with all that is usually wrong with them: told by file and row, repaired and listed on request."""

import pytest
from own_data import write_raw

from afkit.__main__ import main
from afkit.config import make_recipe
from afkit.workbench.survey.checks import inspect_data

IMPORT = ["import", "raw/labels.csv", "data/mine/mine.json", "--column", "label=action"]
LISTED = ["--recordings", "raw/recordings.csv", "--column", "group=person"]
SIGNALS = ["signals", "raw/acc@50", "raw/gyro@20", "--out", "data/mine/features", "--window", "50", "--stride", "25"]
FIRST = "day1,3.0,8.82,walk"  # row 2 of the table


@pytest.fixture
def raw(tmp_path, monkeypatch):
    """The folder `raw` with eight recordings, in the working directory."""
    monkeypatch.chdir(tmp_path)
    write_raw(tmp_path)
    return tmp_path / "raw"


def change(path, old, new):
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


def check():
    """What 01_data finds, as text."""
    data = {"annotations": "mine/mine.json", "features": ["mine/features"], "num_classes": 3, "input_dims": [300]}
    grid = {"stride_frames": 25, "num_frames": 50, "fps": 50, "max_seq_len": 192}
    return "\n".join(
        finding.message for finding in inspect_data(make_recipe({"name": "mine", "data": data | grid}).data, "data")[1]
    )


def test_clean_recordings_pass_every_check(raw, capsys):
    assert main([*IMPORT, *LISTED]) == 0
    assert main(SIGNALS) == 0
    assert check() == ""
    assert "note" not in capsys.readouterr().out


WRONG = [  # row, what is wrong with it, how it is repaired
    ("day1,8.82,3.0,Walk", "the label 'Walk' is elsewhere spelled 'walk'", "written 'walk'"),
    ("day1,5.0,10.0,walk", "segment 5 to 10 s overlaps another 'walk'", "joined with it"),
    ("day1,84.0,99.0,walk", "segment 84 to 99 s is beyond the recording's 85 s", "cut"),
    ("day1,nan,8.82,walk", "a time is not finite", "left out"),
    ("other,1,2,walk", "no recording 'other' is listed", "left out"),
]


def test_wrong_labels_are_named_and_repaired_on_request(raw, capsys):
    change(raw / "labels.csv", f"\n{FIRST}\n", "".join(f"\n{row}" for row, _, _ in WRONG) + "\n")
    assert main([*IMPORT, *LISTED]) == 2
    shown = capsys.readouterr().err
    assert all(f"raw/labels.csv, row {number}: {what}" in shown for number, (_, what, _) in enumerate(WRONG, start=2))
    assert "raw/labels.csv, row 2: segment 8.82 to 3 s is reversed" in shown
    assert not (raw.parent / "data").exists()
    assert main([*IMPORT, *LISTED, "--fix"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for what, repair in [("segment 8.82 to 3 s is reversed", "turned"), *(wrong[1:] for wrong in WRONG)]:
        told = [line for line in lines if line.startswith("changed: raw/labels.csv, row") and what in line]
        assert len(told) == 1 and told[0].endswith(repair)
    assert main(SIGNALS) == 0
    assert check() == ""


def test_labels_without_a_recording_are_found_where_features_are_looked_for(raw, capsys):
    change(raw / "labels.csv", FIRST, f"{FIRST}\nday1,84,85.9,walk\nday1,84.5,86.1,wave\nother,1,2,walk")
    assert main(IMPORT) == 0
    note = "note: some recordings have no duration: times beyond their end were not looked for"
    assert note in capsys.readouterr().out
    assert main(SIGNALS) == 0
    assert check() == (
        "data/mine/mine.json, video 'day1', annotation 10: segment 84.5 to 86.1 s is outside its features, which cover "
        "85 s; check its times, or data.fps\n"
        "data/mine/features/other.npy does not exist for video 'other'; left out\n"
        "1 of 6 videos of training have no features in data/mine/features (e.g. 'other'), more than data.max_missing = "
        "0.1 allows; add them, or set data.max_missing=0.17"
    )
