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


def _changed(base: dict[str, Any], **sections: dict[str, Any]) -> dict[str, Any]:
    """The settings of a recipe, some of them others."""
    return {name: base.get(name, {}) | sections.get(name, {}) for name in base.keys() | sections.keys()}


def _tridet(base: dict[str, Any], windows: int, window_ratio: float, **sections: dict[str, Any]) -> dict[str, Any]:
    """TriDet (Shi et al., CVPR 2023) on the data of another recipe, with kernels of its blocks."""
    model = {"backbone": "sgp", "head": "trident", "windows": windows, "window_ratio": window_ratio}
    common = _changed(base, data={"crop_margin": False}, model=model, decode={"voting_weight": "score"})
    return _changed(common, **sections)


def _tridet_epic(base: dict[str, Any], windows: int, window_ratio: float, **optim: float) -> dict[str, Any]:
    model, loss = {"mlp_dim": 1024}, {"class_iou_power": 0.25}
    return _tridet(base, windows, window_ratio, model=model, loss=loss, optim=optim)


def _tridet_anet() -> dict[str, Any]:
    """Of sequences as long as they are, which is why the other recipe's data and most of its settings differ."""
    base = _anet("tsp", 512, fps=15)
    return _tridet(
        base | {"loss": {}, "model": {}},
        windows=15,
        window_ratio=1.3,
        data={"max_seq_len": 768, "resize": False},
        model={
            "embed_dim": 256,
            "mlp_dim": 2048,
            "head_dim": 512,
            "absolute_position": True,
            "sgp_deviation": 0.2,
            "bins": 12,
            "input_noise": 0.5,
        },
        loss={"init_loss_norm": 400, "label_smoothing": 0.1, "class_iou_power": 1.0},
        decode={"duration_thresh": 0.1, "sigma": 0.7, "max_segments": 200, "voting_threshold": 0.95},
        optim={"weight_decay": 0.04, "clip_norm": 0.4, "epochs": 5, "warmup_epochs": 10, "final_rate": 5e-5},
    )


def _tridet_hacs(features: str, data: dict[str, Any], model: dict[str, Any], **optim: float) -> dict[str, Any]:
    """Features lie in a folder for each subset."""
    base = {
        "data": {
            "features": [f"hacs/{features}_feature/*"],
            "num_classes": 200,
            "clean_annotations": True,
            "keep_clipped": True,
            "tious": _ANET_TIOUS,
        },
        "model": {
            "embed_dim": 1024,
            "mlp_dim": 1024,
            "absolute_position": True,
            "head_kernel": 5,
            "boundary_kernel": 1,
            "sgp_deviation": 0.1,
        },
        "loss": {"init_loss_norm": 400, "label_smoothing": 0.1, "class_iou_power": 1.0},
        "decode": {"sigma": 0.75, "max_segments": 250, "voting_threshold": 0.95},
        "optim": {"learning_rate": 1e-3, "weight_decay": 0.03, "batch_size": 16},
    }
    return _tridet(_changed(base, data=data), model.pop("windows"), 1.2, model=model, optim=optim)


def _temporalmaxer(base: dict[str, Any], **sections: dict[str, Any]) -> dict[str, Any]:
    """TemporalMaxer (Tang, Kim, Sohn 2023) on the data of another recipe."""
    model = {"backbone": "maxpool", "stem_layers": 0, "drop_path": 0.0, "neck_norm": "group"}
    without_windows = {name: value for name, value in base.get("model", {}).items() if name != "windows"}
    common = _changed(base | {"model": without_windows}, model=model, loss={"offset_target": "cheapest"})
    return _changed(common, **sections)


_MULTITHUMOS = {
    "annotations": "multithumos/multithumos.json",
    "num_classes": 65,
    "input_dims": [1024],
    "half_channels": True,
    "tious": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
}
_WIDE_RANGES = [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 128], [128, 10000]]
_HACS_SLOWFAST = {
    "annotations": "hacs/annotations/HACS_segments_v1.1.1_slowfast.json",
    "suffix": ".pkl",
    "input_dims": [2304],
    "stride_frames": 8,
    "num_frames": 32,
    "fps": 15,
    "max_seq_len": 960,
}
_HACS_I3D = {
    "annotations": "hacs/annotations/HACS_segments_v1.1.1.json",
    "input_dims": [2048],
    "stride_frames": 1,
    "num_frames": 1,
    "fps": 2,
    "max_seq_len": 512,
}


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
_RECIPES |= {
    "tridet_thumos": _tridet(
        _RECIPES["thumos_i3d"],
        windows=1,
        window_ratio=5,
        model={"mlp_dim": 768, "input_noise": 5e-4},
        loss={"class_iou_power": 0.2},
        decode={"max_segments": 2000},
        optim={"weight_decay": 0.025, "epochs": 20, "warmup_epochs": 20},
    ),
    "tridet_epic_verb": _tridet_epic(_epic("verb", 97, label_smoothing=0.0), 5, 2, epochs=22, final_rate=5e-5),
    "tridet_epic_noun": _tridet_epic(_epic("noun", 300, label_smoothing=0.1), 1, 4, epochs=14),
    "tridet_anet": _tridet_anet(),
    "tridet_hacs_slowfast": _tridet_hacs(
        "slowfast",
        _HACS_SLOWFAST,
        {"windows": 3, "bins": 14, "input_noise": 0.2},
        epochs=4,
        warmup_epochs=7,
        final_rate=5e-4,
        clip_norm=0.5,
    ),
    "tridet_hacs_i3d": _tridet_hacs(
        "i3d",
        _HACS_I3D,
        {"windows": 15, "bins": 12, "branch_layers": 6, "regression_ranges": _WIDE_RANGES},
        epochs=3,
        warmup_epochs=10,
        final_rate=2e-4,
    ),
    "temporalmaxer_thumos": _temporalmaxer(_RECIPES["thumos_i3d"], optim={"epochs": 60}),
    "temporalmaxer_epic_verb": _temporalmaxer(
        _epic("verb", 97, label_smoothing=0.0), model={"neck_norm": "shared"}, optim={"epochs": 32}
    ),
    "temporalmaxer_epic_noun": _temporalmaxer(_epic("noun", 300, label_smoothing=0.0), optim={"epochs": 32}),
    "temporalmaxer_multithumos": _temporalmaxer(
        _RECIPES["thumos_i3d"],
        data=_MULTITHUMOS,
        model={"embed_layers": 3, "neck_norm": "shared"},
        decode={"pre_nms_topk": 3000, "max_segments": 300},
        optim={"epochs": 60},
    ),
    # with channels dropped from the input, as published with OpenTAD; its figures are of the best epoch on the test set
    "thumos_i3d_tuned": _changed(_RECIPES["thumos_i3d"], model={"input_dropout": 0.2}, decode={"max_segments": 2000}),
    "anet_tsp_tuned": _changed(_anet("tsp", 512, fps=15), model={"input_dropout": 0.2}),
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
    return {"recipe_file": file_digest(changed_settings(recipe(name)))} if recipe_file(name) else {}
