"""`python -m afkit start`: labels are imported, features made, both checked, a recipe suggested, and training timed.

What is complete stays, so that a second start goes on; `start.json` says how each part was made.
"""

import csv
import io
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afkit.config import Recipe, make_recipe
from afkit.data.annotations import AnnotationFile, read_annotations
from afkit.data.feature_formats import listed
from afkit.files import read_json, write_json, write_text
from afkit.recipe_files import find_project, write_recipe_file
from afkit.recipes import recipe_names
from afkit.workbench.own_data.gaps import SETTINGS, leave_out_gaps
from afkit.workbench.own_data.import_rows import ABOUT
from afkit.workbench.own_data.importing import describe, import_annotations
from afkit.workbench.own_data.signal_files import write_windows
from afkit.workbench.start.media import Media, Options, look_at
from afkit.workbench.start.windows import LEAST_STRIDE_SEC, Grid, Windows, choose_windows
from afkit.workbench.survey.checks import count_notes, inspect_data, raise_on_errors
from afkit.workbench.survey.suggest import suggest

MADE = "start.json"  # in the folder of the data set: with which options each part was made
MOST_WIDTH = 600  # numbers in a feature vector of samples; faster sensors are brought to a slower clock
LEAST_SAMPLES = 4  # in a stride, down to which they are


class Place(NamedTuple):
    """Where the parts of a data set are written."""

    name: str
    data_root: Path
    project: Path  # a relative `data_root` and recipes/ are in it

    @property
    def folder(self) -> Path:
        """Of the data set."""
        return self.project / self.data_root / self.name

    @property
    def annotations(self) -> Path:
        """The annotation file."""
        return self.folder / "annotations" / f"{self.name}.json"

    @property
    def recipe(self) -> Path:
        """The file of the recipe."""
        return self.project / "recipes" / f"{self.name}.yaml"


AS_IT_IS, BY_DURATIONS = Options(), Windows()


def start(
    labels: str | Path,
    media: Sequence[tuple[str, float | None]],
    name: str = "mine",
    *,
    data_root: str | Path = "data",
    how: Options = AS_IT_IS,
    windows: Windows = BY_DURATIONS,
    imported: Mapping[str, Any] | None = None,
    fix: bool | Collection[str] = False,
    force: bool = False,
    say: Callable[[str], None] = print,
) -> Path:
    """Write annotations, features and a recipe of the name, and say how long it will train; the recipe's file.

    Args:
        labels: what `import` reads; or the first of `media` once more, where its tables have a column with labels.
        media: (file, folder or pattern; samples per second, or None where files tell it), of each sensor; () for
            `labels`, whose tables hold the samples, too.
        how: how the recordings are read.
        imported: further arguments of `import_annotations`.
        fix: repair gaps of samples, sensors that start or end apart, and labels as of `import_annotations`.
        force: make all parts anew.

    Raises:
        ValueError: a question, with what was seen and the option that answers it; or what is wrong. What was complete
            before stays.
    """
    place = Place(name, Path(data_root), find_project())
    _check_name(place, force)
    media = media or [(str(labels), None)]
    own_file = None if str(labels) == media[0][0] else Path(labels)
    looked = look_at(media, own_file, how)
    _say_rows(say, [*looked.seen, *_recording_rows(looked)])
    made = _import(place, labels, looked, dict(imported or {}), fix, say)
    _say_rows(say, action_rows(made, looked))
    grid = _make_features(place, looked, media, made, how, windows, bool(fix), say)
    for folder in map(Path, grid.folders):
        if (folder / SETTINGS).is_file() and (number := leave_out_gaps(place.annotations, folder)):
            say(f"{'annotations':<11} the gaps of {number} recordings are left out of training and evaluation")
    recipe = _suggest(place, grid, how, say)
    _say_minutes(recipe, place, say)
    say(f"python -m afkit run {name}")
    return place.recipe


def _check_name(place: Place, force: bool) -> None:
    if Path(place.name).name != place.name or place.name.startswith(".") or not place.name.isprintable():
        raise ValueError(f"the name '{place.name}' cannot be that of a folder; give another --name")
    if place.name in recipe_names() and not place.recipe.exists():
        raise ValueError(f"'{place.name}' is the name of a built-in recipe; give another --name")
    if place.folder.exists() and not (place.folder / MADE).is_file() and any(place.folder.iterdir()):
        raise ValueError(f"{place.folder} exists and was not made by start; give another --name")
    if place.recipe.exists() and not (place.folder / MADE).is_file():
        raise ValueError(f"{place.recipe} exists and was not made by start; give another --name")
    if force and (place.folder / MADE).is_file():
        shutil.rmtree(place.folder)
        place.recipe.unlink(missing_ok=True)


def _goes_on(place: Place, part: str, settings: Mapping[str, Any], there: bool) -> bool:
    """Whether a part is there, made in this way; a ValueError where it was made otherwise."""
    path = place.folder / MADE
    made = read_json(path) if path.is_file() else {}
    if not there or part not in made:
        return False
    known = {key: value if isinstance(value, str) else repr(value) for key, value in settings.items()}
    differs = [key for key in known if made[part].get(key) != known[key]]
    if differs:
        before = ", ".join(f"{key} {made[part].get(key)}" for key in differs)
        raise ValueError(
            f"the {part} of '{place.name}' are there, made otherwise ({before}); --force makes all of it anew, --name "
            "makes another"
        )
    return True


