"""Cells that do nothing: after the reason is given, and until the notebook is begun again."""

import json
import os
import subprocess
import sys

import pytest

from afkit.workbench.runs.folder import project_root

pytest.importorskip("IPython", reason="cells are run by IPython")

PROGRAM = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in json.loads(sys.argv[1]):
    print("---")
    assert shell.run_cell(cell, store_history=True).success
"""
PARAMETERS = 'recipe: str = "watch"\nprint("parameters")'
SKIP = 'from afkit.workbench.runs.notebooks import skip_remaining_cells as skip\nskip("no labels")\nprint("end")'
LATER = ["1 / 0", 'print("scores")', "not Python at all (", "%%bash\necho magic", "recipes = 1 / 0", ""]


def said(tmp_path, *cells):
    """What each cell prints, in a shell of its own."""
    settings = os.environ | {"IPYTHONDIR": str(tmp_path), "PYTHONPATH": str(project_root())}
    command = [sys.executable, "-c", PROGRAM, json.dumps(cells)]
    done = subprocess.run(command, capture_output=True, text=True, env=settings, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    return [text.strip() for text in done.stdout.split("---\n")[1:]]


def test_cells_after_it_do_nothing_and_the_reason_is_given_once(tmp_path):
    assert said(tmp_path, PARAMETERS, SKIP, *LATER) == ["parameters", "no labels\nend", *[""] * len(LATER)]


@pytest.mark.parametrize("begin", [PARAMETERS, 'start_stage = print\nrun = start_stage("parameters")'])
def test_the_notebook_is_usable_from_its_first_cells_on(tmp_path, begin):
    again = [begin, 'print("scores")', "%%capture\n1 / 1", SKIP, 'print("scores")']
    expected = ["no labels\nend", "", "parameters", "scores", "", "no labels\nend", ""]
    assert said(tmp_path, SKIP, 'print("scores")', *again) == expected


def test_other_changes_to_cells_stay(tmp_path):
    """Also in the cell that begins again."""
    louder = "get_ipython().input_transformers_post.append(lambda lines: [line.replace('w', 'ud') for line in lines])"
    assert said(tmp_path, f"{SKIP}\n{louder}", 'print("low")', 'recipe = print("low")')[1:] == ["", "loud"]
