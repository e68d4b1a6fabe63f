"""Submission files of three challenges: ActivityNet, EPIC-Kitchens-100 action detection, Ego4D Moment Queries."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from afkit.evaluation.pairs import PREDICTION_COLUMNS, check_columns, labels_of, scores_of, segments_of, videos_of
from afkit.files import write_json
from afkit.segments import tiou
from afkit.workbench.analysis.result_files import VERSION, check_named, forward_segments

EPIC_VERBS, EPIC_NOUNS = 97, 300
EPIC_LEVELS = 5  # highest of each of the three supervision levels
YOUTUBE_ID = 11  # letters


def write_activitynet_submission(
    path: str | Path,
    predictions: pd.DataFrame,
    label_names: Mapping[int, str],
    external_data: str = "",
    videos: Iterable[str] = (),
) -> None:
    """Write a submission to ActivityNet's temporal localisation task; best detections first.

    The prefix v_ that some feature files have before the YouTube id goes.

    Args:
        external_data: what was used beside the data set, e.g. pre-training; "" for nothing.

    Raises:
        ValueError: missing columns, a number that is not finite, a label without a name, a segment that ends before it
            starts, a negative score.

    Source: format of the sample submission of the challenge, activity-net.org ("VERSION 1.3").
    """
    details = {"used": bool(external_data), "details": external_data}
    results = _by_video(predictions, _named(predictions, label_names), videos, _without_prefix)
    write_json(path, {"version": VERSION, "results": results, "external_data": details})


def write_ego4d_submission(
    path: str | Path,
    predictions: pd.DataFrame,
    label_names: Mapping[int, str],
    clips: Iterable[str] = (),
    lead_sec: Mapping[str, float] | None = None,
) -> None:
    """Write a submission to the Moment Queries challenge of Ego4D: detection (mAP) and retrieval (recall) in one file.

    Both lists are the same, best detections first, as the retrieval counts the first k n of a class in the order of
    the file.

    Args:
        clips: ids that are listed even without detections; the challenge wants all clips of the split.
        lead_sec: seconds that our clips begin before the official ones, by clip id: `read_leads` of
            `workbench.datasets.ego4d` (the preparation widens clips to whole features, by half a second at 30 frames a
            second); they are taken off the times, which then begin at 0; what ends before is left out.

    Raises:
        ValueError: missing columns, a number that is not finite, a label without a name, a clip without its lead.

    Source: github.com/EGO4D/episodic-memory, MQ (Merge_detection_retrieval.py for the format; the times of its
        labels count from the clip's video_start_sec).
    """
    table = predictions
    if lead_sec is not None and len(predictions):
        missing = sorted(set(predictions["video"]) - set(lead_sec))
        if missing:
            raise ValueError(f"lead_sec lacks clip '{missing[0]}'; give the seconds of all predicted clips")
        lead = predictions["video"].map(dict(lead_sec)).astype(float)
        times = {name: (predictions[name] - lead).clip(lower=0) for name in ("start_sec", "end_sec")}
        table = predictions.assign(**times)[times["end_sec"] > 0]
    results = _by_video(table, _named(table, label_names), clips)
    head = {"version": "1.0", "challenge": "ego4d_moment_queries"}
    write_json(path, {**head, "detect_results": results, "retrieve_results": results})


def write_epic_submission(
    path: str | Path,
    actions: pd.DataFrame,
    pretraining_level: int,
    labels_level: int,
    data_level: int,
    videos: Iterable[str] = (),
) -> None:
    """Write a submission to EPIC-Kitchens-100 action detection; best detections first.

    The server wants a zip archive that holds this file under the name test.json.

    Args:
        actions: rows of `combine_verbs_and_nouns`: video, start_sec, end_sec (seconds), verb, noun (class ids), score.
        pretraining_level, labels_level, data_level: the challenge's Supervision Levels Scale, 0 to 5 each.

    Raises:
        ValueError: missing columns, a number that is not finite, a verb, noun or level that does not exist.

    Source: github.com/epic-kitchens/C2-Action-Detection, EvaluationCode (version 0.2 of the format).
    """
    check_columns(actions, "actions", ["video", "start_sec", "end_sec", "verb", "noun", "score"])
    levels = {"sls_pt": pretraining_level, "sls_tl": labels_level, "sls_td": data_level}
    for name, level in levels.items():
        if level not in range(EPIC_LEVELS + 1):
            raise ValueError(f"supervision level {name} is {level}; the scale goes from 0 to {EPIC_LEVELS}")
    verbs, nouns = (labels_of(actions.assign(label=actions[part]), "actions") for part in ("verb", "noun"))
    for name, ids, count in (("verb", verbs, EPIC_VERBS), ("noun", nouns, EPIC_NOUNS)):
        if len(ids) and not 0 <= ids.min() <= ids.max() < count:
            wrong = ids.min() if ids.min() < 0 else ids.max()
            raise ValueError(f"actions has {name} {wrong}; EPIC-Kitchens-100 numbers its {name}s 0 to {count - 1}")
    pairs = actions.assign(label=verbs * EPIC_NOUNS + nouns)
    results = _by_video(pairs, _verb_and_noun, videos)
    head = {"version": "0.2", "challenge": "action_detection"}
    write_json(path, {**head, **levels, "results": results})


def combine_verbs_and_nouns(
    verbs: pd.DataFrame, nouns: pd.DataFrame, min_tiou: float = 0.5, max_per_video: int = 2000
) -> pd.DataFrame:
    """Actions from the predictions of a verb network and a noun network, which know nothing of each other.

    Every verb and noun of a video that overlap enough are an action. Its score is the geometric mean of theirs, its
    segment the mean of both.

    Args:
        min_tiou: overlap that makes a pair, above 0.
        max_per_video: so many of the best are kept.

    Returns:
        DataFrame video, start_sec, end_sec, verb, noun, score: videos as in verbs, in each the best first; equal scores
        in the order of verbs, then of nouns.

    Raises:
        ValueError: missing columns, a number that is not finite, a negative score, or no usable min_tiou.
    """
    if not 0 < min_tiou <= 1:
        raise ValueError(f"give min_tiou above 0 and at most 1, not {min_tiou}")
    sides = []
    for name, table in (("verbs", verbs), ("nouns", nouns)):
        check_columns(table, name, PREDICTION_COLUMNS)
        scores = scores_of(table, name).astype(np.float64)
        if (scores < 0).any():
            raise ValueError(f"row {table.index[int((scores < 0).argmax())]} of {name} has a negative score")
        sides.append((segments_of(table, name), labels_of(table, name), scores, _rows_of(table, name)))
    (verb_segments, verb_labels, verb_scores, verb_rows), (noun_segments, noun_labels, noun_scores, noun_rows) = sides

    pairs = [(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    for video, i in verb_rows.items():
        j = noun_rows.get(video, np.zeros(0, np.int64))  # i (n,), j (m,)
        near = tiou(verb_segments[i][:, None], noun_segments[j]) >= min_tiou  # (n, m)
        score = np.sqrt(verb_scores[i][:, None] * noun_scores[j])[near]
        best = np.argsort(-score, kind="stable")[:max_per_video]
        v, n = near.nonzero()
        pairs.append((i[v[best]], j[n[best]], score[best]))
    v, n, score = map(np.concatenate, zip(*pairs, strict=True))
    segments = (verb_segments[v] + noun_segments[n]) / 2
    return pd.DataFrame(
        {
            "video": verbs["video"].iloc[v].to_numpy(),
            "start_sec": segments[:, 0],
            "end_sec": segments[:, 1],
            "verb": verb_labels[v],
            "noun": noun_labels[n],
            "score": score,
        }
    )


def _rows_of(table: pd.DataFrame, name: str) -> dict[str, np.ndarray]:
    """Rows of each video, videos by first row."""
    codes, videos = pd.factorize(videos_of(table, name))
    order = np.argsort(codes, kind="stable")
    return dict(zip(videos, np.split(order, np.flatnonzero(np.diff(codes[order])) + 1), strict=False))


def _by_video(
    table: pd.DataFrame,
    describe: Callable[[int], dict],
    videos: Iterable[str],
    rename: Callable[[str], str] = str,
) -> dict[str, list[dict]]:
    """{video: [{what describes the label, score, segment}]}, best first; the listed videos before others."""
    check_columns(table, "predictions", PREDICTION_COLUMNS)
    labels, segments = labels_of(table, "predictions"), forward_segments(table)
    scores, names = scores_of(table, "predictions"), videos_of(table, "predictions")
    for row in table.index[scores < 0]:
        raise ValueError(f"row {row} of predictions has a negative score; leave such rows out")
    results: dict[str, list[dict]] = {rename(str(video)): [] for video in videos}
    for row in np.argsort(-scores, kind="stable").tolist():
        entry = {**describe(int(labels[row])), "score": float(scores[row]), "segment": segments[row].tolist()}
        results.setdefault(rename(str(names[row])), []).append(entry)
    return results


def _named(table: pd.DataFrame, label_names: Mapping[int, str]) -> Callable[[int], dict]:
    check_columns(table, "predictions", PREDICTION_COLUMNS)
    check_named(labels_of(table, "predictions").tolist(), label_names)
    return lambda label: {"label": label_names[label]}


def _verb_and_noun(label: int) -> dict:
    verb, noun = divmod(label, EPIC_NOUNS)
    return {"verb": verb, "noun": noun, "action": f"{verb},{noun}"}


def _without_prefix(video: str) -> str:
    return video.removeprefix("v_") if len(video) == YOUTUBE_ID + 2 else video
