"""Key points of a body, frame by frame, as channels: DeepLabCut, SLEAP, and tables with name_x, name_y."""

import csv
import mmap
import re
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np

from afkit.data.feature_formats import HDF5, listed
from afkit.opening import check_plain, read_text
from afkit.workbench.own_data.import_rows import is_empty
from afkit.workbench.own_data.number_tables import Numbers, numbered_lines, timed_rows
from afkit.workbench.own_data.sample_columns import counted, is_counter, is_like_clock, ticks

MOST_FRAMES = 10  # times the rows; a recording of which so much is missing is none
LEAST_LIKELIHOOD = 0.6  # below it a point is bridged; the limit that DeepLabCut proposes
AXES = ("x", "y", "z")
SCORES = ("likelihood", "score", "confidence", "conf", "visibility", "vis", "presence", "c", "v", "p")
_AFTER = re.compile(rf"(.+?)[\s_.:-]?({'|'.join((*AXES, *SCORES))})", re.IGNORECASE)  # nose_x
_BEFORE = re.compile(rf"({'|'.join((*AXES, *SCORES))})[\s_.:-]?(\w+)", re.IGNORECASE)  # x_nose, x0
_FRAME = re.compile(r"frame([\s_.-]?(idx|index|number|nr|no|id))?", re.IGNORECASE)


class Points(NamedTuple):
    """Key points of a recording."""

    names: list[str]  # of the points
    places: np.ndarray  # (frames, points, 2 or 3), NaN where a point was not seen
    clock: np.ndarray | None = None  # (frames,), and its name and unit, as of `number_tables.Numbers`
    clock_name: str = ""
    clock_unit: str = ""


def read_pose(path: Path) -> Numbers:
    """Channels (frames, C) float64 of a file of key points, see `pose_channels`, and the clock where it has one.

    The messages of its ValueErrors name the columns, not the file.
    """
    check_plain(path)
    points = _read_sleap(path) if path.suffix.lower() in HDF5 else _read_table(path)
    unseen = ~np.isfinite(points.places).all(axis=2).any(axis=1)
    if unseen.all():
        raise ValueError("no point is likely in any frame")
    channels, names = pose_channels(points)
    clock, left_out = points[2:], [points.clock_name] if points.clock_name else []
    return Numbers(channels, names, *clock[:2], left_out, clock_unit=clock[2], unseen=unseen)


def pose_channels(points: Points) -> tuple[np.ndarray, list[str]]:
    """Each point's place, then its velocity, as channels (frames, 2 * points * axes).

    Frames in which a point was not seen are bridged by straight lines; a point that is never seen lies in the centre.
    Places count from the centre of all points of the frame, so that it does not matter where in the picture the body
    is; velocities (per frame) hold how it moves. Both are divided by the size of the body: the root of the mean squared
    distance of its points from their centre, median over the recording.
    """
    names, places = points.names, points.places.copy()
    rows = np.arange(len(places))
    for point in range(places.shape[1]):
        seen = np.isfinite(places[:, point]).all(axis=1)
        for axis in range(places.shape[2]) if seen.any() else ():
            places[:, point, axis] = np.interp(rows, rows[seen], places[seen, point, axis])
        places[:, point] = places[:, point] if seen.any() else np.nan
    centre = np.nanmean(places, axis=1, keepdims=True)  # (frames, 1, axes)
    places = np.where(np.isfinite(places), places, centre)
    centred = places - centre if len(names) > 1 else places - np.median(places, axis=0)
    size = float(np.median(np.sqrt((centred**2).sum(axis=2).mean(axis=1))))
    velocity = np.diff(places, axis=0, prepend=places[:1])
    channels = np.concatenate([centred, velocity], axis=1) / (size or 1.0)
    axes = AXES[: places.shape[2]]
    titles = [f"{name}_{axis}" for name in names for axis in axes]
    return channels.reshape(len(places), -1), [*titles, *(f"{title}_velocity" for title in titles)]


