"""The inspector as one HTML file: script, style and segments are inside, so that it opens without a network."""

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment

from afkit.evaluation.average_precision import check_tious
from afkit.files import write_text
from afkit.view.inspector_data import Inspected, describe, list_segments, match_listed, pack_facts, pack_matching
from afkit.view.inspector_script import read_script, read_style

TIOUS = (0.3, 0.4, 0.5, 0.6, 0.7)


def write_inspector(
    path: str | Path,
    inspected: Inspected,
    tious: Sequence[float] = TIOUS,
    tiou: float = 0.5,
    min_score: float = 0.2,
) -> None:
    """Write the inspector of a run, whole or not at all.

    Args:
        path: ends in .html.
        inspected: the run. A segment takes about 55 bytes, and 16 more for each threshold.
        tious: thresholds to choose from; what each segment is at them is computed here.
        tiou: the threshold to begin with; videos are listed with their AP and errors at it.
        min_score: predictions with a lower score are hidden to begin with.

    Raises:
        ValueError: another ending, an unusable threshold, or a number that is not finite.
        OSError: the folder cannot be written to.
    """
    if Path(path).suffix != ".html":
        raise ValueError(f"a page's name ends in .html, not as in '{Path(path).name}'")
    check_tious([*tious, tiou])
    info = describe(inspected, list(tious), tiou, min_score)
    data = {"info": info, "segments": [_embed(inspected, video["video"], info["tious"]) for video in info["videos"]]}
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")  # no tag ends the script
    page = Environment(autoescape=True).from_string(_TEMPLATE)
    write_text(path, page.render(title=inspected.title, style=read_style(), script=read_script(), data=text))


def _embed(inspected: Inspected, video: str, tious: Sequence[float]) -> dict[str, Any]:
    """One video's segments in base64, and for each threshold what they are."""
    segments = list_segments(*inspected.of_video(video))
    matching = [pack_matching(match_listed(segments, tiou)) for tiou in tious]
    facts = pack_facts(segments, inspected.labels)
    return {"facts": _text(facts), "matching": [_text(columns) for columns in matching]}


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


# The policy forbids every request: what is not in the file is not there.
_TEMPLATE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { margin: 0; }
@media (prefers-color-scheme: dark) { body { background: #16181b; } }
{{ style | safe }}
</style>
</head>
<body>
<main id="inspector"></main>
<script type="application/json" id="segments">{{ data | safe }}</script>
<script type="module">
{{ script | safe }}
const root = document.getElementById("inspector");
root.inspector = createPanel(root, pageSource(JSON.parse(document.getElementById("segments").textContent)));
</script>
</body>
</html>
"""