def _begin(place: Place, part: Path) -> None:
    """Before a part is written: from now on the folder is ours, and what a killed start left of the part goes."""
    if not (place.folder / MADE).is_file():
        write_json(place.folder / MADE, {})
    if part.is_dir():
        shutil.rmtree(part)
    part.unlink(missing_ok=True)


def _remember(place: Place, part: str, settings: Mapping[str, Any]) -> None:
    path = place.folder / MADE
    made = read_json(path) if path.is_file() else {}
    known = {key: value if isinstance(value, str) else repr(value) for key, value in settings.items()}
    write_json(path, made | {part: known})


def _say_rows(say: Callable[[str], None], rows: Sequence[tuple[str, str]]) -> None:
    for what, seen in rows:
        say(f"{what:<11} {seen}")


def _recording_rows(looked: Media) -> list[tuple[str, str]]:
    lasts = np.array([one.duration_sec for one in looked.recordings.values()])
    total = f"{lasts.sum() / 60:.1f} minutes" if lasts.sum() < 7200 else f"{lasts.sum() / 3600:.1f} hours"
    rows = [("recordings", f"{len(lasts)}, {_range(lasts)} s, together {total}")]
    groups: dict[str, str] = {}
    for name, one in looked.recordings.items() if all(one.group for one in looked.recordings.values()) else ():
        groups.setdefault(one.group, name)
    if groups:
        group, name = next(iter(groups.items()))
        rows.append(("people", f"{len(groups)}, by the names of the recordings ('{name}' is of '{group}')"))
    return rows


def _range(values: np.ndarray) -> str:
    return f"{values.min():.3g} to {values.max():.3g}, median {np.median(values):.3g}"


def _import(
    place: Place, labels: str | Path, looked: Media, given: dict[str, Any], fix: Any, say: Callable[[str], None]
) -> AnnotationFile:
    """The annotation file, written unless it is there."""
    settings = {"labels": str(labels), **given}
    if _goes_on(place, "annotations", settings, place.annotations.exists()):
        _say_rows(say, [("labels", f"{place.annotations} is there")])
        return read_annotations(place.annotations)
    source = Path(labels)
    arguments: dict[str, Any] = given | {"fix": fix, "media": looked.recordings}
    if looked.labels:
        source = place.folder / "labels.csv"
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(
            [("recording", "start", "end", "label"), *((v, f"{a:.6f}", f"{b:.6f}", n) for v, a, b, n in looked.labels)]
        )
        _remember(place, "labels", {"labels": str(labels)})
        write_text(source, text.getvalue())
        about = {field: name for field, name in given.get("columns", {}).items() if field in ABOUT}
        arguments |= {"columns": about, "label_clock": "recording"}
    _begin(place, place.annotations)
    try:
        report = import_annotations(source, place.annotations, **arguments)
    except ValueError as error:
        if [path.name for path in place.folder.iterdir()] == [MADE]:
            shutil.rmtree(place.folder)
        raise ValueError(_with_names(str(error), looked)) from None
    _remember(place, "annotations", settings)
    for line in describe(report).splitlines():
        _say_rows(say, [("labels", line)])
    return read_annotations(place.annotations)


def _with_names(message: str, looked: Media) -> str:
    """The message, with names of recordings where labels name none of them."""
    if "no recording '" in message and message.count("no recording '") > len(looked.recordings) / 2:
        return f"{message}\nthe recordings are called {listed(list(looked.recordings)[:5])}, ..."
    return message


def action_rows(made: AnnotationFile, looked: Media) -> list[tuple[str, str]]:
    """Classes, durations, and what is without action."""
    videos = [video for video in made.videos.values() if len(video.segments_sec)]
    lengths = np.concatenate([video.segments_sec[:, 1] - video.segments_sec[:, 0] for video in videos])
    numbers = np.bincount(np.concatenate([video.labels for video in videos]))
    names = [f"{name} {numbers[label]}" for label, name in sorted(made.label_names.items()) if label < len(numbers)]
    rows = [
        ("classes", f"{len(names)}: {', '.join(names[:20])}{', ...' * (len(names) > 20)}"),
        ("actions", f"{len(lengths)}, {_range(lengths)} s"),
    ]
    ends, empty = [], []  # seconds before the first and after the last action; that are judged, and without action
    for video in videos:
        lasts = video.duration_sec or looked.recordings[video.name].duration_sec
        judged, idle = ~_covered(video.ignored_sec, lasts), ~_covered(video.segments_sec, lasts)
        empty.append((lasts * judged.mean(), lasts * (judged & idle).mean()))
        ends.append((video.segments_sec[:, 0].min(), max(lasts - video.segments_sec[:, 1].max(), 0)))
    judged_sec, idle_sec = np.array(empty).sum(axis=0)
    first, last = np.median(np.array(ends), axis=0)
    share = f"{100 * idle_sec / judged_sec:.0f} % of the time" if judged_sec else "nothing of the time is judged"
    rows.append(("no action", f"{share}; before the first {first:.3g} s, after the last {last:.3g} s (median)"))
    tiny = int((lengths < np.median(lengths) / 20).sum())
    if tiny:
        rows.append(
            ("note", f"{tiny} actions are shorter than a twentieth of the median: are they slips of the labels?")
        )
    return rows


