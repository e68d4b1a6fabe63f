"""The Ego4D converter, on tiny files in the official format whose results are worked out by hand."""

import json

import numpy as np
import pytest
import torch
from together import at_once

from afkit.data.annotations import load_annotations, read_annotations
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.model.actionformer import build_model
from afkit.recipes import recipe
from afkit.segments import sec_to_grid
from afkit.workbench import progress
from afkit.workbench.analysis.submissions import write_ego4d_submission
from afkit.workbench.datasets.ego4d import convert_ego4d, read_leads

OMNIVORE = ("omnivore_features",)


def label(start_sec, end_sec, name="cook", primary=True):
    return {"label": name, "primary": primary, "video_start_time": start_sec, "video_end_time": end_sec}


def clip(name, span_sec, span_frames, *annotators):
    return {
        "clip_uid": name,
        "video_start_sec": span_sec[0],
        "video_end_sec": span_sec[1],
        "video_start_frame": span_frames[0],
        "video_end_frame": span_frames[1],
        "annotations": [{"annotator_uid": str(i), "labels": labels} for i, labels in enumerate(annotators)],
    }


def video(name, split, *clips):
    return {"video_uid": name, "split": split, "clips": list(clips)}


# 30 frames a second; starts at frame 300 = 18 * 16 + 12, so 12 frames (0.4 s) are put before it; 612 - 32 = 36 * 16 + 4
# frames, so 12 (0.4 s) come after it: vectors 288 / 16 = 18 to (900 + 12 - 32) / 16 = 55, and 20.8 s
WIDENED = clip(
    "widened",
    (10.0, 30.0),
    (300, 900),
    [label(12.0, 15.5), label(12.0, 15.5, "other", primary=False), label(20.0, 20.24)],
    [label(20.0, 20.3, "wash"), label(9.0, 31.0)],
)
# starts one frame before the video, which counts as its start; 300 - 32 = 16 * 16 + 12, so 4 frames (0.13 s) come
# after it: vectors 0 to (300 + 4 - 32) / 16 = 17, and 10.13 s
EARLY = clip("early", (-1 / 30, 10.0), (-1, 300), [label(0.0, 1.0)])
# on the grid: 320 = 20 * 16, and 192 - 32 = 10 * 16 frames: vectors 20 to (512 - 32) / 16 = 30, and 6.4 s
ALIGNED = clip("aligned", (320 / 30, 512 / 30), (320, 512), [label(11.0, 12.0, "wash")])
# 10 frames a second, the lowest; 200 - 32 = 10 * 16 + 8, so 8 frames (0.8 s): vectors 0 to 11, and 20.8 s
SLOW = clip("slow", (0.0, 20.0), (0, 200), [label(1.0, 2.0)])
LEFT_OUT = {
    "skipped_fps": [
        clip("too slow", (0.0, 20.0), (0, 199), [label(1.0, 2.0)]),
        clip("too fast", (0.0, 1.0), (0, 101), [label(0.1, 0.9)]),
        clip("no time", (5.0, 5.0), (150, 300), [label(1.0, 2.0)]),
        clip("reversed", (5.0, 4.0), (150, 120), [label(1.0, 2.0)]),
    ],
    "too_short": [clip("32 frames", (0.0, 32 / 30), (0, 32), [label(0.1, 0.9)])],  # 0 to (32 - 32) / 16 = 0
    "without_labels": [
        clip("not primary", (0.0, 20.0), (0, 600), [label(1.0, 2.0, "other", primary=False)]),
        clip("short", (0.0, 20.0), (0, 600), [label(1.0, 1.2)]),
        clip("nobody", (0.0, 20.0), (0, 600)),
    ],
}
UNLABELLED = {key: value for key, value in clip("hidden", (10.0, 30.0), (300, 900)).items() if key != "annotations"}


def official(folder, train=(), val=(), test=None):
    """An official download with tensors of 100 vectors, whose first channel is their number."""
    for name, videos in (("train", train), ("val", val), ("test_unannotated", test)):
        if videos is not None:
            path = folder / "annotations" / f"moments_{name}.json"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({"version": "1", "videos": list(videos)}))
            for entry in videos:
                tensor = torch.stack([torch.arange(100.0), torch.randn(100)], dim=1)  # (T, C)
                save(folder / "omnivore_video_swinl" / f"{entry['video_uid']}.pt", tensor)
    return folder


def save(path, tensor):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(tensor, path)


@pytest.fixture
def download(tmp_path):
    left_out = [clip for clips in LEFT_OUT.values() for clip in clips]
    return official(
        tmp_path / "download",
        train=[video("first", "train", WIDENED, EARLY), video("second", "train", *left_out)],
        val=[video("third", "val", ALIGNED, SLOW)],
        test=[video("fourth", "test", UNLABELLED)],
    )


