"""Many new recordings on a dask cluster: `python -m benchmarks.cluster RUN [--recordings 1000] [--workers 1 2]`.

Recordings are cut at random from the test recordings of a run and written as files, then predicted in shards of 50,
each a task and a folder of its own, by clusters of so many processes with one thread each. The CSV has a line for each
cluster; the detections of all are compared, file by file. Started again into the same folder, `predict` would do only
what is missing, so that a lost worker costs its shard at most; here every cluster begins with an empty folder.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from afkit.data.annotations import frames_per_second
from afkit.data.features import read_features
from afkit.data.items import Dataset
from afkit.workbench.runs.opened import open_run
from afkit.workbench.sweeps.clusters import open_client
from afkit.workbench.sweeps.sweep_file import Needs
from benchmarks import timing

SHARD = 50  # recordings of a task: minutes of work, so that a task lost is little, and its start is nothing
STEPS = (300, 1500)  # shortest and longest recording


def write_recordings(run_folder: Path, folder: Path, number: int) -> tuple[list[Path], float]:
    """Cuts of a run's test recordings as .npy files of (T, C); the paths, and hours of signal in all."""
    run = open_run(run_folder)
    data, root, random = run.recipe.data, run.data_root(), np.random.default_rng(0)
    videos = Dataset(data, root, data.test_subsets).videos
    arrays = [read_features(data, root, video.name) for video in videos]
    paths, steps = [], 0
    for index in range(number):
        array = arrays[index % len(arrays)]
        length = min(int(random.integers(*STEPS)), len(array))
        start = int(random.integers(len(array) - length + 1))
        paths.append(folder / f"recording{index:06d}.npy")
        np.save(paths[-1], array[start : start + length])
        steps += length
    return paths, steps * data.stride_frames / frames_per_second(data, videos[0]) / 3600


def predict_shard(run_folder: str, paths: Sequence[str], out: str) -> tuple[int, float]:
    """What a worker does: how many recordings, and seconds of its processor."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    from afkit.workbench.runs.predicting import predict_recordings

    torch.set_num_threads(1)
    began = time.process_time()
    predict_recordings(run_folder, paths, out=out, say=str)
    return len(paths), time.process_time() - began


def measure(run_folder: Path, paths: Sequence[Path], out: Path, workers: int) -> dict[str, float]:
    """Predict all with so many worker processes; the start of the processes is not counted."""
    shards = [paths[at : at + SHARD] for at in range(0, len(paths), SHARD)]
    with open_client(Needs(memory_gb=1), workers) as client:
        client.wait_for_workers(workers)
        client.run(predict_shard, str(run_folder), [str(paths[0])], str(out / "first"))  # imports, the operator
        began = time.perf_counter()
        tasks = [
            client.submit(predict_shard, str(run_folder), [str(path) for path in shard], str(out / f"shard{index:04d}"))
            for index, shard in enumerate(shards)
        ]
        done = client.gather(tasks)
        seconds = time.perf_counter() - began
    shutil.rmtree(out / "first")
    return {"recordings": sum(count for count, _ in done), "seconds": seconds, "processor_sec": sum(s for _, s in done)}


def contents(folder: Path) -> dict[str, bytes]:
    """The detections by recording."""
    return {path.name: path.read_bytes() for path in folder.glob("shard*/*.csv")}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, compare, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", type=Path, metavar="RUN", help="folder of a trained run, with its data")
    parser.add_argument("--recordings", type=int, default=1000)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--csv", type=Path, default=timing.RESULTS / "cluster.csv")
    options = parser.parse_args(arguments)
    rows, first = [], None
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "recordings").mkdir()
        paths, hours = write_recordings(options.run, folder / "recordings", options.recordings)
        for workers in options.workers:
            out = folder / f"by{workers}"
            row = {"workers": workers, "hours_of_signal": hours} | measure(options.run.resolve(), paths, out, workers)
            found = contents(out)
            first = first or found
            same = found == first and len(found) == row["recordings"]
            rows.append(row | {"per_second": row["recordings"] / row["seconds"], "same_files": same})
    timing.show(rows)
    timing.write_csv(options.csv, rows)
    print(f"\n{options.csv}")


if __name__ == "__main__":
    main()
