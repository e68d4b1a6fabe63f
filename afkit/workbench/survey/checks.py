"""Where features and annotations disagree: the checks of 01_data, each with a message that says what to do."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.config import DataConfig, Recipe
from afkit.data.annotations import AnnotationFile, Video, frames_per_second, groups_of, read_annotations, to_frame
from afkit.data.features import feature_files, has_features, locate, open_features, too_many_missing
from afkit.segments import MIN_LENGTH_SEC, keep_distinct, mostly_within
from afkit.workbench.own_data.import_names import alike_labels, divided, divided_people
from afkit.workbench.progress import progress
from afkit.workbench.survey.facts import covered_sec, shared_subsets

ROUNDING_STEPS, ROUNDING_SHARE = 2, 0.05  # by which extractors of one stride differ at the end of a video
COVERED = (0.9, 1.1)  # features should cover this share of a video; outside it a stride or frame rate is wrong
MISSING = "missing features"  # a check
LIMIT = 1 / 3  # of the segments of a subset, or of all videos
FITS = 0.95  # share of the segments that a factor must bring into their videos
OTHER_RATE = 0.4  # a factor from here on is that of another frame rate (24 to 60) rather than of another unit
PLAUSIBLE = 0.2  # of the greatest factor that fits: a smaller one would leave most of the video empty
OUTSIDE_SEC = 1.0  # by which real annotations may exceed a video
EMPTY, REPEATED, OUTSIDE = "segments without length", "duplicates", "segments outside the video"  # checks
OUT_OF_RANGE, UNEQUAL = "label ids out of range", "folders of unequal length"
UNJUDGED = "actions where nothing is judged"
TIMES_LONGER = 2  # than any time between two actions: an end that may not have been labelled
LEAST_TOLD = 3  # actions that a recording, and recordings that a data set, must have to tell what is usual
TIMES = "segment {0.start:g} to {0.end:g} s"
REMEDIES = {  # of notes on segments; those outside their videos have `_units`
    EMPTY: "end before they start or at once; are the two columns swapped, or is one a duration?",
    REPEATED: "repeat an earlier one; was the same file read twice?",
    UNJUDGED: "lie where nothing is judged; are 'annotated' and 'ignored' in seconds, of these recordings?",
}


class Finding(NamedTuple):
    """One disagreement. An error makes training or evaluation wrong; a note is usual in real data, and counted."""

    level: str  # "error" or "note"
    check: str  # what was looked at, in two or three words
    message: str  # names file and video, and what to do


def inspect_data(config: DataConfig, root: str | Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every feature file of the recipe's subsets and compare it with the annotations; nothing is changed.

    What is a note for a few becomes an error where it holds for more than a third. ValueError where the annotation file
    is missing or malformed, or lacks a subset.

    Returns:
        a table with a row per video (video, subset, duration_sec (of the annotation file, else of the features, else
        NaN), steps (0: no features), covered: share of the duration of the annotation file that the features cover,
        actions), and what was found, in the order of the videos.
    """
    annotations = read_annotations(locate(root, config.annotations))
    path, videos = annotations.path, annotations.of_subsets([*config.train_subsets, *config.test_subsets])
    rows, of_features = [], []
    for number, video in enumerate(progress(videos, "checks of features")):
        steps, covered, found = _check_features(config, root, video)
        of_features += [(number, finding) for finding in found]
        duration_sec = video.duration_sec
        if duration_sec is None and steps and config.stride_frames > 0:
            duration_sec = covered_sec(config, steps, frames_per_second(config, video))
        rows.append((video.name, video.subset, duration_sec, steps, covered, len(video.labels)))
    table = pd.DataFrame(rows, columns=["video", "subset", "duration_sec", "steps", "covered", "actions"])
    table = table.astype({"duration_sec": np.float64, "covered": np.float64})
    segments = _segments(config, videos, table)
    of_videos = [*_check_segments(path, config, table, segments), *of_features]
    of_videos.sort(key=lambda pair: pair[0])
    findings = [*_check_labels(annotations, config), *(finding for _, finding in of_videos)]
    findings += _widespread(path, segments, findings, len(videos), config.stride_frames)
    missing = {videos[number].name for number, finding in of_features if finding.check == MISSING}
    for subsets in (config.train_subsets, config.test_subsets):
        of_subsets = annotations.of_subsets(subsets)
        names = [video.name for video in of_subsets if video.name in missing]
        reason = too_many_missing(config, root, subsets, names, len(of_subsets))
        if config.skip_missing and reason and len(names) < len(of_subsets):  # of none, `_check_table` says more
            findings.append(Finding("error", "too many missing features", reason))
    findings += _empty_ends(path, segments, [video.name for video in videos if len(video.ignored_sec)])
    return table, [*findings, *_check_table(config, annotations, table, len(missing) == len(videos))]


