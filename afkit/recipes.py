"""The experiments by name: each only what differs from the defaults in `config.py`."""

from collections.abc import Mapping
from typing import Any

from afkit.config import Recipe, changed_settings, make_recipe, nearest
from afkit.recipe_files import file_digest, own_names, read_recipe_file, recipe_file

_ANET_TIOUS = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
_LOW_TIOUS = [0.1, 0.2, 0.3, 0.4, 0.5]  # egocentric data sets, whose boundaries are vague
_OVERLAPPING_RANGES = [[0, 4], [2, 8], [4, 16], [8, 32], [16, 64], [32, 128], [64, 256], [128, 10000]]


def _without_last(ranges: list[list[int]], levels: int) -> list[list[int]]:
    """The first `levels` ranges; the last of them reaches to infinity."""
    return [*ranges[: levels - 1], [ranges[levels - 1][0], 10000]]


def _anet(features: str, channels: int, fps: float) -> dict[str, Any]:
    """Class-agnostic proposals on sequences resized to 192 steps; classes come from an external classifier."""
    return {
        "data": {
            "annotations": f"anet_1.3/annotations/anet1.3_{features}_filtered.json",
            "features": [f"anet_1.3/{features}_features"],
            "prefix": "v_",
            "num_classes": 1,
            "input_dims": [channels],
            "stride_frames": 16,
            "num_frames": 16,
            "fps": fps,
            "max_seq_len": 192,
            "resize": True,
            "clean_annotations": True,
            "skip_missing": False,
            "tious": _ANET_TIOUS,
        },
        "model": {"embed_dim": 256, "windows": [7, 7, 7, 7, 7, -1], "absolute_position": True},
        "loss": {"init_loss_norm": 200, "label_smoothing": 0.1, "regression_weight": 2.0},
        "decode": {
            "duration_thresh": 0.001,
            "multiclass": False,
            "sigma": 0.75,
            "max_segments": 100,
            "voting_threshold": 0.9,
            "score_file": "anet_1.3/annotations/cuhk_val_simp_share.json",
        },
        "optim": {"learning_rate": 1e-3, "batch_size": 16, "epochs": 10},
    }


def _epic(part: str, num_classes: int, label_smoothing: float) -> dict[str, Any]:
    return {
        "data": {
            "annotations": f"epic_kitchens/annotations/epic_kitchens_100_{part}.json",
            "features": ["epic_kitchens/features"],
            "suffix": ".npz",
            "num_classes": num_classes,
            "input_dims": [2304],
            "stride_frames": 16,
            "num_frames": 32,
            "fps": 30,
            "max_seq_len": 2304,
            "skip_missing": False,
            "crop_min_overlap": 0.3,
            "tious": _LOW_TIOUS,
        },
        "model": {"windows": 9, "regression_ranges": _without_last(_OVERLAPPING_RANGES, 6)},
        "loss": {"init_loss_norm": 250, "label_smoothing": label_smoothing},
        "decode": {"pre_nms_topk": 5000, "max_segments": 2000, "sigma": 0.4, "voting_threshold": 0.75},
        "optim": {"epochs": 16},
    }


_EGO4D_CHANNELS = {"slowfast": 2304, "omnivore": 1536, "egovlp": 256}


def _ego4d(
    features: list[str],
    embed_dim: int,
    heads: int = 4,
    branch_layers: int = 7,
    num_frames: int = 32,
    stream_dims: tuple[int, ...] = (),
) -> dict[str, Any]:
    data = {
        "annotations": "ego4d/annotations/ego4d.json",
        "features": [f"ego4d/{name}_features" for name in features],
        "num_classes": 110,
        "input_dims": [_EGO4D_CHANNELS[name] for name in features],
        "stride_frames": 16,
        "num_frames": num_frames,
        "fps": 30,
        "max_seq_len": 1024,
        "crop_min_overlap": 0.3,
        "tious": _LOW_TIOUS,
    }
    model = {
        "embed_dim": embed_dim,
        "stream_dims": list(stream_dims),
        "heads": heads,
        "windows": 9,
        "branch_layers": branch_layers,
        "absolute_position": True,
        "regression_ranges": _without_last(_OVERLAPPING_RANGES, branch_layers + 1),
        "dropout": 0.1,
    }
    decode = {"pre_nms_topk": 5000, "max_segments": 2000, "sigma": 0.9, "voting_threshold": 0.95}
    return {"data": data, "model": model, "decode": decode, "optim": {"epochs": 10}}


