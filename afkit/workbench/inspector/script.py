"""The inspector's script and style, as the widget and the page take them."""

from pathlib import Path

STATIC = Path(__file__).with_name("static")
PARTS = (
    *("segments", "matching", "correcting", "looks", "drawing", "controls", "layout", "looking", "events", "panel"),
    *("editing", "dragging", "saving"),
    *("track_drawing", "tracks", "playback", "compare", "sources"),  # the last one exports
)


def read_script() -> str:
    """The parts of the ES module as one text. Neither a build step nor a second file is needed to run it."""
    return "\n".join((STATIC / f"{part}.js").read_text(encoding="utf-8") for part in PARTS)


def read_style() -> str:
    """CSS; all of it applies below the class afkit-inspector alone."""
    return (STATIC / "inspector.css").read_text(encoding="utf-8")