def check_settings(recipe: Recipe) -> list[Finding]:
    """Notes on settings with which a run goes on, but does not do what they seem to say."""
    optim, found = recipe.optim, []
    if shared := shared_subsets(recipe.data.train_subsets, recipe.data.test_subsets):
        seen = f"data.test_subsets has '{shared[0]}', which is trained on, too: its score says nothing about others"
        remedy = f"test on another subset, and look at this one beside it with -p split={shared[0]}"
        found.append(Finding("note", "subsets in training and test", f"{seen}; {remedy}"))
    falls, last = f"optim.schedule_epochs {optim.schedule_epochs}", optim.total_epochs - optim.warmup_epochs
    rate = f"optim.final_rate {optim.final_rate} is above optim.learning_rate {optim.learning_rate}"
    cosine = optim.schedule == "cosine"
    for holds, message in (
        (cosine and (optim.final_rate or 0) > optim.learning_rate, f"{rate}, so that the rate rises; set it below"),
        (cosine and optim.schedule_epochs, f"{falls} do nothing with a cosine; set optim.schedule multistep"),
        (
            not cosine and all(epoch >= last for epoch in optim.schedule_epochs),
            f"{falls} let the rate never fall in {last} epochs of the schedule multistep; name some of these",
        ),
    ):
        if holds:
            found.append(Finding("note", "settings of the learning rate", message))
    return found


def count_findings(findings: list[Finding]) -> pd.DataFrame:
    """How often each check found something: DataFrame level, check, number, and the first message."""
    table = pd.DataFrame(findings, columns=Finding._fields)
    grouped = table.groupby(["level", "check"], sort=True)["message"]
    return grouped.agg(number="size", first="first").reset_index()


def count_notes(findings: list[Finding]) -> str:
    """How many notes there are, and of which kinds, in one line.

    Examples:
        >>> count_notes([Finding("note", "duplicates", "a.json, video 'v': ...")] * 3)
        '3 notes on the data: 3 duplicates'
    """
    notes = Counter(finding.check for finding in findings if finding.level == "note")
    kinds = ", ".join(f"{number} {check}" for check, number in notes.most_common())
    return f"{notes.total()} note{'s' * (notes.total() != 1)} on the data{f': {kinds}' if kinds else ''}"


def raise_on_errors(findings: list[Finding]) -> None:
    """Raise a ValueError with how many errors of each kind there are among the findings, and the first of each."""
    errors = count_findings([finding for finding in findings if finding.level == "error"])
    if len(errors):
        lines = [f"{row.number} x {row.check}: {row.first}" for row in errors.itertuples(index=False)]
        total = int(errors["number"].sum())
        raise ValueError(f"{total} error{'s' * (total != 1)} in the data:\n" + "\n".join(lines))


def _check_labels(annotations: AnnotationFile, config: DataConfig) -> Iterator[Finding]:
    """Label ids that no annotation has; labels that may be one; people or animals in training and in test."""
    path, gaps = annotations.path, sorted(set(range(config.num_classes)) - annotations.label_names.keys())
    if config.num_classes > 1 and gaps:
        shown = ", ".join(map(str, gaps[:10])) + (", ..." if len(gaps) > 10 else "")
        of_all = f"{len(gaps)} of data.num_classes = {config.num_classes}"
        message = f"no annotation has the label ids {shown} ({of_all}); the class head keeps them silent"
        yield Finding("note", "label ids without annotation", f"{path}: {message}")
    for one, other in alike_labels(annotations.label_names.values()):
        message = f"the labels '{one}' and '{other}' differ by an accent or a letter; if they are one, write them alike"
        yield Finding("note", "labels that look alike", f"{path}: {message}")
    of_subset = {subset.lower(): "training" for subset in config.train_subsets}
    of_subset |= {subset.lower(): "test" for subset in config.test_subsets}
    of_subset |= dict.fromkeys(shared_subsets(config.train_subsets, config.test_subsets), "both")
    used = {video.name: of_subset[video.subset] for video in annotations.videos.values() if video.subset in of_subset}
    groups = groups_of(video for video in annotations.videos.values() if video.name in used)
    remedy = "a result on others may be lower; keep the recordings of a group in one subset"
    if not groups:
        remedy = "a result on new people may be lower; import with --column group=NAME to keep them together"
    kind = "groups" if groups else "people"
    for who, names in divided(used, groups).items() if groups else divided_people(used).items():
        message = f"recordings of '{who}', as {names[0]} and {names[-1]}, are in training and test"
        yield Finding("note", f"{kind} in training and test", f"{path}: {message}; {remedy}")


