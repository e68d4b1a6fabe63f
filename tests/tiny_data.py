"""A small data set on disk and a small recipe for it, for tests that need any data rather than special data."""

import json

import numpy as np

from afkit.config import Recipe, make_recipe
from afkit.data.items import Dataset

STRIDE, NUM_FRAMES, FPS = 4, 8, 10.0
CHANNELS, CLASSES = 6, 3


def tiny_recipe(**overrides) -> Recipe:
    """Three levels, 16 channels. Overrides with two underscores: `optim__epochs=2`."""
    settings = {
        "name": "tiny",
        "data": {
            "annotations": "tiny/annotations.json",
            "features": ["tiny/features"],
            "test_subsets": ["test"],
            "num_classes": CLASSES,
            "input_dims": [CHANNELS],
            "stride_frames": STRIDE,
            "num_frames": NUM_FRAMES,
            "max_seq_len": 64,
        },
        "model": {
            "embed_dim": 16,
            "heads": 2,
            "windows": 5,
            "branch_layers": 2,
            "regression_ranges": [(0, 4), (4, 8), (8, 10000)],
        },
        "optim": {"epochs": 2, "warmup_epochs": 1, "learning_rate": 1e-3},
    }
    return make_recipe(settings, {name.replace("__", "."): value for name, value in overrides.items()})


TRIDET = {  # settings of `tiny_recipe`
    "model__backbone": "sgp",
    "model__windows": 1,
    "model__head": "trident",
    "model__bins": 4,
    "loss__class_iou_power": 0.2,
    "data__crop_margin": False,
}
TEMPORALMAXER = {
    "model__backbone": "maxpool",
    "model__stem_layers": 0,
    "model__drop_path": 0.0,
    "model__neck_norm": "shared",
    "loss__offset_target": "cheapest",
}


def write_tiny_recipe(root, **overrides) -> str:
    """Write `root`/tiny.yaml, the recipe of `tiny_recipe`; its path."""
    settings = tiny_recipe(**overrides).model_dump(mode="json", exclude={"name"})
    (root / "tiny.yaml").write_text(json.dumps(settings))  # which is YAML, too
    return str(root / "tiny.yaml")


def write_tiny_data(root, training=6, test=2) -> None:
    """Write `root`/tiny: videos of 40 to 90 steps with two to four actions each, which show in the features."""
    rng = np.random.default_rng(0)
    (root / "tiny" / "features").mkdir(parents=True)
    database = {}
    for number in range(training + test):
        steps = int(rng.integers(40, 91))
        features = rng.normal(size=(steps, CHANNELS))
        annotations = []
        for onset in sorted(rng.choice(steps - 12, rng.integers(2, 5), replace=False).tolist()):
            label, length = int(rng.integers(CLASSES)), int(rng.integers(3, 12))
            features[onset : onset + length, label] += 3
            segment = [seconds_of(onset), seconds_of(onset + length)]
            annotations.append({"segment": segment, "label": f"action {label}", "label_id": label})
        database[f"video{number}"] = {
            "subset": "training" if number < training else "test",
            "duration": ((steps - 1) * STRIDE + NUM_FRAMES) / FPS,
            "fps": FPS,
            "annotations": annotations,
        }
        np.save(root / "tiny" / "features" / f"video{number}.npy", features.astype(np.float32))
    write_annotations(root, database)


def seconds_of(step: float) -> float:
    """Seconds at which the middle of a feature vector lies."""
    return (step * STRIDE + 0.5 * NUM_FRAMES) / FPS


def write_annotations(root, database) -> None:
    """Write (or replace) `root`/tiny/annotations.json."""
    (root / "tiny").mkdir(parents=True, exist_ok=True)
    (root / "tiny" / "annotations.json").write_text(json.dumps({"database": database}))


def read_database(root) -> dict:
    """What `write_annotations` wrote."""
    return json.loads((root / "tiny" / "annotations.json").read_text())["database"]


def change_video(root, video, **entries) -> None:
    """Change entries of a video in the annotation file."""
    database = read_database(root)
    database[video] |= entries
    write_annotations(root, database)


def training_set(root, recipe, seed=0) -> Dataset:
    """The training videos with random crops."""
    return Dataset(recipe.data, root, recipe.data.train_subsets, training=True, seed=seed)
