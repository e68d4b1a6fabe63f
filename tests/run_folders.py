"""Run folders written by hand, with what is compared of run.json, eval.json and metrics.csv."""

import json
from pathlib import Path

import pandas as pd
import torch
from tiny_data import tiny_recipe, write_annotations

from afkit.config import Recipe
from afkit.files import read_json, write_json, write_text
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.workbench.analysis.result_files import write_predictions

NUM_VIDEOS = 6
NAMES = {0: "jump", 1: "throw"}


def write_run(folder: Path, average_map: float = 0.5, seed: int = 1, **changes) -> Path:
    """A finished run.

    Changes: name of the recipe, overrides, fingerprint, data_root, stages, and entries of eval.json (None: without it).
    """
    recipe = tiny_recipe().model_dump(mode="json") | {"name": changes.pop("name", "tiny")}
    done = {"status": "done", "started": "2026-01-01T10:00:00", "finished": "2026-01-01T11:00:00"}
    stages = dict.fromkeys(("01_data", "02_train", "04_visualize"), done)
    stages |= {"03_eval": done | {"started": "2026-01-01T12:00:00"}} | changes.pop("stages", {})
    facts = {
        "stages": stages,
        "recipe": recipe,
        "seed": seed,
        "overrides": changes.pop("overrides", {}),
        "data_root": str(changes.pop("data_root", "data")),
        "git": {"commit": "0123456789abcdef", "dirty": False},
        "versions": {"afkit": "0.1.0"},
        "device": {"gpu": None, "machine": "x86_64", "threads": 2},
        "data": {"fingerprint": changes.pop("fingerprint", "f" * 64)},
        "execution": {"devices": 1},
    }
    scores = {
        "average_map": average_map,
        "map": {"0.30": average_map + 0.1, "0.50": average_map - 0.1},
        "recall": {"1": {"0.30": 0.8, "0.50": 0.6}},
        "baseline": {"average_map": 0.1},
        "frame_classifier": {"average_map": 0.4},
        "confidence": {"average_map": {"low": average_map - 0.05, "high": average_map + 0.04}},
        "predict_seconds": 1.5,
    }
    scores |= {"subsets": ["test"], "weights": "ema", "label_remap": "fixed", "generated": False}
    write_json(folder / "run.json", facts)
    write_json(folder / "eval.json", {key: value for key, value in (scores | changes).items() if value is not None})
    write_text(folder / "metrics.csv", "step,epoch,loss_total,seconds\n0,0,2.5,0.5\n1,0,2.0,0.25\n2,1,1.5,0.25\n")
    return folder


def write_trained(folder: Path, root: Path, recipe: Recipe, seed: int = 3, **changes) -> Path:
    """A run folder with random weights, and entries of run.json."""
    for number, weights in enumerate(("ema", "raw")):
        torch.manual_seed(seed + number)
        save_weights(build_model(recipe), folder / "checkpoints" / f"{weights}.safetensors", weights)
    facts = {"recipe": recipe.model_dump(mode="json"), "seed": 1, "data_root": str(root)}
    write_json(folder / "run.json", facts | changes)
    return folder


def change_json(path: Path, **entries) -> None:
    """Change entries at the top of a JSON file."""
    write_json(path, json.loads(path.read_text()) | entries)


def write_test_data(root: Path) -> pd.DataFrame:
    """An annotation file of 6 test videos, each with a jump from 0 to 10 s and a throw from 20 to 30 s; as a table."""
    rows = [(0, 0.0, 10.0), (1, 20.0, 30.0)]
    actions = [{"segment": [start, end], "label": NAMES[label], "label_id": label} for label, start, end in rows]
    video = {"subset": "test", "duration": 60.0, "fps": 10.0, "annotations": actions}
    write_annotations(root, {f"video{number}": video for number in range(NUM_VIDEOS)})
    table = [(f"video{number}", start, end, label) for number in range(NUM_VIDEOS) for label, start, end in rows]
    return pd.DataFrame(table, columns=["video", "start_sec", "end_sec", "label"])


def write_scored_run(folder: Path, gt: pd.DataFrame, num_right: int, data_root: Path, **changes) -> Path:
    """A run that finds all actions of the first videos and predicts nothing else: average mAP num_right / 6."""
    right = gt[gt["video"].isin([f"video{number}" for number in range(num_right)])]
    write_run(folder, num_right / NUM_VIDEOS, data_root=data_root, **changes)
    write_predictions(folder / "predictions.json.gz", right.assign(score=0.9), NAMES)
    ap = num_right / NUM_VIDEOS
    write_text(folder / "per_class.csv", f"label,name,ap_0.50,ap_average\n0,jump,{ap},{ap}\n1,throw,{ap},{ap}\n")
    return folder


def outputs_of(path: Path) -> list[dict]:
    """What the cells of a notebook have left."""
    return [output for cell in read_json(path)["cells"] for output in cell.get("outputs", [])]


def pages_of(path: Path) -> list[str]:
    """What a notebook shows as HTML."""
    return ["".join(output.get("data", {}).get("text/html", "")) for output in outputs_of(path)]
