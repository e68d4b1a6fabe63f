"""What an evaluation leaves in the run folder: eval.json, per_class.csv, and the table that people look at."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from afkit.evaluation.scores import Scores
from afkit.files import atomic_open, read_json, write_json
from afkit.opening import open_to_read

NAIVE, FRAMES = "class frequencies and durations", "frame classifier with smoothing"  # rows beside the network's


def tiou_names(tious: Iterable[float]) -> list[str]:
    """Names of thresholds: with 2 decimals, more where one needs them to be exact or to differ from another."""
    exact = [float(tiou) for tiou in tious]
    names = [next(f"{t:.{d}f}" for d in range(2, 10) if abs(round(t, d) - t) < 1e-9) for t in exact]
    return names if len(set(names)) == len(names) else [repr(t) for t in exact]


def map_table(rows: Mapping[str, Scores]) -> pd.DataFrame:
    """mAP in percent: a row per named result, a column per tIoU threshold, and the average last."""
    table = pd.DataFrame({name: 100 * scores.map for name, scores in rows.items()}).T
    table.columns = tiou_names(table.columns)
    table["average"] = [100 * scores.average_map for scores in rows.values()]
    return table


def recall_table(rows: Mapping[str, Scores]) -> pd.DataFrame:
    """Recall@1x and @5x in percent: a row per named result and k, a column per tIoU threshold."""
    parts = {
        f"{name}, Recall@{k}x": 100 * column for name, scores in rows.items() for k, column in scores.recall.items()
    }
    table = pd.DataFrame(parts).T
    table.columns = tiou_names(table.columns)
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
    content = {**as_dict(scores), "counts": scores.counts, "baseline": as_dict(baseline), **facts}
    write_json(folder / f"eval{suffix}.json", content)
    write_classes(folder / f"per_class{suffix}.csv", scores, label_names)


def write_classes(path: str | Path, scores: Scores, label_names: Mapping[int, str]) -> None:
    """Write a table of the classes: label, name, ap_0.30, ..., ap_average; fractions."""
    table = scores.ap.copy()
    table.columns = [f"ap_{name}" for name in tiou_names(table.columns)]
    table.insert(0, "name", [label_names.get(label, str(label)) for label in table.index])
    table["ap_average"] = scores.ap.mean(axis=1)
    with atomic_open(path) as file:
        table.to_csv(file)


def read_classes(path: str | Path) -> pd.DataFrame:
    """The table of `write_classes`; a class may be called "NA" or "01"."""
    with open_to_read(path) as file:
        return pd.read_csv(file, dtype={"name": str}, keep_default_na=False, na_values=[""])


def as_dict(scores: Scores) -> dict[str, Any]:
    """Fractions: average_map, map {"0.30": ...}, recall {"1": {"0.30": ...}, "5": ...}."""
    return {
        "average_map": scores.average_map,
        "map": by_tiou(scores.map),
        "recall": {str(k): by_tiou(scores.recall[k]) for k in scores.recall.columns},
    }


def by_tiou(values: pd.Series) -> dict[str, float]:
    """Numbers by the names of their thresholds, ready for JSON."""
    return dict(zip(tiou_names(values.index), values.tolist(), strict=True))


def headline(path: str | Path) -> str:
    """The mAP table of an eval.json as text, in percent; ValueError where the file is missing or holds no scores."""
    content = read_json(path)
    try:
        return _headline(content)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError) as error:
        raise ValueError(f"{path} holds no scores ({error!r}); run 03_eval again") from None


def _headline(content: Any) -> str:
    rows = {content.get("network", "ActionFormer"): content, NAIVE: content["baseline"]}
    if "map" in content.get("frame_classifier", {}):
        rows[FRAMES] = content["frame_classifier"]
    tious = list(content["map"])
    lines = ["generated data: these numbers say nothing about the method"] if content.get("generated") else []
    title = f"mAP [%] of '{content['split']}' at tIoU" if content.get("split") else "mAP [%] at tIoU"
    lines += [title.ljust(34) + "".join(f" {tiou:>7}" for tiou in tious) + " average"]
    for name, row in rows.items():
        numbers = [*row["map"].values(), row["average_map"]]
        lines.append(name.ljust(34) + "".join(f"{100 * number:8.2f}" for number in numbers))
    return "\n".join([*lines, *filter(None, [interval_in_words(content.get("confidence"))])])


def score_in_words(content: Mapping[str, Any]) -> list[str]:
    """What an eval.json, read, says in a few lines, the first of which is the average mAP with its interval."""
    confidence, counts = content.get("confidence") or {}, content["counts"]
    tious = [float(tiou) for tiou in content["map"]]
    between, sure = "without interval", interval_in_words(confidence)
    if "average_map" in confidence:
        between = f"{100 * confidence.get('level', 0.95):.0f} % interval {_low_high(confidence)}"
        sure = f"interval by bootstrap over {confidence.get('resampled', 'recordings')}"
    lines = [f"Average mAP {100 * content['average_map']:.2f} %, {between}"]
    if content.get("generated"):
        lines.append("The data is generated: the number tests the code, and says nothing about the method.")
    what = f"{counts['ground_truths']} actions of {counts['classes']} classes in {counts['videos']} recordings"
    by = f"{content.get('network', 'ActionFormer')} on {', '.join(content.get('subsets', ['test']))}"
    lines.append(f"{by}: {what}, tIoU {tious[0]:g} to {tious[-1]:g}; {sure or 'nothing is known of an interval'}.")
    if point := content.get("operating_point"):
        hits, alarms = (point["class_thresholds"][name] for name in ("hits", "false_alarms"))
        at = f"at tIoU {point['tiou']:g}"
        kept = f"Of the detections above the best threshold of their class, {hits} find an action {at}"
        lines.append(f"{kept}, and {alarms} are false alarms.")
    beside = {NAIVE: content["baseline"], FRAMES: content.get("frame_classifier", {})}
    known = (f"{name} {100 * row['average_map']:.2f} %" for name, row in beside.items() if "average_map" in row)
    return [*lines, f"Average mAP beside it: {', '.join(known)}."]


def _low_high(confidence: Mapping[str, Any]) -> str:
    """The interval in percent; a bootstrap that moves its draws to the measured value can leave 0 to 100."""
    low, high = (min(max(100 * confidence["average_map"][end], 0), 100) for end in ("low", "high"))
    return f"{low:.2f} to {high:.2f}"


def interval_in_words(confidence: Any) -> str:
    """The interval of the average mAP with what was resampled, or why there is none; "" where nothing is known."""
    confidence = confidence if isinstance(confidence, dict) else {}
    if refused := confidence.get("refused"):
        return f"no interval of the average: {refused}"
    if "average_map" not in confidence:
        return ""
    over = f", resampled over {confidence['resampled']}" if "resampled" in confidence else ""
    level = 100 * confidence.get("level", 0.95)
    return f"{level:.0f} % interval of the average: {_low_high(confidence)} (bootstrap{over})"
