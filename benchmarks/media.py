"""Features of films and sound: `python -m benchmarks.media [--minutes 120] [--csv FILE]`, a quarter of an hour at most.

Makes a film with sound of two minutes and one of `--minutes` (160 x 120, 10 pictures a second, 8 kHz), and features of
both, each in a process of its own: seconds (of the processor, too), and the most memory that the process had. Then the
short film with VideoMAE of the base size (random weights, a picture a second), and four films of five minutes in one
process and shared by two workers, whose memory and processor are not counted. A row that the CSV file has is kept;
remove the file to measure anew.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import timing
from benchmarks.memory import peak_mb, used_mb

SHOWN = (
    "features",
    "films",
    "minutes",
    "workers",
    "vectors",
    "seconds",
    "processor_sec",
    "begin_mb",
    "peak_mb",
    "more_than_short_mb",
)
SHORT_MINUTES = 2.0
FILMS, SHARED_MINUTES = 4, 5.0
FPS, SAMPLES_PER_SEC = 10, 8000


class Case(NamedTuple):
    """What is measured."""

    features: str  # grid, sound or VideoMAE
    films: int
    minutes: float  # of each
    workers: int  # processes that make them


def write_film(path: Path, minutes: float) -> None:
    """A film of a moving square and noise; a minute is encoded, and repeated."""
    import av

    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("mpeg4", rate=FPS)
        video.width, video.height, video.pix_fmt = 160, 120, "yuv420p"
        sound = container.add_stream("flac", rate=SAMPLES_PER_SEC, layout="mono")
        packets: list[tuple[Any, Any, float]] = []
        for number in range(60 * FPS):
            picture = np.full((120, 160, 3), 90, np.uint8)
            picture[40:80, number % 120 : number % 120 + 40] = 220
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            packets += [(video, packet, number / FPS) for packet in video.encode(frame)]
        packets += [(video, packet, 60) for packet in video.encode()]
        for second in range(60):
            samples = rng.integers(-3000, 3000, (1, SAMPLES_PER_SEC)).astype(np.int16)
            frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLES_PER_SEC, second * SAMPLES_PER_SEC
            frame.time_base = Fraction(1, SAMPLES_PER_SEC)
            packets += [(sound, packet, second) for packet in sound.encode(frame)]
        packets += [(sound, packet, 60) for packet in sound.encode()]
        packets.sort(key=lambda entry: entry[2])
        kept = [(s, bytes(p), p.pts * p.time_base, p.dts * p.time_base, p.is_keyframe) for s, p, _ in packets]
        for minute in range(round(minutes)):
            for stream, data, shown, decoded, is_key in kept:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, Fraction(1, 40_000), is_key
                packet.pts, packet.dts = (round((at + 60 * minute) * 40_000) for at in (shown, decoded))
                container.mux(packet)


def measure(kind: str, films: Path, folder: Path, model: str = "grid", workers: str = "1") -> dict[str, float]:
    """Vectors, seconds, and memory in MB of making features of a folder of films in this process, or by workers."""
    import transformers.audio_utils  # noqa: F401  # what a process has anyway

    from afkit.workbench.media.films import write_film_features
    from afkit.workbench.media.sharing import shared_out
    from afkit.workbench.media.sounds import write_sound_features
    from afkit.workbench.media.writing import in_turn

    paths = sorted(films.iterdir())
    make = in_turn if workers == "1" else partial(shared_out, workers=int(workers))
    begin, began, used = used_mb("cpu"), time.perf_counter(), time.process_time()
    if kind == "sound":
        write_sound_features(paths, folder, window_sec=0.2, stride_sec=0.1, say=silent, make=make)
    else:
        fps = None if model == "grid" else 1.0
        write_film_features(paths, folder, backbone=model, fps=fps, say=silent, make=make)
    found = {"seconds": time.perf_counter() - began, "processor": time.process_time() - used}
    vectors = sum(len(np.load(folder / f"{path.stem}.npy", mmap_mode="r")) for path in paths)
    return found | {"vectors": vectors, "begin": begin, "peak": peak_mb("cpu")}


def silent(line: str) -> None:
    """Progress is not printed."""


def in_process(*arguments: str) -> dict[str, float]:
    """What `measure` gives in a fresh process."""
    code = "import json, sys; from pathlib import Path; from benchmarks.media import measure; "
    code += "print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def save_network(folder: Path) -> None:
    """VideoMAE of the base size with random weights."""
    import transformers

    transformers.logging.disable_progress_bar()
    transformers.VideoMAEModel(transformers.VideoMAEConfig()).save_pretrained(folder)


def make_row(case: Case, root: Path, short_mb: float | None) -> dict[str, Any]:
    """Make the films of a row, and its features. `short_mb`: peak of the same features of the short film, if known."""
    films, model = root / f"{case.films}films{case.minutes:g}", "grid"
    if not films.exists():
        films.mkdir()
        write_film(films / "0.mkv", case.minutes)
        for number in range(1, case.films):
            shutil.copy(films / "0.mkv", films / f"{number}.mkv")
    if case.features == "VideoMAE":
        model = str(root / "videomae")
        save_network(Path(model))
    kind = "sound" if case.features == "sound" else "film"
    out = root / f"{case.features}{case.films}{case.minutes:g}{case.workers}"
    found = in_process(kind, str(films), str(out), model, str(case.workers))
    row = case._asdict() | {"vectors": found["vectors"], "seconds": found["seconds"]}
    if case.films == 1:
        row |= {"processor_sec": found["processor"], "begin_mb": found["begin"], "peak_mb": found["peak"]}
        row["more_than_short_mb"] = None if short_mb is None else found["peak"] - short_mb
    return {name: round(value, 1) if isinstance(value, float) else value for name, value in row.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0, help="of the long film (default: 120)")
    parser.add_argument(
        "--csv", type=Path, default=timing.RESULTS / "media.csv", help="file to write, and to go on with"
    )
    options = parser.parse_args(arguments)
    facts = timing.announce()
    lengths = (SHORT_MINUTES, options.minutes)
    cases = [Case(features, 1, minutes, 1) for features in ("grid", "sound") for minutes in lengths]
    cases += [
        Case("VideoMAE", 1, SHORT_MINUTES, 1),
        *(Case("grid", FILMS, SHARED_MINUTES, number) for number in (1, 2)),
    ]
    rows = timing.read_csv(options.csv)
    with tempfile.TemporaryDirectory() as root:
        for case in cases:
            peaks = {known(row): row["peak_mb"] for row in rows}
            if case not in peaks:
                short = peaks.get(case._replace(minutes=SHORT_MINUTES))
                row = make_row(case, Path(root), float(short) if short else None)
                rows.append(facts | dict.fromkeys(SHOWN) | row)
                timing.write_csv(options.csv, rows)
                print(", ".join(f"{name} {value}" for name, value in row.items() if value is not None), flush=True)
    print()
    timing.show([row for row in timing.read_csv(options.csv) if known(row) in cases], SHOWN)


def known(row: dict[str, Any]) -> Case:
    """Which case a row of the CSV file is of."""
    return Case(row["features"], int(row["films"]), float(row["minutes"]), int(row["workers"]))


if __name__ == "__main__":
    main()
