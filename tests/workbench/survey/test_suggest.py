"""Suggestions: how near they come to the published recipes, and how they are called."""

import math
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_data import FPS, NUM_FRAMES, STRIDE, change_video, tiny_recipe

import afkit
from afkit.config import make_recipe
from afkit.data.annotations import read_annotations
from afkit.files import write_json
from afkit.workbench.datasets.hapt import write_hapt
from afkit.workbench.survey.suggest import below, beside

SHARED = Path(os.environ.get("AFKIT_SHARED") or Path(__file__).parents[4] / "shared") / "data"


def real(name):
    """A file of the folder that holds real annotations."""
    if not (SHARED / name).is_file():
        pytest.skip(f"{SHARED / name} does not exist; set AFKIT_SHARED to the folder that holds data/")
    return SHARED / name


def epic_file(tmp_path, part):
    """EPIC-Kitchens-100's segments as an annotation file; its times are frames at 30 per second."""
    durations = pd.read_csv(real("epic100/EPIC_100_video_info.csv"), index_col="video_id")["duration"]
    database = {}
    for subset in ("training", "validation"):
        for video, rows in pd.read_csv(real(f"epic100/C2_BMN_{subset}.csv")).groupby("video"):
            columns = zip(rows["start"] / 30, rows["stop"] / 30, rows[part], strict=True)
            actions = [{"segment": [a, b], "label": str(label), "label_id": label} for a, b, label in columns]
            duration = float(durations[video])
            database[video] = {"subset": subset, "duration": duration, "fps": 30, "annotations": actions}
    write_json(tmp_path / "epic.json", {"database": database})
    return tmp_path / "epic.json"


def hapt_file(tmp_path, part):
    return write_hapt(real("hapt-raw.tar.xz"), tmp_path, say=lambda line: None) / "annotations" / "hapt.json"


@pytest.fixture(scope="module")
def suggested(tmp_path_factory):
    """A function from a recipe to the overrides suggested for its annotations, and their path; each made once."""
    files = {
        "thumos_i3d": lambda path, part: real("thumos14/thumos14.json"),
        "epic_verb": epic_file,
        "epic_noun": epic_file,
        "hapt": hapt_file,
    }
    made = {}

    def suggest(name):
        if name not in made:
            config = afkit.recipe(name).data
            path = files[name](tmp_path_factory.mktemp(name), name.removeprefix("epic_"))
            given = {"stride_frames": config.stride_frames, "num_frames": config.num_frames, "fps": config.fps}
            subsets = {"train_subsets": config.train_subsets, "test_subsets": config.test_subsets}
            table = afkit.suggest(path, input_dims=config.input_dims, **given, **subsets)
            made[name] = table["value"].to_dict(), path
        return made[name]

    return suggest


NEAR = {  # parameter: the ratio of suggested to published, in either direction
    "data.max_seq_len": 1.5,
    "model.windows": 19 / 9,  # published: 19 on THUMOS14
    "model.embed_dim": 1,
    "optim.batch_size": 1,
    "optim.epochs": 1.6,  # EPIC: 10 instead of 16
    "optim.warmup_epochs": 1,
    "optim.learning_rate": 1,
    "optim.ema_warmup": 1,
    "decode.max_segments": 1.25,
    "decode.pre_nms_topk": 1,
    "decode.sigma": 1.25,
    "decode.min_score": 1,
    "decode.multiclass": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["thumos_i3d", "epic_verb", "epic_noun", "hapt"])
def test_suggestions_come_near_the_published_recipes(suggested, name):
    overrides, path = suggested(name)
    recipe = afkit.recipe(name)
    config, ranges = recipe.data, overrides["model.regression_ranges"]
    videos = read_annotations(path).of_subsets(config.train_subsets)
    frames = [(v.segments_sec[:, 1] - v.segments_sec[:, 0]) * (config.fps or v.fps) for v in videos]
    half = np.concatenate(frames) / config.stride_frames / 2
    assert (half <= ranges[-2][1]).mean() >= 0.99 and half.max() <= ranges[-1][1], "levels cover the durations"
    for parameter, ratio in NEAR.items():
        section, _, key = parameter.partition(".")
        published = getattr(getattr(recipe, section), key)
        assert published / ratio - 1e-9 <= overrides[parameter] <= published * ratio + 1e-9, parameter
    assert abs(overrides["model.branch_layers"] - recipe.model.branch_layers) <= 1
    assert overrides["data.num_classes"] == recipe.data.num_classes
    assert afkit.recipe(name, overrides).name == name


