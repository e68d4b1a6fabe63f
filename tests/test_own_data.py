"""Own recordings with all that is usually wrong with them: told by file and row, repaired and listed on request."""

import numpy as np
import pytest
from own_data import write_raw

from afkit.__main__ import main
from afkit.config import make_recipe
from afkit.data.annotations import read_annotations
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


@pytest.mark.parametrize(
    ("rows", "problem", "repair"),
    [
        (f"{FIRST}\nday1,5.0,10.0,walk", "row 3: segment 5 to 10 s overlaps another 'walk'", "joined with it"),
        ("day1,8.82,3.0,walk", "row 2: segment 8.82 to 3 s is reversed", "turned"),
        ("day1,3.0,8.82,Walk", "row 2: the label 'Walk' is elsewhere spelled 'walk'", "written 'walk'"),
        ("day1,3.0,8.82,walk ", "row 2: the label 'walk ' has stray spaces", "written 'walk'"),
        (f"{FIRST}\nday1,84.0,99.0,walk", "row 3: segment 84 to 99 s is beyond the recording's 85 s", "cut"),
        (f"{FIRST}\nday1,90.0,99.0,walk", "row 3: segment 90 to 99 s is beyond the recording's 85 s", "left out"),
        ("day1,nan,8.82,walk", "row 2: a time is not finite", "left out"),
        (f"{FIRST}\nother,1,2,walk", "row 3: no recording 'other' is listed", "left out"),
        ("day1,3000,8000,walk", "row 2: segment 3000 to 8000 s is beyond", "left out"),
    ],
)
def test_wrong_labels_are_named_and_repaired_on_request(raw, capsys, rows, problem, repair):
    change(raw / "labels.csv", f"\n{FIRST}\n", f"\n{rows}\n")
    assert main([*IMPORT, *LISTED]) == 2
    assert f"raw/labels.csv, {problem}" in capsys.readouterr().err
    assert not (raw.parent / "data").exists()
    assert main([*IMPORT, *LISTED, "--fix"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert any(line.startswith(f"changed: raw/labels.csv, {problem}") and line.endswith(repair) for line in lines)
    assert main(SIGNALS) == 0
    assert check() == ""


@pytest.mark.parametrize("row", ["day1,150,441,walk", "day1,1500,4410,walk"])
def test_samples_among_seconds_are_for_a_person_to_mend(raw, capsys, row):
    change(raw / "labels.csv", FIRST, row)
    assert main([*IMPORT, *LISTED, "--rate", "50"]) == 2
    shown = capsys.readouterr().err
    assert "raw/labels.csv, row 2: " in shown and ("mixed units?" in shown or "is beyond" in shown)


def test_a_recording_without_labels_is_left_out_on_request(raw, capsys):
    labels = raw / "labels.csv"
    labels.write_text("".join(line for line in labels.open() if not line.startswith("day3,")))
    assert main([*IMPORT, *LISTED]) == 2
    assert "raw/recordings.csv, row 4: recording 'day3' has no annotation" in capsys.readouterr().err
    assert main([*IMPORT, *LISTED, "--fix"]) == 0
    assert "changed: raw/recordings.csv, row 4: recording 'day3' has no annotation: left out" in capsys.readouterr().out
    assert "day3" not in read_annotations("data/mine/mine.json").videos


def test_labels_without_a_recording_are_found_where_features_are_looked_for(raw, capsys):
    change(raw / "labels.csv", FIRST, f"{FIRST}\nother,1,2,walk")
    assert main(IMPORT) == 0
    assert (
        "note: some recordings have no duration: times beyond their end were not looked for" in capsys.readouterr().out
    )
    assert main(SIGNALS) == 0
    assert check() == (
        "data/mine/features/other.npy does not exist for video 'other'; left out\n"
        "1 of 6 videos of training have no features in data/mine/features (e.g. 'other'), more than data.max_missing = "
        "0.1 allows; add them, or set data.max_missing=0.17"
    )


def test_times_beyond_a_recording_of_unknown_length_are_found_by_its_features(raw):
    change(raw / "labels.csv", FIRST, f"{FIRST}\nday1,84,85.9,walk\nday1,84.5,86.1,wave")
    assert main(IMPORT) == 0
    assert main(SIGNALS) == 0
    message = "segment 84.5 to 86.1 s is outside its features, which cover 85 s; check its times, or data.fps"
    assert check() == f"data/mine/mine.json, video 'day1', annotation 10: {message}"


def test_one_class_and_classes_that_training_lacks_are_noted(raw, capsys):
    labels = raw / "labels.csv"
    only = labels.read_text().replace("drink", "walk").replace("wave", "walk")
    labels.write_text(only)
    assert main([*IMPORT, *LISTED]) == 0
    assert "note: there is one class only, 'walk': set data.num_classes to 1" in capsys.readouterr().out
    tested = next(
        n for n, video in read_annotations("data/mine/mine.json").videos.items() if video.subset != "training"
    )
    (raw.parent / "data" / "mine" / "mine.json").unlink()
    lines = only.splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith(f"{tested},"))
    lines[row] = lines[row].replace("walk", "sit")
    labels.write_text("\n".join(lines) + "\n")
    assert main([*IMPORT, *LISTED]) == 0
    expected = f"note: raw/labels.csv, row {row + 1}: the class 'sit' is absent from training; it cannot be learned"
    assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "problem", "repaired"),
    [
        ("", "raw/acc/day2.csv is not a readable feature file", False),
        ("x,y,z\n", "it holds no row of numbers", False),
        ("x,y,z\n" + "1,2,3\n" * 4000, "gyro/day2.csv' ends 7 s after sensor 'raw/acc/day2.csv'", True),
        ("x,y,z\n1,nan,3\n" + "1,2,3\n" * 4349, "sensor 'raw/acc/day2.csv', sample 0: NaN or infinite (1 such", True),
        ("x,y,z\n1,,3\n" + "1,2,3\n" * 4349, "sensor 'raw/acc/day2.csv', sample 0: NaN or infinite (1 such", True),
        ("1,2,3\n1,2\n" * 2000, "row 2 has 2 cells, those before it 3", False),
    ],
)
def test_wrong_samples_are_named_and_repaired_on_request(raw, capsys, text, problem, repaired):
    (raw / "acc" / "day2.csv").write_text(text)
    assert main([*IMPORT, *LISTED]) == 0
    assert main(SIGNALS) == 2
    shown = capsys.readouterr().err
    assert "1 of 8 recordings cannot be used" in shown and problem in shown
    assert not (raw.parent / "data" / "mine" / "features").exists()
    assert main([*SIGNALS, "--fix"]) == (0 if repaired else 2)
    assert problem in "".join(capsys.readouterr())
    if repaired:
        assert np.isfinite(np.load("data/mine/features/day2.npy")).all()


def test_an_empty_table_and_an_empty_recording_are_refused(raw, capsys):
    (raw / "labels.csv").write_text("")
    assert main([*IMPORT, *LISTED]) == 2
    assert "raw/labels.csv holds no annotation" in capsys.readouterr().err
    assert not (raw.parent / "data").exists()


def test_two_recordings_make_a_data_set_with_a_warning(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_raw(tmp_path, recordings=2)
    assert main([*IMPORT, "--recordings", "raw/recordings.csv"]) == 0
    assert "note: there are 2 recordings in all: a result on them says little" in capsys.readouterr().out
    assert main(SIGNALS) == 0
    assert check() == ""
