"""The gallery: pictures of a run and of its inspector, or a sentence and nothing written."""

import runpy
import sys
from pathlib import Path

import pytest

from afkit.files import write_json

write_gallery = runpy.run_path(str(Path(__file__).parents[1] / "docs" / "tools" / "gallery.py"))["write_gallery"]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "tiny" / "seed1"
    write_json(folder / "figures" / "timelines.json", [{"file": "timeline_1.png"}, {"file": "timeline_2.png"}])
    for name in ("timeline_1", "timeline_2", "class_ap", "other"):
        (folder / "figures" / f"{name}.png").write_bytes(name.encode())
    return folder


def test_pictures_are_copied_under_names_that_say_what_they_are(run, tmp_path, monkeypatch):
    monkeypatch.setitem(write_gallery.__globals__, "photographs", lambda run: {"inspector": b"a photograph"})
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "false_negatives.png").write_bytes(b"of an earlier run, in which something was missed")
    paths = write_gallery(run, tmp_path / "gallery")
    content = {path.stem: path.read_bytes().decode() for path in paths}
    assert content == {
        "inspector": "a photograph",
        "timeline_best": "timeline_1",
        "timeline_worst": "timeline_2",
        "class_ap": "class_ap",
    }
    page = (tmp_path / "gallery" / "README.md").read_text()
    assert [line.split("(")[-1] for line in page.splitlines() if line.startswith("!")] == [f"{n}.png)" for n in content]
    assert "`tiny/seed1`" in page
    assert {path.name for path in (tmp_path / "gallery").iterdir()} == {"README.md", *(path.name for path in paths)}


def test_an_unfinished_run_or_no_browser_is_said_and_nothing_written(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(ValueError, match=r"pip install 'afkit\[dev\]'"):
        write_gallery(run, tmp_path / "gallery")
    (run / "figures" / "timelines.json").unlink()
    with pytest.raises(ValueError, match="seed1 has no pictures yet"):
        write_gallery(run, tmp_path / "gallery")
    assert not (tmp_path / "gallery").exists()
