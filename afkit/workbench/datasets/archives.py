"""The published archives: where they lie, downloading them, bringing them into the layout; what wrote a data set."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import afkit
from afkit.config import DataConfig
from afkit.files import read_json, write_json

MARKER = "TWIN.md"  # stands in the folder of a data set that was generated (see `afkit.workbench.datasets.twin`)


class Archive(NamedTuple):
    """A published file."""

    name: str  # of the file
    md5: str  # sum of the published file
    drive_id: str  # of Google Drive

    @property
    def url(self) -> str:
        """The page from which a browser downloads it."""
        return f"https://drive.google.com/file/d/{self.drive_id}/view"


_EPIC = Archive("epic_kitchens.tar.gz", "add9803756afd9a023bc9a9c547e0229", "1Z4U_dLuu6_cV5NBIrSzsSDOOj2Uar85X")
ARCHIVES = {  # by recipe; Ego4D's licence lets nobody pass its features on
    "thumos_i3d": Archive("thumos.tar.gz", "375f76ffbf7447af1035e694971ec9b2", "1zt2eoldshf99vJMDuu8jqxda55dCyhZP"),
    "anet_tsp": Archive("anet_1.3.tar.gz", "c415f50120b9425ee1ede9ac3ce11203", "1VW8px1Nz9A17i0wMVUfxh6YsPCLVqL-S"),
    "anet_i3d": Archive("anet_1.3_i3d.tar.gz", "e649425954e0123401650312dd0d56a7", "16239kUT2Z-j6S6PXIT1b_31OJi35QW_o"),
    "epic_verb": _EPIC,
    "epic_noun": _EPIC,
}


def check_md5(path: str | Path, expected: str) -> None:
    """ValueError where a file has another MD5 sum than the 32 hexadecimal digits, or cannot be read."""
    try:
        with Path(path).open("rb") as file:
            found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    if found != expected.lower():
        raise ValueError(
            f"{path} has the MD5 sum {found}, the published file has {expected}: it is truncated or another version; "
            "delete it and download it again"
        )


def download(archive: Archive, path: str | Path) -> Path:
    """Download a published file with progress and check its sum; one already there is kept.

    A broken-off download is resumed. ValueError where it fails, or gdown is not installed; says how by hand.
    """
    path = Path(path)
    by_hand = f"download {archive.url} in a browser (MD5 sum {archive.md5}) and put the file at {path}"
    if not path.exists():
        try:
            import gdown  # an extra; only downloads need it
        except ImportError:
            raise ValueError(f"downloading needs gdown (pip install gdown); or {by_hand}") from None
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            gdown.download(id=archive.drive_id, output=str(path), resume=True)
        except Exception as error:  # of gdown, requests or the network; all mean the same here
            reason = " ".join(str(error).split())[:200] or type(error).__name__
            raise ValueError(f"{archive.name} could not be downloaded ({reason}); try again, or {by_hand}") from None
        if not path.is_file():
            raise ValueError(f"{archive.name} could not be downloaded; try again, or {by_hand}")
    check_md5(path, archive.md5)
    return path


def arrange(tree: str | Path, config: DataConfig, data_root: str | Path) -> Path:
    """Move an unpacked data set into the published layout, e.g. `<data_root>/thumos`, which is returned.

    It may lie at any depth of the tree, on the file system of the data root. What is already there stays as it is.

    Raises:
        ValueError: the archive lacks the annotation file or a feature folder, the folder holds a twin, or would not
            lie below the data root.
    """
    tree, name = Path(tree), Path(config.annotations).parts[0]
    if name == ".." or Path(config.annotations).is_absolute():
        raise ValueError(f"data.annotations '{config.annotations}' must name a folder below the data root; correct it")
    target = Path(data_root) / name
    if (target / MARKER).exists():
        raise ValueError(f"{target} holds generated data ({MARKER}); remove it before adding the real data")
    wanted = [Path(*Path(path).parts[1:]) for path in [config.annotations, *config.features]]
    missing = [path for path in wanted if not (target / path).exists()]
    folders = sorted((Path(folder) for folder, _, _ in os.walk(tree)), key=lambda folder: (len(folder.parts), folder))
    source = next((folder for folder in folders if all((folder / path).exists() for path in missing)), None)
    if source is None:
        found = ", ".join(folder.relative_to(tree).as_posix() for folder in folders[1:11]) or "no folder"
        raise ValueError(
            f"the archive lacks {' or '.join(path.as_posix() for path in missing)} in one folder, it holds {found}; "
            f"is it the archive of this data set? Otherwise put its files into {target} by hand"
        )
    if missing:
        move_in(source, target, wanted[0], replace=False)
    return target


def move_in(source: Path, target: Path, last: Path | None = None, replace: bool = True) -> None:
    """Move the content of a folder into a data set's, a folder that this lacks as a whole, so that it appears at once.

    `last`, relative to both, is the annotation file, without which a data set counts as missing: it comes last, and an
    older one goes first. With `replace` the files of the source take the place of older ones; else these stay.
    """
    if replace and last and (source / last).exists():
        (target / last).unlink(missing_ok=True)
    _move(source, target, source / (last or ""), replace)


def _move(source: Path, target: Path, last: Path, replace: bool) -> None:
    if source.is_dir() and target.is_dir():
        for child in sorted(source.iterdir(), key=lambda child: (last.is_relative_to(child), child)):
            _move(child, target / child.name, last, replace)
    elif replace or not os.path.lexists(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)


VERSIONS = {"watch": 1, "hapt": 1, "twin": 1}  # to be raised when other files, or other numbers, are written
STAMP = "prepared.json"  # in the data set's folder


def write_stamp(folder: Path, writer: str) -> None:
    """Note in a data set's folder what has written it: {"writer", "version", "afkit"}."""
    write_json(folder / STAMP, {"writer": writer, "version": VERSIONS[writer], "afkit": afkit.__version__})


def stale(folder: Path, recipe: str) -> str:
    """How to renew a data set that an older version wrote, in a sentence; "" where it is up to date, or not ours.

    `recipe` names the built-in recipe whose data set it is; a twin is told by its marker.
    """
    writer = "twin" if (folder / MARKER).is_file() else recipe
    if writer not in VERSIONS or not folder.is_dir() or (writer == recipe and folder.name != recipe):
        return ""
    note = read_json(folder / STAMP) if (folder / STAMP).is_file() else {}
    version = note.get("version", 0) if isinstance(note, dict) else 0
    if version == VERSIONS[writer]:
        return ""
    command = {"watch": "prepare watch", "hapt": "prepare hapt ARCHIVE"}.get(writer, f"twin {recipe}")
    which = f"version {version} of its format; now: {VERSIONS[writer]}" if version else "which left no note of itself"
    other = "a newer" if isinstance(version, int) and version > VERSIONS[writer] else "an older"
    return (
        f"{folder} was written by {other} version of afkit ({which}); to renew it, delete it and run: python -m afkit "
        f"{command} (a run that has used it is then another one)"
    )
