"""The notebooks of a run: stages and parameters by name, cells that do nothing, pages that need no kernel."""

import html
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from run_folders import write_scored_run, write_test_data

from afkit.workbench.runs.notebooks import COMMON, STAGES, choose_stages, notebook_parameters, parameters_by_stage
from afkit.workbench.runs.pages import WIDGET, drop_widgets, write_notebooks
from afkit.workbench.trust import project_root


def test_stages_are_named_in_full_or_by_number_and_keep_their_order():
    assert choose_stages(["04", "02_train"]) == ["02_train", "04_visualize"]
    assert choose_stages(STAGES) == list(STAGES)
    with pytest.raises(ValueError, match=r"there is no stage '03_evil'; did you mean '03_eval'\?"):
        choose_stages(["03_evil"])


def test_all_notebooks_share_the_common_parameters_with_the_same_defaults():
    common = [{name: notebook_parameters(stage)[name] for name in COMMON} for stage in STAGES]
    assert common == [common[0]] * len(STAGES)
    assert common[0]["recipe"] == "watch" and common[0]["seed"] == 1234567891


def test_parameters_reach_the_notebooks_that_have_them():
    chosen = parameters_by_stage(STAGES, {"tiou": 0.7, "weights": "raw"})
    assert chosen == {"01_data": {}, "02_train": {}, "03_eval": {"weights": "raw"}, "04_visualize": {"tiou": 0.7}}
    assert parameters_by_stage(["04_visualize"], {"tiou": 1})["04_visualize"] == {"tiou": 1}, "an int may be a float"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"wieghts": "raw"}, "has the parameter 'wieghts'; did you mean 'weights'?"),
        ({"resume": "yes"}, "parameter 'resume' takes bool, e.g. True, not 'yes'"),
        ({"epochs": True}, "parameter 'epochs' takes int, e.g. 0, not True"),
        ({"seed": 3}, "'seed' is not set as a notebook parameter"),
    ],
)
def test_a_wrong_parameter_is_named(given, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parameters_by_stage(STAGES, given)


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
    pytest.importorskip("IPython", reason="cells are run by IPython")
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


def test_the_notebooks_of_a_run_become_one_page_by_no_template_of_the_working_directory(tmp_path, monkeypatch):
    """Templates can run any code, and a working directory may be anybody's."""
    pytest.importorskip("nbconvert", reason="pages are made by nbconvert")
    text = nbformat.v4.new_output("display_data", {"text/html": "<b>a table</b>", "image/png": "aGVsbG8="})
    cells = [
        nbformat.v4.new_markdown_cell("# A heading"),
        nbformat.v4.new_code_cell("print(1)", outputs=[nbformat.v4.new_output("stream", text="said"), text]),
    ]
    folder = tmp_path / "tiny" / "seed1"
    folder.mkdir(parents=True)
    for name in ("01_data", "02_train"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    (tmp_path / "here" / "lab").mkdir(parents=True)
    (tmp_path / "here" / "lab" / "index.html.j2").write_text("{{ cycler.__init__.__globals__.os.getcwd() }}")
    monkeypatch.chdir(tmp_path / "here")
    assert write_notebooks(folder) == folder / "tiny-seed1.html"
    page = (folder / "tiny-seed1.html").read_text()
    assert [page.count(part) for part in (">A heading<", "said", "<b>a table</b>")] == [2, 2, 2]
    assert re.findall(r"<(?:script|link)[^>]*https?://[^>]*>", page) == [] and "https://cdn" not in page
    (folder / "01_data.ipynb").write_text("{")
    with pytest.raises(ValueError, match=r"01_data\.ipynb cannot be made a page: ") as error:
        write_notebooks(folder)
    assert "\n" not in str(error.value)


def test_links_lead_to_places_in_the_page_and_folded_code_is_left_out(tmp_path):
    pytest.importorskip("nbconvert", reason="pages are made by nbconvert")
    names = ("01_data", "02_train", "03_eval-training", "../../05_compare")
    links = "".join(f'<a href="{name}.ipynb">{name}</a>' for name in names)
    folded = {"metadata": {"jupyter": {"source_hidden": True}}}
    top = nbformat.v4.new_output("display_data", {"text/html": links})
    cells = [
        nbformat.v4.new_markdown_cell("# A heading"),
        nbformat.v4.new_code_cell("import plumbing", **folded),
        nbformat.v4.new_code_cell("begin_stage()", outputs=[top], **folded),
        nbformat.v4.new_code_cell("draw_timeline()"),
    ]
    for name in ("01_data", "02_train"):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    page = write_notebooks(tmp_path).read_text()
    places = re.findall(r'<a href="#(cell-id=0[^"]*)">', page)
    assert places == 2 * ["cell-id=01_data", "cell-id=02_train"] and all(f'id="{place}"' in page for place in places)
    assert ".ipynb" not in page and "../../05_compare" in page, "what is not in the page is text"
    assert [page.count(code) for code in ("plumbing", "begin_stage", "draw_timeline")] == [0, 0, 2]


def test_a_page_of_a_run_has_its_inspector_and_a_notebook_without_kernel_a_picture(tmp_path):
    pytest.importorskip("nbconvert", reason="pages are made by nbconvert")
    gt = write_test_data(tmp_path / "data")
    folder = write_scored_run(tmp_path / "tiny" / "seed1", gt, 2, tmp_path / "data")
    data = {"image/png": "aGVsbG8=", WIDGET: {"model_id": "gone"}, "text/plain": "Inspector()"}
    shown = [
        {"afkit_inspector": {"title": title, "tiou": 0.5, "min_score": 0.2}} for title in ("tiny/seed1", "tiny/seed2")
    ]
    outputs = [nbformat.v4.new_output("display_data", dict(data), metadata=metadata) for metadata in shown]
    outputs.append(nbformat.v4.new_output("display_data", {WIDGET: {"model_id": "bar"}}))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("inspector", outputs=outputs)])
    drop_widgets(notebook)
    assert [WIDGET in output.data for output in notebook.cells[0].outputs] == [False, False, True]
    nbformat.write(notebook, folder / "04_visualize.ipynb")
    page = write_notebooks(folder).read_text()
    (frame,) = re.findall(r'<iframe srcdoc="([^"]*)"', page)
    assert "openPage" in html.unescape(frame) and "aGVsbG8=" in page, "another run's stays a picture"
    assert nbformat.read(folder / "04_visualize.ipynb", 4) == notebook
