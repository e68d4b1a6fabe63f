"""Is a stream the whole recording, and how long does it keep one waiting? `python -m benchmarks.stream RUN ...`

Each test recording of each run goes through `afkit.Stream` vector by vector, and through `afkit.predict` at once. The
CSV has a line for each recording: how many detections reach the run's operating point (less 0.0001, so that rounding
moves none across it), how many are equal (label, ends within 1 ms, score within 1e-5), the largest differences, how
many came before the recording ended, what was counted as beyond, and processor seconds per hour of signal beside those
offline. Another CSV has a line for each detection: seconds from its end until it was final, and until it was first
provisional (asked every 16 s; the same label, tIoU from 0.5 on), empty where the recording ended before. A third:
memory over days of signal, the recordings one after the other again and again, with a look every nine minutes. All is
drawn.
"""

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

import afkit
from afkit.data.annotations import frames_per_second
from afkit.data.features import read_features
from afkit.data.items import Dataset
from afkit.segments import tiou
from afkit.workbench.analysis.operating_point import apply_thresholds
from afkit.workbench.runs.predicting import Predictor, open_predictor
from afkit.workbench.view.style import legend_above, line_look, make_figure, save_figure, use_style
from benchmarks import timing
from benchmarks.memory import peak_mb

MARGIN = 1e-4  # below the operating point
SAME_SEC, SAME_SCORE = 1e-3, 1e-5
ASK_SEC = 16.0  # between two questions for what is provisional
LOOK_SEC = 512.0  # between two runs of the network, over days
PARTS_PER_DAY = 12  # of the line of memory
HOUR_SEC = 3600
NETWORKS = {"transformer": "ActionFormer", "maxpool": "TemporalMaxer"}
RUNS = ["results/networks/hapt/seed1", "results/networks/hapt/seed1-676265ed"]


def recordings(predictor: Predictor, data_root: Path) -> Iterator[tuple[str, np.ndarray, float]]:
    """Name, vectors (T, C) and frames per second of each test recording."""
    data = predictor.recipe.data
    for video in Dataset(data, data_root, data.test_subsets).videos:
        yield video.name, read_features(data, data_root, video.name), frames_per_second(data, video)


def open_stream(predictor: Predictor, fps: float, **settings: Any) -> afkit.Stream:
    """A stream with the run's thresholds, a little lower."""
    return afkit.Stream(predictor.model, predictor.recipe, fps, lowered(predictor), **settings)


def lowered(predictor: Predictor) -> dict[int, float]:
    """The operating point, a little below."""
    given = predictor.thresholds
    return {label: (given[label] if isinstance(given, dict) else given) - MARGIN for label in predictor.label_names}


def streamed(predictor: Predictor, vectors: np.ndarray, fps: float) -> tuple[pd.DataFrame, afkit.Stream, float]:
    """Detections with `known_sec` (infinite: at the end) and `provisional_sec`, the stream, processor seconds."""
    stream, tables, asked, spent = open_stream(predictor, fps), [], [], 0.0
    told_sec = 0.0
    for vector in vectors:
        began = time.process_time()
        found = stream.push(vector)
        spent += time.process_time() - began
        if len(found):
            tables.append(found.assign(known_sec=stream.seconds))
        if stream.seconds >= told_sec + ASK_SEC:
            told_sec = stream.seconds
            asked.append(stream.provisional().assign(known_sec=told_sec))
    began = time.process_time()
    tables.append(stream.finish().assign(known_sec=np.inf))
    found, asked = pd.concat(tables, ignore_index=True), pd.concat(asked, ignore_index=True)
    first = [first_asked(row, asked) for row in found.itertuples()]
    return found.assign(provisional_sec=first), stream, spent + time.process_time() - began


def first_asked(row: Any, asked: pd.DataFrame) -> float:
    """Seconds of the first answer that had a detection; infinite where none had."""
    own = asked[asked["label"] == row.label]
    near = tiou(own[["start_sec", "end_sec"]].to_numpy(float), np.array([row.start_sec, row.end_sec])) >= 0.5
    return float(own["known_sec"][near].min()) if near.any() else np.inf


def differences(found: pd.DataFrame, expected: pd.DataFrame) -> dict[str, Any]:
    """How many detections of two tables are equal, and the largest differences of those of equal label and place."""
    order = ["label", "start_sec", "end_sec"]
    ours, theirs = (table.sort_values(order)[[*order, "score"]].to_numpy(float) for table in (found, expected))
    if len(ours) != len(theirs) or (ours[:, 0] != theirs[:, 0]).any():
        return {"expected": len(theirs), "equal": 0, "largest_sec": np.nan, "largest_score": np.nan}
    ends, scores = np.abs(ours[:, 1:3] - theirs[:, 1:3]).max(axis=1), np.abs(ours[:, 3] - theirs[:, 3])
    equal = int(((ends < SAME_SEC) & (scores < SAME_SCORE)).sum())
    return {"expected": len(theirs), "equal": equal, "largest_sec": ends.max(), "largest_score": scores.max()}