def _segments(config: DataConfig, videos: list[Video], table: pd.DataFrame) -> pd.DataFrame:
    """The annotations of all videos, a row each, with what is known of their videos (NaN where nothing is)."""
    fps = np.array([video.fps if config.fps is None else config.fps for video in videos], float)
    by_file = [video.duration_sec is not None for video in videos]
    segments = table.assign(number=range(len(videos)), fps=fps, by_file=by_file)
    segments = segments.loc[np.repeat(table.index, table["actions"])].reset_index(drop=True)
    rows = to_frame(videos, clean=False)
    segments = segments.assign(start=rows["start_sec"], end=rows["end_sec"], label=rows["label"])
    empty = segments["end"] - segments["start"] < MIN_LENGTH_SEC
    distinct = [keep_distinct(video.segments_sec, video.labels) for video in videos]
    repeated = ~np.concatenate([np.zeros(0, bool), *distinct]) & ~empty
    unjudged = np.concatenate([np.zeros(0, bool), *(mostly_within(v.segments_sec, v.ignored_sec) for v in videos)])
    unjudged &= ~empty
    conditions = [outside(segments), repeated, empty, unjudged]
    checks = np.select(conditions, [OUTSIDE, REPEATED, EMPTY, UNJUDGED], "")  # of the note on it
    row = segments.groupby("number").cumcount()
    return segments.assign(row=row, empty=empty, repeated=repeated, unjudged=unjudged, check=checks)


def outside(segments: pd.DataFrame, factor: float | pd.Series = 1.0) -> pd.Series:
    """Segments that, times a factor, reach out of their videos; never where it is not known how long these last."""
    after = segments["end"] * factor > segments["duration_sec"] + OUTSIDE_SEC
    return (segments["start"] * factor < -OUTSIDE_SEC) | after


def _check_segments(
    path: Path, config: DataConfig, table: pd.DataFrame, segments: pd.DataFrame
) -> Iterator[tuple[int, Finding]]:
    """(number of the video, finding): videos without annotation, then what is wrong with single annotations."""
    for number, video in table["video"][table["actions"] == 0].items():
        message = f"{path}, video '{video}': no annotation; it is background only"
        yield int(str(number)), Finding("note", "videos without annotation", message)
    segments = segments.assign(step_sec=max(config.stride_frames, 0) / segments["fps"])
    labels, lengths, beyond = segments["label"], segments["end"] - segments["start"], outside(segments)
    unknown, by_file = segments["duration_sec"].isna(), segments["by_file"]
    most = config.num_classes - 1
    out = ((labels < 0) | (labels > most)) & (most > 0)
    short = (lengths < segments["step_sec"]) & (lengths >= MIN_LENGTH_SEC)
    step = "a step of the features ({0.step_sec:g} s); take features with a smaller stride"
    its, file = "its features, which cover {0.duration_sec:g} s", "the video's {0.duration_sec:g} s"
    for check, holds, what in (
        (OUT_OF_RANGE, out, f"label_id {{0.label}} is outside 0 to {most}; correct it, or set data.num_classes"),
        (EMPTY, segments["empty"], f"{TIMES} is shorter than 1 ms or reversed; left out"),
        (REPEATED, segments["repeated"], f"{TIMES} repeats an earlier one; left out of the evaluation"),
        (OUTSIDE, beyond & unknown, f"{TIMES} begins before the video; check its times"),
        (OUTSIDE, beyond & ~unknown & ~by_file, f"{TIMES} is outside {its}; check its times, or data.fps"),
        (OUTSIDE, beyond & by_file, f"{TIMES} is outside {file}; check its times or the duration"),
        (UNJUDGED, segments["unjudged"], f"{TIMES} lies where nobody labelled; left out"),
        ("actions shorter than a step", short, f"{TIMES} is shorter than {step}"),
    ):
        for row in segments[holds].itertuples():
            message = f"{path}, video '{row.video}', annotation {row.row}: {what.format(row)}"
            yield row.number, Finding("error" if check == OUT_OF_RANGE else "note", check, message)