def suggest_tiny(root, **changes):
    arguments = {"features": [root / "tiny" / "features"], "data_root": root, "num_frames": NUM_FRAMES} | changes
    return afkit.suggest(root / "tiny" / "annotations.json", **arguments)


def test_with_features_a_suggestion_is_a_whole_recipe(root):
    table = suggest_tiny(root)
    assert list(table) == ["value", "why"] and table.index.name == "parameter" and table.index.is_unique
    recipe = make_recipe({"name": "mine"}, table["value"].to_dict())
    own = tiny_recipe().data
    same = ("annotations", "features", "suffix", "train_subsets", "test_subsets", "num_classes", "input_dims")
    for key in (*same, "stride_frames", "num_frames", "fps", "prefix"):
        assert getattr(recipe.data, key) == getattr(own, key), key
    assert len(afkit.Dataset(recipe.data, root, ["training"])) == 6
    assert "best" in table["why"]["data.stride_frames"] and table["why"]["data.num_frames"] == "As given."
    given = suggest_tiny(root, stride_frames=STRIDE, num_frames=None, fps=FPS)
    assert given["value"]["data.num_frames"] == STRIDE and "Nobody said" in given["why"]["data.num_frames"]
    assert given["why"]["data.stride_frames"] == "As given." and given["value"]["data.fps"] == FPS


def test_files_of_one_shape_may_have_their_axes_exchanged(root):
    assert suggest_tiny(root)["why"]["data.input_dims"] == "So many channels do the feature files have."
    for number in range(8):
        np.save(root / "tiny" / "features" / f"video{number}.npy", np.zeros((16, 200), np.float32))
    table = suggest_tiny(root)
    assert table["value"]["data.input_dims"] == [200]
    assert table["why"]["data.input_dims"].startswith("All 8 recordings have 16 steps of so many channels: if that is")


@pytest.mark.parametrize("features", [True, False])
def test_what_is_for_training_and_for_test_is_refused(root, features):
    given = {} if features else {"features": (), "stride_frames": STRIDE}
    with pytest.raises(ValueError, match="the subset 'test' is for training and for test; name another for test"):
        suggest_tiny(root, train_subsets=["training", "Test"], test_subsets=["TEST"], **given)


def test_only_training_videos_with_features_count(root):
    before = suggest_tiny(root)["value"]
    change_video(root, "video6", annotations=[{"segment": [0, 500], "label": "action 0", "label_id": 0}] * 300)
    assert suggest_tiny(root)["value"].equals(before)
    for number in range(5):
        (root / "tiny" / "features" / f"video{number}.npy").unlink()
    assert "of 1 training videos" in suggest_tiny(root)["why"]["data.max_seq_len"]


def test_without_features_lengths_come_from_durations(root):
    told = suggest_tiny(root, features=(), input_dims=[6], stride_frames=STRIDE)
    seen = suggest_tiny(root)
    assert told.loc["data.num_classes":].equals(seen.loc["data.num_classes":])
    assert not {"data.annotations", "data.features", "data.stride_frames"} & set(told.index)
    lengths = dict.fromkeys([f"video{number}" for number in range(6)], 500)
    given = suggest_tiny(root, features=(), lengths=lengths, stride_frames=STRIDE)
    stride = 2 ** given["value"]["model.branch_layers"]
    assert given["value"]["data.max_seq_len"] == math.ceil(500 / stride) * stride


def test_a_suggestion_stands_beside_a_recipe(root):
    recipe = tiny_recipe(optim__epochs=3)
    table = beside(recipe, suggest_tiny(root))
    assert list(table) == ["recipe", "suggested", "why"]
    assert (table["recipe"]["optim.epochs"], table["suggested"]["optim.epochs"]) == (3, 35)
    assert table["recipe"]["data.input_dims"] == [6] and table["why"]["optim.epochs"].startswith("40 epochs")


def test_data_must_lie_below_the_data_root(root, tmp_path):
    assert below(tmp_path / "x" / "..", tmp_path / "tiny") == "tiny"
    with pytest.raises(ValueError, match=r"features does not lie below the data root .*elsewhere; move or link it"):
        below(tmp_path / "elsewhere", root / "tiny" / "features")
    with pytest.raises(ValueError, match="does not lie below the data root"):
        suggest_tiny(root, data_root=root / "elsewhere")
