"""All analyses of errors at once, and what of them goes into eval.json."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import segments_of
from afkit.workbench.analysis.false_positives import false_positive_profile, find_kinds, gain_of_removal
from afkit.workbench.analysis.normalised import Matches, match_all, normalised_map
from afkit.workbench.analysis.report import by_tiou
from afkit.workbench.analysis.sensitivity import NO_BIN, characteristics, false_negatives, name_bins, sensitivity


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What `diagnose` found; fractions, not percent."""

    bins: str  # "activitynet", "thumos" or "quantiles"
    normalised_map: pd.Series  # (S,) by tIoU, all predictions
    profile: pd.DataFrame  # (10, 6) band by kind, numbers of predictions
    gains: pd.DataFrame  # (5, S) kind by tIoU
    sensitivity: pd.DataFrame  # characteristic and bin by low, high, ground_truths, classes, normalised_map
    false_negatives: pd.DataFrame  # the same by low, high, ground_truths, missed, share
    counts: dict[str, int]  # what was counted and what was left out


def diagnose(
    gt: pd.DataFrame,
    predictions: pd.DataFrame,
    tious: Sequence[float],
    durations_sec: Mapping[str, float | None],
    data: str = "auto",
) -> Diagnosis:
    """The three analyses of DETAD (Alwassel et al., ECCV 2018): false positives, sensitivity, false negatives.

    Of its counts, predictions_unknown_label are left out, predictions_unknown_video and _no_length false positives.

    Args:
        durations_sec: seconds of each video; None where unknown.
        data: which bins, see `characteristics`.

    Raises:
        ValueError: as `match_all` and `characteristics`.
    """
    matches = match_all(gt, predictions, tious)
    traits = characteristics(gt, durations_sec, data)
    kinds = find_kinds(matches)
    return Diagnosis(
        bins=name_bins(gt, data),
        normalised_map=normalised_map(matches),
        profile=false_positive_profile(kinds),
        gains=gain_of_removal(matches, kinds),
        sensitivity=sensitivity(matches, traits),
        false_negatives=false_negatives(matches, traits),
        counts=_counts(matches, traits, len(kinds.rank)),
    )


def summarise(diagnosis: Diagnosis) -> dict[str, Any]:
    """The entries for eval.json: plain numbers, None where there is none; averages over the thresholds."""
    return {
        "bins": diagnosis.bins,
        "average_normalised_map": float(diagnosis.normalised_map.mean()),
        "normalised_map": by_tiou(diagnosis.normalised_map),
        "profile": {str(band): row.to_dict() for band, row in diagnosis.profile.iterrows()},
        "gain_of_removal": diagnosis.gains.mean(axis=1).to_dict(),
        "sensitivity": _nested(diagnosis.sensitivity),
        "false_negatives": _nested(diagnosis.false_negatives),
        "counts": diagnosis.counts,
    }


def _nested(table: pd.DataFrame) -> dict[str, dict[str, dict[str, float | None]]]:
    """{characteristic: {bin: {column: number}}}"""
    nested: dict[str, dict] = {}
    for (name, bin_name), row in table.astype(object).iterrows():
        nested.setdefault(name, {})[bin_name] = {key: None if pd.isna(value) else value for key, value in row.items()}
    return nested


def _counts(matches: Matches, traits: pd.DataFrame, num_in_bands: int) -> dict[str, int]:
    gt, predictions = matches.gt, matches.predictions
    no_duration = traits["duration_sec"].isna().to_numpy()
    start_sec, end_sec = segments_of(predictions, "predictions").T
    return {
        "ground_truths": len(gt),
        "ground_truths_no_length": int((traits["length_bin"] == NO_BIN).sum()),
        "ground_truths_no_coverage": int((traits["coverage_bin"] == NO_BIN).sum()),
        "ground_truths_beyond_video": int((traits["coverage"] > 1).sum()),
        "videos_no_duration": int(gt["video"][no_duration].nunique()),
        "predictions": len(predictions),
        "predictions_in_bands": num_in_bands,
        "predictions_unknown_label": int((matches.pairing.prediction_class < 0).sum()),
        "predictions_unknown_video": int((~predictions["video"].isin(gt["video"])).sum()),
        "predictions_no_length": int(np.sum(end_sec <= start_sec)),
    }
