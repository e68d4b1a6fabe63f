"""Readers of what the workbench takes beside tables and arrays: journals, media, pipes, exported networks."""

import json
import wave
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np
import pytest
from fuzz import Reader
from hostile import as_json, in_child
from tiny_data import CHANNELS, tiny_recipe

from afkit.workbench.export.exported import FORMAT, KEY, detect, digest, open_exported
from afkit.workbench.labelling.journal import line_of, read_journal
from afkit.workbench.media import frames, waves, writing
from afkit.workbench.media.opened import average_fps, length_sec
from afkit.workbench.own_data.import_recordings import read_recordings
from afkit.workbench.own_data.sample_files import read_samples
from afkit.workbench.streaming.rows import Clock, rows_of

LABELS = {"journal": 1, "annotations": "labels.json", "sha256": "0" * 64}
WALK, SIT = ([0.5, 2.0, "walk"], [3.0, 4.5, "sit", "slowly"])
JOURNAL = [
    LABELS,
    {"labels": ["walk", "sit"]},
    line_of("a", [], "to do", "edit", 9.5) | {"segments": [WALK]},
    line_of("a", [], "unsure", "edit") | {"segments": [WALK, SIT]},
    line_of("a", [], "unsure", "undo") | {"segments": [WALK]},
    line_of("b", None, "done", "state", 8.0),
]
SOUND = {"rate_hz": 16_000, "bands": 2, "fps": 100.0, "num_frames": 10, "stride_frames": 5}
MADE = SOUND | {"width": 4, "recordings": {"a": {"file": "a.wav", "bytes": 1, "mtime_ns": 1, "folder": "..",
                                                 "duration_sec": 1.0, "notes": []}}}  # fmt: skip
RECORDINGS = b"recording,subset,duration,fps,group\na,training,9.5,25,ann\nb,validation,1:02.5,25,bob\n"
ROWS = (b"1,2,3\n4.5 -6e3 7\n8;9;10\n", b"0.00,1,2,3\n0.02,1,2,3\n0.04,1,2,3\n5.00,1,2,3\n")


def _as_lines(content: Any) -> bytes:
    return b"".join(as_json(entry) + b"\n" for entry in (content if isinstance(content, list) else [content]))


def _journal(path: Path) -> None:
    journal = read_journal(path, LABELS)
    for segments in journal.segments.values():
        line_of("a", segments, "done", "edit")


def _written(write: Callable[[Path], None]) -> tuple[bytes, ...]:
    """The files that a function writes into a folder; in a child process, since FFmpeg's threads do not live in one."""
    with TemporaryDirectory() as folder:
        ended = in_child(lambda: write(Path(folder)), 4096)
        assert ended.end == "done", ended
        return tuple(path.read_bytes() for path in sorted(Path(folder).iterdir()))


def _sounds() -> Reader:
    """Of several containers."""
    pytest.importorskip("av", reason="it reads media")
    return Reader("recording.wav", _hear, _written(_write_sounds))


