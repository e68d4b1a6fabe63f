"""Which reader a file of labels needs: by the name that the user gives, or by its ending and content."""

import re
from collections.abc import Callable
from pathlib import Path

from afkit.config import nearest
from afkit.data.feature_formats import listed
from afkit.opening import read_bytes
from afkit.workbench.own_data.import_formats import (
    CUE,
    read_audacity,
    read_csv_table,
    read_elan,
    read_lines,
    read_physio,
    read_steps,
    read_subtitles,
    way_of,
)
from afkit.workbench.own_data.import_json import read_json_table
from afkit.workbench.own_data.import_rows import Change, Table, is_time
from afkit.workbench.own_data.import_tiers import read_eaf, read_textgrid
from afkit.workbench.own_data.import_tools import read_boris, read_labelstudio, read_raven, read_via, tool_of
from afkit.workbench.progress import progress

_OF_FOLDER = (  # the first that is there
    (".txt", ".csv", ".tsv", ".tab"),
    (".srt",),
    (".vtt",),
    (".eaf",),
    (".textgrid",),
    (".json",),
    (".edf", ".bdf"),
    (".hea",),
)
_ELSEWHERE = (  # endings, what the content begins with, what it is, and the step before an import
    (r"\.(xlsx?|ods)$", r"PK\x03\x04", "a spreadsheet; save the sheet as CSV"),
    (r"\.boris$", r'.*"(project_format_version|behaviors_conf)"', "a project of BORIS; export its events as a table"),
    (r"\.(anvil|svl|xml)$", r"<\?xml(?!.*<ANNOTATION_DOCUMENT)", "XML; export a table with start, end and label there"),
    (r"\.(ass|ssa)$", r"\[Script Info\]", "subtitles of SubStation; save them as .srt"),
    (r"\.(jsonl|ndjson)$", r"\{[^\n]*\}\r?\n\s*\{", "a JSON object a line; join them to one list, [{...}, {...}]"),
    (r"\.(mat|pkl|pickle|pt|np[yz])$", r"\x93NUMPY", "an array file; write a table with start, end and label of it"),
)


def read_source(source: Path, form: str) -> list[Table]:
    """What stands in a file, or in each file of a folder with one per recording; form "": tell by ending and content.

    ValueError for a missing or unreadable file, an unknown format, or a row that is none, with file, row and what was
    seen.
    """
    if form and form not in FORMS:
        raise ValueError(f"there is no format '{form}'; {nearest(form, list(FORMS))}")
    if not source.exists():
        raise ValueError(f"{source} does not exist; name the file or folder of the annotations")
    if source.is_file():
        return [FORMS[form or _form_of(source)](source)]
    files = sorted(path for path in source.iterdir() if path.is_file() and not path.name.startswith("."))
    ending = {"via": ".json", "labelstudio": ".json", "wfdb": ".hea"}.get(form, f".{form}")
    groups = [endings for endings in _OF_FOLDER if endings[0] == ending] or list(_OF_FOLDER)
    chosen = next((c for g in groups if (c := [path for path in files if path.suffix.lower() in g])), [])
    if not chosen:
        there = sorted({path.suffix or path.name for path in files}) or ["nothing"]
        wanted = ", ".join(ending for group in groups for ending in group)
        what = f"has no file that ends in {wanted}, but {listed(there)}"
        raise ValueError(f"{source} {what}; name the folder of the files")
    stems: dict[str, Path] = {}
    for path in chosen:
        if stems.setdefault(path.stem, path) != path:
            raise ValueError(f"{path} and {stems[path.stem].name} are of one name; keep one of them")
    tables = [FORMS[form or _form_of(path)](path) for path in progress(chosen, "files of labels")]
    left = [Change(str(path), "left out: not the ending of the others") for path in files if path not in chosen]
    return [tables[0]._replace(changes=(*left, *tables[0].changes)), *tables[1:]]


_BEGINNINGS = (
    (r"[{\[]", "json"),
    ("WEBVTT", "vtt"),
    (r".{,40}ooTextFile", "textgrid"),
    (r".*<ANNOTATION_DOCUMENT", "eaf"),
)
_BY_ENDING = {f".{form}": form for form in ("srt", "vtt", "eaf", "textgrid", "edf")}
_BY_ENDING |= {".bdf": "edf", ".hea": "wfdb", ".atr": "wfdb"}
_BY_NAME = ("json", "vtt", "srt", "eaf", "textgrid")  # formats that need their ending, or --format


def _form_of(path: Path) -> str:
    """The format by ending and content."""
    ending = path.suffix.lower()
    if ending in _BY_ENDING:
        return _BY_ENDING[ending]
    try:
        text = read_bytes(path)[:4096].decode("utf-8-sig", errors="ignore").strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    for endings, content, what in _ELSEWHERE:
        if re.search(endings, path.name, re.I) or re.match(content, text[:400], re.S):
            raise ValueError(f"{path}: its ending does not tell the format; it looks like {what}")
    if ending in (".json", ".csv", ".tsv", ".tab", ".txt"):
        tool = tool_of(text)
        if tool or ending == ".json":
            return tool or "json"
    lines = [line for line in text.splitlines() if line.strip()]
    looks = next((form for pattern, form in _BEGINNINGS if re.match(pattern, text[:400], re.S)), "")
    looks = looks or ("srt" if any(CUE.match(line) and "\t" not in line for line in lines) else _form_of_lines(lines))
    if ending in (".csv", ".tsv", ".tab") and looks not in _BY_NAME:
        return "csv"
    if ending == ".txt" and looks not in _BY_NAME:
        return looks
    hint = f"; it looks like {looks}, so try --format {looks}" if lines else "; it is empty"
    raise ValueError(f"{path}: its ending does not tell the format{hint} (there are {', '.join(FORMS)})")


def _form_of_lines(lines: list[str]) -> str:
    if lines and re.search(r" - (hh:mm:ss|ss\.msec|msec)", lines[0]):  # names that ELAN gives in all languages
        return "elan"
    cells = [cell.strip() for cell in lines[0].split("\t")] if lines else []
    if not any(is_time(cell) for line in lines[:1] for cell in re.split(r"[\t;,\s]+", line)) and len(lines) > 1:
        return "csv"  # a row of names
    ways = [way_of(cell) for cell in cells]
    timed = [way for way in ways[1:] if way]
    of_elan = len(cells) > 3 and len(timed) > 1 and not (ways[0] == timed[0] and ways[1] == timed[0])
    return "elan" if of_elan else "text"


FORMS: dict[str, Callable[[Path], Table]] = {
    "csv": read_csv_table,
    "json": read_json_table,
    "elan": read_elan,
    "audacity": read_audacity,
    "text": read_lines,
    "eaf": read_eaf,
    "textgrid": read_textgrid,
    "boris": read_boris,
    "raven": read_raven,
    "via": read_via,
    "labelstudio": read_labelstudio,
    "steps": read_steps,
    "srt": read_subtitles,
    "vtt": read_subtitles,
    "edf": read_physio,
    "wfdb": read_physio,
}
