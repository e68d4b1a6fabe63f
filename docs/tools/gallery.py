"""The pictures of a run and the first screens of its notebooks as a gallery, which the README shows: `make gallery`."""

import io
import shutil
import sys
from pathlib import Path

from PIL import Image

from afkit.files import atomic_open, read_json, write_text
from afkit.workbench.inspector.page import write_inspector
from afkit.workbench.runs.interrupts import temporary_folder
from afkit.workbench.runs.pages import write_notebooks
from afkit.workbench.runs.run_inspector import collect_inspected

# File, without its ending, of a run's folder `figures`, and what is to be seen in it; in this order.
PICTURES = {
    "timeline_best": "The best timeline: predicted against true segments, with the sensor's signal where there is one.",
    "timeline_worst": "The worst one.",
    "map_against_tiou": "mAP against the overlap that a hit needs.",
    "class_ap": "Average precision of each class.",
    "precision_recall": "Precision against recall of each class; the diamond is the threshold of the best F1.",
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
PHOTOGRAPHS = {  # of a browser
    "inspector": "The inspector: every segment of a run on a timeline to move through (`python -m afkit view RUN`).",
    "01_data": "01_data, executed: what the data holds, and how the data fits the features.",
    "02_train": "02_train, executed: how the training went.",
    "03_eval": "03_eval, executed: the average mAP with its interval, or why there is none, and what stands beside it.",
    "04_visualize": "04_visualize, executed: what a user would keep, recording by recording.",
    "05_compare": "05_compare, executed: the best run, and whether it is better by more than chance.",
}
SIZE_PX = (1000, 640)
COLORS = 256  # of what a browser draws, which is text and lines


def write_gallery(run: Path, folder: Path) -> list[Path]:
    """Copy the pictures of a run, add those of a browser, and write a page that shows them; the pictures.

    Raises:
        ValueError: the run is not finished, or there is no browser.
    """
    figures = run / "figures"
    if not (figures / "timelines.json").is_file():
        raise ValueError(f"{run} has no pictures yet; finish it with: python -m afkit run RECIPE")
    drawn = [Path(entry["file"]).stem for entry in read_json(figures / "timelines.json")]
    renamed = {"timeline_best": drawn[0], "timeline_worst": drawn[-1]}
    sources = {name: figures / f"{renamed.get(name, name)}.png" for name in PICTURES}
    found = {name: path for name, path in sources.items() if path.is_file()}
    content = photographs(run) | {name: path.read_bytes() for name, path in found.items()}
    for name, picture in content.items():
        with atomic_open(folder / f"{name}.png") as file:
            file.write(picture)
    for old in folder.glob("*.png"):  # of a run that had more to show
        if old.stem not in content:
            old.unlink()
    parts = [f"# Gallery\n\nPictures of the run `{run.parent.name}/{run.name}`, made by `make gallery`.\n"]
    captions = PHOTOGRAPHS | PICTURES
    parts += [f"{captions[name]}\n\n![{captions[name]}]({name}.png)\n" for name in content]
    write_text(folder / "README.md", "\n".join(parts))
    return [folder / f"{name}.png" for name in content]


def photographs(run: Path) -> dict[str, bytes]:
    """The inspector at the first error, and the first screens of the notebooks, as PNG; a ValueError without a browser.

    05_compare is that of the folder of all runs, if there is one.
    """
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise ValueError("pictures of a browser need playwright; pip install 'afkit[dev]' brings it") from None
    with temporary_folder() as temporary, sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except Error as error:
            raise ValueError(f"chromium does not start ({error.message.splitlines()[0]}); install it") from None
        page = browser.new_page(viewport={"width": SIZE_PX[0], "height": SIZE_PX[1]})
        write_inspector(temporary / "inspector.html", collect_inspected(run))
        page.goto((temporary / "inspector.html").as_uri())
        page.click("[data-role=next]")
        page.click("[data-role=all]")
        page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # it is drawn
        content = {"inspector": in_few_colours(page.locator(".afkit-inspector").screenshot())}
        for path in [*sorted(run.glob("*.ipynb")), run.parents[1] / "05_compare.ipynb"]:
            if path.is_file():
                shutil.copy(path, temporary)
        page.goto(write_notebooks(temporary).as_uri())
        for path in sorted(temporary.glob("*.ipynb")):
            page.evaluate("(id) => document.getElementById(id).scrollIntoView()", f"cell-id={path.stem}")
            content[path.stem] = in_few_colours(page.screenshot())
        browser.close()
    return content


def in_few_colours(picture: bytes) -> bytes:
    """A PNG of text and lines, a third as large."""
    buffer = io.BytesIO()
    Image.open(io.BytesIO(picture)).convert("RGB").quantize(COLORS).save(buffer, "png", optimize=True)
    return buffer.getvalue()


if __name__ == "__main__":
    print(*write_gallery(Path(sys.argv[1]), Path(sys.argv[2])), sep="\n")
