"""Which files are recordings: of a sensor or camera in a folder or by a pattern, and paired with those of others."""

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path


def paired_files(places: Sequence[str | Path], suffixes: Sequence[str]) -> dict[str, list[Path]]:
    """{recording: its file of each place}, by name.

    A place is a file, a folder (with those below it, where no file lies in itself), or a pattern such as
    'data/*/*_watch.csv'. Recordings have the names of the files; what all files of a place have in common at the end
    of their names (_watch) is left out where only then two places have the same names. Names are composed (NFC), as
    most systems but macOS write them. A ValueError names a file that has no partner, or two of one name.
    """
    files = same_names(places, [files_of(place, suffixes) for place in places])
    for place, one in zip(places, files, strict=True):
        for name in {name: None for other in files for name in other}:
            if name not in one:
                there = next(other[name] for other in files if name in other)
                raise ValueError(f"{place} has no file of the recording {there}; add it, or remove that one")
    return {name: [one[name] for one in files] for name in files[0]}


def same_names(places: Sequence[str | Path], files: list[dict[str, Path]]) -> list[dict[str, Path]]:
    """The files of each place by name, shortened where only then two places have the same names.

    The end of a pattern (_watch) is left out; else what all names of a place have in common at the end.
    """
    if len(files) > 1 and any(set(one) != set(files[0]) for one in files):
        for ends in (map(_end_of_pattern, places), map(_common_end, files)):
            pairs = zip(files, ends, strict=True)
            short = [{name.removesuffix(end) or name: path for name, path in one.items()} for one, end in pairs]
            if set(short[0]) & set(short[1]):
                return short
    return files


def files_of(place: str | Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """{name without ending: file} of a place, sorted; hidden files are left out.

    ValueError where there is none with one of the endings, or two have one name.
    """
    folder = Path(place)
    if folder.is_dir():
        paths = [path for path in folder.iterdir() if _fits(path, suffixes)]
        paths = paths or [path for path in folder.rglob("*") if _fits(path, suffixes)]
    elif re.search(r"[*?\[]", str(place)) and not folder.exists():
        begin = Path(folder.anchor or ".")
        paths = [path for path in begin.glob(str(folder.relative_to(folder.anchor))) if _fits(path, suffixes)]
    else:
        paths = [folder] if _fits(folder, suffixes) else []
    found: dict[str, Path] = {}
    for path in sorted(paths):
        name = unicodedata.normalize("NFC", path.stem)
        if found.setdefault(name, path) != path:
            other = found[name].name if found[name].parent == path.parent else found[name]
            raise ValueError(f"{path} and {other} are of one name; keep one of them")
    if not found:
        is_there = folder.exists() or re.search(r"[*?\[]", str(place))
        what = f"has no file that ends in {', '.join(suffixes)}" if is_there else "does not exist"
        raise ValueError(f"{place} {what}; name another file, folder or pattern")
    return found


def _fits(path: Path, suffixes: Sequence[str]) -> bool:
    return path.suffix.lower() in suffixes and not path.name.startswith(".") and path.is_file()


def _end_of_pattern(place: str | Path) -> str:
    """What stands behind the last * of a pattern, from a sign such as _ on."""
    return next(iter(re.findall(r"\*([\W_][^*?\]]*)$", Path(place).stem)), "")


def _common_end(files: dict[str, Path]) -> str:
    """What the names of several files have in common at the end, from a sign such as _ on."""
    ends = [re.findall(r"[\W_].*", name[i:]) for name in list(files)[:1] for i in range(len(name))]
    common = [end[0] for end in ends if end and all(name.endswith(end[0]) for name in files)]
    return common[0] if common and len(files) > 1 else ""  # the longest
