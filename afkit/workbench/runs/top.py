"""The top of an executed notebook: what was done, the number that counts, and links to its neighbours.

It says that the notebook is not finished until its last step fills it. So does one that stopped half-way.
"""

import html
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from afkit.workbench.runs.notebooks import STAGES

COMPARE = "05_compare"
DISPLAY_ID = "afkit-top"
UNFINISHED = [
    "Not finished",
    "Cells are at work, or one has failed: then its error stands below, and what follows is missing.",
]
BLOCK = '<div style="border-left: 4px solid {}; padding-left: 12px">{}</div>'
LARGE = '<div style="font-size: 150%; font-weight: bold">{}</div>'
FINISHED_COLOR, UNFINISHED_COLOR = "#0072B2", "#D55E00"


def show_top(links: Mapping[str, str], lines: Sequence[str] = ()) -> None:
    """Show lines, the first one large, and links where a notebook is executed; without lines, that it is not finished.

    A call with lines changes what one without has shown, wherever that stands.

    Args:
        links: name -> notebook, relative to this one; "" for this one itself.
    """
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    from IPython.display import display, update_display

    shown = {"text/html": top_as_html(links, lines), "text/plain": "\n".join(lines or UNFINISHED)}
    (update_display if lines else display)(shown, raw=True, display_id=DISPLAY_ID)


def top_as_html(links: Mapping[str, str], lines: Sequence[str] = ()) -> str:
    """What `show_top` shows; all text literally."""
    color = FINISHED_COLOR if lines else UNFINISHED_COLOR
    first, *others = map(html.escape, lines or UNFINISHED)
    names = {html.escape(name): html.escape(path) for name, path in links.items()}
    row = " · ".join(f'<a href="{path}">{name}</a>' if path else f"<b>{name}</b>" for name, path in names.items())
    return BLOCK.format(color, LARGE.format(first) + "".join(f"<div>{line}</div>" for line in [*others, row] if line))


def neighbours(own: str) -> dict[str, str]:
    """Links from the notebook of a stage, e.g. "03_eval" or "03_eval-training", to the others of its run.

    05_compare lies beside it where notebooks are executed by hand, and with all runs where that is done for a run.
    """
    names = sorted({*STAGES, own})
    links = {name: "" if name == own else f"{name}.ipynb" for name in names}
    return links | {f"{COMPARE} (python -m afkit compare)": f"{'' if _by_hand() else '../../'}{COMPARE}.ipynb"}


def links_to_runs(folders: Mapping[str, Path], out: Path) -> dict[str, str]:
    """Links from 05_compare, which is executed into `out` or by hand, to the evaluation of runs: the first 20."""
    here = Path.cwd() if _by_hand() else out
    pages = {name: folder / "03_eval.ipynb" for name, folder in folders.items()}
    there = [name for name, path in pages.items() if path.is_file()][:20]
    return {COMPARE: ""} | {name: Path(os.path.relpath(pages[name], here)).as_posix() for name in there}


def _by_hand() -> bool:
    """Whether all notebooks lie in the working directory: that of a kernel which JupyterLab started."""
    return all(Path(f"{name}.ipynb").is_file() for name in (*STAGES, COMPARE))