def vectors(folder, name):
    """Numbers in the video of a clip's vectors."""
    return np.load(folder / "ego4d" / "omnivore_features" / f"{name}.npy")[:, 0].tolist()


def test_annotations(download, tmp_path):
    report = convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    left_out = {"skipped_fps": 4, "too_short": 1, "without_labels": 3}
    assert report == {"clips": 13, **left_out, "annotated": 5, "written": 5, "kept": 0, "missing": []}
    file = read_annotations(tmp_path / "ego4d" / "annotations" / "ego4d.json")
    assert file.label_names == {0: "cook", 1: "wash"}
    found = {video.name: (video.subset, video.duration_sec, video.fps) for video in file.videos.values()}
    assert found == {
        "widened": ("training", 20.8, 30.0),
        "early": ("training", 10.13, 30.0),
        "aligned": ("validation", 6.4, 30.0),
        "slow": ("validation", 20.8, 10.0),
        "hidden": ("test", 20.8, 30.0),
    }
    table = load_annotations(file.path)
    assert list(zip(table["video"], table["start_sec"], table["end_sec"], table["label"], strict=True)) == [
        ("widened", 2.4, 5.9, 0),  # 12 - 10 + 0.4, 15.5 - 10 + 0.4
        ("widened", 10.4, 10.7, 1),
        ("widened", -0.6, 21.4, 0),  # an action may reach past the clip
        ("early", 0.0, 1.0, 0),
        ("aligned", 0.33, 1.33, 1),  # 11 - 10.667
        ("slow", 1.0, 2.0, 0),
    ]


def test_official_times_are_ours_less_the_lead(download, tmp_path):
    convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    path = tmp_path / "ego4d" / "annotations" / "ego4d.json"
    leads = read_leads(path)
    expected = {"widened": 0.4, "early": -1 / 30, "aligned": 0.0, "slow": 0.0, "hidden": 0.4}
    assert leads == pytest.approx(expected, abs=1e-6)
    official_start = {"widened": 10.0, "early": -1 / 30, "aligned": 320 / 30, "slow": 0.0}
    table = load_annotations(path)
    in_video = table["start_sec"] - table["video"].map(leads) + table["video"].map(official_start)
    assert in_video.tolist() == pytest.approx([12, 20, 9, 0, 11, 1], abs=0.005)  # times are rounded to 0.01 s


