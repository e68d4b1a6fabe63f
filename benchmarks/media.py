"""Features of films and sound: `python -m benchmarks.media [--minutes N] [--networks] [--csv FILE]`.

Makes a film with sound of two minutes and one of N (160 x 120, 10 pictures a second, 8 kHz), and features of both, each
in a process of its own: vectors per second, and the most memory that the process had. With --networks, also VideoMAE of
the base size with random weights, on one picture a second of the short film.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import timing
from benchmarks.memory import peak_mb, used_mb

SHOWN = (
    "features",
    "minutes",
    "vectors",
    "vectors_per_sec",
    "times_real_time",
    "begin_mb",
    "peak_mb",
    "more_than_short_mb",
)
SHORT_MINUTES = 2
FPS, SAMPLES_PER_SEC = 10, 8000


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


def measure(kind: str, film: Path, folder: Path, model: str = "grid") -> dict[str, float]:
    """Vectors, seconds and memory in MB of making features in this process."""
    import transformers.audio_utils  # noqa: F401  # what a process has anyway

    from afkit.workbench.media.films import write_film_features
    from afkit.workbench.media.sounds import write_sound_features

    begin, began = used_mb("cpu"), time.perf_counter()
    if kind == "sound":
        made = write_sound_features([film], folder, window_sec=0.2, stride_sec=0.1, say=lambda _: None)
    else:
        fps = None if model == "grid" else 1.0
        made = write_film_features([film], folder, backbone=model, fps=fps, say=lambda _: None)
    seconds = time.perf_counter() - began
    vectors = len(np.load(folder / f"{film.stem}.npy", mmap_mode="r"))
    duration = made.durations_sec[film.stem]
    return {"vectors": vectors, "seconds": seconds, "begin": begin, "peak": peak_mb("cpu"), "duration": duration}


def in_process(*arguments: str) -> dict[str, float]:
    """What `measure` gives in a fresh process."""
    code = "import json, sys; from pathlib import Path; from benchmarks.media import measure; "
    code += "print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])))"
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def save_network(folder: Path) -> None:
    """VideoMAE of the base size with random weights."""
    import transformers

    transformers.VideoMAEModel(transformers.VideoMAEConfig()).save_pretrained(folder)


def main(arguments: Sequence[str] | None = None) -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=120, help="of the long film (default: 120)")
    parser.add_argument("--networks", action="store_true", help="also a network, on the short film")
    parser.add_argument("--csv", type=Path, help="file to write")
    options = parser.parse_args(arguments)
    timing.announce()
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        films = {minutes: root / f"film{minutes:g}.mkv" for minutes in (SHORT_MINUTES, options.minutes)}
        for minutes, film in films.items():
            write_film(film, minutes)
        if options.networks:
            save_network(root / "videomae")
        works = [(kind, minutes) for kind in ("grid", "sound") for minutes in films]
        works += [("videomae", SHORT_MINUTES)] if options.networks else []
        short: dict[str, float] = {}
        for kind, minutes in works:
            model = str(root / kind) if kind == "videomae" else "grid"
            found = in_process(kind, str(films[minutes]), str(root / f"{kind}{minutes:g}"), model)
            base = short.setdefault(kind, found["peak"])
            speed, times = found["vectors"] / found["seconds"], found["duration"] / found["seconds"]
            numbers = (minutes, found["vectors"], speed, times, found["begin"], found["peak"], found["peak"] - base)
            rows.append(dict(zip(SHOWN, (kind, *(round(number, 1) for number in numbers)), strict=True)))
    timing.show(rows, SHOWN)
    timing.write_csv(options.csv or timing.RESULTS / "media.csv", [timing.machine() | row for row in rows])


if __name__ == "__main__":
    main()
