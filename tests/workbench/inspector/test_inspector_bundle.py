"""The script that the package holds is what its modules in browser/src give."""

import graphlib
import json
import re
import subprocess
from pathlib import Path

import pytest

from afkit.workbench.inspector.page import read_script

ROOT = Path(__file__).parents[3]
BROWSER = ROOT / "browser"
ESBUILD = BROWSER / "node_modules" / ".bin" / "esbuild"


def test_the_bundle_is_current(tmp_path):
    if not ESBUILD.exists():
        pytest.skip("esbuild is not there; make bundle brings it where Node is")
    command = json.loads((BROWSER / "package.json").read_text())["scripts"]["bundle"].split()[1:]
    command = [f"--outfile={tmp_path / 'a.js'}" if part.startswith("--outfile=") else part for part in command]
    subprocess.run([ESBUILD, *command, "--log-level=error"], cwd=BROWSER, check=True)
    assert (tmp_path / "a.js").read_text(encoding="utf-8") == read_script(), "run make bundle"


def test_the_bundle_holds_all_modules_and_cannot_end_its_script_in_a_page():
    joined = set(re.findall(r"^// src/(\w+\.js)$", read_script(), re.M))
    assert joined == {path.name for path in BROWSER.glob("src/*.js")} and "</script" not in read_script()


def test_modules_have_no_cycles_and_are_read_in_one_sitting():
    texts = {path.name: path.read_text(encoding="utf-8") for path in BROWSER.glob("src/*.js")}
    graph = {name: re.findall(r'from "\./(\w+\.js)"', text) for name, text in texts.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError
    assert max(text.count("\n") for text in texts.values()) <= 250


def test_comments_name_files_that_exist():
    for path in BROWSER.glob("src/*.js"):
        comments = " ".join(re.findall(r"// (.*)", path.read_text(encoding="utf-8")))
        for name in re.findall(r"[\w/]+\.(?:py|js|css)\b", comments):
            assert (ROOT / name).is_file() or (path.parent / name).is_file(), f"{path.name} names {name}"
