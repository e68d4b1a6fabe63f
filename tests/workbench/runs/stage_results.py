"""Stages that write small files at once instead of notebooks that compute: for tests of what happens around them."""

import json
import os

import numpy as np
from safetensors.numpy import load_file, save_file

from afkit.files import write_json, write_text, write_texts
from afkit.workbench.runs import notebooks, provenance
from afkit.workbench.runs.folder import finish_stage, note_input, start_stage
from afkit.workbench.survey.facts import fingerprint

WEIGHTS = "checkpoints/ema.safetensors"


def change_code(monkeypatch, *rooms) -> None:
    """Let the given rooms of the package have other digests."""
    real = provenance._room_digest
    monkeypatch.setattr(provenance, "_room_digest", lambda room: "changed" if room in rooms else real(room))


class Executed(list):
    """Stands for `pipeline.execute`: does stages at once, and keeps (name, parameters, OMP_NUM_THREADS) of them."""

    def __call__(self, stage, output, parameters, inherited):
        own = {name: value for name, value in parameters.items() if name not in notebooks.COMMON}
        self.append((stage, own, os.environ.get("OMP_NUM_THREADS")))
        do_stage(stage, **{name: parameters[name] for name in notebooks.COMMON}, values=own)
        return 1.0

    @property
    def stages(self):
        """Their names alone."""
        return [stage for stage, *_ in self]


def write_data(root, videos=2) -> None:
    """The data of `watch` below a root, as far as a fingerprint needs it."""
    video = {"duration": 9.0, "fps": 50, "annotations": []}
    database = {f"v{number}": video | {"subset": "training" if number else "test"} for number in range(videos)}
    write_json(root / "watch" / "annotations" / "watch.json", {"database": database})
    (root / "watch" / "features").mkdir(exist_ok=True)


def do_stage(stage, recipe, seed, overrides, data_root, run_dir, values=None) -> None:
    """A stage whose results depend on recipe, seed and the training's parameter `precision` alone."""
    run = start_stage(stage, recipe, seed, overrides, data_root, run_dir)
    if stage == "01_data":
        write_json(run.folder / "data_report.json", {})
        finish_stage(run, data={"fingerprint": fingerprint(run.recipe.data, run.data_root)})
        return
    if stage == "02_train":
        write_training(run.folder, seed + run.recipe.optim.epochs + ((values or {}).get("precision") == "bf16"))
    else:
        note_input(run, run.folder / WEIGHTS)
        write_evaluation(run.folder, int(load_file(run.folder / WEIGHTS)["b"][1]))
    finish_stage(run)


def write_results(folder, number) -> None:
    """All results of a run; each differs where the number does."""
    write_training(folder, number)
    write_evaluation(folder, number)


def write_training(folder, number) -> None:
    """Weights and losses."""
    (folder / "checkpoints").mkdir(parents=True, exist_ok=True)
    for name in ("ema", "raw"):
        tensors = {"a": np.zeros(2, np.float32), "b": np.array([1, number], np.float32)}
        save_file(tensors, folder / "checkpoints" / f"{name}.safetensors")
    rows = "".join(f"{step},1,2,{number if step else 0},0.5\n" for step in range(3))
    write_text(folder / "metrics.csv", f"step,loss_cls,loss_reg,loss_total,grad_norm\n{rows}")


def write_evaluation(folder, number) -> None:
    """Detections and scores."""
    found = [{"label": "jump", "segment": [1.0, number + 2.0], "score": 0.5}]
    write_texts(folder / "predictions.json.gz", [json.dumps({"results": {"v0": found, "v1": []}})])
    average = min(number / 100, 1)
    write_json(folder / "eval.json", {"map": {"0.50": average, "0.70": 0.25}, "average_map": average})
    write_text(folder / "per_class.csv", "label\n")
