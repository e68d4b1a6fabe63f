"""Folds of a data set: each of its groups, or of its subsets, is tested once, and all others are for training."""

from collections import Counter
from pathlib import Path
from typing import Any, Literal

from afkit.config import DataConfig
from afkit.data.annotations import AnnotationFile, read_annotations
from afkit.data.features import locate
from afkit.workbench.datasets.grouped import by_group, grouped_path


def folds_of(config: DataConfig, root: str | Path, by: Literal["group", "subset"]) -> dict[str, dict[str, Any]]:
    """{name of the fold: the settings in which its recipe differs}, sorted by name.

    By group, of the videos of the recipe's subsets; the annotation file by groups is written when the data is prepared.

    Raises:
        ValueError: no annotation file, videos without a group, a group that is also in another subset than the
            recipe's, or fewer than two folds.
    """
    path = locate(root, config.annotations)
    if not path.is_file():
        raise ValueError(f"folds are told from {path}, which does not exist; prepare the data, or give its data_root")
    annotations = read_annotations(path)
    own = _groups(annotations, config) if by == "group" else {video.subset for video in annotations.videos.values()}
    if len(own) < 2:
        raise ValueError(f"{path} has the {by} {', '.join(own)} only; folds need at least two")
    changed = {"data.annotations": grouped_path(config.annotations)} if by == "group" else {}
    return {
        fold: changed | {"data.test_subsets": [fold], "data.train_subsets": [one for one in sorted(own) if one != fold]}
        for fold in sorted(own)
    }


def _groups(annotations: AnnotationFile, config: DataConfig) -> set[str]:
    used = annotations.of_subsets([*config.train_subsets, *config.test_subsets])
    named = {video.name: {"group": video.group} for video in annotations.videos.values()}
    try:
        by_group(named)
    except ValueError as error:
        raise ValueError(f"{annotations.path}: {error}") from None
    groups = Counter(str(video.group) for video in used)
    others = Counter(str(video.group) for video in annotations.videos.values())
    for group, number in groups.items():
        if others[group] != number:
            raise ValueError(
                f"{annotations.path}: recordings of the group '{group}' are also in a subset that the recipe does not "
                "use; add it to data.train_subsets, or remove them from the file"
            )
    return set(groups)
