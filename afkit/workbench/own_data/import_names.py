"""What names say: of a column or key its field and unit, in ten languages (`words.txt`); which labels look alike."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

FIELDS = (
    "video",
    "start",
    "end",
    "segment",
    "span",
    "label",
    "label_id",
    "tier",
    "comment",
    "subset",
    "group",
    "duration",
    "fps",
    "annotated_start",
    "annotated_end",
)
PEOPLE = "person subject participant patient animal mouse proband sujet sujeto"  # columns worth mapping to a group
SCORE = (  # columns that hold it, as `plain` writes them
    "score scores confidence conf probability prob konfidenz wahrscheinlichkeit confiance probabilite confianza "
    "probabilidad confidenza probabilita"
)
UNITS = {  # name: seconds, or 0 where a rate tells
    "seconds": 1.0,
    "milliseconds": 1e-3,
    "microseconds": 1e-6,
    "nanoseconds": 1e-9,
    "minutes": 60.0,
    "frames": 0.0,
    "samples": 0.0,
}
LONGEST_WORD = 500  # letters, of a column or label
_SEPARATED = (  # times written in several ways, as ELAN names them
    (re.compile(r"h+:mm?:ss?(?:[.,]m?s\w*)?(?!:)"), " clock "),
    (re.compile(r"\bss?[.,]m?s(?:ec)?\b"), " seconds "),
    (re.compile(r"(?<![a-z])(m|u|\u03bc|n|milli|micro|nano) (?=sec)"), r"\1"),  # mSec, with a blank before its capital
)


class Meaning(NamedTuple):
    """What a name says."""

    field: str  # of `FIELDS`, "name" (of something) or "" (a unit or a time alone)
    unit: str  # of `UNITS`, "index", "clock", or "" where the name has none


def plain(text: str) -> str:
    """Lower case without accents.

    Examples:
        >>> plain("Début")
        'debut'
    """
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


@cache
def _vocabulary() -> dict[str, tuple[str, str]]:
    """{word: (kind: field, unit or filler, what it means)}."""
    words: dict[str, tuple[str, str]] = {}
    for line in Path(__file__).with_name("words.txt").read_text(encoding="utf-8").splitlines()[1:]:
        kind, meaning, text = map(str.strip, line.split("|"))
        for word in text.split():
            words.setdefault(plain(word), (kind, meaning))
    return words


def _split(token: str) -> list[str]:
    """A token as words of the vocabulary: startzeit is start, zeit; [] where it is none."""
    words = _vocabulary()
    if token in words:
        return [token]
    for place in range(len(token) - 1, 0, -1):
        head, tail = token[:place], token[place:]
        if head in words and (len(head) > 1 or not head.isascii()):
            rest = _split(tail) if len(tail) > 1 or not tail.isascii() else []
            if rest:
                return [head, *rest]
    return []


def _words(name: str) -> list[list[str]]:
    """The words of each token of a name; what is far longer than a name has none that are known."""
    if len(name) > LONGEST_WORD:
        return [[]]
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", name.strip())
    text = plain(name)
    for pattern, replacement in _SEPARATED:
        text = pattern.sub(replacement, text)
    return [_split(token) for token in re.findall(r"[^\W_]+", text)]


@cache
def read_name(name: str) -> Meaning | None:
    """What a name says, if all of its words are known.

    Examples:
        >>> read_name("Startzeit [ms]"), read_name("stop_frame"), read_name("verb_class")
        (Meaning(field='start', unit='milliseconds'), Meaning(field='end', unit='frames'), None)
    """
    split = _words(name)
    if not split or not all(split):
        return None
    meanings = [_vocabulary()[word] for words in split for word in words]
    fields = {meaning for kind, meaning in meanings if kind == "field"}
    filler = {meaning for kind, meaning in meanings if kind == "filler"}
    units = list(dict.fromkeys(meaning for kind, meaning in meanings if kind == "unit"))
    if ("rate" in filler and units in (["frames"], ["samples"], [])) or "fps" in fields:
        return Meaning("fps", "") if not fields - {"fps", "video"} and ("fps" in fields or units) else None
    units = [unit for unit in units if unit != "index"] if {"frames", "samples"} & set(units) else units
    if len(units) > 1:
        return None
    unit = units[0] if units else ""
    field = _field(fields, filler, unit)
    if field in ("label", "label_id", "video") and unit == "index":
        return Meaning("label_id", "") if field != "video" else None
    return None if field is None else Meaning(field, unit)


def _field(fields: set[str], filler: set[str], unit: str) -> str | None:
    """The field of a name with these parts; None where they make none."""
    if "count" in filler or ("duration" in fields and fields & {"video", "file"}):
        return "duration" if not fields - {"video", "file", "duration"} and (unit or fields) else None
    for time in ("start", "end"):
        if fields == {"annotated", time} and not filler - {"time"}:
            return f"annotated_{time}"
        if time in fields and not fields - {time, "label", "segment", "video", "file"}:
            if "file" in fields:
                return "video" if time == "start" and not unit else None
            return None if "id" in filler else time
    if fields == {"label"} or fields == {"label", "segment"}:
        return "label_id" if "id" in filler else "label"
    if fields in ({"video"}, {"file"}, {"video", "file"}):
        return "video"
    if fields in ({"duration"}, {"duration", "label"}, {"duration", "segment"}):
        return "span"
    if len(fields) == 1 and not ("id" in filler and "segment" in fields):
        return next(iter(fields))
    if not fields:
        return "name" if filler == {"name"} else "" if unit or "time" in filler else None
    return None


def unit_of(name: str) -> str:
    """The unit in a name of which other words may be unknown.

    Examples:
        >>> unit_of("freeze onset (ms)"), unit_of("t0")
        ('milliseconds', '')
    """
    known = read_name(name)
    if known is not None:
        return known.unit
    words = [_vocabulary()[word] for words in _words(name) for word in words]
    units = list(dict.fromkeys(meaning for kind, meaning in words if kind == "unit"))
    return units[0] if len(units) == 1 else ""


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
        if len(text) <= LONGEST_WORD and len(re.findall(r"[^\W\d_]", text)) >= _LEAST_LETTERS:
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
    return divided(subsets, {video: who for video in subsets if (who := person_of(video))})


def divided(subsets: Mapping[str, str], groups: Mapping[str, str]) -> dict[str, list[str]]:
    """{group: recordings} of those whose recordings are in several subsets, by {recording: group}."""
    recordings: defaultdict[str, list[str]] = defaultdict(list)
    for video in sorted(groups):
        recordings[groups[video]].append(video)
    return {who: videos for who, videos in recordings.items() if len({subsets[video] for video in videos}) > 1}
