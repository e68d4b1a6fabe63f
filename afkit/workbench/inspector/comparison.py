"""Several runs of the same videos above each other: what they have in common, and the page that shows them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import TIOUS, write_page

ACTION = ["video", "start_sec", "end_sec", "label"]


def write_comparison(
    path: str | Path,
    runs: Sequence[Inspected],
    tious: Sequence[float] = TIOUS,
    tiou: float = 0.5,
    min_score: float | None = None,
) -> None:
    """Write one page of several runs; a ValueError as of `write_inspector` and `make_comparable`."""
    write_page(path, make_comparable(runs), tious, tiou, min_score)


def make_comparable(runs: Sequence[Inspected]) -> list[Inspected]:
    """The runs with the videos that all of them have, in the first one's order, and with the same classes.

    Signal and video files are kept with the first run alone, as they are the same for all. Runs with equal titles
    are numbered. Where videos are left out, the first one's remark says how many.

    Raises:
        ValueError: fewer than two runs, no video in common, or ground truth or class names that differ.
    """
    if len(runs) < 2:
        raise ValueError(f"a comparison takes two or more runs, not {len(runs)}")
    titles = [run.title for run in runs]
    numbers = [
        f" ({titles[: i + 1].count(title)})" if titles.count(title) > 1 else "" for i, title in enumerate(titles)
    ]
    runs = [replace(run, title=f"{run.title}{number}") for run, number in zip(runs, numbers, strict=True)]
    in_runs = Counter(video for run in runs for video in run.videos)
    common = [video for video in runs[0].videos if in_runs[video] == len(runs)]
    if not common:
        raise ValueError(f"{' and '.join(run.title for run in runs)} have no video in common")
    first, *others = (_restrict(run, common) for run in runs)
    for other in others:
        _check_same_truth(first, other)
    names = {label: name for run in (*reversed(others), first) for label, name in run.label_names.items()}
    left_out, remark = len(in_runs) - len(common), first.remark
    if left_out:
        number = f"{left_out} video is" if left_out == 1 else f"{left_out} videos are"
        remark = f"{remark} {number} not in every run, and left out.".strip()
    shared = [replace(run, label_names=names, tracks=replace(run.tracks, signal=None, videos=None)) for run in others]
    return [replace(first, label_names=names, remark=remark), *shared]


def _restrict(run: Inspected, videos: list[str]) -> Inspected:
    gt, predictions = (table[table["video"].isin(videos)] for table in (run.gt, run.predictions))
    return replace(
        run, gt=gt, predictions=predictions, durations_sec={video: run.durations_sec.get(video) for video in videos}
    )


def _check_same_truth(first: Inspected, other: Inspected) -> None:
    """Raise a ValueError that names the first video or label which differs."""
    for label, name in first.label_names.items():
        if other.label_names.get(label, name) != name:
            both = f"'{name}' in {first.title} and '{other.label_names[label]}' in {other.title}"
            raise ValueError(f"label {label} is {both}; compare runs of one data set")
    tables = [run.gt[ACTION].sort_values(ACTION, ignore_index=True) for run in (first, other)]
    if not tables[0].equals(tables[1]):
        different = pd.concat(tables).drop_duplicates(keep=False)["video"]
        where = f" in the video '{different.iloc[0]}'" if len(different) else ""
        raise ValueError(
            f"the ground truth of {first.title} and {other.title} differs{where}; compare runs of one data set"
        )
