"""What somebody must know who is given a trained run: a page of Markdown, written by 03_eval (Mitchell et al. 2019).

Only what the run's files say: data, settings, scores with their interval, and what follows from them for its use.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.files import read_json, write_text
from afkit.workbench.analysis.report import headline, read_classes
from afkit.workbench.published import network_name
from afkit.workbench.runs.opened import OpenedRun, dictionary, open_run
from afkit.workbench.survey.facts import trained_on

FILE = "model_card.md"


def write_model_card(folder: Path) -> Path:
    """Write model_card.md beside the scores of a run that was evaluated on its own test subsets."""
    run, scores = open_run(folder), read_json(folder / "eval.json")
    classes = read_classes(folder / "per_class.csv")
    recipe = run.recipe
    parts = [
        f"# {recipe.name}: {network_name(recipe)}",
        f"A network that finds actions of {len(classes)} classes in recordings: start, end, class, and a score.",
        _table(_facts(run, scores)),
        "## How good it is",
        f"```text\n{headline(folder / 'eval.json')}\n```",
        *_at_threshold(scores),
        _by_class(classes),
        "## What it is not made for",
        "\n".join(f"- {sentence}" for sentence in _limits(run, scores, classes)),
        "## How to use it",
        f"```sh\npython -m afkit predict {folder.name} RECORDINGS\n```",
        "in the folder above, with features (or films, sounds, samples with `--signal`) made as in the training.\n"
        "Cite afkit by its CITATION.cff, the paper of the network, and the data.",
    ]
    path = folder / FILE
    write_text(path, "\n\n".join(parts) + "\n")
    return path


def _facts(run: OpenedRun, scores: Mapping[str, Any]) -> dict[str, str]:
    """What is known about how it was made, in words."""
    recipe, facts, subsets = run.recipe, run.facts, dictionary(run.facts.data, "subsets")
    data, optim = recipe.data, recipe.optim
    changes = ", ".join(f"{name} {value}" for name, value in facts.overrides.items())
    git = run.stage("02_train").git or facts.git
    versions, commit = facts.versions, str(dictionary(git).get("commit", "unknown"))[:12]
    rate = f"{data.fps:g} frames per second" if data.fps else "the data's frames per second"
    return {
        "trained on": _counted(subsets, data.train_subsets, "actions"),
        "tested on": _counted(subsets, data.test_subsets, "actions_after_cleaning"),
        "annotations": f"`{data.annotations}`; fingerprint of the data {str(run.fingerprint)[:12]}",
        "features": f"{', '.join(f'`{name}`' for name in data.features)}: {sum(data.input_dims)} channels, every "
        f"{data.stride_frames:g} frames over {data.num_frames:g}, {rate}",
        "training": f"{optim.total_epochs} epochs, {optim.warmup_epochs} of them warm-up, seed {facts.seed}, "
        f"{facts.execution.get('precision', 'fp32')}" + (f"; changed from the recipe: {changes}" if changes else ""),
        "weights": f"{scores.get('weights')}, SHA-256 {str(scores.get('weights_sha256'))[:12]}",
        "made by": f"afkit {versions.get('afkit', '?')} (commit {commit}), torch {versions.get('torch', '?')}",
    }


def _counted(subsets: Mapping[str, Any], names: list[str], key: str) -> str:
    """Recordings, hours and actions (the count `key`) of subsets; their names alone where 01_data was not done."""
    rows = [dictionary(subsets, name) for name in {name.lower() for name in names}]
    if not any(rows):
        return ", ".join(names)
    videos, actions = (sum(row.get(name, 0) for row in rows) for name in ("videos", key))
    hours = sum(row.get("hours") or 0 for row in rows)
    return f"{', '.join(names)}: {videos} recordings, {hours:.1f} hours, {actions} actions"


def _table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {name} | {_cell(value)} |" for name, value in rows.items())])


def _cell(text: object) -> str:
    """A text that stays within its cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _at_threshold(scores: Mapping[str, Any]) -> list[str]:
    """What a user who keeps the detections above one threshold gets."""
    point = dictionary(scores, "operating_point", "one_threshold")
    if not point or point.get("precision") is None:
        return []
    alarms = point.get("false_alarms_per_hour")
    often = f", {alarms:.1f} false alarms an hour" if isinstance(alarms, float) else ""
    right, found = (f"{100 * point[name]:.0f} %" for name in ("precision", "recall"))
    return [
        f"Of the detections that score {point['threshold']:.2f} or more, {right} are right at tIoU "
        f"{scores['operating_point']['tiou']:g}, and {found} of the actions are found{often}."
    ]


def _by_class(classes: pd.DataFrame) -> str:
    rows = (
        classes.dropna(subset=["ap_average"]).sort_values("ap_average")[["name", "ap_average"]].itertuples(index=False)
    )
    lines = [f"| {_cell(name)} | {100 * ap:.1f} |" for name, ap in rows]
    return "\n".join(
        ["Average precision of each class, the worst first [%]:", "", "| class | AP |", "|---|---|", *lines]
    )


def _limits(run: OpenedRun, scores: Mapping[str, Any], classes: pd.DataFrame) -> list[str]:
    """Sentences on what the numbers do not say."""
    sentences = []
    if run.generated:
        sentences.append("**The data is generated: the numbers say nothing about any recording.**")
    refused = dictionary(scores, "confidence").get("refused")
    if seen := trained_on(run.recipe.data.train_subsets, run.recipe.data.test_subsets):
        sentences.append(f"**{seen}**")
    elif refused:
        sentences.append(f"How far the score would move on other recordings is not known: {refused}.")
    else:
        sentences.append(
            "The interval is of other recordings of this kind; about other places, devices or people it is silent."
        )
    sentences.append(
        "The thresholds were chosen on the test recordings; on others precision and recall are somewhat lower."
    )
    if isinstance(error := dictionary(scores, "calibration").get("error"), float):
        sentences.append(f"A score is no probability: what share is right differs from it by {100 * error:.0f} points.")
    if never := classes.loc[classes["ap_average"] == 0, "name"].tolist():
        sentences.append(f"Never found: {', '.join(map(str, never))}.")
    if missing := dictionary(scores, "not_searched").get("videos"):
        sentences.append(f"{missing} test recordings had no features; their actions count as missed.")
    return sentences