def _covered(spans_sec: np.ndarray, lasts_sec: float) -> np.ndarray:
    """(2000,) whether each part of a recording lies in one of the spans (N, 2)."""
    marks = np.zeros(2000, bool)
    for begin, end in np.rint(spans_sec.clip(0, lasts_sec) * len(marks) / lasts_sec).astype(int):
        marks[begin:end] = True
    return marks


def _make_features(
    place: Place,
    looked: Media,
    media: Sequence[tuple[str, float | None]],
    made: AnnotationFile,
    how: Options,
    windows: Windows,
    fix: bool,
    say: Callable[[str], None],
) -> Grid:
    """Features in the data set's folder, made unless they are there; features that are given stay where they are."""
    if how.grid is not None:
        return Grid([text for text, _ in media], *how.grid)
    lengths = np.concatenate([video.segments_sec[:, 1] - video.segments_sec[:, 0] for video in made.videos.values()])
    window, stride = choose_windows(lengths, windows, LEAST_STRIDE_SEC[looked.kind])
    target = place.folder / "features"
    settings = {"media": media, **how._asdict(), **windows._asdict()}
    path = place.folder / MADE
    if _goes_on(place, "features", settings, target.exists()):
        say(f"{'features':<11} {target} is there")
        return Grid([str(target)], *map(float, read_json(path)["grid"].values()))
    if looked.kind == "sensors":
        _begin(place, target)  # those of films and sounds go on
        grid = _sensor_features(looked, media, target, window, stride, how, windows, fix, say)
    else:
        from afkit.workbench.start.films import media_features

        grid = media_features(looked, target, window, stride, windows, fix, say)
    _remember(place, "grid", dict(zip(("stride_frames", "num_frames", "fps"), grid[1:], strict=True)))
    _remember(place, "features", settings)
    return grid


def _sensor_features(
    looked: Media,
    media: Sequence[tuple[str, float | None]],
    target: Path,
    window_sec: float,
    stride_sec: float,
    how: Options,
    windows: Windows,
    fix: bool,
    say: Callable[[str], None],
) -> Grid:
    """Windows of samples; of fast sensors, at a slower clock, so that vectors stay small."""
    rate = looked.rate_hz
    most = MOST_WIDTH / (window_sec * looked.channels)
    if rate > most:
        rate = min(rate, max(float(f"{most:.2g}"), LEAST_SAMPLES / stride_sec))
    window, stride = max(round(window_sec * rate), 1), max(round(stride_sec * rate), 1)
    slower = f" (of {looked.rate_hz:g}, as vectors have {MOST_WIDTH} numbers at most)" if rate < looked.rate_hz else ""
    say(f"{'windows':<11} {window / rate:.3g} s every {stride / rate:.3g} s, at {rate:g} samples a second{slower}")
    found = write_windows(
        [text for text, _ in media],
        [hz for _, hz in media],
        target,
        window,
        stride,
        rate,
        windows.normalise,  # type: ignore[arg-type]
        fix,
        how.columns,
        how.pose,
        how.longest_gap_sec,
        looked.label_column,
        lambda line: say(f"{'features':<11} {line}"),
        looked.files,
    )
    return Grid([str(target)], found.stride, found.window, found.rate_hz)


def _suggest(place: Place, grid: Grid, how: Options, say: Callable[[str], None]) -> Recipe:
    """The recipe, after the checks of 01_data, written unless it is there."""
    found = suggest(
        place.annotations,
        grid.folders,
        data_root=place.project / place.data_root,
        stride_frames=grid.stride_frames,
        num_frames=grid.num_frames,
        fps=grid.fps,
    )
    recipe = make_recipe({"name": place.name}, found["value"].to_dict())
    _, findings = inspect_data(recipe.data, place.project / place.data_root)
    raise_on_errors(findings)
    say(f"{'checks':<11} {count_notes(findings)}")
    if place.recipe.exists():
        say(f"{'recipe':<11} {place.recipe} is there")
    else:
        write_recipe_file(place.recipe, found.itertuples(name=None), "Made by python -m afkit start, to be changed.")
        say(f"{'recipe':<11} {place.recipe}")
    return recipe


def _say_minutes(recipe: Recipe, place: Place, say: Callable[[str], None]) -> None:
    from afkit.workbench.survey.minutes import training_time  # it loads torch

    took = training_time(recipe, place.project / place.data_root)
    steps = f"{took.epochs} epochs of {took.steps_per_epoch} steps, {took.step_sec:.3g} s each"
    say(f"{'training':<11} about {took.minutes:.2g} minutes on this machine ({steps}); this command starts it:")
