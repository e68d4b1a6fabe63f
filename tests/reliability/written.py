"""Every kind of file that the project writes whole: how it is written, twice with another content, and who reads it."""

import io
import runpy
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import matplotlib.image
import nbformat
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from tiny_data import tiny_recipe

import afkit
from afkit.data.annotations import read_annotations
from afkit.evaluation.scores import evaluate
from afkit.files import read_json, write_json, write_text
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights, save_weights
from afkit.recipe_files import read_recipe_file, write_recipe_file
from afkit.train.checkpoints import Checkpoints
from afkit.train.execution import Execution
from afkit.train.state import new_state
from afkit.workbench.analysis.exports import export_detections
from afkit.workbench.analysis.report import headline, save_scores
from afkit.workbench.analysis.result_files import read_predictions, write_predictions
from afkit.workbench.analysis.submissions import (
    write_activitynet_submission,
    write_ego4d_submission,
    write_epic_submission,
)
from afkit.workbench.datasets import hapt, watch
from afkit.workbench.datasets.archives import unpack
from afkit.workbench.datasets.ego4d import convert_ego4d, read_leads
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.inspector.inspected import Inspected
from afkit.workbench.inspector.page import write_inspector
from afkit.workbench.own_data.corrected import write_corrected
from afkit.workbench.own_data.importing import import_annotations
from afkit.workbench.own_data.signal_files import read_samples, write_windows
from afkit.workbench.runs.folder import note_stage
from afkit.workbench.runs.pages import write_notebooks
from afkit.workbench.runs.summary import write_summary
from afkit.workbench.survey.checks import inspect_data
from afkit.workbench.view.page import Section, write_page
from afkit.workbench.view.style import save_figure

write_gallery = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "tools" / "gallery.py"))["write_gallery"]
NAMES = {0: "jump", 1: "throw"}
RECIPE = tiny_recipe(model__embed_dim=8)
SMALL = {"data.input_dims": [4], "data.max_seq_len": 64, "model.embed_dim": 16}


NEW_ONLY = (False,)  # it is refused, or left as it is, where there is one


class Kind(NamedTuple):
    """A kind of file, or several that are written together, below a folder beside which `source` lies."""

    write: Callable[[Path, int], Any]  # with the content number 1 or 2
    readers: Mapping[str, Callable[[Path], Any]]  # of each file or folder; they raise where it is damaged
    source: Callable[[Path], Any] = lambda folder: None  # writes what is read meanwhile
    cases: tuple[bool, ...] = (False, True)  # written where there is nothing, and over an older one


def ground_truth() -> pd.DataFrame:
    rows = [("a", 0.0, 10.0, 0), ("a", 20.0, 30.0, 1), ("b", 5.0, 9.0, 0)]
    return pd.DataFrame(rows, columns=["video", "start_sec", "end_sec", "label"])


def predictions(number: int) -> pd.DataFrame:
    return ground_truth().iloc[: 1 + number].assign(score=0.9 / number)


def scores(folder: Path, number: int) -> None:
    found = evaluate(ground_truth(), predictions(number), [0.3, 0.5])
    save_scores(folder, found, found, NAMES, weights="ema")


def network(number: int) -> torch.nn.Module:
    torch.manual_seed(number)
    return build_model(RECIPE)


def checkpoint(folder: Path, number: int) -> None:
    state = new_state(RECIPE, 2, number, torch.device("cpu"))
    state.step = number
    Checkpoints(folder / "checkpoints", RECIPE, 1, Execution()).save(state)


def load_newest(folder: Path) -> None:
    state = new_state(RECIPE, 2, 1, torch.device("cpu"))
    there = bool(list(folder.glob("step*.pt")))
    assert Checkpoints(folder, RECIPE, 1, Execution()).load(state) == there and (state.step in (1, 2)) == there


def exports(folder: Path, number: int) -> None:
    export_detections(folder, predictions(number), NAMES, videos=["a", "b"])


def submissions(folder: Path, number: int) -> None:
    write_activitynet_submission(folder / "activitynet.json", predictions(number), NAMES)
    write_ego4d_submission(folder / "ego4d.json", predictions(number), NAMES)
    actions = predictions(number).rename(columns={"label": "verb"}).assign(noun=3)
    write_epic_submission(folder / "epic.json", actions, 1, 2, 3)


def picture(folder: Path, number: int) -> None:
    figure = Figure(figsize=(0.3 * number, 0.3))
    figure.add_axes((0, 0, 1, 1)).set(xticks=[], yticks=[])
    for name in ("drawn", "drawn.pdf"):
        save_figure(figure, folder / "figures" / name)


def notebook_page(above: Path, number: int) -> None:
    folder = above / "tiny" / "seed1"
    folder.mkdir(parents=True, exist_ok=True)
    cells = [nbformat.v4.new_markdown_cell(f"number {number}", id="text")]
    write_text(folder / "01_data.ipynb", nbformat.writes(nbformat.v4.new_notebook(cells=cells)))
    write_notebooks(folder)


