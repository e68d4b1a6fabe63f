"""What the releases of ActionFormer, TriDet and TemporalMaxer report for their experiments, in percent (READMEs)."""

from collections.abc import Collection
from typing import NamedTuple

import pandas as pd

from afkit.config import Recipe


class Published(NamedTuple):
    """Rows of a published table, in percent, by tIoU."""

    average_map: float  # mean over all thresholds of the data set
    map: dict[float, float]  # ActivityNet's table names three of its ten thresholds
    recall_1x: dict[float, float] = {}  # Ego4D only
    average_recall_1x: float | None = None  # mean of `recall_1x`


_ROWS: dict[str, list[tuple[float, ...]]] = {  # mAP at each threshold and on average; of Ego4D, then Recall@1x likewise
    "thumos_i3d": [(82.13, 77.80, 70.95, 59.40, 43.87, 66.83)],
    "anet_tsp": [(54.67, 37.81, 8.36, 36.56)],
    "anet_i3d": [(54.29, 36.71, 8.24, 36.03)],
    "epic_verb": [(26.58, 25.42, 24.15, 22.29, 19.09, 23.51)],
    "epic_noun": [(25.21, 24.11, 22.66, 20.47, 16.97, 21.88)],
    "ego4d_s": [(20.09, 17.45, 14.44, 12.46, 10.00, 14.89), (52.25, 45.84, 40.60, 36.58, 31.33, 41.32)],
    "ego4d_o": [(23.87, 20.78, 18.39, 15.33, 12.65, 18.20), (54.63, 48.72, 43.03, 37.76, 33.57, 43.54)],
    "ego4d_e": [(26.84, 23.86, 20.57, 17.19, 14.54, 20.60), (59.53, 54.39, 48.97, 42.75, 37.12, 48.55)],
    "ego4d_s_e": [(27.98, 24.46, 21.21, 18.56, 15.60, 21.56), (59.96, 53.75, 48.76, 44.00, 38.96, 49.09)],
    "ego4d_o_e": [(27.99, 24.94, 21.94, 19.05, 15.98, 21.98), (61.03, 54.15, 49.79, 45.17, 39.88, 49.99)],
    "ego4d_s_o_e": [(28.26, 24.69, 21.88, 19.35, 16.28, 22.09), (60.85, 54.16, 49.60, 45.12, 39.87, 49.92)],
    "tridet_thumos": [(83.62, 80.07, 72.94, 62.35, 47.35, 69.27)],
    "tridet_epic_verb": [(28.72, 27.57, 26.19, 24.26, 20.83, 25.51)],
    "tridet_epic_noun": [(27.38, 26.28, 24.60, 22.23, 18.28, 23.76)],
    "tridet_anet": [(54.71, 38.01, 8.35, 36.77)],
    "tridet_hacs_slowfast": [(56.90, 39.33, 11.24, 38.69)],
    "temporalmaxer_thumos": [(82.8, 78.9, 71.8, 60.5, 44.7, 67.7)],
    "temporalmaxer_epic_verb": [(27.8, 26.6, 25.3, 23.1, 19.9, 24.5)],
    "temporalmaxer_epic_noun": [(26.3, 25.2, 23.5, 21.3, 17.6, 22.8)],
    "temporalmaxer_multithumos": [(49.1, 47.5, 44.3, 39.4, 33.4, 26.5, 17.4, 9.1, 2.24, 29.9)],
}
_TIOUS = {  # of the other data sets 0.1 to 0.5
    "thumos": (0.3, 0.4, 0.5, 0.6, 0.7),
    "anet": (0.5, 0.75, 0.95),
    "hacs": (0.5, 0.75, 0.95),
    "multithumos": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
}
_NETWORKS = {
    ("transformer", "offsets"): "ActionFormer",
    ("sgp", "trident"): "TriDet",
    ("maxpool", "offsets"): "TemporalMaxer",
}
_OTHER_EPOCH = {
    "tridet_epic_verb": "epoch 23 of 27",
    **dict.fromkeys((name for name in _ROWS if name.startswith("temporalmaxer")), "the best epoch on the test split"),
}


def network_name(recipe: Recipe) -> str:
    """The method that a recipe's network is of; of one that none has, what it is made of.

    Examples:
        >>> from afkit.recipes import recipe
        >>> network_name(recipe("tridet_anet")), network_name(recipe("watch", {"model.head": "trident"}))
        ('TriDet', 'transformer with trident')
    """
    made_of = recipe.model.backbone, recipe.model.head
    return _NETWORKS.get(made_of, " with ".join(made_of))


def comparable(recipe: str, changes: Collection[str]) -> str:
    """The recipe, as `published` knows it, of a run with changed settings; "" where it was tested otherwise."""
    return "" if {"data.tious", "data.test_subsets", "data.annotations"} & set(changes) else recipe


def published(recipe: str) -> Published | None:
    """What was published for a recipe; None for those that the original does not have."""
    data = recipe.removeprefix("tridet_").removeprefix("temporalmaxer_").partition("_")[0]
    tious = _TIOUS.get(data, (0.1, 0.2, 0.3, 0.4, 0.5))
    rows = [(row[-1], dict(zip(tious, row[:-1], strict=True))) for row in _ROWS.get(recipe, [])]
    if not rows:
        return None
    (average_map, by_tiou), *others = rows
    average_recall, recall = others[0] if others else (None, {})
    return Published(average_map, by_tiou, recall, average_recall)


def published_note(recipe: str) -> str:
    """Where the published figures come from, if not from the last epoch as ours; "" else."""
    epoch = _OTHER_EPOCH.get(recipe)
    return f"The published figures of {recipe} come from {epoch}, ours from the last." if epoch else ""


def compare_with_published(recipe: str, average_map: float, by_tiou: pd.Series, recall_1x: pd.Series) -> pd.DataFrame:
    """Ours (of `afkit.evaluate`: fractions, Series over tIoU), published and the difference, in percent.

    A row per published number at a threshold that was evaluated, columns ours, published and difference; empty where
    nothing was published.
    """
    row = published(recipe)
    if row is None:
        return pd.DataFrame(columns=["ours", "published", "difference"])
    pairs = {f"mAP at {tiou:g}": (_at(by_tiou, tiou), value) for tiou, value in row.map.items()}
    pairs["average mAP"] = (average_map, row.average_map)
    pairs |= {f"Recall@1x at {tiou:g}": (_at(recall_1x, tiou), value) for tiou, value in row.recall_1x.items()}
    if row.average_recall_1x is not None:
        pairs["average Recall@1x"] = (float(recall_1x.mean()), row.average_recall_1x)
    table = pd.DataFrame({name: {"ours": 100 * ours, "published": value} for name, (ours, value) in pairs.items()}).T
    return table.assign(difference=table["ours"] - table["published"]).dropna()


def _at(values: pd.Series, tiou: float) -> float:
    """The value at the threshold nearest to one of the table, NaN where it was not evaluated."""
    close = abs(values.index - tiou) < 1e-6
    return float(values[close].iloc[0]) if close.any() else float("nan")