def _read_sleap(path: Path) -> Points:
    """The analysis file of SLEAP; of several tracks, the points of all."""
    import h5py

    with h5py.File(path, "r") as file:
        if "tracks" not in file or "node_names" not in file or file["tracks"].ndim != 4:
            what = f"it holds {listed(file)}, not tracks and node_names as SLEAP's analysis files do"
            raise ValueError(f"{what}; of DeepLabCut, give the .csv")
        _check_texts(path)
        tracks = np.array(file["tracks"], float)  # (tracks, axes, nodes, frames)
        nodes = [name.decode() if isinstance(name, bytes) else str(name) for name in file["node_names"][:]]
        if "point_scores" in file:
            scores = np.array(file["point_scores"], float)  # (tracks, nodes, frames)
            tracks = np.where((scores < LEAST_LIKELIHOOD)[:, None], np.nan, tracks)
    if tracks.shape[1] not in (2, 3) or tracks.shape[2] != len(nodes) or not tracks.size:
        raise ValueError(f"its tracks are {tracks.shape}, with {len(nodes)} names of nodes")
    names = [node if len(tracks) == 1 else f"{number}_{node}" for number in range(len(tracks)) for node in nodes]
    return Points(names, tracks.transpose(3, 0, 2, 1).reshape(tracks.shape[3], len(names), -1))