def inspector(folder: Path, number: int) -> None:
    shown = Inspected(ground_truth(), predictions(number), NAMES, {"a": 40.0, "b": 20.0}, "run", "")
    write_inspector(folder / "inspector.html", shown)


def pictures_of_a_run(folder: Path) -> None:
    write_json(folder / "figures" / "timelines.json", [{"file": "timeline_1.png"}, {"file": "timeline_2.png"}])
    for name in ("timeline_1", "timeline_2", "class_ap"):
        (folder / "figures" / f"{name}.png").write_bytes(name.encode())


def gallery_of_a_run(folder: Path, number: int) -> None:
    with mock.patch.dict(write_gallery.__globals__, photographs=lambda _: {"inspector": b"a photograph" * number}):
        write_gallery(folder.parent / "source", folder)


def annotations(folder: Path) -> None:
    entry = {"label": "jump", "segment": [0.0, 5.0], "label_id": 0}
    video = {"subset": "test", "duration": 60.0, "fps": 10.0, "annotations": [entry]}
    write_json(folder / "old.json", {"database": {"a": video, "b": video}})
    (folder / "table.csv").write_text("video,start,end,label\na,1,2,jump\na,3,4,throw\nb,1,2,jump\nc,0,1,jump\n")


def corrected(folder: Path, _: int) -> None:
    segments = ground_truth().assign(name="jump")
    write_corrected(folder / "new.json", folder.parent / "source" / "old.json", ["a"], segments)


def samples(folder: Path) -> None:
    for name in ("day1", "day2"):
        (folder / "acc").mkdir(exist_ok=True)
        np.save(folder / "acc" / f"{name}.npy", np.arange(600.0).reshape(200, 3))


def windows(folder: Path, _: int) -> None:
    write_windows([folder.parent / "source" / "acc"], [50], folder / "features", 50, 25, say=str)


def read_windows(folder: Path) -> None:
    assert read_json(folder / "signals.json")["window"] == 50
    assert [len(read_samples(folder / f"day{day}.npy").values) for day in (1, 2)] == [7, 7]


@lru_cache
def some_of_watch() -> list[dict]:
    """What `watch` composes, of two people and with short recordings."""
    recordings = watch._load_recordings()
    recordings["X"] = [signal[:120] for signal in recordings["X"]]
    people = "person01", f"person{watch.TEST_PEOPLE[0]:02d}"
    return [
        {name: value for name, value in part.items() if name.startswith(people)} for part in watch._compose(recordings)
    ]


def watch_data(folder: Path, _: int) -> None:
    some = some_of_watch()
    with mock.patch.multiple(watch, _load_recordings=dict, _compose=lambda _: some):
        watch.write_watch(folder)


def data_set(name: str, **changes: Any) -> dict[str, Callable[[Path], None]]:
    """A reader that wants features of all videos as soon as the annotation file is there."""
    config = afkit.recipe(name, changes).data

    def read(path: Path) -> None:
        table, _ = inspect_data(config, path.parents[len(Path(config.annotations).parts) - 1])
        assert (table["steps"] > 0).all()

    return {config.annotations: read}


def hapt_archive(folder: Path) -> None:
    rows = "".join(f"{x} {x} {-x}\n" for x in range(80))
    files = {f"RawData/{sensor}_exp0{n}_user0{n}.txt": rows for sensor in ("acc", "gyro") for n in (1, 2)}
    files |= {"activity_labels.txt": "1 WALKING\n", "RawData/labels.txt": "1 1 1 11 50\n2 2 1 11 50\n"}
    files |= {"Train/subject_id_train.txt": "1\n", "Test/subject_id_test.txt": "2\n"}
    with zipfile.ZipFile(folder / "hapt.zip", "w") as packed:
        for name, content in files.items():
            packed.writestr(name, content)


def hapt_data(folder: Path, _: int) -> None:
    with mock.patch.multiple(hapt, DIGEST="", _digest=lambda _: ""):
        hapt.write_hapt(folder.parent / "source" / "hapt.zip", folder, say=str)


def hapt_people(folder: Path, number: int) -> None:
    hapt_data(folder, 1) if number == 1 else None
    (folder / "hapt" / "annotations" / "people.json").unlink() if number == 1 else hapt.add_people(folder)


def moments(folder: Path) -> None:
    label = {"label": "cook", "primary": True, "video_start_time": 1.0, "video_end_time": 5.0}
    times = {"video_start_sec": 0.0, "video_end_sec": 10.0, "video_start_frame": 0, "video_end_frame": 300}
    clips = [{"clip_uid": name, "annotations": [{"labels": [label]}]} | times for name in ("c1", "c2")]
    for split in ("train", "val"):
        videos = [{"video_uid": f"{split}1", "split": split, "clips": clips if split == "train" else []}]
        write_json(folder / f"moments_{split}.json", {"videos": videos})
    (folder / "omnivore").mkdir()
    torch.save(torch.ones(100, 3), folder / "omnivore" / "train1.pt")


def ego4d(folder: Path, _: int) -> None:
    convert_ego4d(folder.parent / "source", folder, ("omnivore_features",), num_classes=1)