def _empty_ends(path: Path, segments: pd.DataFrame, told: list[str]) -> Iterator[Finding]:
    """All recordings begin or end with more time without actions than lies between any two: was it labelled at all?

    Those with three actions and a duration tell it; `told` are names of those that say which part was annotated.
    """
    rows = segments[~segments["empty"] & segments["by_file"] & ~segments["video"].isin(told)]
    rows = rows.sort_values(["number", "start"], kind="stable")
    reached = rows.groupby("number")["end"].cummax()
    rows = rows.assign(gap=rows["start"] - reached.groupby(rows["number"]).shift(), reached=reached)
    own = rows.groupby("number").agg(
        before=("start", "min"),
        last=("reached", "max"),
        duration=("duration_sec", "first"),
        gap=("gap", "max"),
        n=("gap", "size"),
    )
    own = own[own["n"] >= LEAST_TOLD].assign(after=own["duration"] - own["last"])
    for side, where in (("before", "before the first action"), ("after", "after the last action")):
        if len(own) >= LEAST_TOLD and (own[side] > TIMES_LONGER * own["gap"].clip(lower=0)).all():
            usual = f"in all {len(own)} recordings with {LEAST_TOLD} actions or more, the time {where}"
            seen = f"{usual} ({own[side].median():.3g} s, median) is more than twice any between two"
            message = f"{seen}; if nobody labelled it, tell it by 'annotated': [start, end]"
            yield Finding("note", "empty ends", f"{path}: {message}")


def _check_features(config: DataConfig, root: str | Path, video: Video) -> tuple[int, float, list[Finding]]:
    """Steps, covered share of the duration (NaN where unknown), and what is wrong with the feature files."""
    where = f"video '{video.name}'"
    if not has_features(config, root, video.name):
        paths = feature_files(config, root, video.name)
        path = next((file for file in paths if not file.is_file()), None)
        lacks = f"{path} does not exist" if path else f"{paths[0]} has no array '{config.prefix}{video.name}'"
        level, remedy = ("note", "left out") if config.skip_missing else ("error", "add it, or set data.skip_missing")
        return 0, np.nan, [Finding(level, MISSING, f"{lacks} for {where}; {remedy}")]
    path = feature_files(config, root, video.name)[0]
    try:
        raw = open_features(config, root, video.name)
        features = raw.rows()
        fps = frames_per_second(config, video)
    except ValueError as error:
        return 0, np.nan, [Finding("error", "unreadable features", f"{where}: {error}")]
    found = []
    if not np.isfinite(features).all():
        step = int(np.argmin(np.isfinite(features).all(axis=1)))
        message = f"{path}: NaN or infinite at step {step} of {where}; extract these features again"
        found.append(Finding("error", "features not finite", message))
    lengths = [len(part) for part in raw.parts]
    if len(set(lengths)) > 1:
        message = f"{path}: the feature folders have {lengths} steps for {where}; cut to the shortest"
        alike = max(lengths) - min(lengths) <= max(ROUNDING_STEPS, ROUNDING_SHARE * max(lengths))
        check = "folders a few steps apart" if alike else UNEQUAL
        found.append(Finding("note", check, message))
    covered = np.nan
    if config.stride_frames > 0 and video.duration_sec is not None:
        covered = covered_sec(config, len(features), fps) / video.duration_sec
        if not COVERED[0] <= covered <= COVERED[1]:
            message = f"{path}: {len(features)} steps cover {covered:.2f} of the {video.duration_sec:g} s of {where}"
            remedy = "compare the file's duration and fps with the video"
            found.append(Finding("note", "features shorter or longer than the video", f"{message}; {remedy}"))
    return len(features), covered, found