def test_a_file_without_leads_is_named(tmp_path):
    path = tmp_path / "ego4d.json"
    for content, message in (
        ([], "has no 'database' of clips"),
        ({"database": []}, "has no 'database' of clips"),
        ({"database": {"a": {"lead_sec": 0.4}, "b": {}}}, "clip 'b' has no number 'lead_sec'; delete the file"),
        ({"database": {"a": {"lead_sec": None}}}, "clip 'a' has no number 'lead_sec'"),
        ({"database": {"a": {"lead_sec": "nan"}}}, "clip 'a' has no number 'lead_sec'"),
        ({"database": {"a": 1}}, "clip 'a' has no number 'lead_sec'"),
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(ValueError, match=f"ego4d.json,? {message}"):
            read_leads(path)


def submitted(path):
    """[(clip, start_sec, end_sec, label)] of a submission, in its order."""
    results = json.loads(path.read_text())["detect_results"]
    return [(clip, *entry["segment"], entry["label"]) for clip, entries in results.items() for entry in entries]


def test_prepared_clips_become_a_submission(download, tmp_path):
    """The way of the test split: official files, features, network, detections, submission."""
    convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    small = {"data.num_classes": 2, "data.input_dims": [2], "model.embed_dim": 16, "decode.max_segments": 20}
    settings = recipe("ego4d_o", small)
    torch.manual_seed(0)
    dataset = Dataset(settings.data, tmp_path, ["test"])
    predictions = predict_dataset(build_model(settings).eval(), settings, dataset)
    path = tmp_path / "ego4d" / settings.data.annotations.removeprefix("ego4d/")
    names, clips = read_annotations(path).label_names, [clip.name for clip in dataset.videos]
    write_ego4d_submission(tmp_path / "s.json", predictions, names, clips, read_leads(path))
    assert len(predictions) == 20 and set(predictions["video"]) == {"hidden"} == set(clips)
    best_first = predictions.sort_values("score", ascending=False, kind="stable")
    times = (best_first[["start_sec", "end_sec"]] - 0.4).clip(lower=0).to_numpy().ravel()
    found = submitted(tmp_path / "s.json")
    assert [t for row in found for t in row[1:3]] == pytest.approx(times.tolist())
    assert [row[3] for row in found] == best_first["label"].map(names).tolist()


def test_features(download, tmp_path, monkeypatch):
    read, load = [], torch.load
    monkeypatch.setattr(torch, "load", lambda path, **options: read.append(path.stem) or load(path, **options))
    convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    assert read == ["first", "third", "fourth"], "each once"
    assert vectors(tmp_path, "widened") == list(range(18, 55))
    assert vectors(tmp_path, "early") == list(range(17))
    assert vectors(tmp_path, "aligned") == list(range(20, 30))
    assert vectors(tmp_path, "slow") == list(range(11))
    assert vectors(tmp_path, "hidden") == list(range(18, 55))
    written = sorted(path.name for path in (tmp_path / "ego4d" / "omnivore_features").iterdir())
    assert written == ["aligned.npy", "early.npy", "hidden.npy", "slow.npy", "widened.npy"]
    features = np.load(tmp_path / "ego4d" / "omnivore_features" / "widened.npy")
    assert features.dtype == np.float32
    whole = torch.load(download / "omnivore_video_swinl" / "first.pt", weights_only=True)
    np.testing.assert_array_equal(features, whole[18:55].numpy())


def test_times_and_vectors_belong_together(tmp_path):
    random = np.random.default_rng(0)
    clips = []
    for i in range(40):
        start = int(random.integers(0, 400))
        end = start + int(random.integers(60, 1000))
        middle = (start + end) / 2 / 30
        clips.append(clip(f"clip{i}", (start / 30, end / 30), (start, end), [label(middle, middle + 1)]))
    convert_ego4d(official(tmp_path / "source", train=[video("v", "train", *clips)]), tmp_path, OMNIVORE, num_classes=1)
    file = read_annotations(tmp_path / "ego4d" / "annotations" / "ego4d.json")
    for entry in clips:
        found, numbers = file.videos[entry["clip_uid"]], vectors(tmp_path, entry["clip_uid"])
        first, frames = numbers[0], found.duration_sec * 30  # of the widened clip, rounded to 0.01 s
        assert np.diff(numbers).tolist() == [1] * (len(numbers) - 1)
        assert first * 16 <= entry["video_start_frame"] < first * 16 + 16
        assert entry["video_end_frame"] <= first * 16 + round(frames) < entry["video_end_frame"] + 16
        # the vectors cover the widened clip but for its last 16 frames, and the action lies at the same one as before
        assert (len(numbers) - 1) * 16 + 32 == pytest.approx(frames - 16, abs=0.2)
        in_video = sec_to_grid(entry["annotations"][0]["labels"][0]["video_start_time"], 30, 16, 32)
        assert sec_to_grid(found.segments_sec[0, 0], 30, 16, 32) + first == pytest.approx(in_video, abs=0.02)


def test_a_stopped_conversion_goes_on_and_keeps_what_is_there(download, tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "FIRST_SEC", 0.0)
    monkeypatch.setenv(progress.EVERY, "0")
    folder = tmp_path / "ego4d" / "omnivore_features"

    def stop(said):
        assert not folder.exists(), "it appears with all its files"
        if said.startswith("conversion of files: 3 of 5, "):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2, say=stop)
    assert not folder.exists()
    report = convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    assert (report["written"], report["kept"]) == (2, 3)
    assert sorted(path.name for path in (tmp_path / "ego4d").iterdir()) == ["annotations", "omnivore_features"]
    assert not [path.name for path in tmp_path.iterdir() if path.name.startswith(".")]
    (folder / "early.npy").unlink()
    (folder / ".early.npy.1.tmp").write_bytes(b"half of a file")
    before = {path: path.stat().st_mtime_ns for path in folder.glob("[!.]*")}
    annotations = (tmp_path / "ego4d" / "annotations" / "ego4d.json").read_bytes()
    report = convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    assert (report["written"], report["kept"]) == (1, 4) and vectors(tmp_path, "early") == list(range(17))
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert (tmp_path / "ego4d" / "annotations" / "ego4d.json").read_bytes() == annotations


def test_conversions_at_once_do_it_together_once(download, tmp_path):
    def convert(_):
        report = convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2, say=str)
        return [report["written"], report["kept"]]

    assert sorted(at_once(3, convert)) == [[0, 5], [0, 5], [5, 0]]
    assert len(list((tmp_path / "ego4d" / "omnivore_features").iterdir())) == 5


def test_feature_types_come_one_after_the_other_and_clips_that_are_cut_already_are_taken_whole(download, tmp_path):
    save(download / "features" / "slowfast" / "first.pt", torch.ones(60, 3).half())
    save(download / "egovlp" / "widened.pt", torch.ones(36, 4))
    convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    report = convert_ego4d(download, tmp_path, ("slowfast_features", *OMNIVORE), num_classes=2)
    missing = [str(download / "features" / "slowfast" / f"{name}.pt") for name in ("third", "fourth")]
    assert report["missing"] == missing  # each once, though two clips need the first
    assert (report["written"], report["kept"]) == (2, 5)
    features = np.load(tmp_path / "ego4d" / "slowfast_features" / "widened.npy")
    assert (features.shape, features.dtype) == ((37, 3), np.float32)
    report = convert_ego4d(download, tmp_path, ("egovlp_features",), num_classes=2)
    assert np.load(tmp_path / "ego4d" / "egovlp_features" / "widened.npy").shape == (36, 4)
    assert report["written"] == 1 and len(report["missing"]) == 3


