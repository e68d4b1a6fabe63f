"""Reading a part of a video: the same items as from whole files for every kind of storage; the cache in memory."""

import pickle
import random

import h5py
import numpy as np
import pytest
import torch
from tiny_data import FPS, NUM_FRAMES, STRIDE, seconds_of, tiny_recipe, training_set, write_annotations
from watched import Watched

from afkit.data.batches import collate, training_batches
from afkit.data.features import RawFeatures, open_features
from afkit.data.items import Dataset, GridFeatures, Item, crop

LENGTHS = {"long": 300, "medium": 90, "short": 40, "one step": 1}


KINDS = {  # of storage, and the data type of what is stored
    "npy float16": np.float16,
    "npy float32": np.float32,
    "npy float64": np.float64,
    "npy int16": np.int16,
    "npy, columns first": np.float64,
    "npz": np.float64,
    "hdf5": np.float16,
    "hdf5, chunks": np.float64,
}


def save(root, kind, folder, arrays):
    """Write {video: (T, C)} in a kind of storage; the name of the folder (or file)."""
    path = root / "tiny" / folder
    if kind.startswith("hdf5"):
        with h5py.File(path.with_suffix(".hdf5"), "w") as file:
            for video, array in arrays.items():
                file.create_dataset(video, data=array, chunks=(1, 1) if kind == "hdf5, chunks" else None)
        return f"tiny/{folder}.hdf5"
    path.mkdir()
    for video, array in arrays.items():
        if kind == "npz":
            np.savez_compressed(path / f"{video}.npz", feats=array)
        else:
            np.save(path / f"{video}.npy", np.asfortranarray(array) if kind == "npy, columns first" else array)
    return f"tiny/{folder}"


GRIDS = {
    "as it is": {},
    "every third": {"data__downsample": 3},
    "resized": {"data__resize": True},
    "fixed length": {"data__stride_frames": -1, "data__downsample": 2},
}


def write_videos(root, kind, folders=1):
    """Videos of LENGTHS, in each further folder one step shorter; the recipe's settings and {video: joined (T, C)}."""
    rng = np.random.default_rng(0)
    database, joined, saved = {}, {}, [{} for _ in range(folders)]
    for video, steps in LENGTHS.items():
        onsets = rng.choice(steps, min(4, steps), replace=False)
        rows = [
            {"segment": [seconds_of(onset), seconds_of(onset + 5)], "label": "action", "label_id": 0}
            for onset in onsets.tolist()
        ]
        duration = ((steps - 1) * STRIDE + NUM_FRAMES) / FPS
        database[video] = {"subset": "training", "duration": duration, "fps": FPS, "annotations": rows}
        for number, arrays in enumerate(saved):
            arrays[video] = (100 * rng.normal(size=(max(steps - number, 1), 3 + number))).astype(KINDS[kind])
        shortest = min(len(arrays[video]) for arrays in saved)
        joined[video] = np.concatenate([arrays[video][:shortest].astype(np.float32) for arrays in saved], axis=1)
    write_annotations(root, database)
    names = [save(root, kind, f"part{number}", arrays) for number, arrays in enumerate(saved)]
    settings = {"data__features": names, "data__input_dims": [3 + number for number in range(folders)]}
    return settings | {"data__suffix": ".npz" if kind == "npz" else ".npy"}, joined


def plain_item(dataset, index, epoch, whole):
    """The item from the whole array (T, C): thinned or resized first, cropped then."""
    config, unread = dataset.config, dataset.unread(index)
    if config.stride_frames > 0:
        whole = whole[:: config.downsample]
    features = torch.from_numpy(np.ascontiguousarray(whole.T))
    if config.resize and len(whole) != config.max_seq_len:
        size = config.max_seq_len
        features = torch.nn.functional.interpolate(features[None], size=size, mode="linear", align_corners=False)[0]
    item = unread._replace(features=features)
    return crop(item, config, random.Random(f"{dataset.seed} {epoch} {index}")) if dataset.training else item


def assert_same_item(found, expected):
    """Bit by bit."""
    assert isinstance(found, Item) and found.features.dtype == torch.float32
    assert torch.equal(found.features, expected.features)
    assert torch.equal(found.segments, expected.segments) and torch.equal(found.labels, expected.labels)
    assert found[4:] == expected[4:]


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cache_mb", [0, 1])
def test_items_are_those_of_whole_files(tmp_path, kind, grid, cache_mb):
    for folders in (1, 3):
        root = tmp_path / str(folders)
        (root / "tiny").mkdir(parents=True)
        settings, joined = write_videos(root, kind, folders)
        config = tiny_recipe(**settings, **GRIDS[grid], data__crop_ratio=(0.5, 1.0)).data
        for training in (True, False):
            dataset = Dataset(config, root, ["training"], training, seed=5, cache_mb=cache_mb)
            dataset.preload()
            assert (dataset.cached_bytes > 0) == (cache_mb > 0)
            widths = set()
            for index, video in enumerate(LENGTHS):
                for epoch in range(4):
                    found = dataset.item(index, epoch)
                    assert_same_item(found, plain_item(dataset, index, epoch, joined[video]))
                    widths.add(found.features.shape[1])
            assert len(widths) > 4 if training else found.features.shape[1] == dataset.unread(3).features.shape[1]