def _check_texts(path: Path) -> None:
    """A ValueError where a heap with the texts of an HDF5 file is damaged: the library might read it for ever.

    Source: HDF5 File Format Specification, III.E, global heap.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for heap in re.finditer(rb"GCOL\x01\x00{3}", data):
            place, end = heap.end() + 8, heap.start() + int.from_bytes(data[heap.end() : heap.end() + 8], "little")
            while place + 16 <= min(end, len(data)):
                number, length = struct.unpack_from("<H6xQ", data, place)
                needed = 16 + -(-length // 8) * 8 if number else length  # 0 is what is free
                if not 16 <= needed <= end - place:
                    raise ValueError("its texts, such as the names of nodes, are damaged; write the file again")
                place += needed


def _read_table(path: Path) -> Points:
    """A table; three or four rows of names are DeepLabCut's, columns `track` and `frame_idx` SLEAP's."""
    text = read_text(path, "utf-8-sig")
    separator = max(",;\t", key=text.partition("\n")[0].count)
    lines = [line for _, line in numbered_lines(text)]
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=separator)]
    if len(rows) < 2:
        raise ValueError("it holds no row of key points")
    if rows[0][0].lower() == "scorer":  # then (individuals,) bodyparts and coords
        depth = next((i + 1 for i, row in enumerate(rows[:4]) if row and row[0].lower() == "coords"), 0)
        if not depth:
            raise ValueError("its first row begins with 'scorer', but none of the next with 'coords'")
        columns = ["_".join(row[i] for row in rows[1:depth] if i < len(row)) for i in range(len(rows[0]))]
        columns[0] = "frame"
    else:
        depth, columns = 1, rows[0]
    wrong = next((i for i, row in enumerate(rows[depth:], depth + 1) if any(row) and len(row) != len(columns)), None)
    if wrong is not None:
        raise ValueError(f"row {wrong} has {len(rows[wrong - 1])} cells under {len(columns)} columns; correct it")
    places = _places(columns)
    others = [i for i in range(len(columns)) if i not in {place for own in places.values() for place in own.values()}]
    frames = next((i for i in others if _FRAME.fullmatch(columns[i])), None)
    if frames is None:
        frames = next((i for i in others if _counts(columns[i], [row[i] for row in rows[depth:] if any(row)])), None)
    track = next((i for i, name in enumerate(columns) if name.lower() == "track"), None)
    body = [(i, row) for i, row in enumerate(rows[depth:]) if any(row) or frames is None]  # else their numbers tell
    kept, by_column, clocks, unit = timed_rows(columns, body, len(columns))
    cells = np.array([row for _, row in kept], object)  # (rows, columns)
    numbers = np.arange(len(cells)) if frames is None else _floats(cells[:, [frames]], columns[frames])[:, 0]
    begin = _first_frame(numbers, columns[frames or 0], frames is not None and track is None and depth == 1)
    tracks = sorted(set(cells[:, track])) if track is not None else [""]
    names, parts = [], []
    for one in tracks:
        own = cells[:, track] == one if track is not None else np.ones(len(cells), bool)
        at = numbers[own].astype(int) - begin
        if len(set(at)) != len(at):
            raise ValueError(f"frame {at[0] + begin} or another one is there twice; keep one row of a frame")
        for name, by_axis in places.items():
            part = np.full((int(numbers.max()) - begin + 1, sum(axis in by_axis for axis in AXES)), np.nan)
            part[at] = _floats(cells[own][:, [by_axis[axis] for axis in AXES if axis in by_axis]], name)
            if "score" in by_axis:
                scores = _floats(cells[own][:, [by_axis["score"]]], name)[:, 0]
                part[at[~(scores >= LEAST_LIKELIHOOD)]] = np.nan
            names.append(f"{one}_{name}" if len(tracks) > 1 else name)
            parts.append(part)
    points = Points(names, np.stack(parts, axis=1))
    if not clocks or track is not None:
        return points
    clock = np.interp(np.arange(len(parts[0])), at, np.array(by_column[clocks[0]], float))  # of lost frames: between
    return Points(*points[:2], clock, columns[clocks[0]], unit)


def _counts(name: str, cells: list[str]) -> bool:
    """Whether a column numbers the frames, whatever it is called."""
    if is_like_clock(name, cells) or not (is_counter(name) or ticks(cells)):
        return False
    steps = counted(cells)
    return steps is not None and steps.min() >= 1


def _first_frame(numbers: np.ndarray, name: str, may_be_part: bool) -> int:
    """The number of the first frame; a ValueError where they are none, or it is not told where the recording begins."""
    if not (np.isfinite(numbers).all() and (numbers % 1 == 0).all() and (numbers >= 0).all()):
        raise ValueError(f"its column '{name}' does not number the frames")
    if may_be_part and numbers.min() > 1:
        raise ValueError(
            f"its column '{name}' begins at {numbers.min():.0f}; count from 0 on if the labels begin there, too, or "
            "else add a row of frame 0 with empty cells"
        )
    if numbers.max() >= MOST_FRAMES * len(numbers):
        raise ValueError(f"its column '{name}' goes up to {numbers.max():.0f} in {len(numbers)} rows; correct it")
    return int(numbers.min()) if may_be_part else 0


def _places(columns: list[str]) -> dict[str, dict[str, int]]:
    """{point: {x, y, z or score: number of the column}} by the columns' names."""
    for pattern, point, kind in ((_AFTER, 1, 2), (_BEFORE, 2, 1)):
        found: dict[str, dict[str, int]] = {}
        for place, column in enumerate(columns):
            match = pattern.fullmatch(column)
            if match:
                what = match[kind].lower()
                own = found.setdefault(match[point], {})
                if what in AXES and what in own:
                    raise ValueError(f"it has several columns '{column}'; give each a name of its own")
                own.setdefault(what if what in AXES else "score", place)
        found = {name: by_axis for name, by_axis in found.items() if {"x", "y"} <= by_axis.keys()}
        if found:
            if any("z" not in by_axis for by_axis in found.values()):
                found = {name: {axis: i for axis, i in own.items() if axis != "z"} for name, own in found.items()}
            return found
    raise ValueError(
        f"its columns {listed(columns)} name no key points; call them name_x, name_y (and name_likelihood)"
    )


def _floats(cells: np.ndarray, name: str) -> np.ndarray:
    """Cells as numbers, empty ones as NaN."""
    try:
        return np.array([[np.nan if is_empty(cell) else float(cell) for cell in row] for row in cells], float)
    except ValueError as error:
        raise ValueError(f"'{name}': {str(error)[:100]}; correct it") from None
