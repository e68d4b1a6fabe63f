"""The inspector as one HTML file: script, style and segments are inside, so that it opens without a network."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from afkit.evaluation.scores import check_tious
from afkit.files import write_text
from afkit.workbench.inspector.inspected import Inspected, describe, first_score, pack_run
from afkit.workbench.inspector.tracks import check_media_folder, embed_tracks
from afkit.workbench.own_data.corrected import video_facts
from afkit.workbench.progress import progress

TIOUS = (0.3, 0.4, 0.5, 0.6, 0.7)
STATIC = Path(__file__).with_name("static")


def read_script() -> str:
    """The ES module that runs in the browser: the bundle that `make bundle` makes of browser/src."""
    return (STATIC / "inspector.js").read_text(encoding="utf-8")


def read_style() -> str:
    """CSS; all of it applies below the class afkit-inspector alone."""
    return (STATIC / "inspector.css").read_text(encoding="utf-8")


def write_inspector(
    path: str | Path,
    inspected: Inspected,
    tious: Sequence[float] = TIOUS,
    tiou: float = 0.5,
    min_score: float | None = None,
) -> None:
    """Write the inspector of a run, whole or not at all.

    A segment takes about 55 bytes; each video takes at most 670 bytes for the score curve of a class, 16 kB for a
    channel of its signal, and 130 kB for a spectrogram.

    Args:
        tious: thresholds to choose from.
        tiou: the threshold to begin with; videos are listed with their AP and errors at it.
        min_score: predictions with a lower score are hidden to begin with; None for the threshold that 03_eval chose.

    Raises:
        ValueError: another ending, an unusable threshold, a number that is not finite, or videos that lie elsewhere
            than in the page's folder.
    """
    write_page(path, [inspected], tious, tiou, min_score)


def write_page(
    path: str | Path, runs: Sequence[Inspected], tious: Sequence[float], tiou: float, min_score: float | None
) -> None:
    """As `write_inspector`, of one run or of several as of `make_comparable`; the first one's title is the page's."""
    path = Path(path)
    if path.suffix != ".html":
        raise ValueError(f"a page's name ends in .html, not as in '{path.name}'")
    check_tious([*tious, tiou])
    for inspected in runs:
        check_media_folder(inspected.tracks, path.parent)
    min_score = first_score(runs[0], min_score)
    embedded = [_embed_run(inspected, list(tious), tiou, min_score, path.parent) for inspected in runs]
    data = embedded[0] if len(runs) == 1 else {"runs": embedded}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")  # no tag ends the script
    page = Environment(autoescape=True).from_string((STATIC / "page.html").read_text(encoding="utf-8"))
    media = any(inspected.tracks.videos for inspected in runs)
    look = {"style": read_style(), "script": read_script()}
    write_text(path, page.render(title=runs[0].title, data=text, media=media, **look))


def _embed_run(
    inspected: Inspected, tious: list[float], tiou: float, min_score: float, page_dir: Path
) -> dict[str, Any]:
    info = describe(inspected, tious, tiou, min_score)
    videos = [video["video"] for video in info["videos"]]
    data: dict[str, Any] = {"info": info, "facts": base64.b64encode(pack_run(inspected)).decode()}
    data["files"] = {video: _file_facts(inspected, video) for video in videos}
    if any(inspected.tracks.offered().values()):
        each = progress(videos, "tracks of videos")
        data["tracks"] = [embed_tracks(inspected.tracks, inspected.labels, video, page_dir) for video in each]
    return data


def _file_facts(inspected: Inspected, video: str) -> dict[str, Any]:
    """What stands beside a video's segments in the annotation file that the page saves."""
    if inspected.annotations is not None and video in inspected.annotations.videos:
        return video_facts(inspected.annotations.videos[video], inspected.annotations.label_names)
    known_sec = inspected.durations_sec.get(video)
    return {"subset": "inspected"} | ({} if known_sec is None else {"duration": float(known_sec)})
