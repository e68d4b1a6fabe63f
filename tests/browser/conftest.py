"""Pages in a real browser. AFKIT_SCREENSHOTS names a folder that keeps a picture of each."""

import os
import shutil
from pathlib import Path

import pytest
from pages import settle

from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import write_inspector

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser is driven by playwright")
    if CHROMIUM is None:
        pytest.skip("there is no chromium")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened_file(browser, tmp_path):
    """A function that opens a page in a file; the page must not complain in the end."""
    complaints, pages = [], []

    def open_file(path: Path, width: int = 1200, **options):
        page = browser.new_page(viewport={"width": width, "height": 760}, **options)
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(path.as_uri())
        settle(page)
        pages.append(page)
        return page

    yield open_file
    folder = Path(os.environ.get("AFKIT_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    for number, page in enumerate(pages):
        page.screenshot(path=folder / f"{tmp_path.name}_{number}.png", full_page=True)
        page.close()
    assert complaints == []


@pytest.fixture
def opened(opened_file, tmp_path):
    """A function that opens the page of some tables."""

    def open_page(inspected: Inspected, width: int = 1200, **options):
        write_inspector(tmp_path / "page.html", inspected)
        return opened_file(tmp_path / "page.html", width, **options)

    return open_page
