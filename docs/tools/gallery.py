"""The pictures of a run as a gallery, a folder that the README shows: `make gallery`."""

import shutil
import sys
from pathlib import Path

from afkit.files import atomic_open, read_json, write_text
from afkit.workbench.inspector.page import write_inspector
from afkit.workbench.runs.interrupts import temporary_folder
from afkit.workbench.runs.run_inspector import collect_inspected

# File, without its ending, of a run's folder `figures`, and what is to be seen in it; in this order.
PICTURES = {
    "timeline_best": "The best timeline: predicted against true segments, with the sensor's signal where there is one.",
    "timeline_worst": "The worst one.",
    "map_against_tiou": "mAP against the overlap that a hit needs.",
    "class_ap": "Average precision of each class.",
    "confidence": "How sure the average mAP is: bootstrap over the videos.",
    "false_positives": "What the false alarms are, from the best predictions on.",
    "removal_gains": "What mAP would be without each kind of error.",
    "false_negatives": "Which actions are missed.",
    "sensitivity": "How mAP depends on what an action is like.",
    "recall_by_duration": "Found and missed actions by duration.",
    "tiou_against_score": "Are sure predictions well placed?",
    "operating_point": "Precision and recall at every threshold, and the one with the best F1.",
    "reliability": "Scores against the share of hits.",
    "targets": "What each level of the feature pyramid is to learn of one training video.",
    "detection_steps": "From the scores of the levels to candidates, and to what suppression keeps.",
    "learning_curves": "Losses, gradient norm and learning rate of the training.",
}
INSPECTOR = "The inspector: every segment of a run on a timeline to move through (`python -m afkit view RUN`)."
SIZE_PX = (1000, 640)


def write_gallery(run: Path, folder: Path) -> list[Path]:
    """Copy the pictures of a run, add one of its inspector, and write a page that shows them; the pictures.

    Raises:
        ValueError: the run is not finished, or there is no browser to draw the inspector.
    """
    figures = run / "figures"
    if not (figures / "timelines.json").is_file():
        raise ValueError(f"{run} has no pictures yet; finish it with: python -m afkit run RECIPE")
    drawn = [Path(entry["file"]).stem for entry in read_json(figures / "timelines.json")]
    renamed = {"timeline_best": drawn[0], "timeline_worst": drawn[-1]}
    sources = {name: figures / f"{renamed.get(name, name)}.png" for name in PICTURES}
    found = {name: path for name, path in sources.items() if path.is_file()}
    content = {"inspector": photograph(run)} | {name: path.read_bytes() for name, path in found.items()}
    for name, picture in content.items():
        with atomic_open(folder / f"{name}.png") as file:
            file.write(picture)
    parts = [f"# Gallery\n\nPictures of the run `{run.parent.name}/{run.name}`, made by `make gallery`.\n"]
    captions = {name: PICTURES.get(name, INSPECTOR) for name in content}
    parts += [f"{caption}\n\n![{caption}]({name}.png)\n" for name, caption in captions.items()]
    write_text(folder / "README.md", "\n".join(parts))
    return [folder / f"{name}.png" for name in content]


def photograph(run: Path) -> bytes:
    """The inspector's page in a browser at the first error, as PNG; a ValueError where there is no browser."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ValueError("a picture of the inspector needs playwright; pip install 'afkit[dev]' brings it") from None
    with temporary_folder() as temporary, sync_playwright() as playwright:
        page_path = temporary / "inspector.html"
        write_inspector(page_path, collect_inspected(run))
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as error:
            raise ValueError(f"chromium does not start ({error.message.splitlines()[0]}); install it") from None
        page = browser.new_page(viewport={"width": SIZE_PX[0], "height": SIZE_PX[1]})
        page.goto(page_path.as_uri())
        page.click("[data-role=next]")
        page.click("[data-role=all]")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # it is drawn
        picture = page.locator(".afkit-inspector").screenshot()
        browser.close()
    return picture


if __name__ == "__main__":
    print(*write_gallery(Path(sys.argv[1]), Path(sys.argv[2])), sep="\n")