def _check_table(config: DataConfig, annotations: AnnotationFile, table: pd.DataFrame, none: bool) -> Iterator[Finding]:
    """No features; a stride or frame rate that does not fit most videos; nothing to learn from, or to evaluate on."""
    if not (table["steps"] > 0).any():
        if none:  # there, else those that cannot be read were named
            what = f"no video has a feature file in {', '.join(config.features)}; check data.features"
            yield Finding("error", "no features at all", what)
        return
    known = table.dropna(subset=["covered"])
    odd = known[~known["covered"].between(*COVERED)]
    if len(odd) > LIMIT * len(known):
        frames = odd["duration_sec"] * [frames_per_second(config, annotations.videos[name]) for name in odd["video"]]
        fitting = np.median((frames - config.num_frames) / np.maximum(odd["steps"] - 1, 1))
        width = config.input_dims[0]  # steps, if the axes are exchanged
        turned = ((width - 1) * config.stride_frames + config.num_frames) / frames
        axes = len(config.features) == 1 and turned.between(*COVERED).mean() > 1 - LIMIT
        or_else = f"; or the files are (C, T): {width} steps would fit, transpose them" if axes else ""
        seen = f"features of {len(odd)} of {len(known)} videos cover {odd['covered'].median():.2f} of them (median; "
        message = (
            f"{seen}{annotations.path}): data.stride_frames is {config.stride_frames:g}, a stride of {fitting:.2f} "
            f"frames would fit; set it, or data.fps{or_else}"
        )
        yield Finding("error", "wrong stride or frame rate", message)
    for purpose, key in (("training", "train"), ("test", "test")):
        names = config.train_subsets if key == "train" else config.test_subsets
        labelled = table[table["subset"].isin([name.lower() for name in names]) & (table["actions"] > 0)]
        if (labelled["steps"] > 0).any() or (key == "test" and labelled.empty):  # without labels: predictions only
            continue
        message = (
            f"no video of {', '.join(names)} has both features and an annotation; add what is missing, or correct "
            f"data.{key}_subsets"
        )
        yield Finding("error", f"nothing for {purpose}", message)


def _widespread(
    path: Path, segments: pd.DataFrame, findings: list[Finding], num_videos: int, stride_frames: float
) -> Iterator[Finding]:
    """What more than a third of a subset's segments, or of all videos, have.

    Videos without annotation are no error, however many: they may be meant as background.
    """
    for subset, own in segments.groupby("subset", sort=False):
        for check, number in Counter(own["check"][own["check"] != ""]).items():
            if number > LIMIT * len(own):
                what = REMEDIES.get(check) or f"lie outside their videos; {_units(own, stride_frames)}"
                message = f"{number} of {len(own)} segments of the subset '{subset}' {what} ({path})"
                yield Finding("error", check, message)
    number = sum(finding.check == UNEQUAL for finding in findings)
    if number > LIMIT * num_videos:
        what = "have feature folders of unequal length; all must have the same stride"
        yield Finding("error", UNEQUAL, f"{number} of {num_videos} videos {what} ({path})")


def _units(segments: pd.DataFrame, stride_frames: float) -> str:
    """In which unit the times may be, by the factor that brings them into their videos."""
    known = segments[segments["duration_sec"].notna() & (segments["end"] > MIN_LENGTH_SEC)]
    if known.empty or (segments["start"] < -OUTSIDE_SEC).mean() > LIMIT:
        return "many begin before 0: do their times count from another moment than the recording?"
    needed = np.quantile(known["duration_sec"] / known["end"], 1 - FITS)  # as a factor of the times
    units = {
        "feature vectors": max(stride_frames, 0) / known["fps"],
        "frames": 1 / known["fps"],
        "milliseconds": pd.Series(1e-3, known.index),
        "microseconds": pd.Series(1e-6, known.index),
    }
    for unit, factors in units.items() if needed < OTHER_RATE else ():
        factor = np.median(factors)
        if (~outside(known, factors)).mean() >= FITS and factor >= PLAUSIBLE * needed:
            return f"divided by {1 / factor:g} they fit: their times are probably {unit}, convert them to seconds"
    fps = np.median(known["fps"])
    rate = f"data.fps {fps * needed:.4g} instead of {fps:g}"
    return f"times {needed:.3g} they fit: correct the times, or the durations; if features tell these, perhaps {rate}"
