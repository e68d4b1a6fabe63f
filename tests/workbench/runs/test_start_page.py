"""The page that JupyterLab begins with: what it lists, and that each of its links leads somewhere."""

import os
import re
from urllib.parse import unquote

import pytest
from run_folders import write_run

from afkit.workbench.runs import start_page
from afkit.workbench.runs.start_page import write_start_page


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A checkout with the files that the page links to, and the working directory."""
    for name in (*(f"notebooks/{name}.ipynb" for name in start_page.WHAT), "docs/own-data.md", "docs/index.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def links(page, project):
    """{text: file} of a page's links, as JupyterLab follows them."""
    found = re.findall(r"\[([^]]+)\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    lead = {text: unquote(link) for text, link in found}
    return {
        text: project / link.removeprefix("/files/") if link[0] == "/" else page.parent / link
        for text, link in lead.items()
    }


@pytest.mark.parametrize("results", ["results", "old/runs"])
def test_every_link_leads_to_a_file(project, results):
    run = write_run(project / results / "watch" / "a (1) |b|", 0.25)
    for name in ("03_eval.ipynb", "inspector.html", "model_card.md", "../../report.html"):
        (run / name).write_text("")
    page = write_start_page(results)
    found = links(page, project)
    assert page == project / results / "start.md" and all(path.is_file() for path in found.values()), found
    assert set(found) >= {*start_page.WHAT, "03", "inspector", "model card", "report"} and "01" not in found
    assert "| watch/a (1) \ufffdb\ufffd | 25.00 | done | " in page.read_text(encoding="utf-8")


def test_the_newest_runs_come_first_and_not_all_of_many(project, monkeypatch):
    monkeypatch.setattr(start_page, "MOST_RUNS", 2)
    for age, name in enumerate(("new", "old", "middle")):
        write_run(project / "results" / name)
        os.utime(project / "results" / name / "run.json", (10**9, 10**9 - [0, 9, 5][age]))
    text = write_start_page().read_text()
    assert re.findall(r"^\| (new|old|middle) \|", text, re.MULTILINE) == ["new", "middle"]
    assert "and 1 older ones in results" in text


def test_without_runs_it_says_so(project):
    assert "\n## Runs\n\nThere are none yet.\n" in write_start_page().read_text()
