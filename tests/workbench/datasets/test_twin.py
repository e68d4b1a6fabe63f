"""Twins: read back by the reader of real data, they hold what their recipe says, and never touch what is not a twin."""

import json
import os
import pickle
from collections import Counter, namedtuple
from pathlib import Path

import numpy as np
import pytest

from afkit.config import Recipe
from afkit.data.annotations import frames_per_second, read_annotations
from afkit.data.features import feature_files, read_features
from afkit.data.items import Dataset
from afkit.recipes import recipe
from afkit.segments import grid_to_sec
from afkit.workbench.datasets import twin
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.survey.checks import inspect_data

SHARED = Path(os.environ.get("AFKIT_SHARED") or Path(__file__).parents[4] / "shared") / "data"
NAMES = ["thumos_i3d", "anet_tsp", "anet_i3d", "epic_verb", "epic_noun"]
NAMES += ["tridet_anet", "tridet_hacs_slowfast", "tridet_hacs_i3d", "temporalmaxer_multithumos"]
NAMES += ["ego4d_s", "ego4d_o", "ego4d_e", "ego4d_s_e", "ego4d_o_e", "ego4d_s_o_e"]
STEPS, CHANNELS = 256, 16


def shrunken(name, **overrides):
    """An experiment with short sequences and few channels."""
    data = recipe(name).data
    channels = [CHANNELS // 2 if data.half_channels else CHANNELS] * len(data.features)
    return recipe(name, {"data.max_seq_len": STEPS, "data.input_dims": channels, **overrides})


def with_data(resolved: Recipe, **settings) -> Recipe:
    """The recipe with other settings of its data section."""
    return resolved.model_copy(update={"data": resolved.data.model_copy(update=settings)})


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A data root with the twins of all data sets and kinds of features."""
    folder = tmp_path_factory.mktemp("data")
    for name in NAMES:
        write_twin(shrunken(name), folder)
    return folder


# --- what is read back


@pytest.mark.parametrize("name", NAMES)
def test_checks_of_real_data_find_nothing(root, name):
    config = shrunken(name).data
    table, findings = inspect_data(config, root)
    # of few classes, and of folders that differ as Ego4D's do
    assert {finding.check for finding in findings} <= {"label ids without annotation", "folders a few steps apart"}
    assert set(table["subset"]) == {*config.train_subsets, *config.test_subsets}
    assert table["covered"].between(0.93, 1.07).all()
    assert (table["actions"] > 0).all()
    assert (table["steps"] > STEPS).any()
    assert (table["steps"] < STEPS).any()


@pytest.mark.parametrize("name", NAMES)
def test_items(root, name):
    resolved = shrunken(name)
    config = resolved.data
    near = {0: [], 1: []}  # features at the start and at the end of actions
    for subsets in (config.train_subsets, config.test_subsets):
        dataset = Dataset(config, root, subsets)
        assert len(dataset) == max(8, 2 * resolved.optim.batch_size)
        assert dataset.missing == []
        labels = set()
        for item, video in zip(dataset, dataset.videos, strict=True):
            length = item.features.shape[1]
            assert item.features.shape[0] == sum(config.input_dims)
            assert length == STEPS or not config.resize
            assert item.segments.shape == (len(video.labels), 2)
            seconds = grid_to_sec(item.segments.double().numpy(), item.fps, item.stride, item.num_frames)
            np.testing.assert_allclose(seconds, video.segments_sec, atol=1e-3)
            assert (video.segments_sec[:, 0] < video.segments_sec[:, 1]).all()
            assert video.segments_sec.min() >= 0
            assert video.segments_sec.max() <= video.duration_sec
            labels |= set(item.labels.tolist())
            for side, positions in enumerate(item.segments.round().long().clamp(max=length - 1).T):
                near[side].append(item.features[:, positions].numpy())
        start, end = (np.concatenate(near[side], axis=1).mean(axis=1) for side in (0, 1))
        assert config.resize or np.linalg.norm(start - end) > 2  # of noise alone it would be below 1
        assert labels == (
            {0} if config.num_classes == 1 else set(read_annotations(root / config.annotations).label_names)
        )


def steps_and_labels(config, root, subsets):
    """Features (N, C) of all steps in the middle of an action, and the action's label."""
    features, labels = [], []
    for video in Dataset(config, root, subsets).videos:
        array = read_features(config, root, video.name)
        fps = frames_per_second(config, video)
        grid = (video.segments_sec * fps - 0.5 * config.num_frames) / config.stride_frames
        for (start, end), label in zip(grid, video.labels, strict=True):
            inside = array[int(np.ceil(start + 1)) : int(end)]
            features.append(inside)
            labels += [label] * len(inside)
    return np.concatenate(features), np.array(labels)


@pytest.mark.parametrize("name", NAMES)
def test_a_linear_classifier_learns_the_classes(root, name):
    config = shrunken(name).data
    features, labels = steps_and_labels(config, root, config.train_subsets)
    classes = np.unique(labels)
    targets = (labels[:, None] == classes).astype(float)
    weights, *_ = np.linalg.lstsq(np.c_[features, np.ones(len(features))], targets, rcond=None)
    features, labels = steps_and_labels(config, root, config.test_subsets)
    found = classes[(np.c_[features, np.ones(len(features))] @ weights).argmax(axis=1)]
    assert len(classes) == 5
    assert (found == labels).mean() > 0.7
    order = np.random.default_rng(0).permutation(len(labels))
    assert (found == labels[order]).mean() < 0.35


# --- the formats of the data sets


def test_files_of_thumos(root):
    entries = json.loads((root / "thumos/annotations/thumos14.json").read_text())["database"]
    assert Counter(entry["subset"] for entry in entries.values()) == {"Validation": 8, "Test": 8}
    assert {entry["fps"] for entry in entries.values()} == {25.0, 29.97, 30.0}
    annotation = next(iter(entries.values()))["annotations"][0]
    assert annotation["label"] == f"action {annotation['label_id']}"
    files = sorted(path.name for path in (root / "thumos/i3d_features").iterdir())
    assert files == sorted(f"{name}.npy" for name in entries)
    array = np.load(root / "thumos/i3d_features" / files[0])
    assert array.dtype == np.float32
    assert array.shape[1] == CHANNELS
    assert not (root / "thumos/annotations/cuhk_val_simp_share.json").exists()


def test_files_of_activitynet(root):
    folder = root / "anet_1.3"
    tsp = json.loads((folder / "annotations/anet1.3_tsp_filtered.json").read_text())["database"]
    i3d = json.loads((folder / "annotations/anet1.3_i3d_filtered.json").read_text())["database"]
    assert tsp == i3d
    for kind in ("tsp", "i3d"):
        files = {path.name for path in (folder / f"{kind}_features").iterdir()}
        assert files == {f"v_{name}.npy" for name in tsp}
    labels = {name: {row["label_id"] for row in entry["annotations"]} for name, entry in tsp.items()}
    assert all(len(of_video) == 1 for of_video in labels.values())
    assert set.union(*labels.values()) == {0, 1, 2, 3, 4}

    scores = json.loads((folder / "annotations/cuhk_val_simp_share.json").read_text())["results"]
    assert set(scores) == {name for name, entry in tsp.items() if entry["subset"] == "validation"}
    assert {len(of_video) for of_video in scores.values()} == {200}
    best = [int(np.argmax(of_video)) in labels[name] for name, of_video in scores.items()]
    assert 0.5 < np.mean(best) < 1


def test_files_of_epic(root):
    folder = root / "epic_kitchens"
    verbs, nouns = (
        read_annotations(folder / f"annotations/epic_kitchens_100_{kind}.json") for kind in ("verb", "noun")
    )
    assert list(verbs.videos) == list(nouns.videos)
    assert list(verbs.label_names) == list(nouns.label_names) == [0, 2, 4, 6, 8]
    assert verbs.label_names[2] == "verb 2"
    for video, other in zip(verbs.videos.values(), nouns.videos.values(), strict=True):
        np.testing.assert_array_equal(video.segments_sec, other.segments_sec)
        assert (video.labels != other.labels).all()
    with np.load(next((folder / "features").iterdir())) as arrays:
        assert arrays.files == ["feats"]
        assert arrays["feats"].dtype == np.float32


def test_files_of_ego4d(root, tmp_path):
    for name, channels, widths in (("ego4d_o_e", 1792, [1536, 256]), ("ego4d_s_e", 15, [8, 7])):  # of both folders
        resolved = with_data(shrunken(name), input_dims=[channels], max_seq_len=64)
        folder = write_twin(resolved, tmp_path / name, videos_per_subset=1)
        made = [np.load(next((folder.parent / path).iterdir())).shape[1] for path in resolved.data.features]
        assert made == widths, "the published ones, or equal ones"
    config = shrunken("ego4d_s_o_e").data
    videos = read_annotations(root / config.annotations).videos
    lengths = [[len(np.load(file)) for file in feature_files(config, root, video)] for video in videos]
    assert {max(of_video) - min(of_video) for of_video in lengths} == {0, 1}


def test_files_of_hacs(root):
    folder = root / "hacs"
    videos = read_annotations(folder / "annotations/HACS_segments_v1.1.1_slowfast.json").videos
    for kind, suffix in (("slowfast", ".pkl"), ("i3d", ".npy")):
        files = {path.relative_to(folder / f"{kind}_feature") for path in folder.glob(f"{kind}_feature/*/*")}
        assert files == {Path(video.subset, f"{name}{suffix}") for name, video in videos.items()}
    streams = pickle.loads((folder / "slowfast_feature/training/twin_training_0000.pkl").read_bytes())
    steps = {tensor.shape[2] for tensor in streams.values()}
    assert {name: tensor.shape[:2] for name, tensor in streams.items()} == {
        "slow_feature": (1, CHANNELS - 2),
        "fast_feature": (1, 2),
    }
    assert len(steps) == 1


def test_multithumos_has_annotations_of_its_own_for_the_features_of_thumos(root, tmp_path):
    thumos, more = (json.loads((root / path).read_text())["database"] for path in (
        "thumos/annotations/thumos14.json", "multithumos/multithumos.json"))  # fmt: skip
    assert thumos == more
    assert {path.name for path in (root / "multithumos").iterdir()} >= {"TWIN.md", "twin.json", "multithumos.json"}
    names = ["temporalmaxer_multithumos", "thumos_i3d"]
    halves = {"temporalmaxer_multithumos": CHANNELS // 2, "thumos_i3d": CHANNELS}
    for order in (names, names[::-1]):
        data_root = tmp_path / order[0]
        for name in order:
            write_twin(shrunken(name, **{"data.input_dims": [halves[name]]}), data_root, videos_per_subset=2)
        file = next((data_root / "thumos/i3d_features").iterdir())
        assert np.load(file).shape[1] == CHANNELS
    assert content(tmp_path / names[0]) == content(tmp_path / names[1])
    write_twin(shrunken("thumos_i3d"), tmp_path / "one", videos_per_subset=1)
    (tmp_path / "one" / "multithumos").symlink_to(tmp_path / names[0] / "multithumos")
    with pytest.raises(ValueError, match="multithumos holds another twin than the features; delete it"):
        half = shrunken(names[0], **{"data.input_dims": [CHANNELS // 2]})
        write_twin(half, tmp_path / "one")


# --- the same again, and beside others


def test_the_seed_decides_everything(tmp_path):
    thinned = shrunken("thumos_i3d", **{"data.downsample": 2})
    write_twin(thinned, tmp_path, videos_per_subset=2)
    lengths = sorted(item.features.shape[1] for item in Dataset(thinned.data, tmp_path, ["test"]))
    assert lengths == pytest.approx([0.4 * STEPS, 1.3 * STEPS], abs=2)
    first, second, other = (
        content(write_twin(shrunken("anet_tsp"), tmp_path / part, seed=seed, videos_per_subset=3))
        for part, seed in [("first", 1), ("second", 1), ("other", 2)]
    )
    assert first == second
    changed = [path for path in first.keys() & other.keys() if first[path] != other[path]]
    assert len(changed) == len(first) - 2  # all but the marker and the version


def test_files_do_not_depend_on_the_order_of_recipes(tmp_path):
    contents = []
    for part, names in [("a", ["epic_verb", "epic_noun"]), ("b", ["epic_noun", "epic_verb"])]:
        for name in names:
            folder = write_twin(shrunken(name), tmp_path / part)
        contents.append(content(folder))
    assert contents[0] == contents[1]


def test_what_is_there_is_kept_and_what_is_lost_or_of_another_recipe_is_added(tmp_path):
    folder = write_twin(shrunken("ego4d_s"), tmp_path, videos_per_subset=2)
    before = content(folder)
    lost = sorted((folder / "slowfast_features").iterdir())[1]
    lost.unlink()
    write_twin(shrunken("ego4d_s"), tmp_path)
    assert content(folder) == before
    write_twin(shrunken("ego4d_s_e"), tmp_path)
    after = content(folder)
    assert {path.parent.name for path in after.keys() - before.keys()} == {"egovlp_features"}
    assert all(after[path] == data for path, data in before.items())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"seed": 1}, r"another twin \(seed 0, source 'generated', videos_per_subset 2\); delete it"),
        ({"videos_per_subset": 3}, "another twin"),
        ({"annotations": "thumos14.json"}, "another twin"),
        ({"recipe": shrunken("thumos_i3d", **{"data.input_dims": [8]})}, "16 channels in thumos/i3d_features"),
        ({"recipe": shrunken("thumos_i3d", **{"data.num_classes": 3})}, r"label outside 0 to 2 \(data\.num_classes\)"),
        ({"recipe": shrunken("thumos_i3d", **{"data.test_subsets": ["tset"]})}, "no video of the subset 'tset'"),
    ],
)
def test_another_twin_is_not_mixed_in(tmp_path, changes, match):
    folder = write_twin(shrunken("thumos_i3d"), tmp_path, videos_per_subset=2)
    before = content(tmp_path)
    with pytest.raises(ValueError, match=match):
        write_twin(**{"recipe": shrunken("thumos_i3d"), "data_root": tmp_path, **changes})
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize("kind", ["folder", "empty folder", "file", "link"])
def test_real_data_is_never_touched(tmp_path, kind):
    place = tmp_path / "thumos"
    if kind == "file":
        place.write_text("real")
    elif kind == "link":
        place.symlink_to(tmp_path / "elsewhere")
    else:
        place.mkdir()
    if kind == "folder":
        (place / "README.md").write_text("real")
    before = content(tmp_path)
    with pytest.raises(ValueError, match=r"holds no TWIN\.md, so it may be real data"):
        write_twin(shrunken("thumos_i3d"), tmp_path)
    assert content(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["thumos"]


def test_an_interrupted_addition_can_be_repeated(tmp_path, monkeypatch):
    write_twin(shrunken("anet_tsp"), tmp_path / "whole", videos_per_subset=2)
    expected = content(write_twin(shrunken("anet_i3d"), tmp_path / "whole"))
    folder = write_twin(shrunken("anet_tsp"), tmp_path / "part", videos_per_subset=2)
    annotations = folder / "annotations" / "anet1.3_i3d_filtered.json"
    replace, calls = Path.replace, []

    def stop_at_the_third(path, target):
        calls.append(target)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return replace(path, target)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Path, "replace", stop_at_the_third)
        write_twin(shrunken("anet_i3d"), tmp_path / "part")
    assert not annotations.exists()  # it would make the data set look complete
    assert content(write_twin(shrunken("anet_i3d"), tmp_path / "part")) == expected


def test_a_disk_that_is_too_small(tmp_path, monkeypatch):
    monkeypatch.setattr(twin.shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(10**6))
    with pytest.raises(ValueError, match=r"needs 0\.0 GB and .* has 0\.0 GB free; choose another data root or fewer"):
        write_twin(shrunken("thumos_i3d", **{"data.input_dims": [2048]}), tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"annotations": "../thumos/a.json"}, "one folder below the data root"),
        ({"annotations": "a.json"}, "one folder below the data root"),
        ({"features": ["thumos/i3d_features", "other/rgb"]}, "features in one folder below the data root"),
        ({"features": ["thumos/i3d.hdf5"]}, "needs feature folders"),
        ({"stride_frames": -1}, r"data\.stride_frames above 0"),
        *(({"prefix": it}, "the name of video 'twin_valid") for it in ("../../escape_", "/escape_", "x" * 300)),
    ],
)
def test_recipes_without_a_twin(tmp_path, settings, match):
    with pytest.raises(ValueError, match=match):
        write_twin(with_data(shrunken("thumos_i3d"), **settings), tmp_path / "data", videos_per_subset=1)
    scores = {"decode.score_file": "anet_1.3/annotations/scores.pkl"}
    with pytest.raises(ValueError, match=r"score file is JSON; change decode\.score_file"):
        write_twin(shrunken("anet_tsp", **scores), tmp_path / "data")
    assert list(tmp_path.iterdir()) == []


