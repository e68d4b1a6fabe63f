"""What looks alike by its name: labels that may be one, and recordings that may be of one person or animal."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from afkit.workbench.own_data.import_names import plain

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

    Args:
        subsets: of each recording.

    Examples:
        >>> divided_people({"s01_01": "training", "s01_02": "test", "s02_01": "test"})
        {'s01': ['s01_01', 's01_02']}
    """
    people: defaultdict[str, list[str]] = defaultdict(list)
    for video in sorted(subsets):
        if person_of(video):
            people[person_of(video)].append(video)
    return {who: videos for who, videos in people.items() if len({subsets[video] for video in videos}) > 1}