def _write_sounds(folder: Path) -> None:
    import av

    tone = (np.sin(np.arange(3200) / 7) * 9000).astype("<i2")
    with wave.open(str(folder / "a.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone.tobytes())
    for ending, codec in (("flac", "flac"), ("ogg", "libopus"), ("mp3", "libmp3lame"), ("m4a", "aac")):
        with av.open(str(folder / f"a.{ending}"), "w") as container:
            stream = container.add_stream(codec, rate=16_000, layout="mono")
            frame = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
            frame.sample_rate = 16_000
            for packet in (*stream.encode(frame), *stream.encode()):
                container.mux(packet)


def _hear(path: Path) -> None:
    length_sec(path)
    for block in waves.waves(path, 16_000, frames.Facts()):
        assert np.isfinite(block).all() and block.dtype == np.float32


def _films() -> Reader:
    """Of several containers."""
    pytest.importorskip("av", reason="it reads media")
    return Reader("recording.mp4", _watch, _written(_write_films))


def _write_films(folder: Path) -> None:
    from media_files import write_film

    write = partial(write_film, flashes_sec=[0.1], length_sec=0.6)
    write(folder / "a.mp4", clicks_sec=[0.2], rotation=90)
    write(folder / "a.mkv", times_sec=[0.0, 0.05, 0.2, 0.24, 0.4])
    write(folder / "a.avi", codec="mpeg4")
    write(folder / "a.webm", codec="libvpx-vp9")
    write(folder / "a.ts")


def _watch(path: Path) -> None:
    average_fps(path)
    for picture in frames.pictures_on_grid(path, 10.0, lambda height, width: (24, 32), frames.Facts()):
        assert sorted(picture.shape) == [3, 24, 32] and picture.dtype == np.uint8


def _rows(path: Path) -> None:
    """Rows of a pipe and their clock; a message names the row."""
    clock = Clock(0.02)
    try:
        with path.open("rb") as file:
            for row in rows_of(file, 3):
                assert np.isfinite(row.values).all() and row.values.shape == (3,)
                if clock.rows and not clock.goes_on(row):
                    clock.rows = 0
                clock.count(row)
    except ValueError as error:
        assert str(error).startswith("row ")
        raise ValueError(f"{path.stem}: {error}") from None


def _sleap() -> Reader:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        with h5py.File(path, "w") as file:
            file["tracks"] = np.arange(24.0).reshape(1, 2, 3, 4)
            file["node_names"] = [b"nose", b"tail", b"paw"]
            file["point_scores"] = np.linspace(0.5, 1, 12).reshape(1, 3, 4)
        return Reader("video.h5", partial(read_samples, pose=True), (path.read_bytes(),))


def _gone_on(path: Path) -> None:
    """Features of sounds that were begun before: what their settings say decides what is left as it is."""
    source, target = path.parent / "a.wav", path.parent / "made"
    source.write_bytes(b"x")
    target.mkdir(exist_ok=True)
    try:
        (target / path.name).write_bytes(path.read_bytes())
        writing.read_written(path, {"rate_hz": int, "bands": int})
        writing.write_recordings([source], target, path.name, dict(SOUND), _vectors, say=lambda text: None)
    finally:
        for left in (source, *target.glob("*.npy")):
            left.unlink()


def _vectors(path: Path, facts: frames.Facts):
    facts.duration_sec = 1.0
    yield np.ones((3, 4), np.float32)


FACTS = {
    "format": FORMAT,
    "recipe": tiny_recipe().model_dump(mode="json"),
    "labels": {"0": "jump", "1": "throw"},
    "fps": 10.0,
    "thresholds": {"0": 0.2, "1": None},
    "weights": "ema",
    "length": None,
    "strides": [1],
    "padding": {"align": 8, "divisor": 8},
    "windows": {"above": 64, "steps": 32, "overlap": 8},
}
FACTS["digest"] = digest(FACTS)


def _network(facts: Any) -> bytes:
    """An ONNX file with the inputs and outputs of an exported network, and what it says of itself."""
    from onnx import TensorProto, helper

    classes = tiny_recipe().data.num_classes
    weight = np.linspace(-1, 1, CHANNELS * classes, dtype=np.float32)
    spans = np.array([[[-1.0, 2.0]]], np.float32)
    nodes = [
        helper.make_node("MatMul", ["features", "weight"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("ReduceMax", ["scores"], ["best"], axes=[1], keepdims=1),
        helper.make_node("Unsqueeze", ["best", "last"], ["column"]),
        helper.make_node("Mul", ["column", "spans"], ["segments"]),
        helper.make_node("Identity", ["steps"], ["counted"]),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["T", CHANNELS]),
            helper.make_tensor_value_info("steps", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["T", classes]),
            helper.make_tensor_value_info("segments", TensorProto.FLOAT, ["T", 1, 2]),
            helper.make_tensor_value_info("counted", TensorProto.INT64, []),
        ],
        [
            helper.make_tensor("weight", TensorProto.FLOAT, [CHANNELS, classes], weight),
            helper.make_tensor("spans", TensorProto.FLOAT, spans.shape, spans.ravel()),
            helper.make_tensor("last", TensorProto.INT64, [1], [2]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {KEY: json.dumps(facts)})
    return model.SerializeToString()


def _exported() -> Reader:
    pytest.importorskip("onnxruntime", reason="it runs exported networks")
    pytest.importorskip("onnx", reason="it writes exported networks")
    return Reader("network.onnx", _detect, (_network(FACTS),), FACTS, _network)


def _detect(path: Path) -> None:
    features = np.linspace(-1, 1, 100 * CHANNELS, dtype=np.float32).reshape(100, CHANNELS)
    found = detect(open_exported(path, threads=1), features, name=path.stem)
    assert np.isfinite(found.start_sec).all() and (np.diff(found.score) <= 0).all()


READERS: dict[str, Callable[[], Reader]] = {
    "labelling journal": lambda: Reader("labels.journal.jsonl", _journal, (_as_lines(JOURNAL),), JOURNAL, _as_lines),
    "sounds": _sounds,
    "films": _films,
    "features of sounds, gone on": lambda: Reader("sound.json", _gone_on, (as_json(MADE),), MADE, as_json),
    "tables of recordings": lambda: Reader("recordings.csv", lambda path: read_recordings(path, {}), (RECORDINGS,)),
    "SLEAP": _sleap,
    "rows of a stream": lambda: Reader("rows.txt", _rows, ROWS),
    "exported networks": _exported,
}
