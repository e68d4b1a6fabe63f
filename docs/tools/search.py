"""What the site's search answers, in a browser and from the disk: python docs/tools/search.py [QUERY ...]."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SITE = Path(__file__).parents[2] / "site" / "index.html"


def first_hits(page_path: Path, queries: list[str], number: int = 1) -> dict[str, list[tuple[str, str]]]:
    """{query: (title, page) of its first hits} in the search box of a page that is opened without a server."""
    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(offline=True)
        page.goto(page_path.as_uri())
        box = page.locator("[data-md-component=search-query]")
        box.click()
        for query in queries:
            box.fill("")
            box.press_sequentially(query)
            page.wait_for_timeout(500)
            links = page.locator(".md-search-result__item > a").all()[:number]
            hits = [(link.locator("h1, h2").first.inner_text(), link.get_attribute("href") or "") for link in links]
            found[query] = [(title, address.rpartition("/site/")[2].partition("?")[0]) for title, address in hits]
        browser.close()
    return found


if __name__ == "__main__":
    for query, hits in first_hits(SITE, sys.argv[1:], 3).items():
        print(f"{query:32}", "; ".join(f"{title} ({address})" for title, address in hits))
