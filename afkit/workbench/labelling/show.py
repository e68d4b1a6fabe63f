"""Labelling in a notebook, and in a browser by a server of its own."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from afkit.workbench.inspector.tracks import find_media
from afkit.workbench.labelling.labelled import collect_labelled
from afkit.workbench.labelling.session import Session
from afkit.workbench.labelling.turns import hold, hold_for_ever
from afkit.workbench.labelling.widget import Labeller
from afkit.workbench.runs.interrupts import temporary_folder
from afkit.workbench.runs.serving import MEDIA, one_call, serve_notebook


def label_recordings(
    places: Sequence[str] = (),
    labels: Sequence[str] = (),
    annotations: str | Path = "",
    run: str | Path = "",
    out: str | Path = "labels.json",
    data_root: str | Path = "",
    *,
    address: str = "",
    turns: str = "",
    read_only: str = "",
) -> Labeller:
    """The inspector for labelling, as the last value of a notebook's cell; every change is in the journal at once.

    Args:
        places: films, sounds or tables of sensors, see `afkit.workbench.labelling.labelled.collect_labelled`.
        labels: names of classes.
        annotations: annotation file to go on from; it stays as it is, its journal is beside it.
        run: run folder whose predictions are proposals.
        out: where `annotations` is "", the name that an annotation file would have.
        data_root: folder of all data sets, for the run.
        address: below which a server gives films; "": the kernel sends them, up to 100 MB each.
        turns: file of turns of the server that holds the journal; "": this process holds it.
        read_only: why others hold it.

    Raises:
        ValueError: as `collect_labelled`.
    """
    labelled = collect_labelled(places, labels, annotations, run, out, data_root)
    path = Path(turns) if turns else None
    if path is None and not read_only:
        path, read_only = hold_for_ever(labelled.journal_path)
    return Labeller(labelled, Session(labelled, path, read_only), address)


def serve_labelling(
    places: Sequence[str],
    labels: Sequence[str] = (),
    annotations: str | Path = "",
    run: str | Path = "",
    out: str | Path = "labels.json",
    data_root: str | Path = "",
    port: int = 0,
    say: Callable[[str], None] = print,
) -> None:
    """Serve `label_recordings` until Ctrl-C; a ValueError as of it, and of `serve_notebook`."""
    labelled = collect_labelled(places, labels, annotations, run, out, data_root, say)
    if labelled.inspected.remark:
        say(labelled.inspected.remark)
    with ExitStack() as stack:
        turns = stack.enter_context(temporary_folder()) / "turn"
        read_only = hold(labelled.journal_path, stack)
        say(read_only or f"changes are kept in {labelled.journal_path}")
        given = {
            "places": [str(Path(place).absolute()) for place in places],
            "labels": list(labels),
            "annotations": str(annotations and Path(annotations).absolute()),
            "run": str(run and Path(run).absolute()),
            "out": str(Path(out).absolute()),
            "data_root": str(data_root and Path(data_root).absolute()),
            "address": MEDIA,
            "turns": "" if read_only else str(turns),
            "read_only": read_only,
        }
        notebook = one_call("afkit.workbench.labelling.show", "label_recordings", **given)
        serve_notebook(notebook, partial(find_media, labelled.media), port, say)
