"""Names as names of files: what is written or read by a name stays in its folder, and no two names are one file."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

MOST_BYTES = 255  # of a file's or folder's name, which systems allow
NAME_BYTES = 200  # of a name that gets an ending, or is a temporary one first
LONGEST_NAME = 120  # bytes of a file name without digest and ending
SHORT_DIGEST = 8  # digits
_RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{i}" for port in ("COM", "LPT") for i in range(1, 10))}  # Windows


def plain_name(what: str, name: str) -> str:
    """A name that is to become that of one file or folder as it is, such as a run's or a recipe's.

    Args:
        what: is named, e.g. "the run", for the message.
        name: as somebody gave it.

    Returns:
        the same name.

    Raises:
        ValueError: it is empty, leads to another folder, holds what cannot be shown, or is too long.

    Examples:
        >>> plain_name("the run", "first try")
        'first try'
    """
    if name in ("", ".", "..") or re.search(r"[/\\]", name) or not name.isprintable():
        raise ValueError(f"{what} cannot be called {name[:80]!a}: that is no name of a file; take letters and digits")
    if len(name.encode()) > NAME_BYTES:
        raise ValueError(f"{what} cannot be called '{name[:40]}...': the name is too long for a file; shorten it")
    return name


def inner_path(name: str, video: str) -> Path:
    """A relative path that stays in the folder that it is added to.

    Args:
        name: of a video's file, which may lie in a folder of that folder.
        video: its id, for the message.

    Raises:
        ValueError: it leads out of it, or is too long for a file.
    """
    path = Path(name)
    if any(len(part.encode(errors="surrogatepass")) > MOST_BYTES for part in path.parts):
        raise ValueError(f"the name of video '{video[:80]}...' is too long for a file; rename the video")
    if path.is_absolute() or path.drive or ".." in path.parts:
        raise ValueError(f"the name of video '{video}' leads out of the folder of its files; rename the video")
    return path


def safe_names(videos: Iterable[str]) -> dict[str, str]:
    """A file name (without ending) for each video id, valid on all systems and different from the others'.

    An id of ASCII letters, digits, blanks and ._- stays as it is. Otherwise, and where an id differs from another in
    upper and lower case only, other characters become _ and eight digits of the id's SHA-256 are appended; where that
    is the name of another id, all 64 digits.

    Raises:
        ValueError: two ids have the same name even so, which only somebody who means it can bring about.

    Examples:
        >>> safe_names(["day 1", "a/b"])
        {'day 1': 'day 1', 'a/b': 'a_b-c14cddc0'}
    """
    ids = list(dict.fromkeys(str(video) for video in videos))
    folded = Counter(video.casefold() for video in ids)
    names = {video: _safe_name(video, SHORT_DIGEST if folded[video.casefold()] > 1 else 0) for video in ids}
    taken = Counter(name.casefold() for name in names.values())
    names = {video: name if taken[name.casefold()] == 1 else _safe_name(video, 64) for video, name in names.items()}
    first: dict[str, str] = {}
    for video, name in names.items():
        if first.setdefault(name.casefold(), video) != video:
            raise ValueError(f"the files of '{first[name.casefold()]}' and '{video}' would have one name; rename one")
    return names


def _safe_name(video: str, digits: int) -> str:
    """With so many digits of the id's digest; 0 for none where the id itself can be the name."""
    name = re.sub(r"[^\w. -]", "_", video).encode()[:LONGEST_NAME].decode(errors="ignore").strip(" .")
    if name.split(".")[0].upper() in _RESERVED:
        name = f"_{name}"
    if name == video and name and name.isascii() and not digits:
        return name
    digest = hashlib.sha256(video.encode(errors="surrogatepass")).hexdigest()
    return f"{name}-{digest[: digits or SHORT_DIGEST]}"
