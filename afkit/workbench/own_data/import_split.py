"""Ids of labels and subsets of recordings: those of the source, or drawn."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from afkit.data.feature_formats import listed
from afkit.workbench.own_data.import_choices import Chosen
from afkit.workbench.own_data.import_problems import Problem
from afkit.workbench.own_data.import_rows import Recording, Row

TRAINING, TEST = "training", "validation"  # names of the subsets of a drawn split, as a recipe has them by default


def label_ids(rows: list[Row], labels: Sequence[str], problems: list[Problem]) -> tuple[dict[str, int], str]:
    """{label: id}, and a sentence where the ids are not the source's.

    Args:
        rows: of all recordings.
        labels: as the user orders them; () for the source's ids, or sorted.
        problems: receives labels that are not in the order, or have several ids.

    Raises:
        ValueError: a label stands twice in the order.
    """
    given: defaultdict[str, set[int]] = defaultdict(set)
    for row in rows:
        given[row.label] |= set() if row.label_id is None else {row.label_id}
    if labels:
        if len(set(labels)) != len(labels):
            raise ValueError(f"a label is twice in the given order {', '.join(labels)}; name each once")
        for row in rows:
            if row.label not in labels:
                problems.append(Problem(row.where, f"the label '{row.label}' is not in the given order", ""))
        return {label: number for number, label in enumerate(labels)}, "label ids are the given order"
    ids = [number for numbers in given.values() for number in numbers]
    complete = all(row.label_id is not None for row in rows)
    if complete and len(set(ids)) == len(ids) == len(given) and min(ids, default=0) >= 0:
        return dict(sorted(((label, number) for label, (number,) in given.items()), key=lambda pair: pair[1])), ""
    for row in rows:
        others = sorted(given[row.label] - {row.label_id})
        if row.label_id is not None and others:
            what = f"'{row.label}' has the label id {row.label_id} here and {others[0]} elsewhere"
            problems.append(Problem(row.where, what, "numbered anew", "ids"))
    order = sorted(given, key=int if all(label.isdecimal() and len(label) < 10 for label in given) else None)
    return {label: number for number, label in enumerate(order)}, "label ids are the sorted labels"


def draw_split(
    source: Path,
    chosen: Sequence[Chosen],
    known: Mapping[str, Recording],
    test_share: float,
    seed: int,
    problems: list[Problem],
) -> tuple[dict[str, str], str]:
    """{recording: subset}, and a sentence where it was drawn.

    Args:
        source: for messages.
        chosen: the tables, whose columns are shown where none names the recording.
        known: the recordings.
        test_share: of the recordings or groups.
        seed: of the draw.
        problems: receives recordings without a subset or group, and a split that cannot be drawn.
    """
    for field in ("subset", "group"):
        if any(getattr(recording, field) for recording in known.values()):
            for video, recording in sorted(known.items()):
                if not getattr(recording, field):
                    problems.append(Problem(recording.where, f"recording '{video}' has no {field}", ""))
    if any(recording.subset for recording in known.values()):
        split = {video: recording.subset.lower() for video, recording in sorted(known.items())}
        first: dict[str, str] = {}  # a recording of each group
        for video, subset in split.items():
            group = known[video].group
            if group and split[first.setdefault(group, video)] != subset:
                what = f"group '{group}' is in '{split[first[group]]}' and, with recording '{video}', in '{subset}'"
                problems.append(Problem(known[video].where, what, ""))
        return split, ""
    groups = sorted({recording.group or video for video, recording in known.items()})
    what = "groups" if any(recording.group for recording in known.values()) else "recordings"
    if len(groups) < 2:
        unnamed = [one.columns for one in chosen if "video" not in one.used and one.form == "csv" and len(known) == 1]
        hint = ""
        if unnamed:
            hint = f"; if one of the columns {listed(unnamed[0])} names the recording, --column video=NAME"
        remedy = "add another, or a column 'subset' (here, or in a table for --recordings)"
        what = f"a split needs two {what}, there is only {len(groups)}; {remedy}{hint}"
        problems.append(Problem(next((one.where for one in known.values()), str(source)), what, ""))
        return dict.fromkeys(known, TRAINING), ""
    number = min(max(round(test_share * len(groups)), 1), len(groups) - 1)
    tested = {groups[i] for i in np.random.default_rng(seed).permutation(len(groups))[:number]}
    split = {video: TEST if (known[video].group or video) in tested else TRAINING for video in sorted(known)}
    return split, f"subsets were drawn (seed {seed}): {number} of {len(groups)} {what} are '{TEST}'"