def test_few_classes_and_videos_and_settings_that_are_damaged(tmp_path):
    resolved = shrunken("epic_verb", **{"data.num_classes": 4, "data.max_seq_len": 32})  # ids 0 and 2 at most
    folder = write_twin(resolved, tmp_path, videos_per_subset=1)
    assert list(read_annotations(tmp_path / resolved.data.annotations).label_names) == [0, 2]
    timelines = [["a", "training", "x", 10, [], {"action": []}], ["a", "training", 9, 10, [], {"action": [0]}]]
    twins = [
        {"seed": 0, "source": "generated", "videos_per_subset": 4, "names": {}, "timelines": [t]} for t in timelines
    ]
    for text, match in [("{", "not a readable JSON"), *((json.dumps(x), "is damaged; delete") for x in ([], *twins))]:
        (folder / "twin.json").write_text(text)
        with pytest.raises(ValueError, match=match):
            write_twin(resolved, tmp_path)


# --- from real annotations

SMALL_FILE = {
    "a": {"subset": "Validation", "duration": 20.0, "fps": 25, "annotations": []},
    "b": {
        "subset": "test",
        "duration": 61.3,
        "fps": 30.0,
        "annotations": [
            {"segment": [5.25, 9.5], "label": "Dive", "label_id": 7, "note": "x"},
            {"segment": [-1.0, 70.0], "label": "Run", "label_id": 3},
            {"segment": [5.0, 5.0], "label": "Run", "label_id": 3},
        ],
    },
}


