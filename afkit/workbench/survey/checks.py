"""Where features and annotations disagree: the checks of 01_data, each with a message that says what to do."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.config import DataConfig
from afkit.data.annotations import AnnotationFile, Video, frames_per_second, read_annotations
from afkit.data.features import feature_files, has_features, locate, open_features, too_many_missing
from afkit.segments import MIN_LENGTH_SEC, keep_distinct
from afkit.workbench.own_data.import_names import alike_labels, divided_people
from afkit.workbench.survey.facts import covered_sec

ROUNDING_STEPS, ROUNDING_SHARE = 2, 0.05  # by which extractors of one stride differ at the end of a video
COVERED = (0.9, 1.1)  # features should cover this share of a video; outside it a stride or frame rate is wrong
MISSING = "missing features"  # a check
LIMIT = 1 / 3  # of the segments of a subset, or of all videos
FITS = 0.95  # share of the segments that a factor must bring into their videos
OTHER_RATE = 0.4  # a factor from here on is that of another frame rate (24 to 60) rather than of another unit
PLAUSIBLE = 0.2  # of the greatest factor that fits: a smaller one would leave most of the video empty
OUTSIDE_SEC = 1.0  # by which real annotations may exceed a video
REMEDIES = {  # of notes on segments; those outside their videos have `_units`
    "segments without length": "end before they start or at once; are the two columns swapped, or is one a duration?",
    "duplicates": "repeat an earlier one; was the same file read twice?",
}


class Finding(NamedTuple):
    """One disagreement. An error makes training or evaluation wrong; a note is usual in real data, and counted."""

    level: str  # "error" or "note"
    check: str  # what was looked at, in two or three words
    message: str  # names file and video, and what to do


def inspect_data(config: DataConfig, root: str | Path) -> tuple[pd.DataFrame, list[Finding]]:
    """Read every feature file of the recipe's subsets and compare it with the annotations; nothing is changed.

    What is a note for a few becomes an error where it holds for more than a third.

    Returns:
        a table with a row per video (video, subset, duration_sec (of the annotation file, else of the features, else
        NaN), steps (0: no features), covered: share of the duration of the annotation file that the features cover,
        actions), and what was found, in the order of the videos.

    Raises:
        ValueError: the annotation file is missing or malformed, or lacks a subset.
    """
    annotations = read_annotations(locate(root, config.annotations))
    videos = annotations.of_subsets([*config.train_subsets, *config.test_subsets])
    rows, segments, missing = [], [], set()
    findings = [*_label_gaps(annotations, config), *_check_alike(annotations, config)]
    for video in videos:
        steps, covered, of_features = _check_features(config, root, video)
        missing |= {video.name for finding in of_features if finding.check == MISSING}
        fps = video.fps if config.fps is None else config.fps
        duration_sec = video.duration_sec
        if duration_sec is None and steps and config.stride_frames > 0:
            duration_sec = covered_sec(config, steps, frames_per_second(config, video))
        checks, of_annotations = _check_annotations(annotations.path, video, config, duration_sec)
        findings += [*of_annotations, *_check_short(annotations.path, video, config), *of_features]
        known = np.array([[duration_sec, fps]] * len(checks), np.float64).reshape(-1, 2)  # NaN for None
        segments.append(
            Segments(np.full(len(checks), video.subset), video.segments_sec, known[:, 0], known[:, 1], checks)
        )
        rows.append((video.name, video.subset, duration_sec, steps, covered, len(video.labels)))
    table = pd.DataFrame(rows, columns=["video", "subset", "duration_sec", "steps", "covered", "actions"])
    table = table.astype({"duration_sec": np.float64, "covered": np.float64})
    notes = Counter(finding.check for finding in findings if finding.level == "note")
    widespread = [*segment_errors(Segments.join(segments), config.stride_frames), *video_errors(notes, len(videos))]
    findings += [Finding("error", check, f"{message} ({annotations.path})") for check, message in widespread]
    for subsets in (config.train_subsets, config.test_subsets):
        findings += _check_missing(config, root, subsets, annotations.of_subsets(subsets), missing)
    return table, findings + list(_check_grid(config, annotations, table)) + list(_check_subsets(config, table))


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


def _label_gaps(annotations: AnnotationFile, config: DataConfig) -> Iterator[Finding]:
    """Label ids that no annotation of the file has."""
    gaps = sorted(set(range(config.num_classes)) - annotations.label_names.keys())
    if config.num_classes > 1 and gaps:
        shown = ", ".join(map(str, gaps[:10])) + (", ..." if len(gaps) > 10 else "")
        yield Finding(
            "note",
            "label ids without annotation",
            f"{annotations.path}: no annotation has the label ids {shown} ({len(gaps)} of data.num_classes = "
            f"{config.num_classes}); the class head keeps them silent",
        )


def _check_alike(annotations: AnnotationFile, config: DataConfig) -> Iterator[Finding]:
    """Labels that may be one, and people or animals whose recordings are in training and in test."""
    for one, other in alike_labels(annotations.label_names.values()):
        message = f"{annotations.path}: the labels '{one}' and '{other}' differ by an accent or a letter"
        yield Finding("note", "labels that look alike", f"{message}; if they are one, write them alike")
    test = {subset.lower() for subset in config.test_subsets}
    subsets = {video.name: "test" if video.subset in test else "training" for video in annotations.videos.values()}
    known = {subset.lower() for subset in config.train_subsets} | test
    used = {name: subset for name, subset in subsets.items() if annotations.videos[name].subset in known}
    for who, names in divided_people(used).items():
        message = f"{annotations.path}: recordings of '{who}', as {names[0]} and {names[-1]}, are in training and test"
        remedy = "a result on new people may be lower; import with --column group=NAME to keep them together"
        yield Finding("note", "people in training and test", f"{message}; {remedy}")


def _check_short(path: Path, video: Video, config: DataConfig) -> Iterator[Finding]:
    """Actions that are shorter than the time from one feature vector to the next."""
    fps = config.fps or video.fps
    if not fps or config.stride_frames <= 0:
        return
    step_sec = config.stride_frames / fps
    lengths_sec = video.segments_sec[:, 1] - video.segments_sec[:, 0]
    for row in np.flatnonzero((lengths_sec < step_sec) & (lengths_sec >= MIN_LENGTH_SEC)).tolist():
        start, end = video.segments_sec[row]
        message = f"segment {start:g} to {end:g} s is shorter than a step of the features ({step_sec:g} s)"
        where = f"{path}, video '{video.name}', annotation {row}"
        yield Finding("note", "actions shorter than a step", f"{where}: {message}; take features with a smaller stride")


def _check_annotations(
    path: Path, video: Video, config: DataConfig, duration_sec: float | None
) -> tuple[np.ndarray, list[Finding]]:
    """Labels out of range; segments that are empty, repeated or outside the video; videos without any.

    The first is the check of the note on each segment, (N,), "" for none.
    """
    where, found = f"{path}, video '{video.name}'", []
    if len(video.labels) == 0:
        found.append(Finding("note", "videos without annotation", f"{where}: no annotation; it is background only"))
    if config.num_classes > 1:
        for row in np.flatnonzero((video.labels < 0) | (video.labels >= config.num_classes)).tolist():
            message = f"label_id {video.labels[row]} is outside 0 to {config.num_classes - 1}"
            remedy = "correct it, or set data.num_classes"
            found.append(Finding("error", "label ids out of range", f"{where}, annotation {row}: {message}; {remedy}"))
    reversed_or_empty = video.segments_sec[:, 1] - video.segments_sec[:, 0] < MIN_LENGTH_SEC
    repeated = ~keep_distinct(video.segments_sec, video.labels) & ~reversed_or_empty
    beyond = outside(video.segments_sec, np.nan if duration_sec is None else duration_sec)
    checks = np.full(len(video.labels), "", object)
    for check, holds, message in (
        ("segments without length", reversed_or_empty, "is shorter than 1 ms or reversed; left out"),
        ("duplicates", repeated, "repeats an earlier one; left out of the evaluation"),
        ("segments outside the video", beyond, _limits(video, duration_sec)),
    ):
        checks[holds] = check
        for row in np.flatnonzero(holds).tolist():
            start, end = video.segments_sec[row]
            here = f"{where}, annotation {row}: segment {start:g} to {end:g} s"
            found.append(Finding("note", check, f"{here} {message}"))
    return checks, found


def _limits(video: Video, duration_sec: float | None) -> str:
    """What a segment outside a video is told."""
    if duration_sec is None:
        return "begins before the video; check its times"
    if video.duration_sec is None:
        return f"is outside its features, which cover {duration_sec:g} s; check its times, or data.fps"
    return f"is outside the video's {duration_sec:g} s; check its times or the duration"


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
        check = "folders a few steps apart" if alike else "folders of unequal length"
        found.append(Finding("note", check, message))
    covered = np.nan
    if config.stride_frames > 0 and video.duration_sec is not None:
        covered = covered_sec(config, len(features), fps) / video.duration_sec
        if not COVERED[0] <= covered <= COVERED[1]:
            message = f"{path}: {len(features)} steps cover {covered:.2f} of the {video.duration_sec:g} s of {where}"
            remedy = "compare the file's duration and fps with the video"
            found.append(Finding("note", "features shorter or longer than the video", f"{message}; {remedy}"))
    return len(features), covered, found


def _check_missing(
    config: DataConfig, root: str | Path, subsets: list[str], videos: list[Video], missing: set[str]
) -> Iterator[Finding]:
    """More videos without features than a run may leave out; of none with features, `_check_grid` says more."""
    names = [video.name for video in videos if video.name in missing]
    reason = too_many_missing(config, root, subsets, names, len(videos))
    if config.skip_missing and reason and len(names) < len(videos):
        yield Finding("error", "too many missing features", reason)


def _check_grid(config: DataConfig, annotations: AnnotationFile, table: pd.DataFrame) -> Iterator[Finding]:
    """A stride or frame rate that does not fit most videos, with the stride that would."""
    known = table.dropna(subset=["covered"])
    if not (table["steps"] > 0).any():
        folders = ", ".join(config.features)
        yield Finding("error", "no features at all", f"no video has a feature file in {folders}; check data.features")
    odd = known[~known["covered"].between(*COVERED)]
    if len(odd) <= LIMIT * len(known):
        return
    frames = np.array([_frames(config, annotations.videos[name]) for name in odd["video"]])
    fitting = np.median((frames - config.num_frames) / np.maximum(odd["steps"] - 1, 1))
    yield Finding(
        "error",
        "wrong stride or frame rate",
        f"features of {len(odd)} of {len(known)} videos cover {odd['covered'].median():.2f} of them (median; "
        f"{annotations.path}): data.stride_frames is {config.stride_frames:g}, a stride of {fitting:.2f} frames would "
        "fit; set it, or data.fps",
    )


def _frames(config: DataConfig, video: Video) -> float:
    assert video.duration_sec is not None, "else it would not be known what is covered"
    return video.duration_sec * frames_per_second(config, video)


def _check_subsets(config: DataConfig, table: pd.DataFrame) -> Iterator[Finding]:
    """Nothing to learn from, or nothing to be evaluated on, since no video has both features and an action."""
    if not (table["steps"] > 0).any():
        return  # said already
    for purpose, names in (("training", config.train_subsets), ("test", config.test_subsets)):
        labelled = table[table["subset"].isin([name.lower() for name in names]) & (table["actions"] > 0)]
        if (labelled["steps"] > 0).any() or (purpose == "test" and labelled.empty):  # without labels: predictions only
            continue
        yield Finding(
            "error",
            f"nothing for {purpose}",
            f"no video of {', '.join(names)} has both features and an annotation; add what is missing, or correct "
            f"data.{'train' if purpose == 'training' else purpose}_subsets",
        )


class Segments(NamedTuple):
    """The N segments of some videos, each with what is known of its video."""

    subset: np.ndarray  # (N,) str
    times_sec: np.ndarray  # (N, 2) start and end
    duration_sec: np.ndarray  # (N,) NaN where unknown
    fps: np.ndarray  # (N,) NaN where unknown
    check: np.ndarray  # (N,) of the note on it, "" for none

    @staticmethod
    def join(parts: Sequence["Segments"]) -> "Segments":
        """Those of several videos, one after the other."""
        return Segments(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def outside(times_sec: np.ndarray, duration_sec: float | np.ndarray) -> np.ndarray:
    """(N,) bool: segments (N, 2) that reach out of their videos; never where it is not known how long these last."""
    return (times_sec[:, 0] < -OUTSIDE_SEC) | (times_sec[:, 1] > duration_sec + OUTSIDE_SEC)


def segment_errors(segments: Segments, stride_frames: float) -> Iterator[tuple[str, str]]:
    """(check, message) for each subset and note that more than a third of the segments have."""
    for subset in pd.unique(segments.subset):
        own = Segments(*(column[segments.subset == subset] for column in segments))
        for check, number in Counter(own.check[own.check != ""].tolist()).items():
            if number > LIMIT * len(own.check):
                what = REMEDIES.get(check) or f"lie outside their videos; {_units(own, stride_frames)}"
                yield check, f"{number} of {len(own.check)} segments of the subset '{subset}' {what}"


def _units(segments: Segments, stride_frames: float) -> str:
    """In which unit the times may be, by the factor that brings them into their videos."""
    known = ~np.isnan(segments.duration_sec) & (segments.times_sec[:, 1] > MIN_LENGTH_SEC)
    times_sec, duration_sec, fps = segments.times_sec[known], segments.duration_sec[known], segments.fps[known]
    if not known.any() or (segments.times_sec[:, 0] < -OUTSIDE_SEC).mean() > LIMIT:
        return "many begin before 0: do their times count from another moment than the recording?"
    needed = np.quantile(duration_sec / times_sec[:, 1], 1 - FITS)  # as a factor of the times
    units = {
        "feature vectors": max(stride_frames, 0) / fps,
        "frames": 1 / fps,
        "milliseconds": np.full(len(fps), 1e-3),
        "microseconds": np.full(len(fps), 1e-6),
    }
    for unit, factors in units.items() if needed < OTHER_RATE else ():
        factor = np.median(factors)
        if (~outside(times_sec * factors[:, None], duration_sec)).mean() >= FITS and factor >= PLAUSIBLE * needed:
            return f"divided by {1 / factor:g} they fit: their times are probably {unit}, convert them to seconds"
    rate = f"data.fps {np.median(fps) * needed:.4g} instead of {np.median(fps):g}"
    return f"times {needed:.3g} they fit: correct the times, or the durations; if features tell these, perhaps {rate}"


def video_errors(checks: Counter[str], num_videos: int) -> Iterator[tuple[str, str]]:
    """(check, message) for each note that more than a third of the videos have.

    Videos without annotation are no error, however many: they may be meant as background.
    """
    remedies = {
        "folders of unequal length": "have feature folders of unequal length; all must have the same stride",
    }
    for check, remedy in remedies.items():
        if checks[check] > LIMIT * num_videos:
            yield check, f"{checks[check]} of {num_videos} videos {remedy}"
