"""What an evaluation leaves in the run folder: eval.json, per_class.csv, and the table that people look at."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.evaluation.scores import Scores
from afkit.files import atomic_open, read_json, write_json


def map_table(rows: Mapping[str, Scores]) -> pd.DataFrame:
    """mAP in percent: a row per named result, a column per tIoU threshold, and the average last."""
    table = pd.DataFrame({name: 100 * scores.map for name, scores in rows.items()}).T
    table.columns = [f"{tiou:.2f}" for tiou in table.columns]
    table["average"] = [100 * scores.average_map for scores in rows.values()]
    return table


def recall_table(rows: Mapping[str, Scores]) -> pd.DataFrame:
    """Recall@1x and @5x in percent: a row per named result and k, a column per tIoU threshold."""
    parts = {
        (name, f"Recall@{k}x"): 100 * column for name, scores in rows.items() for k, column in scores.recall.items()
    }
    table = pd.DataFrame(parts).T
    table.columns = [f"{tiou:.2f}" for tiou in table.columns]
    return table


def save_scores(
    folder: str | Path,
    scores: Scores,
    baseline: Scores,
    label_names: Mapping[int, str],
    suffix: str = "",
    **facts: Any,
) -> None:
    """Write eval.json, with further facts, and per_class.csv of a run.

    `suffix` of both names, e.g. "-training", tells of another split than the run's own.
    """
    folder = Path(folder)
    content = {**_as_dict(scores), "counts": scores.counts, "baseline": _as_dict(baseline), **facts}
    write_json(folder / f"eval{suffix}.json", content)
    table = scores.ap.copy()
    table.columns = [f"ap_{tiou:.2f}" for tiou in table.columns]
    table.insert(0, "name", [label_names.get(label, str(label)) for label in table.index])
    table["ap_average"] = scores.ap.mean(axis=1)
    with atomic_open(folder / f"per_class{suffix}.csv") as file:
        table.to_csv(file)


def _as_dict(scores: Scores) -> dict[str, Any]:
    """Fractions: average_map, map {"0.30": ...}, recall {"1": {"0.30": ...}, "5": ...}."""
    recall = {str(k): {f"{tiou:.2f}": value for tiou, value in scores.recall[k].items()} for k in scores.recall.columns}
    return {
        "average_map": scores.average_map,
        "map": {f"{tiou:.2f}": float(value) for tiou, value in scores.map.items()},
        "recall": recall,
    }


def headline(path: str | Path) -> str:
    """The mAP table of an eval.json as text, in percent; ValueError where the file is missing or holds no scores."""
    content = read_json(path)
    try:
        return _headline(content)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} holds no scores ({error!r}); run 03_eval again") from None


def _headline(content: Any) -> str:
    rows = {content.get("network", "ActionFormer"): content, "class frequencies and durations": content["baseline"]}
    tious = list(content["map"])
    lines = ["generated data: these numbers say nothing about the method"] if content.get("generated") else []
    title = f"mAP [%] of '{content['split']}' at tIoU" if content.get("split") else "mAP [%] at tIoU"
    lines += [title.ljust(34) + "".join(f"{tiou:>8}" for tiou in tious) + " average"]
    for name, row in rows.items():
        numbers = [*row["map"].values(), row["average_map"]]
        lines.append(name.ljust(34) + "".join(f"{100 * number:8.2f}" for number in numbers))
    return "\n".join(lines)
