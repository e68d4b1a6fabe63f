"""What is suspicious as a whole: notes that hold for more than a third of the data, and names that look alike."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from afkit.segments import MIN_LENGTH_SEC
from afkit.workbench.own_data.import_names import plain

LIMIT = 1 / 3  # of the segments of a subset, or of all videos
FITS = 0.95  # share of the segments that a factor must bring into their videos
OTHER_RATE = 0.4  # a factor from here on is that of another frame rate (24 to 60) rather than of another unit
PLAUSIBLE = 0.2  # of the greatest factor that fits: a smaller one would leave most of the video empty
OUTSIDE_SEC = 1.0  # by which real annotations may exceed a video
REMEDIES = {  # of notes on segments; those outside their videos have `_units`
    "segments without length": "end before they start or at once; are the two columns swapped, or is one a duration?",
    "duplicates": "repeat an earlier one; was the same file read twice?",
}


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


_LEAST_LETTERS = 5  # of labels that may be misspelt; shorter ones differ by a letter too easily
_WHO = re.compile(
    r"(?:user|subject|subj|sub|person|participant|part|patient|pat|proband|vp|sujet|sujeto|animal|mouse|rat|maus|dog|cow"
    r"|bird|pig|s|p|u|id)\d+",
    re.IGNORECASE,
)
_FIRST = re.compile(r"(?!(?:cam|camera|view|gopro|v|video|clip|seq|fold|set)\d+$)[A-Za-z]+\d+", re.IGNORECASE)


def alike_labels(labels: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of labels that differ by accents only, or by one letter as in a typing error.

    Those that differ in digits or in their first letter, or have fewer than five letters, are not among them.

    Examples:
        >>> alike_labels(["Preparação", "Preparacao", "walk 1", "walk 2", "jumping", "jumpng"])
        [('Preparacao', 'Preparação'), ('jumping', 'jumpng')]
    """
    by_key: defaultdict[str, set[str]] = defaultdict(set)
    for label in set(labels):
        text = plain(label)
        if len(re.findall(r"[^\W\d_]", text)) >= _LEAST_LETTERS:
            for key in {text, *(text[:i] + text[i + 1 :] for i in range(1, len(text)))}:
                by_key[key].add(label)
    pairs = {(a, b) for group in by_key.values() for a in group for b in group if a < b}
    return sorted(pair for pair in pairs if _alike(*map(plain, pair)))


def _alike(one: str, other: str) -> bool:
    """Whether two texts are equal, or one letter is missing, another, or exchanged with its neighbour."""
    if re.findall(r"\d+", one) != re.findall(r"\d+", other):
        return False
    if len(one) != len(other):  # they share a key, so that one sign is missing
        short, long = sorted((one, other), key=len)
        return next((sign for sign, own in zip(long, short, strict=False) if sign != own), long[-1]).isalpha()
    places = [i for i, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    if len(places) < 2:
        return all(one[i].isalpha() and other[i].isalpha() for i in places)
    first, last = places[0], places[-1]
    return len(places) == 2 and last == first + 1 and one[first] == other[last] and one[last] == other[first]


def person_of(video: str) -> str:
    """The person or animal that a recording's name tells, as in s01_02 or acc_exp08_user04; "" where none.

    Examples:
        >>> person_of("s01_02"), person_of("acc_exp08_user04"), person_of("video_test_0000004"), person_of("day1")
        ('s01', 'user04', '', '')
    """
    parts = re.split(r"[_\-. ]+", video)
    if len(parts) < 2:
        return ""
    who = next((part for part in parts if _WHO.fullmatch(part)), "")
    return (who or (parts[0] if _FIRST.fullmatch(parts[0]) else "")).casefold()


def divided_people(subsets: Mapping[str, str]) -> dict[str, list[str]]:
    """{person: recordings} of those whose recordings are in several subsets.

    Examples:
        >>> divided_people({"s01_01": "training", "s01_02": "test", "s02_01": "test"})
        {'s01': ['s01_01', 's01_02']}
    """
    people: defaultdict[str, list[str]] = defaultdict(list)
    for video in sorted(subsets):
        if person_of(video):
            people[person_of(video)].append(video)
    return {who: videos for who, videos in people.items() if len({subsets[video] for video in videos}) > 1}
