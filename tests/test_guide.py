"""The guide to own data says what is true: its commands are run as they stand, its numbers come from the code."""

import os
import re
import shlex
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from own_data import write_raw

from afkit.data.feature_formats import SUFFIXES
from afkit.segments import grid_to_sec
from afkit.workbench.commands.parser import whole_parser
from afkit.workbench.own_data.import_checks import KINDS

ROOT = Path(__file__).parents[1]
TEXT, LABELS, FEATURES = (
    (ROOT / "docs" / page).read_text(encoding="utf-8")
    for page in ("own-data.md", "how-to/import-labels.md", "how-to/features.md")
)
SHARED = Path(os.environ.get("AFKIT_SHARED") or ROOT.parent / "shared")
ARCHIVE = SHARED / "data" / "hapt-raw.tar.xz"
BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.M | re.S)


def section(title, text=TEXT):
    """The text below a heading, up to the next one of its level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def as_pattern(expected):
    """A pattern for the last lines of an output, in which `...` may stand for anything."""
    lines = (".*".join(map(re.escape, line.split("..."))) for line in expected.splitlines())
    return re.compile("(?:^|.*\n)" + "\n".join(lines) + "\n", re.S)


def run_blocks(text, folder):
    """Run the blocks of commands of a text in a folder like the project's, and compare what they print last."""
    (folder / "notebooks").symlink_to(ROOT / "notebooks")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    surroundings = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    blocks = BLOCK.findall(text)
    assert len(blocks) >= 3 and all(expected for _, expected in blocks)
    for commands, expected in blocks:
        done = subprocess.run(
            ["bash", "-e", "-c", commands], cwd=folder, env=surroundings, capture_output=True, text=True, timeout=900
        )
        assert done.returncode == 0, f"{commands}\n{done.stdout}\n{done.stderr}"
        shown = "\n".join(done.stdout.splitlines()[-len(expected.splitlines()) :]) + "\n"
        assert as_pattern(expected).fullmatch(shown), f"{commands}\nprinted\n{shown}\ninstead of\n{expected}"


@pytest.mark.slow
def test_own_recordings(tmp_path):
    pytest.importorskip("papermill", reason="notebooks are run by papermill")
    write_raw(tmp_path)
    run_blocks(section("Recordings of your own"), tmp_path)
    found = pd.read_csv(tmp_path / "results" / "mine" / "short" / "predicted" / "day9.csv")
    assert len(found) > 0 and set(found["name"]) <= {"drink", "walk", "wave"}


@pytest.mark.slow
def test_each_step_alone(tmp_path):
    pytest.importorskip("papermill", reason="notebooks are run by papermill")
    write_raw(tmp_path)
    run_blocks(LABELS + FEATURES, tmp_path)
    notebook = (tmp_path / "results" / "mine" / "first" / "01_data.ipynb").read_text()
    assert '"output_type": "error"' not in notebook


@pytest.mark.slow
def test_evaluate_predictions(tmp_path):
    page = (ROOT / "docs" / "how-to" / "evaluate-predictions.md").read_text(encoding="utf-8")
    for name, content in re.findall(r"^`(\S+)`:\n\n```text\n(.*?)^```", page, re.M | re.S):
        (tmp_path / name).write_text(content)
    run_blocks(page.partition("## Against")[0], tmp_path)
    assert pd.read_csv(tmp_path / "classes.csv")["name"].tolist() == ["sit", "walk"]


@pytest.mark.slow
@pytest.mark.skipif(not ARCHIVE.is_file(), reason=f"{ARCHIVE} is not there; AFKIT_SHARED names the folder of data/")
def test_a_public_data_set(tmp_path):
    pytest.importorskip("papermill", reason="notebooks are run by papermill")
    (tmp_path / "downloads").mkdir()
    packed = zipfile.ZipFile(tmp_path / "downloads" / "hapt.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1)
    with tarfile.open(ARCHIVE) as archive, packed:
        for member in archive:
            if member.isfile():
                packed.writestr(member.name, archive.extractfile(member).read())
    run_blocks(section("A public data set: HAPT"), tmp_path)
    found = pd.read_csv(tmp_path / "results" / "hapt" / "first" / "predicted" / "acc_exp08_user04.csv")
    assert found["score"].min() >= 0.1 and found["start_sec"].between(0, 500).all()


def test_every_command_of_the_table_is_one_that_there_is():
    commands = re.findall(r"^\|.+\| `(.+)` \|$", section("Recordings of your own"), re.M)
    own = [shlex.split(line)[3:] for line in commands if line.startswith("python -m afkit ")]
    assert own
    for arguments in own:
        whole_parser().parse_args(arguments)


def test_the_files_shown_are_those_that_the_commands_read(tmp_path):
    write_raw(tmp_path)
    shown = re.findall(r"^```text\n(.*?)^```\n", TEXT, re.M | re.S)
    for path in ("raw/labels.csv", "raw/recordings.csv", "raw/acc/day1.csv"):
        assert f"`{path}`" in TEXT
        assert "".join((tmp_path / path).open().readlines()[:3]) in shown


def test_the_times_of_vectors_are_those_of_the_code():
    table = re.findall(r"^\|(.+)\|$", section("What a feature file must hold", FEATURES).partition("### When")[2], re.M)
    rows = [[cell.strip() for cell in row.split("|")] for row in table]
    assert rows[0][:3] == ["stride_frames", "num_frames", "fps"] and len(rows) == 6
    vectors = [int(title.removeprefix("vector ")) for title in rows[0][3:]]
    for stride, num_frames, fps, *times in rows[2:]:
        for vector, time in zip(vectors, times, strict=True):
            assert time == f"{grid_to_sec(vector, float(fps), float(stride), float(num_frames)):.3f} s"


def test_every_kind_of_repair_and_every_format_of_features_is_listed():
    assert all(f"`{kind}`" in LABELS for kind in KINDS)
    table = section("What a feature file must hold", FEATURES).partition("### When")[0]
    listed = re.findall(r"^\|(.+)\|.+\|$", table, re.M)[2:]
    assert sorted(re.findall(r"`(\.\w+)`", " ".join(listed))) == sorted(SUFFIXES)