@pytest.mark.parametrize("quote", ['"', ""])
def test_label_ids_follow_the_official_order(tmp_path, quote):
    # names with a comma stand in quotes in the official files, and so before all others
    names = [
        f"{quote}cut_/_chop_/_slice_a_vegetable,_fruit,_or_meat{quote}",
        f"{quote}try-out_/_wear_accessories_(e.g._tie,_belt,_scarf){quote}",
        "arrange_/_organize_other_items",
        "arrange_pillows_on_couch_/_chair",
        "cut_/_trim_grass_with_other_tools",
        "cut_dough",
        "write_notes_in_a_paper_/_book",
    ]
    labels = [label(1.0, 2.0, name) for name in reversed(names)]
    val = [video("v", "val", clip("c", (0.0, 20.0), (0, 600), labels[:3], labels[3:]))]
    convert_ego4d(official(tmp_path / "source", val=val), tmp_path, OMNIVORE, num_classes=7)
    file = read_annotations(tmp_path / "ego4d" / "annotations" / "ego4d.json")
    assert list(file.label_names.values()) == names


def test_labels_of_clips_that_are_left_out_count_too(tmp_path):
    skipped = clip("too slow", (0.0, 20.0), (0, 199), [label(1.0, 2.0, "bake"), label(1.0, 2.0, "act", primary=False)])
    source = official(tmp_path / "source", [video("v", "train", EARLY, skipped)])
    with pytest.raises(ValueError, match="have 2 primary labels instead of 110"):
        convert_ego4d(source, tmp_path, OMNIVORE)
    assert not (tmp_path / "ego4d").exists()
    convert_ego4d(source, tmp_path, OMNIVORE, 2)
    assert read_annotations(tmp_path / "ego4d" / "annotations" / "ego4d.json").label_names == {1: "cook"}


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("video '../x', clip 'widened'", lambda entry: entry.update(video_uid="../x")),
        ("video 'first', clip 'widened'", lambda entry: entry.update(split="trian")),
        ("video 'first'", lambda entry: entry.pop("clips")),
        ("video 'first', clip None", lambda entry: entry["clips"][1].pop("clip_uid")),
        ("video 'first', clip 'a/b'", lambda entry: entry["clips"][1].update(clip_uid="a/b")),
        ("video 'first', clip 'early'", lambda entry: entry["clips"][1].pop("video_end_sec")),
        ("video 'first', clip 'early'", lambda entry: entry["clips"][1].update(video_end_sec=float("nan"))),
        ("video 'first', clip 'early'", lambda entry: entry["clips"][1].pop("annotations")),
        ("video 'first', clip 'early'", lambda entry: entry["clips"][1]["annotations"][0]["labels"][0].pop("primary")),
    ],
)
def test_malformed_moments_are_named(download, tmp_path, where, change):
    path = download / "annotations" / "moments_train.json"
    content = json.loads(path.read_text())
    change(content["videos"][0])
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=rf"moments_train\.json, {where} is not in the official format"):
        convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    assert not (tmp_path / "ego4d").exists()


def test_missing_and_foreign_files_are_named(download, tmp_path):
    with pytest.raises(ValueError, match=r"egovlp_features does not exist; put the tensors"):
        convert_ego4d(download, tmp_path, ("egovlp_features",), num_classes=2)
    val = download / "annotations" / "moments_val.json"
    for prepare, message in ((lambda: val.write_text("[]"), "is not in the official"), (val.unlink, "does not exist")):
        prepare()
        with pytest.raises(ValueError, match=rf"annotations/moments_val\.json {message}"):
            convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)


def test_bad_tensors_are_named(download, tmp_path):
    path = download / "omnivore_video_swinl" / "first.pt"
    save(path, torch.ones(54, 2))  # the clip `widened` needs 55
    with pytest.raises(ValueError, match=r"first\.pt has 54 vectors, clip 'widened' needs 55"):
        convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    for content in (torch.ones(60), torch.ones(0, 2), {"features": torch.ones(60, 2)}):
        save(path, content)
        with pytest.raises(ValueError, match=r"first\.pt does not hold features"):
            convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    for content in (b"", b"not a tensor"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"first\.pt is not a readable tensor"):
            convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)
    assert not (tmp_path / "ego4d" / "annotations").exists()  # which would mark a finished data set
    save(path, torch.ones(55, 2))
    assert convert_ego4d(download, tmp_path, OMNIVORE, num_classes=2)["written"] == 5
