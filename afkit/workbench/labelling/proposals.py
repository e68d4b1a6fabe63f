"""What a run proposes for recordings: its own predictions, and those of `predict` where it has none."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pandas as pd

from afkit.opening import safe_names
from afkit.workbench.analysis.result_files import UNKNOWN, read_predictions
from afkit.workbench.runs.opened import open_run

COLUMNS = ["video", "start_sec", "end_sec", "name", "score"]


def proposals_of(
    run_dir: str | Path,
    files: Sequence[Path],
    recordings: Collection[str],
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> tuple[pd.DataFrame, list[str]]:
    """Proposals for some recordings, and the names of the run's classes.

    Args:
        run_dir: the run.
        files: of the recordings. Where the run has no predictions of some, `predict_recordings` makes them, which are
            kept in the run's folder `predicted`.
        recordings: their names.
        data_root: folder of all data sets; "" for that of the run.
        say: receives progress.

    Returns:
        DataFrame video, start_sec, end_sec, name, score; names by label id.

    Raises:
        ValueError: no run, or as of `predict_recordings`.
    """
    folder = Path(run_dir)
    run = open_run(folder)
    annotations = run.annotations(data_root)
    names = annotations.names_of(run.recipe.data.num_classes)
    tables = []
    if (folder / "predictions.json.gz").is_file():
        table = read_predictions(folder / "predictions.json.gz", names, "keep", "names")
        named = names | {UNKNOWN: "unknown label"}
        shown = table.assign(name=[named.get(label, f"class {label}") for label in table["label"]])
        tables.append(shown[shown["video"].isin(list(recordings))])
    if files and not set(recordings) <= {video for table in tables for video in table["video"]}:
        tables.append(_predicted(folder, files, recordings, data_root, say))
    found = pd.concat([table[COLUMNS] for table in tables if len(table)] or [no_proposals()])
    return found.reset_index(drop=True), list(dict.fromkeys([*annotations.label_names.values(), *found["name"]]))


def no_proposals() -> pd.DataFrame:
    """A table as of `proposals_of` without a row."""
    return pd.DataFrame(columns=COLUMNS)


def _predicted(
    folder: Path, files: Sequence[Path], recordings: Collection[str], data_root: str | Path, say: Callable[[str], None]
) -> pd.DataFrame:
    """What `predict` writes, of these recordings."""
    from afkit.workbench.media.reading import has_media
    from afkit.workbench.runs.predicting import predict_recordings  # it loads torch

    target = predict_recordings(
        folder, files, "csv", folder / "predicted", signal=not has_media(files), data_root=data_root, say=say
    )
    paths = [target / f"{name}.csv" for name in safe_names(recordings).values()]
    return pd.concat([pd.read_csv(path, dtype={"video": str, "name": str}) for path in paths if path.is_file()])
