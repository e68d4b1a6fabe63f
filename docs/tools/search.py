"""What the site's search answers, in a browser and from the disk: python docs/tools/search.py [QUERY ...]."""

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

SITE = Path(__file__).parents[2] / "site"
ANSWERS = {  # what people ask: the page that must come first
    "own features": "how-to/features.html",
    "Slurm": "how-to/sweeps.html",
    "score fusion": "how-to/score-fusion.html",
    "ranges": "how-to/change-the-network.html",
    "others' predictions": "how-to/evaluate-predictions.html",
    "published weights": "how-to/published-weights.html",
    "several GPUs": "how-to/several-gpus.html",
    "resume": "how-to/runs.html",
    "export detections": "how-to/export-detections.html",
    "another network": "how-to/change-the-network.html",
    "correct labels": "how-to/label.html",
    "cite": "cite.html",
    "How do I train on several GPUs?": "how-to/several-gpus.html",
    "how do I use another network": "how-to/change-the-network.html",
    "keyboard": "how-to/keyboard.html",
    "regression_ranges": "how-to/change-the-network.html",
    "--set": "reference/settings.html",
    "embed_dim": "reference/settings.html",
    "tIoU": "concepts/evaluation.html",
    "custom dataset": "own-data.html",
}


def first_hits(site: Path, queries: Iterable[str]) -> dict[str, tuple[str, str]]:
    """{query: (title, page) of its first hit} in the search box of a site that is opened without a server.

    A query without a hit has two empty texts. The machine's chromium is taken, or else that of playwright.
    """
    from playwright.sync_api import sync_playwright

    found = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_context(offline=True).new_page()
        page.goto((site / "index.html").as_uri())
        box, hits = page.locator("[data-md-component=search-query]"), page.locator(".md-search-result__item > a")
        box.click()
        for query in queries:
            box.fill("")
            box.press_sequentially(query)
            page.wait_for_timeout(500)
            title, address = "", ""
            if hits.count():
                title = hits.first.locator("h1, h2").first.inner_text()
                address = (hits.first.get_attribute("href") or "").removeprefix(f"{site.as_uri()}/").partition("?")[0]
            found[query] = (title, address)
        browser.close()
    return found


if __name__ == "__main__":
    for query, (title, address) in first_hits(SITE, sys.argv[1:] or ANSWERS).items():
        print(f"{query:33} {title:62} {address}")
