"""Annotations as files of labelling tools, which `import` brings back: `python -m afkit export`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from afkit.config import nearest
from afkit.data.annotations import read_annotations, to_frame
from afkit.files import read_json, write_text
from afkit.opening import safe_names
from afkit.segments import DUPLICATE_SEC, mostly_within
from afkit.workbench.own_data.export_tables import (
    write_audacity,
    write_boris,
    write_boris_aggregated,
    write_csv,
    write_labelstudio,
    write_raven,
    write_via,
)
from afkit.workbench.own_data.export_tiers import Labelled, Row, write_eaf, write_textgrid
from afkit.workbench.own_data.import_rows import MEDIA


def export_annotations(source: str | Path, folder: str | Path, form: str, media: str | Path = "") -> list[Path]:
    """Write an annotation file for another tool, and return the files.

    Segments in parts that are not judged are left out. `eaf`, `textgrid`, `raven` and `audacity` are a file for each
    recording, the others one file for all. Times are to the microsecond, those of ELAN to the millisecond.

    Args:
        folder: where to write; a ValueError where such a file is there, since it may hold somebody's work.
        form: one of `TOOLS`.
        media: folder of films or sounds that are named like the recordings, which the files then refer to.
    """
    if form not in TOOLS:
        raise ValueError(f"there is no format '{form}'; {nearest(form, list(TOOLS))}")
    recordings = _labelled(source, _media_in(media))
    write, ending = TOOLS[form]
    if form in _ONE_EACH:
        names = safe_names(one.name for one in recordings)
        files = {Path(folder) / f"{names[one.name]}{ending}": [one] for one in recordings}
    else:
        files = {Path(folder) / f"{Path(source).stem}{ending}": recordings}
    there = next((path for path in files if path.exists()), None)
    if there:
        raise ValueError(f"{there} exists, and may hold corrections; name another folder with --out")
    for path, ones in files.items():
        write_text(path, write(ones), sync=False)
    return list(files)


def _labelled(source: str | Path, media: Mapping[str, str]) -> list[Labelled]:
    """The recordings of an annotation file; a ValueError where a label has no name."""
    file, database = read_annotations(source), read_json(source)["database"]
    recordings = []
    for name, video in file.videos.items():
        hidden = mostly_within(video.segments_sec, video.ignored_sec)
        rows = []
        for entry, (start, end), label, is_hidden in zip(
            database[name].get("annotations") or [],
            video.segments_sec.tolist(),
            video.labels.tolist(),
            hidden,
            strict=True,
        ):
            if not is_hidden:
                comment, tier = (one_line(str(entry.get(key) or "")) for key in ("comment", "tier"))
                rows.append(Row(start, end, one_line(file.label_names[label]), label, comment, tier))
                if not rows[-1].label:
                    raise ValueError(f"{source}, video '{name}': the label {label} has no name; give it one")
        rows.sort(key=lambda row: row[:2])
        recordings.append(Labelled(name, rows, video.duration_sec, media.get(name, "")))
    return recordings


def has_overlaps(source: str | Path) -> bool:
    """Whether segments of one label overlap in a recording of an annotation file."""
    rows = to_frame(read_annotations(source).videos.values(), clean=False).sort_values("start_sec")
    before = rows.groupby(["video", "label"])["end_sec"].transform(lambda ends: ends.cummax().shift())
    return bool((rows["start_sec"] < before - DUPLICATE_SEC).any())


def one_line(text: str) -> str:
    """A text without line breaks, tabs, and what cannot be shown."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _media_in(folder: str | Path) -> dict[str, str]:
    """{recording: path} of the films and sounds in a folder; {} for ""."""
    if not str(folder):
        return {}
    if not Path(folder).is_dir():
        raise ValueError(f"{folder} is no folder; name that of the films or sounds")
    return {MEDIA.sub("", path.name): str(path.resolve()) for path in sorted(Path(folder).iterdir()) if path.is_file()}


_ONE_EACH = ("eaf", "textgrid", "raven", "audacity")  # formats of one recording
TOOLS: dict[str, tuple[Callable[[Sequence[Labelled]], str], str]] = {  # how each is written, and the file's ending
    "eaf": (write_eaf, ".eaf"),
    "textgrid": (write_textgrid, ".TextGrid"),
    "boris": (write_boris, ".csv"),
    "boris-aggregated": (write_boris_aggregated, ".csv"),
    "raven": (write_raven, ".txt"),
    "via": (write_via, ".json"),
    "labelstudio": (write_labelstudio, ".json"),
    "audacity": (write_audacity, ".txt"),
    "csv": (write_csv, ".csv"),
}