def small_file(folder, **changes):
    """An annotation file with other values for video b."""
    entry = SMALL_FILE["b"] | changes
    (folder / "mine.json").write_text(json.dumps({"database": {"a": SMALL_FILE["a"], changes.pop("name", "b"): entry}}))
    return folder / "mine.json"


def test_a_twin_of_an_annotation_file(tmp_path):
    resolved = shrunken("thumos_i3d")
    write_twin(resolved, tmp_path / "data", annotations=small_file(tmp_path))
    file = read_annotations(tmp_path / "data" / resolved.data.annotations)
    original = read_annotations(tmp_path / "mine.json")
    assert file.label_names == original.label_names
    for name, video in original.videos.items():
        assert (file.videos[name].subset, file.videos[name].fps) == (video.subset, video.fps)
        assert file.videos[name].duration_sec == video.duration_sec
        np.testing.assert_array_equal(file.videos[name].segments_sec, video.segments_sec)
        np.testing.assert_array_equal(file.videos[name].labels, video.labels)
    lengths = [len(read_features(resolved.data, tmp_path / "data", name)) for name in original.videos]
    assert lengths == [(20 * 25 - 16) // 4 + 1, (1839 - 16) // 4 + 2]  # to the nearest


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"duration": None}, "'b' has no duration; add 'duration'"),
        ({"fps": None}, "'b' has no frame rate"),
        ({"name": "../b"}, "'../b' has an id that cannot name a file"),
        ({"name": "b\n"}, "none that cannot be shown"),
        ({"annotations": [{"segment": [0, 1], "label": "x", "label_id": 20}]}, "'b' has a label outside 0 to 19"),
        ({"subset": "tset"}, "no video of the subset 'test'"),
    ],
)
def test_annotations_that_do_not_fit(tmp_path, changes, match):
    path = small_file(tmp_path, **changes)
    with pytest.raises(ValueError, match=match):
        write_twin(shrunken("thumos_i3d"), tmp_path / "data", annotations=path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]