def twin(folder: Path, number: int) -> None:
    write_twin(afkit.recipe("epic_verb" if number == 1 else "epic_noun", SMALL), folder, videos_per_subset=2, classes=2)


def archive(folder: Path) -> None:
    with tarfile.open(folder / "a.tar.gz", "w:gz") as packed:
        for name, size in (("one/x.bin", 200_000), ("one/y.bin", 10), ("two/z.bin", 3)):
            member = tarfile.TarInfo(name)
            member.size = size
            packed.addfile(member, io.BytesIO(bytes(size)))


def unpacked(folder: Path, _: int) -> None:
    unpack(folder.parent / "source" / "a.tar.gz", folder / "tree")


def settings(folder: Path, _: int) -> None:
    write_recipe_file(folder / "mine.yaml", [("optim.epochs", 3, "few"), ("data.num_classes", 2, "two")], "Mine")


def read_clips(path: Path) -> None:
    assert {f"{clip}.npy" for clip in read_leads(path)} == {file.name for file in path.parents[1].glob("omni*/*.npy")}


def read_page(path: Path) -> None:
    assert path.read_text(encoding="utf-8").rstrip().endswith("</html>")


def read_bytes(path: Path) -> None:
    assert path.read_bytes()


def read_report(path: Path) -> None:
    assert headline(path)


def load_ema(path: Path) -> None:
    load_weights(build_model(RECIPE), path)


def read_own_recipe(path: Path) -> None:
    assert read_recipe_file(path, {})["optim"]["epochs"] == 3


def named_predictions(path: Path) -> None:
    assert len(read_predictions(path, NAMES))


PICTURES = {
    "figures/drawn.png": matplotlib.image.imread,
    "figures/drawn.svg": read_bytes,
    "figures/drawn.pdf": read_bytes,
}
EXPORTS = {f"{form}/{video}.{end}": Path.read_text for form, end in (("srt", "srt"), ("elan", "txt")) for video in "ab"}
KINDS = {
    "run.json": Kind(lambda f, n: note_stage(f, "02_train", status="running", number=n), {"run.json": read_json}),
    "data_report.json, timelines.json": Kind(lambda f, n: write_json(f / "a.json", {"n": n}), {"a.json": read_json}),
    "eval.json, per_class.csv": Kind(scores, {"eval.json": read_report, "per_class.csv": pd.read_csv}),
    "predictions.json.gz": Kind(
        lambda f, n: write_predictions(f / "p.json.gz", predictions(n), NAMES), {"p.json.gz": named_predictions}
    ),
    "detections: csv, json, srt, vtt, elan": Kind(
        exports, EXPORTS | {"detections.csv": pd.read_csv, "detections.json": named_predictions}
    ),
    "submissions of three challenges": Kind(
        submissions, dict.fromkeys(("activitynet.json", "ego4d.json", "epic.json"), read_json)
    ),
    "summary.csv": Kind(lambda f, n: write_summary(f / "s.csv", predictions(n)), {"s.csv": pd.read_csv}),
    "weights": Kind(lambda f, n: save_weights(network(n), f / "ema.safetensors", "ema"), {"ema.safetensors": load_ema}),
    "checkpoint": Kind(checkpoint, {"checkpoints": load_newest}),
    "pictures: png, svg, pdf": Kind(picture, PICTURES),
    "report": Kind(lambda f, n: write_page(f / "r.html", "R", [Section("S", [predictions(n)])]), {"r.html": read_page}),
    "inspector": Kind(inspector, {"inspector.html": read_page}),
    "notebook as a page": Kind(notebook_page, {"tiny/seed1/tiny-seed1.html": read_page}),
    "gallery": Kind(gallery_of_a_run, {"README.md": read_bytes, "inspector.png": read_bytes}, pictures_of_a_run),
    "recipe": Kind(settings, {"mine.yaml": read_own_recipe}, cases=NEW_ONLY),
    "corrected annotations": Kind(corrected, {"new.json": read_annotations}, annotations, cases=NEW_ONLY),
    "imported annotations": Kind(
        lambda f, n: import_annotations(f.parent / "source" / "table.csv", f / "a.json", rate=10.0),
        {"a.json": read_annotations}, annotations, cases=NEW_ONLY,
    ),
    "features of signals": Kind(windows, {"features": read_windows}, samples, cases=NEW_ONLY),
    "data set watch": Kind(watch_data, data_set("watch"), cases=NEW_ONLY),
    "data set hapt": Kind(hapt_data, data_set("hapt"), hapt_archive, cases=NEW_ONLY),
    "people of hapt": Kind(hapt_people, data_set("hapt"), hapt_archive, cases=(True,)),
    "data set ego4d": Kind(ego4d, {"ego4d/annotations/ego4d.json": read_clips}, moments, cases=NEW_ONLY),
    "twin": Kind(twin, data_set("epic_verb", **SMALL) | data_set("epic_noun", **SMALL)),
    "unpacked archive": Kind(unpacked, {"tree/one/x.bin": read_bytes}, archive, cases=NEW_ONLY),
}  # fmt: skip
