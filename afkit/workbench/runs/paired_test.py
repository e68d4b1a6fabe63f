"""Which of two runs is better, and is that more than chance? Only runs that faced the same test can be compared.

Their training may differ, also in its labels: annotation files of other names will do where the test recordings and
their labels are the same.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from afkit.config import nearest
from afkit.data.annotations import Video, groups_of, to_frame
from afkit.evaluation.scores import evaluate
from afkit.workbench.analysis.bootstrap import Comparison, Interval, compare_runs, drawn_units, too_few
from afkit.workbench.analysis.fusion import num_labels
from afkit.workbench.analysis.report import read_classes
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.runs.opened import OpenedRun, dictionary, entry
from afkit.workbench.runs.paths import without_paths
from afkit.workbench.trust import project_root

SAME_SCORE = 1e-9  # of mAP, a fraction: eval.json against the same files scored again


def choose_pairs(runs: Sequence[OpenedRun], pair: Sequence[str] = ()) -> list[tuple[OpenedRun, OpenedRun]]:
    """The two runs to test against each other: those named, or the best two of each recipe and test, the better first.

    The second is the best with other settings than the first; where all have the same, the best with another seed.
    Named are runs, or their folders relative to the project.

    Raises:
        ValueError: not two different names, or one that is of no run with scores.
    """
    if pair:
        if len(pair) != 2 or pair[0] == pair[1]:
            raise ValueError(f"pair is {list(pair)}; name two different runs, or none for the best two")
        return [(_named(runs, str(pair[0])), _named(runs, str(pair[1])))]
    same_test: dict[str, list[OpenedRun]] = {}
    for run in sorted((run for run in runs if run.scores), key=lambda run: -run.scores["average_map"]):
        faced = [entry(run.scores, "counts", name) for name in ("ground_truths", "classes")]
        same_test.setdefault(f"{run.recipe_name} {faced} {_test(run)}", []).append(run)
    pairs = []
    for _, (best, *others) in sorted(same_test.items()):
        changed = [run for run in others if _settings(run) != _settings(best)]
        pairs += [(best, run) for run in (changed or others)[:1]]
    return pairs


def compare_pair(a: OpenedRun, b: OpenedRun, data_root: str = "", resamples: int = 1000) -> Comparison:
    """Paired bootstrap and sign test of the difference a - b on the recordings that both were evaluated on.

    Both runs have scores. `data_root` is the folder of all data sets; "" for where run a found its data.

    Raises:
        ValueError: the runs faced different tests, or one of too few recordings or groups; the annotations are not
            there, or not those that a run was evaluated with; the predictions cannot be read.
    """
    _check_same_test(a, b)
    root, annotations, tious = a.data_root(data_root), a.annotations(data_root), a.recipe.data.tious
    videos = annotations.of_subsets(a.subsets)
    if a.recipe.data.annotations != b.recipe.data.annotations:
        other = b.annotations(data_root)
        if _labels(videos) != _labels(other.of_subsets(b.subsets)):
            raise ValueError(
                f"{a.name} and {b.name} cannot be compared, since {annotations.path} and {other.path} have other test "
                "recordings, or other labels of them"
            )
    gt, groups = to_frame(videos), groups_of(videos)
    remap = entry(a.scores, "label_remap") or "fixed"
    tables = []
    for run in (a, b):
        names = annotations.names_of(num_labels(run.recipe, root))
        tables.append(read_predictions(run.folder / "predictions.json.gz", names, labels_are="names"))
        again = evaluate(gt, tables[-1], tious, remap).average_map
        if abs(again - run.scores["average_map"]) > SAME_SCORE:
            raise ValueError(
                f"{run.name} has an average mAP of {100 * run.scores['average_map']:.2f} %, but {100 * again:.2f} % by "
                f"{annotations.path} as it is now; name the folder of its data with --data-root, or run 03_eval again"
            )
    if few := too_few(gt, tables, groups):
        raise ValueError(f"{few} ({a.name} and {b.name})")
    return compare_runs(gt, tables[0], tables[1], tious, resamples, label_remap=remap, groups=groups)


def compare_pairs(
    pairs: Sequence[tuple[OpenedRun, OpenedRun]], data_root: str = "", resamples: int = 1000
) -> tuple[list[str], dict[str, Interval]]:
    """A numbered sentence about each pair, and the difference of mAP of those that can be compared, by number and run.

    Arguments as of `compare_pair`.
    """
    sentences, differences = [], {}
    for number, (a, b) in enumerate(pairs, 1):
        try:
            found = compare_pair(a, b, data_root, resamples)
            sentences.append(f"{number}. {verdict(a, b, found)}")
            differences[f"{number}. {a.name}"] = found.average_map
        except ValueError as error:
            sentences.append(f"{number}. Not tested: {without_paths(error)}.")
    return sentences or ["There are no two runs of the same recipe and test to compare."], differences


def verdict(a: OpenedRun, b: OpenedRun, found: Comparison) -> str:
    """What `compare_pair` found, in two sentences."""
    difference, low, high, _ = (100 * number for number in found.average_map)
    better, worse, signs = a, b, found.sign_test
    remark = " The data is generated, so this says nothing about the method." if a.generated else ""
    if difference < 0:
        better, worse, difference, low, high = b, a, -difference, -high, -low
        signs = signs._replace(a_better=signs.b_better, b_better=signs.a_better)
    if difference == 0:
        return f"{a.name} and {b.name} score the same average mAP.{remark}"
    over = f" over {drawn_units(found.counts)}" if "groups" in found.counts else ""
    numbers = f"{100 * found.level:.0f} % interval{over} {low:.2f} to {high:.2f}, p = {found.p_value:.3f}"
    sentence = f"{better.name} is ahead of {worse.name} by {difference:.2f} points of average mAP ({numbers}): "
    sentence += "significant." if found.significant else "not significant, these recordings do not tell them apart."
    each = "Group by group" if "groups" in found.counts else "Video by video"
    counted = f"{each} it is better in {signs.a_better}, worse in {signs.b_better} and equal in {signs.equal}"
    if found.significant != (signs.p_value < round(1 - found.level, 9)):
        remark = " The two tests disagree; the first one counts, since it judges the average mAP itself." + remark
    return f"{sentence} {counted} (sign test, p = {signs.p_value:.3f}).{remark}"


def class_differences(a: OpenedRun, b: OpenedRun) -> pd.Series:
    """AP of a less that of b in percentage points, mean over tIoU, by name of the class; of classes that both have.

    Raises:
        ValueError: the runs faced different tests; a run has no per_class.csv, or a broken one.
    """
    _check_same_test(a, b)
    columns = []
    for run in (a, b):
        try:
            columns.append(read_classes(run.folder / "per_class.csv").set_index("name")["ap_average"].astype(float))
            if columns[-1].index.has_duplicates:
                raise ValueError
        except (OSError, ValueError, LookupError, TypeError, OverflowError):
            raise ValueError(f"{run.name} has no readable per_class.csv; run 03_eval again") from None
    return (100 * (columns[0] - columns[1])).dropna().rename("difference")


def _check_same_test(a: OpenedRun, b: OpenedRun) -> None:
    for what, ours in _test(a).items():
        if ours != _test(b)[what]:
            there = ", ".join(f"{run.name}: {_test(run)[what]}" for run in (a, b))
            raise ValueError(f"{a.name} and {b.name} cannot be compared, since {what} differs ({there})")


def _labels(videos: Sequence[Video]) -> dict[str, tuple]:
    """All that the annotation file says of each video that a score depends on."""
    return {
        video.name: (video.segments_sec.tolist(), video.labels.tolist(), video.ignored_sec.tolist(), video.group)
        for video in videos
    }


def _test(run: OpenedRun) -> dict[str, Any]:
    """What two runs must share to be compared; their features, and the labels they were trained with, may differ."""
    data = dictionary(run.facts.recipe, "data")
    return {
        "the test subset": ", ".join(run.subsets),
        "the list of tIoU thresholds": data.get("tious"),
        "label_remap": entry(run.scores, "label_remap"),
        "whether the data is generated": run.generated,
    }


def _settings(run: OpenedRun) -> tuple[Any, Any]:
    return run.changes, run.scores.get("weights")


def _named(runs: Sequence[OpenedRun], name: str) -> OpenedRun:
    scored = {run.name: run for run in runs if run.scores}
    by_folder = {run.folder: run for run in scored.values()}
    run = scored.get(name) or by_folder.get(project_root() / name)
    if run is None:
        raise ValueError(f"'{name}' of pair is no run with scores; {nearest(name, list(scored))}")
    return run