@pytest.mark.parametrize("name", ["missing.json", "list.json", "other.json", "other.csv"])
def test_no_annotation_file(tmp_path, name):
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "other.json").write_text('{"v_a": {"annotations": 3}}')
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=name.replace(".", r"\.")):
        write_twin(shrunken("thumos_i3d"), tmp_path / "data", annotations=tmp_path / name)
    assert not (tmp_path / "data").exists()


def real(name):
    """A file of ../shared/data, or a skipped test."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"{path} does not exist; set AFKIT_SHARED to the folder of the shared files")
    return path


def test_all_of_thumos(tmp_path):
    resolved = shrunken("thumos_i3d", **{"data.input_dims": [2]})
    write_twin(resolved, tmp_path, annotations=real("thumos14/thumos14.json"))
    table, _ = inspect_data(resolved.data, tmp_path)  # the real file has segments after the end of a video
    assert table.groupby("subset")["actions"].sum().to_dict() == {"validation": 3007, "test": 3358}
    assert table["subset"].value_counts().to_dict() == {"validation": 200, "test": 212}
    assert table["covered"].between(0.99, 1.01).all()
    entries = json.loads((tmp_path / "thumos/annotations/thumos14.json").read_text())["database"]
    assert {entry["subset"] for entry in entries.values()} == {"Validation", "Test"}