def compare(predictor: Predictor, data_root: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """A row for each recording, and a row for each detection."""
    rows, waited = [], []
    network = NETWORKS.get(predictor.recipe.model.backbone, predictor.recipe.model.backbone)
    for name, vectors, fps in recordings(predictor, data_root):
        found, stream, spent = streamed(predictor, vectors, fps)
        began = time.process_time()
        whole = afkit.predict(predictor.model, predictor.recipe, vectors, fps, duration=stream.seconds)
        offline = time.process_time() - began
        early = found["known_sec"] < np.inf
        row = {"network": network, "video": name, "seconds": stream.seconds, "detections": len(found)}
        row |= differences(found, apply_thresholds(whole, lowered(predictor))) | {"early": int(early.sum())}
        row |= {"latency_median": (found["known_sec"] - found["end_sec"])[early].median()} | stream.beyond._asdict()
        row |= {"stream_sec_per_hour": spent / stream.seconds * HOUR_SEC}
        row |= {"offline_sec_per_hour": offline / stream.seconds * HOUR_SEC}
        rows.append(row | {"coarsest_sec": stream.delays_sec[-1], "longest_sec": stream.longest_sec})
        for one in found.itertuples():
            waits = {kind: getattr(one, f"{kind}_sec") - one.end_sec for kind in ("known", "provisional")}
            waited.append({"network": network, "video": name, "label": predictor.label_names[one.label]})
            waited[-1] |= {"start_sec": one.start_sec, "end_sec": one.end_sec, "score": one.score}
            waited[-1] |= {f"{kind}_after_sec": value if value < np.inf else "" for kind, value in waits.items()}
        print(f"{network} {name}: {row['equal']} of {row['expected']} equal, {row['early']} early", flush=True)
    return rows, waited


def remember(predictor: Predictor, data_root: Path, days: float) -> list[dict[str, Any]]:
    """Peak memory of the process over days of signal, from the first recording on, and seconds of the processor."""
    known = list(recordings(predictor, data_root))
    stream, found, rows = open_stream(predictor, known[0][2], every_sec=LOOK_SEC), 0, []
    next_sec = 0.0
    while stream.seconds < days * 24 * HOUR_SEC:
        for _, vectors, _ in known:
            found += len(stream.push(vectors))
        if stream.seconds >= next_sec:
            next_sec += 24 * HOUR_SEC / PARTS_PER_DAY
            hours = stream.seconds / HOUR_SEC
            rows.append({"hours": hours, "peak_mb": peak_mb("cpu"), "detections": found, "sec": time.process_time()})
            print(f"{hours:.1f} h: {rows[-1]['peak_mb']:.0f} MB, {found} detections", flush=True)
    return rows


def draw(waited: Sequence[dict[str, Any]], memory: Sequence[dict[str, Any]]) -> Figure:
    """How long detections were waited for (the provisional ones: the first time), as shares; memory over time."""
    use_style()
    table = pd.DataFrame(waited).replace("", np.inf)
    figure, axes = make_figure(7.0 if memory else 4.0, rows=2 if memory else 1)
    for i, (network, own) in enumerate(table.groupby("network", sort=False)):
        for j, (kind, words) in enumerate((("provisional", "provisional"), ("known", "final"))):
            waits = np.sort(own[f"{kind}_after_sec"].to_numpy(float))
            share = 100 * np.arange(1, len(waits) + 1) / len(waits)
            shown = waits < np.inf
            axes[0].step(waits[shown], share[shown], where="post", label=f"{network}, {words}", **line_look(2 * i + j))
    axes[0].set(xlabel="time since the end of the action [s]", ylabel="detections [%]", ylim=(0, 100))
    legend_above(axes[0], ncols=2)
    if memory:
        axes[1].plot([row["hours"] for row in memory], [row["peak_mb"] for row in memory], **line_look(0))
        axes[1].set(xlabel="signal so far [h]", ylabel="peak memory [MB]")
        axes[1].set_ylim(0, 1.15 * max(row["peak_mb"] for row in memory))
    return figure


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare, count, print, write and draw."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("runs", metavar="RUN", nargs="*", default=RUNS, help="run folders (default: %(default)s)")
    parser.add_argument("--data-root", type=Path, default=Path("data"), help="folder of all data sets")
    parser.add_argument("--days", type=float, default=3, help="of signal, for the memory; 0 for none (default: 3)")
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "stream.csv", help="default: %(default)s")
    options = parser.parse_args(arguments)
    timing.announce()
    predictors = [open_predictor(Path(run), "ema", data_root=options.data_root)[0] for run in options.runs]
    rows: list[dict[str, Any]] = []
    waited: list[dict[str, Any]] = []
    for predictor in predictors:
        own, own_waited = compare(predictor, options.data_root)
        rows, waited = rows + own, waited + own_waited
        timing.write_csv(options.csv, rows)
        timing.write_csv(options.csv.with_stem(f"{options.csv.stem}_latency"), waited)
    print()
    timing.show(rows)
    memory = remember(predictors[0], options.data_root, options.days) if options.days else []
    if memory:
        timing.write_csv(options.csv.with_stem(f"{options.csv.stem}_memory"), memory)
    save_figure(draw(waited, memory), options.csv.with_suffix(".png"))
    print(f"\n{options.csv}\n{options.csv.with_suffix('.png')}")


if __name__ == "__main__":
    main()
