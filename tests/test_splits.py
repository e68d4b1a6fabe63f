"""03_eval on other splits than the recipe's own: files of their own; where nothing is labelled, predictions."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file
from tiny_data import change_video, tiny_recipe, write_tiny_data

from afkit.files import read_json
from afkit.model.actionformer import build_model
from afkit.recipes import recipe
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.runs.pipeline import run

pytest.importorskip("papermill", reason="notebooks are run by papermill")
pytestmark = pytest.mark.slow

TINY = tiny_recipe(model__class_prior=0.3).model_dump(mode="json")
OWN = recipe("thumos_i3d").model_dump(mode="json")
OVERRIDES = {
    f"{part}.{name}": value
    for part in ("data", "model", "decode")
    for name, value in TINY[part].items()
    if value != OWN[part][name]
}
NAMES = {label: f"action {label}" for label in range(3)}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Data with two unlabelled videos in a subset of their own and one among those for testing, and weights."""
    root = tmp_path_factory.mktemp("splits")
    write_tiny_data(root, training=6, test=4)
    change_video(root, "video4", subset="Hidden", annotations=[])
    change_video(root, "video5", subset="Hidden", annotations=[])
    change_video(root, "video6", annotations=[])
    torch.manual_seed(0)
    model = build_model(recipe("thumos_i3d", OVERRIDES))
    save_file(model.state_dict(), root / "weights.safetensors")
    return root


def evaluate(place: Path, **parameters) -> tuple[Path, list[str]]:
    """The run folder after 03_eval and 04_visualize, and what was said."""
    said = []
    parameters["checkpoint"] = str(place / "weights.safetensors")
    stages = ["03", "04"]
    folder = run("thumos_i3d", 1, OVERRIDES, parameters, str(place), str(place / "results"), stages, "run", said.append)
    return folder, said


@pytest.fixture(scope="module")
def headline(place):
    return evaluate(place)[0]


def state(folder: Path) -> dict[str, bytes]:
    """Content of all files but run.json and those of other splits."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "run.json"]
    names = {path: path.relative_to(folder).as_posix() for path in paths}
    return {name: path.read_bytes() for path, name in names.items() if not any(s in name for s in ("-train", "-hid"))}


def outputs(notebook: Path) -> dict[str, str]:
    """Printed text of each code cell; "figure" or the like where there is more."""
    cells = [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == "code"]
    return {c["id"]: "".join("".join(o.get("text", o["output_type"])) for o in c["outputs"]) for c in cells}


def test_videos_without_labels_are_background_and_counted(headline):
    said = outputs(headline / "03_eval.ipynb")["03-09"]
    assert said.startswith("1 of 4 videos have no labelled action: whatever is found there is a false alarm\n")
    scores = read_json(headline / "eval.json")
    assert scores["counts"]["videos"] == 3 and scores["counts"]["predictions_unknown_video"] > 0
    assert "split" not in scores and scores["subsets"] == ["test"]


def test_another_split_has_files_of_its_own_and_the_headline_stays(place, headline):
    files, stages = state(headline), read_json(headline / "run.json")["stages"]
    folder, said = evaluate(place, split="Training")
    assert said[0].split(maxsplit=1) == ["03_eval-training", "running"]
    assert said[-1].startswith("04_visualize   left out: ")
    assert folder == headline and state(headline) == files
    facts = read_json(headline / "run.json")
    entry = facts["stages"].pop("03_eval-training")
    assert facts["stages"] == stages and entry["status"] == "done"

    scores = read_json(headline / "eval-training.json")
    assert scores["subsets"] == ["training"] and scores["counts"]["videos"] == 4 and scores["published"] == {}
    predicted = read_predictions(headline / "predictions-training.json.gz", NAMES)
    assert set(predicted["video"]) == {"video0", "video1", "video2", "video3"}
    assert len(pd.read_csv(headline / "per_class-training.csv")) == 3
    drawn = {path.name for path in (headline / "figures").iterdir()}
    assert {path.name for path in (headline / "figures-training").iterdir()} == {
        name for name in drawn if not name.startswith(("timeline", "recall_by", "tiou_against"))
    }
    assert (headline / "detections-training" / "detections.csv").is_file()
    assert "have no labelled action" not in outputs(headline / "03_eval-training.ipynb")["03-09"]

    assert evaluate(place, split="Training")[1][0].endswith(" already done")
    assert [line.split(maxsplit=1)[1] for line in evaluate(place)[1]] == ["already done"] * 2


def test_of_a_split_without_labels_there_are_predictions_and_one_sentence(place, headline):
    files = state(headline)
    folder, said = evaluate(place, split="hidden")
    assert said[1].startswith("03_eval-hidden done in ") and state(folder) == files
    own = {path.relative_to(folder).parts[0] for path in folder.rglob("*") if "-hidden" in str(path)}
    assert own == {"03_eval-hidden.ipynb", "predictions-hidden.json.gz", "detections-hidden"}
    predicted = read_predictions(folder / "predictions-hidden.json.gz", NAMES)
    assert set(predicted["video"]) == {"video4", "video5"}
    exported = pd.read_csv(folder / "detections-hidden" / "detections.csv")
    assert len(exported) == (predicted["score"] >= 0.2).sum() > 0 and exported["score"].min() >= 0.2
    assert {path.name for path in (folder / "detections-hidden" / "vtt").iterdir()} == {"video4.vtt", "video5.vtt"}
    shown = outputs(folder / "03_eval-hidden.ipynb")
    assert shown["03-40"] == (
        "No video of hidden has a labelled action, so nothing is evaluated: the predictions are in "
        f"predictions-hidden.json.gz, the {len(exported)} with a score of 0.2 or more in detections-hidden.\n"
    )
    later = list(shown)[list(shown).index("03-40") + 1 :]
    assert len(later) > 10 and all(shown[cell] == "" for cell in later)
    assert evaluate(place, split="hidden")[1][0].endswith("already done")


def test_an_unknown_split_is_refused_before_anything_is_written(place, headline):
    before = (headline / "run.json").read_bytes(), sorted(path.name for path in headline.iterdir())
    with pytest.raises(ValueError, match=r"no split 'val'; choose .* 'hidden' \(2\), 'test' \(4\), 'training'"):
        evaluate(place, split="val")
    assert before == ((headline / "run.json").read_bytes(), sorted(path.name for path in headline.iterdir()))


def test_a_test_split_without_labels_is_not_drawn(place, tmp_path):
    write_tiny_data(tmp_path, training=2, test=1)
    change_video(tmp_path, "video2", annotations=[])
    said, weights = [], {"checkpoint": str(place / "weights.safetensors")}
    folder = run("thumos_i3d", 1, OVERRIDES, weights, str(tmp_path), str(tmp_path), ["03", "04"], "run", said.append)
    assert said[-1] == "04_visualize   left out: it draws the scores (eval.json) of the recipe's own test subsets"
    assert read_json(folder / "run.json")["nms_backend"]
    assert {path.name for path in folder.iterdir()} == {
        "03_eval.ipynb", "detections", "predictions.json.gz", "run.json"
    }  # fmt: skip