@pytest.mark.parametrize(("downsample", "rows"), [(1, (20, 35)), (3, (60, 105))])
def test_only_the_rows_of_a_crop_are_read(downsample, rows):
    parts = [Watched(np.random.default_rng(0).normal(size=(steps, 3))) for steps in (200, 190)]
    config = tiny_recipe(data__downsample=downsample, data__input_dims=[3, 3], data__features=["a", "b"]).data
    features = GridFeatures(RawFeatures(parts, ["a", "b"], "v"), config, 10.0, 4.0)
    assert features.shape == (6, -(-190 // downsample))
    assert [part.asked for part in parts] == [[], []]
    found = features[:, 20:35]
    assert [part.asked for part in parts] == [[slice(*rows)], [slice(*rows)]]
    expected = np.concatenate([part.array[:190][::downsample][20:35] for part in parts], axis=1).astype(np.float32)
    np.testing.assert_array_equal(found, expected.T)


def test_a_batch_of_whole_videos_reads_them_in_parts():
    raw = [Watched(np.random.default_rng(steps).normal(size=(steps, 6))) for steps in (9000, 10)]
    config = tiny_recipe().data
    grids = [GridFeatures(RawFeatures([part], ["v"], "v"), config, 10.0, 4.0) for part in raw]
    batch = collate([Item("v", grid, None, None, 10.0, 1.0, 4.0, 8.0) for grid in grids], 9008)
    assert [rows.stop - rows.start for rows in raw[0].asked] == [4096, 4096, 808]
    for features, part, steps in zip(batch.features, raw, (9000, 10), strict=True):
        np.testing.assert_array_equal(features[:, :steps], part.array.T.astype(np.float32))
        assert not features[:, steps:].any()


@pytest.mark.parametrize(("kind", "opened"), [("npy float32", np.memmap), ("hdf5", h5py.Dataset), ("npz", np.ndarray)])
def test_files_are_mapped_where_they_can_be(tmp_path, kind, opened):
    (tmp_path / "tiny").mkdir()
    settings, _ = write_videos(tmp_path, kind)
    raw = open_features(tiny_recipe(**settings).data, tmp_path, "long")
    assert type(raw.parts[0]) is opened
    assert (len(raw), raw.width, raw.nbytes) == (300, 3, 300 * 3 * KINDS[kind]().itemsize)


def test_a_crop_reads_its_rows_alone(tmp_path):
    (tmp_path / "tiny").mkdir()
    settings, _ = write_videos(tmp_path, "npy float32")
    dataset = training_set(tmp_path, tiny_recipe(**settings))
    part = Watched(np.zeros((300, 3), np.float32))
    dataset._cached["long"] = RawFeatures([part], ["long"], "long")
    item = dataset[0]
    assert item.features.shape == (3, 64)
    assert [rows.stop - rows.start for rows in part.asked] == [64]


# ---- the cache


@pytest.fixture
def root(tmp_path):
    """Four videos of 3 channels in float16."""
    (tmp_path / "tiny").mkdir()
    write_videos(tmp_path, "npy float16")
    return tmp_path


def cached_set(root, cache_mb):
    """The data set, its cache filled."""
    config = tiny_recipe(data__features=["tiny/part0"], data__input_dims=[3]).data
    dataset = Dataset(config, root, ["training"], training=True, seed=1, cache_mb=cache_mb)
    dataset.preload()
    return dataset


BYTES = {video: steps * 3 * 2 for video, steps in LENGTHS.items()}


@pytest.mark.parametrize("budget_bytes", [0, 1, 6, 239, 240, 246, 539, 540, 780, 1800, 1806, 2046, 2339, 2340, 2586])
def test_the_cache_takes_each_video_that_still_fits_and_never_more_than_its_budget(root, budget_bytes):
    expected, left = set(), budget_bytes
    for index, size in enumerate(BYTES.values()):
        if size <= left:
            expected.add(index)
            left -= size
    dataset = cached_set(root, budget_bytes / 10**6)
    assert dataset.cached_bytes == budget_bytes - left <= budget_bytes
    for path in root.rglob("*.npy"):
        path.unlink()
    for index in range(4):
        if index in expected:
            assert len(dataset[index].features)
        else:
            with pytest.raises(ValueError, match=r"does not exist"):
                dataset[index]


def test_a_caller_cannot_change_the_cache(root):
    dataset = cached_set(root, 1)
    dataset.training = False
    expected = [dataset[index].features.clone() for index in range(4)]
    for index in range(4):
        dataset[index].features.fill_(7)
        assert torch.equal(dataset[index].features, expected[index])
    for raw in dataset._cached.values():
        assert type(raw.parts[0]) is np.ndarray and raw.parts[0].flags.owndata  # no memory map
        with pytest.raises(ValueError, match="read-only"):
            raw.parts[0][:] = 7


def test_a_copy_for_another_process_leaves_the_cache_behind(root):
    dataset = cached_set(root, 1)
    sent = pickle.loads(pickle.dumps(dataset))
    assert (sent.cached_bytes, dataset.cached_bytes) == (0, sum(BYTES.values()))
    assert torch.equal(sent[0].features, dataset[0].features)
    for _ in range(2):  # nothing is taken twice
        sent.preload()
        assert sent.cached_bytes == dataset.cached_bytes


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_use_what_was_read_before_they_were_started(root, workers):
    dataset = cached_set(root, 0)
    expected = list(training_batches(dataset, 2, 3))
    dataset.cache_mb = 1
    stream = training_batches(dataset, 2, 3, workers=workers)
    for path in root.rglob("*.npy"):
        path.unlink()
    found = list(stream)
    assert all(torch.equal(a.features, b.features) for a, b in zip(found, expected, strict=True))