_RECIPES: dict[str, dict[str, Any]] = {
    # the small real data set that `make demo` shows
    "watch": {
        "data": {
            "annotations": "watch/annotations/watch.json",
            "features": ["watch/features"],
            "test_subsets": ["test"],
            "num_classes": 5,
            "input_dims": [30],
            "stride_frames": 25,
            "num_frames": 50,
            "max_seq_len": 640,
            "crop_ratio": [0.5, 1.0],  # short crops are a remedy for few people
        },
        "model": {"embed_dim": 128, "windows": 9},
        "loss": {"init_loss_norm": 30},
        "decode": {"pre_nms_topk": 1000, "max_segments": 100},
        "optim": {"learning_rate": 1e-3, "epochs": 35, "ema_warmup": True},
    },
    # people with a phone at the waist; real data with a published ActionFormer
    "hapt": {
        "data": {
            "annotations": "hapt/annotations/hapt.json",
            "features": ["hapt/acceleration"],
            "test_subsets": ["test"],
            "num_classes": 12,
            "input_dims": [150],
            "stride_frames": 25,
            "num_frames": 50,
            "max_seq_len": 2304,
            "crop_min_overlap": 0.3,
        },
        "model": {"embed_dim": 256, "windows": 9, "regression_ranges": _without_last(_OVERLAPPING_RANGES, 6)},
        "loss": {"init_loss_norm": 250, "label_smoothing": 0.1},
        "decode": {"sigma": 0.4},
        "optim": {"learning_rate": 4e-4, "epochs": 35, "ema_warmup": True},  # 40 with the warm-up
    },
    "thumos_i3d": {
        "data": {
            "annotations": "thumos/annotations/thumos14.json",
            "features": ["thumos/i3d_features"],
            "train_subsets": ["validation"],
            "test_subsets": ["test"],
            "num_classes": 20,
            "input_dims": [2048],
            "stride_frames": 4,
            "num_frames": 16,
            "max_seq_len": 2304,
        },
    },
    "anet_tsp": _anet("tsp", 512, fps=15),
    "anet_i3d": _anet("i3d", 2048, fps=25),
    "epic_verb": _epic("verb", 97, label_smoothing=0.0),
    "epic_noun": _epic("noun", 300, label_smoothing=0.1),
    "ego4d_s": _ego4d(["slowfast"], 512, branch_layers=6),
    "ego4d_o": _ego4d(["omnivore"], 512),
    "ego4d_e": _ego4d(["egovlp"], 384, num_frames=16),
    "ego4d_s_e": _ego4d(["slowfast", "egovlp"], 768, heads=12),
    "ego4d_o_e": _ego4d(["omnivore", "egovlp"], 768, heads=12),
    "ego4d_s_o_e": _ego4d(["slowfast", "omnivore", "egovlp"], 1024, heads=16, stream_dims=(256, 384, 384)),
}


def recipe_names() -> list[str]:
    """Names that `recipe` knows."""
    return list(_RECIPES)


def recipe(name: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """The settings of an experiment: one of `recipe_names()`, or one's own (`afkit.recipe_files.recipe_file`).

    `overrides` are {"section.parameter": value}. A ValueError for an unknown name or parameter offers the nearest.

    Examples:
        >>> own = recipe("thumos_i3d", {"optim.epochs": 5})
        >>> own.optim.epochs, own.optim.learning_rate, own.data.input_dims
        (5, 0.0001, [2048])
    """
    path = recipe_file(name)
    if path is not None:
        return make_recipe(read_recipe_file(path, _RECIPES), overrides)
    if name not in _RECIPES:
        raise ValueError(f"there is no recipe '{name}'; {nearest(name, [*own_names(), *recipe_names()])}")
    return make_recipe({"name": name, **_RECIPES[name]}, overrides)


def own_settings(name: str) -> dict[str, str]:
    """{"recipe_file": eight digits of the file's settings, however they are written}; {} for a built-in recipe."""
    if recipe_file(name) is None:
        return {}
    return {"recipe_file": file_digest(changed_settings(recipe(name)))}
