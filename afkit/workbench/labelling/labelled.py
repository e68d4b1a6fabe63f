"""What is to be labelled: recordings, how long they are, classes, what is annotated already, what a run proposes."""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import pandas as pd

from afkit.data.annotations import AnnotationFile, check_name, read_annotations, to_frame
from afkit.files import read_json
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.tracks import Tracks
from afkit.workbench.labelling.journal import Journal, header_of, journal_of, read_journal, torn_note
from afkit.workbench.labelling.proposals import no_proposals, proposals_of
from afkit.workbench.media.opened import FILMS, SOUNDS, lasts_sec
from afkit.workbench.own_data.clocks import regular_samples
from afkit.workbench.own_data.media_files import files_of
from afkit.workbench.own_data.sample_files import SensorKind
from afkit.workbench.own_data.signal_files import SIGNAL_SUFFIXES, Seen, look

UNPLAYED = (".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".wma", ".aif", ".aiff")
REMEDY = "browsers play .mp4 (H.264), .webm, .wav, .mp3 and .flac: convert it to one of these, e.g. with VLC"
SLACK_SEC = 0.5  # by which annotations may go beyond the end of a film without a word
COMMENT = "comment"


@dataclass(frozen=True)
class Labelled:
    """Recordings to be labelled, and where their labels go."""

    annotations: Path  # the annotation file, which stays as it is
    header: dict[str, Any]  # of its journal
    inspected: Inspected
    comments: dict[str, list[str]]  # of recordings with one: of each of their segments, in the order of inspected.gt
    media: dict[str, Path]  # of recordings with a film or sound
    labels: list[str]  # names that were given

    @property
    def journal_path(self) -> Path:
        """The journal beside the annotation file."""
        return journal_of(self.annotations)

    def read_journal(self) -> Journal:
        """The journal as it is now; errors as of `afkit.workbench.labelling.journal.read_journal`."""
        return read_journal(self.journal_path, self.header)


def collect_labelled(
    places: Sequence[str],
    labels: Sequence[str] = (),
    annotations: str | Path = "",
    run: str | Path = "",
    out: str | Path = "labels.json",
    data_root: str | Path = "",
    say: Callable[[str], None] = print,
) -> Labelled:
    """What is to be labelled.

    Args:
        places: films, sounds or tables of sensors: files, folders or patterns; a table without clock as FILE@HZ.
        labels: names of classes, beside those that the annotation file, the journal and the run have.
        annotations: annotation file to go on from; "" to begin from nothing.
        run: run folder, whose predictions are shown as proposals; what it has not seen is predicted; "" for none.
        out: where `annotations` is "", the name that an annotation file would have; the journal is beside it.
        data_root: folder of all data sets, for the run; "" for where it found it.
        say: receives what `predict` says.

    Raises:
        ValueError: nothing to label, no class, a file that is missing, unreadable or of the name of another, or a
            journal of another annotation file.
    """
    path = Path(annotations or out)
    if path.suffix != ".json":
        raise ValueError(f"an annotation file ends in .json, not as in '{path.name}'")
    file = read_annotations(path) if annotations else None
    spelled = {normalize("NFC", name): name for name in (file.videos if file else ())}  # as names of files are
    files = {spelled.get(name, name): found for name, found in _files(places).items()}
    header = header_of(path, exists=file is not None)
    journal = read_journal(journal_of(path), header)
    signals, lengths_sec, unread = _lengths(files)  # a sentence, "" for none
    gt, durations = _truth(file, journal, files, lengths_sec)
    if not durations:
        raise ValueError("there is nothing to label; name films, sounds or tables of sensors, or --annotations")
    found, names_of_run = no_proposals(), list[str]()
    if run:
        found, names_of_run = proposals_of(run, [path for path, _ in files.values()], durations, data_root, say)
    names = label_ids(file, [*labels, *journal.labels, *_used(journal), *names_of_run])
    if not names:
        raise ValueError("there is no class to label; name them with --labels, e.g. --labels walk,sit")
    notes = [f"{note}." for note in (torn_note(journal_of(path), journal), unread) if note]
    media = {name: file for name, (file, _) in files.items() if file.suffix.lower() in (*FILMS, *SOUNDS)}
    sounds = {name: file for name, file in media.items() if file.suffix.lower() in SOUNDS}
    inspected = Inspected(
        gt,
        _with_ids(found, names),
        names,
        durations,
        path.stem,
        " ".join(filter(None, [*notes, _remark(gt, lengths_sec, media)])),
        Tracks(None, _signal_reader(signals, sounds) if signals or sounds else None, media or None),
        file,
    )
    return Labelled(path, header, inspected, _comments(path, file, gt), media, list(labels))


def label_ids(file: AnnotationFile | None, names: Iterable[str]) -> dict[int, str]:
    """{label id: name}: those of the annotation file, then the others, once each."""
    ids = dict(file.label_names) if file else {}
    following = max(ids, default=-1) + 1
    for name in dict.fromkeys(names):
        if name not in ids.values():
            ids[following] = name
            following += 1
    return ids


def _used(journal: Journal) -> list[str]:
    edits = [edit.before or [] for edit in journal.undo] + [edit.after for edit in (*journal.undo, *journal.redo)]
    return [segment.label for segments in (*journal.segments.values(), *edits) for segment in segments]


def _files(places: Sequence[str]) -> dict[str, tuple[Path, float | None]]:
    """{recording: its file, and samples per second where they are given}."""
    found: dict[str, tuple[Path, float | None]] = {}
    for text in places:
        place, at, rate = text.rpartition("@")
        is_rate = bool(at) and rate.replace(".", "", 1).isdigit() and not Path(text).exists()
        if is_rate and not float(rate):
            raise ValueError(f"{text}: a table has more than 0 samples per second; correct it")
        for name, path in files_of(place if is_rate else text, (*FILMS, *SOUNDS, *SIGNAL_SUFFIXES)).items():
            check_name(path, name)
            if name in found and found[name][0].resolve() != path.resolve():
                raise ValueError(f"{found[name][0]} and {path} are both of a recording '{name}'; rename one")
            found[name] = path, float(rate) if is_rate else None
    return found


def _lengths(files: Mapping[str, tuple[Path, float | None]]) -> tuple[dict[str, Seen], dict[str, float], str]:
    """The samples of tables, how long each recording lasts, as far as its file says, and what cannot be read."""
    signals, lengths, unread = {}, {}, []
    for name, (path, rate_hz) in files.items():
        if path.suffix.lower() in (*FILMS, *SOUNDS):
            try:
                lengths[name] = round(lasts_sec(path), 3)
            except ValueError as error:
                unread.append(str(error))
        else:
            signals[name] = look(path, SensorKind(name, rate_hz or 0, 0, by_clock=rate_hz is None), fix=False)
            lengths[name] = signals[name].duration_sec
    more = f" (and {len(unread) - 1} more that cannot be read)" if len(unread) > 1 else ""
    unread_note = f"{unread[0]}{more}" if unread else ""
    return signals, {name: length for name, length in lengths.items() if length > 0}, unread_note


def _truth(
    file: AnnotationFile | None, journal: Journal, files: Iterable[str], lengths_sec: Mapping[str, float]
) -> tuple[pd.DataFrame, dict[str, float | None]]:
    """What is annotated, and how long each recording lasts: as its file says, else the annotations, else the journal.

    Recordings of the annotation file come first.
    """
    videos = file.videos if file else {}
    durations = {name: video.duration_sec for name, video in videos.items()}
    durations |= dict.fromkeys([name for name in (*files, *journal.states) if name not in durations])
    known = {**journal.durations_sec, **{name: sec for name, sec in durations.items() if sec}, **lengths_sec}
    gt = to_frame(videos.values())
    ends = {name: [segment.end_sec for segment in segments] for name, segments in journal.segments.items()}
    for name, end in gt.groupby("video")["end_sec"].max().items():
        ends.setdefault(str(name), []).append(end)
    for name in ends.keys() & known.keys():  # what was labelled in a longer file can still be changed
        known[name] = max([known[name], *ends[name]])
    return gt, {name: known.get(name) for name in durations}


def _with_ids(found: pd.DataFrame, names: Mapping[int, str]) -> pd.DataFrame:
    """Proposals with the label ids of their names."""
    ids = {name: label for label, name in names.items()}
    label = found["name"].map(ids).astype(np.int64)
    types = {"video": str, "start_sec": float, "end_sec": float, "score": float}
    return found.assign(label=label).astype(types)[["video", "start_sec", "end_sec", "label", "score"]]


def _remark(gt: pd.DataFrame, lengths_sec: Mapping[str, float], media: Mapping[str, Path]) -> str:
    """Which recordings end before their annotations, and which no browser plays."""
    ends, sentences = gt.groupby("video")["end_sec"].max(), []
    short = [name for name, end in ends.items() if name in lengths_sec and end > lengths_sec[name] + SLACK_SEC]
    if short:
        first = short[0]
        more = f", and {len(short) - 1} more" if len(short) > 1 else ""
        sentences.append(
            f"'{first}' lasts {lengths_sec[first]:.1f} s, and its annotations go to {ends[first]:.1f} s{more}: is it "
            "another recording, or cut?"
        )
    unplayed = [path.name for path in media.values() if path.suffix.lower() in UNPLAYED]
    if unplayed:
        more = f" and {len(unplayed) - 1} more are" if len(unplayed) > 1 else " is"
        sentences.append(f"{unplayed[0]}{more} of a format that no browser plays; {REMEDY}.")
    return " ".join(sentences)


def _comments(path: Path, file: AnnotationFile | None, gt: pd.DataFrame) -> dict[str, list[str]]:
    """Comments of the annotation file, of recordings with one: of each segment, in the order of its rows in `gt`."""
    if file is None:
        return {}
    comments = {}
    for video, entry in read_json(path)["database"].items():
        rows = entry.get("annotations") or []
        there = {(*row["segment"], row["label_id"]): str(row[COMMENT]) for row in rows if row.get(COMMENT)}
        if there:
            own = gt[gt["video"] == video][["start_sec", "end_sec", "label"]].itertuples(index=False)
            comments[video] = [there.get(tuple(segment), "") for segment in own]
    return comments


def _signal_reader(signals: Mapping[str, Seen], sounds: Mapping[str, Path]) -> Callable[[str], dict[str, Any]]:
    """A function that gives the arguments for `afkit.workbench.view.signals.signal_panels` of a recording."""

    @functools.lru_cache(maxsize=4)
    def read(video: str) -> dict[str, Any]:
        if video in sounds:
            from afkit.workbench.datasets.recorded_sound import file_arguments  # with what decodes

            return file_arguments(sounds[video])
        if video not in signals:
            return {}
        seen = signals[video]
        return {
            "signal": _at_regular_times(seen),
            "signal_rate_hz": seen.rate_hz,
            "signal_names": seen.numbers.names,
            "signal_groups": None,
        }

    return read


def _at_regular_times(seen: Seen) -> np.ndarray:
    """Samples (samples, C) as features are made of them, one every 1 / rate; NaN in gaps of the clock."""
    if seen.clock is None:
        return seen.numbers.values
    values = regular_samples(seen.numbers.values, seen.clock, seen.rate_hz)
    times_sec = np.arange(len(values)) / seen.rate_hz
    for start, end in seen.clock.gaps_sec:
        values[(times_sec > start) & (times_sec < end)] = np.nan
    return values
