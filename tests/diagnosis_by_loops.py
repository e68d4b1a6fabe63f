"""The diagnosis as its definitions read, in plain loops: the reference of the tests."""

import math

from random_tables import crowded_tables, tiou_by_definition


def meeting_tables():
    """Crowded tables with a video in common; others are refused."""
    return crowded_tables().filter(lambda both: both[1].empty or both[1]["video"].isin(both[0]["video"]).any())


def ranked(predictions, label):
    """Rows of one class by falling score, equal ones in the order of the table."""
    return predictions[predictions["label"] == label].sort_values("score", ascending=False, kind="stable").itertuples()


def matches_by_loops(gt, predictions, tiou):
    """{index of the prediction: index of the ground truth that it found}."""
    found, truths = {}, list(gt.itertuples())
    for label in gt["label"].unique():
        for p in ranked(predictions, label):
            best, best_tiou = None, tiou
            for g in truths:
                overlap = tiou_by_definition(p, g) if (g.video, g.label) == (p.video, p.label) else 0.0
                if g.Index not in found.values() and overlap >= best_tiou:  # of equal ones the later
                    best, best_tiou = g.Index, overlap
            if best is not None:
                found[p.Index] = best
    return found


def kinds_by_loops(gt, predictions, tiou):
    """{index of the prediction: (band, kind)} for those in the bands."""
    found = matches_by_loops(gt, predictions, tiou)
    answer, truths = {}, list(gt.itertuples())
    for label, count in gt["label"].value_counts().items():
        for place, p in enumerate(ranked(predictions, label)):
            if place < 10 * count:
                answer[p.Index] = (place // count + 1, kind_by_loops(truths, p, tiou, p.Index in found))
    return answer


def kind_by_loops(truths, p, tiou, is_hit):
    if is_hit:
        return "true positive"
    tious = [(tiou_by_definition(p, g), g.label == p.label) for g in truths if g.video == p.video]
    best, own = max(tious, default=(0.0, False))  # of equal ones the own class
    if best >= tiou:
        return "double detection" if own else "wrong label"
    if best >= 0.1:
        return "localisation" if own else "confusion"
    return "background"


def curve_by_loops(flags, num_gt, mean_num_gt):
    """[(precision, whether a hit)] of one class; flags: True a hit, False a false positive, None ignored."""
    curve, hits, false = [], 0, 0
    for flag in flags:
        hits, false = hits + (flag is True), false + (flag is False)
        true = hits / num_gt * mean_num_gt
        curve.append((true / (true + false) if true + false else 0.0, flag is True))
    return curve


def ap_by_loops(flags, num_gt, mean_num_gt):
    curve = curve_by_loops(flags, num_gt, mean_num_gt)
    return sum(max(precision for precision, _ in curve[i:]) for i, (_, hit) in enumerate(curve) if hit) / num_gt


def mean_ap_by_loops(gt, predictions, tiou, flag_of, inside=None):
    """Normalised mAP; flag_of: (index of the prediction, index of what it found or None) -> flag."""
    found = matches_by_loops(gt, predictions, tiou)
    counted = gt if inside is None else gt[inside]
    mean_num_gt = len(gt) / gt["label"].nunique()
    aps = [
        ap_by_loops([flag_of(p.Index, found.get(p.Index)) for p in ranked(predictions, label)], count, mean_num_gt)
        for label, count in counted["label"].value_counts().items()
    ]
    return sum(aps) / len(aps) if aps else math.nan


def gain_by_loops(gt, predictions, tiou, kind):
    kinds = kinds_by_loops(gt, predictions, tiou)

    def flag(p, g):
        return g is not None if p in kinds else None

    def flag_without(p, g):
        return None if p in kinds and kinds[p][1] == kind else flag(p, g)

    before, after = (mean_ap_by_loops(gt, predictions, tiou, use) for use in (flag, flag_without))
    return after - before


def missed_by_loops(gt, predictions, tiou, min_precision):
    """Indices of the ground truths that no prediction above the precision finds."""
    found = matches_by_loops(gt, predictions, tiou)
    mean_num_gt = len(gt) / gt["label"].nunique()
    missed = set(gt.index)
    for label, count in gt["label"].value_counts().items():
        rows = list(ranked(predictions, label))
        curve = curve_by_loops([p.Index in found for p in rows], count, mean_num_gt)
        for p, (precision, hit) in zip(rows, curve, strict=True):
            if hit and precision > min_precision:
                missed.discard(found[p.Index])
    return missed
