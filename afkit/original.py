"""Reading a configuration of the original ActionFormer release as a Recipe."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afkit.config import Recipe, make_recipe
from afkit.files import read_json

TUPLE = "tag:yaml.org,2002:python/tuple"
# Where each key of the original goes. Left: section.key of the merged file; right: ours.
_RENAMED = {
    "dataset.file_prefix": "data.prefix",
    "dataset.file_ext": "data.suffix",
    "dataset.num_classes": "data.num_classes",
    "dataset.feat_stride": "data.stride_frames",
    "dataset.num_frames": "data.num_frames",
    "dataset.default_fps": "data.fps",
    "dataset.max_seq_len": "data.max_seq_len",
    "dataset.trunc_thresh": "data.crop_min_overlap",
    "dataset.crop_ratio": "data.crop_ratio",
    "model.embd_kernel_size": "model.embed_kernel",
    "model.embd_with_ln": "model.embed_norm",
    "model.scale_factor": "model.scale_factor",
    "model.n_head": "model.heads",
    "model.n_mha_win_size": "model.windows",
    "model.use_abs_pe": "model.absolute_position",
    "model.use_rel_pe": "model.relative_position",
    "model.fpn_type": "model.neck",
    "model.fpn_dim": "model.neck_dim",
    "model.fpn_with_ln": "model.neck_norm",
    "model.fpn_start_level": "model.neck_start_level",
    "model.head_dim": "model.head_dim",
    "model.head_num_layers": "model.head_layers",
    "model.head_kernel_size": "model.head_kernel",
    "model.head_with_ln": "model.head_norm",
    "model.regression_range": "model.regression_ranges",
    "train_cfg.head_empty_cls": "model.empty_classes",
    "train_cfg.dropout": "model.dropout",
    "train_cfg.droppath": "model.drop_path",
    "train_cfg.init_loss_norm": "loss.init_loss_norm",
    "train_cfg.center_sample": "loss.center_sample",
    "train_cfg.center_sample_radius": "loss.center_radius",
    "train_cfg.label_smoothing": "loss.label_smoothing",
    "train_cfg.loss_weight": "loss.regression_weight",
    "train_cfg.clip_grad_l2norm": "optim.clip_norm",
    "test_cfg.pre_nms_thresh": "decode.pre_nms_thresh",
    "test_cfg.pre_nms_topk": "decode.pre_nms_topk",
    "test_cfg.duration_thresh": "decode.duration_thresh",
    "test_cfg.nms_method": "decode.nms",
    "test_cfg.multiclass_nms": "decode.multiclass",
    "test_cfg.iou_threshold": "decode.iou_threshold",
    "test_cfg.nms_sigma": "decode.sigma",
    "test_cfg.max_seg_num": "decode.max_segments",
    "opt.learning_rate": "optim.learning_rate",
    "opt.weight_decay": "optim.weight_decay",
    "opt.momentum": "optim.momentum",
    "opt.epochs": "optim.epochs",
    "opt.schedule_type": "optim.schedule",
    "opt.schedule_steps": "optim.schedule_epochs",
    "opt.schedule_gamma": "optim.schedule_gamma",
    "loader.batch_size": "optim.batch_size",
}
# Keys that are translated below, or that say nothing about the experiment (devices, workers, output folder, ...).
_TRANSLATED = {
    "dataset.json_file", "dataset.feat_folder", "dataset.input_dim", "dataset.downsample_rate",
    "dataset.force_upsampling", "model.backbone_type", "model.backbone_arch", "model.embd_dim",
    "train_cfg.cls_prior_prob", "test_cfg.ext_score_file", "test_cfg.min_score", "test_cfg.voting_thresh", "opt.type",
    "opt.warmup", "opt.warmup_epochs", "opt.early_stop_epochs", "dataset_name", "train_split", "val_split",
}  # fmt: skip
_WITHOUT_EFFECT = {
    "model.max_buffer_len_factor", "model.input_dim", "model.num_classes", "model.max_seq_len", "loader.num_workers",
    "output_folder", "init_rand_seed", "devices", "model_name",
}  # fmt: skip
# What the original fills in where a file is silent.
_DEFAULTS = {
    "dataset_name": "epic", "train_split": ["training"], "val_split": ["validation"],
    "dataset.file_prefix": None, "dataset.feat_stride": 16, "dataset.num_frames": 32, "dataset.default_fps": None,
    "dataset.input_dim": 2304, "dataset.num_classes": 97, "dataset.downsample_rate": 1, "dataset.max_seq_len": 2304,
    "dataset.trunc_thresh": 0.5, "dataset.crop_ratio": None, "dataset.force_upsampling": False,
    "model.backbone_type": "convTransformer", "model.fpn_type": "identity", "model.backbone_arch": [2, 2, 5],
    "model.scale_factor": 2, "model.n_head": 4, "model.n_mha_win_size": -1, "model.embd_kernel_size": 3,
    "model.regression_range": [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 10000]],
    "model.embd_dim": 512, "model.embd_with_ln": True, "model.fpn_dim": 512, "model.fpn_with_ln": True,
    "model.fpn_start_level": 0, "model.head_dim": 512, "model.head_kernel_size": 3, "model.head_num_layers": 3,
    "model.head_with_ln": True, "model.use_abs_pe": False, "model.use_rel_pe": False,
    "train_cfg.center_sample": "radius", "train_cfg.center_sample_radius": 1.5, "train_cfg.loss_weight": 1.0,
    "train_cfg.cls_prior_prob": 0.01, "train_cfg.init_loss_norm": 2000, "train_cfg.clip_grad_l2norm": -1,
    "train_cfg.head_empty_cls": [], "train_cfg.dropout": 0.0, "train_cfg.droppath": 0.1,
    "train_cfg.label_smoothing": 0.0,
    "test_cfg.pre_nms_thresh": 0.001, "test_cfg.pre_nms_topk": 5000, "test_cfg.iou_threshold": 0.1,
    "test_cfg.min_score": 0.01, "test_cfg.max_seg_num": 1000, "test_cfg.nms_method": "soft",
    "test_cfg.nms_sigma": 0.5, "test_cfg.duration_thresh": 0.05, "test_cfg.multiclass_nms": True,
    "test_cfg.ext_score_file": None, "test_cfg.voting_thresh": 0.75,
    "opt.type": "AdamW", "opt.momentum": 0.9, "opt.weight_decay": 0.0, "opt.learning_rate": 1e-3, "opt.epochs": 30,
    "opt.warmup": True, "opt.warmup_epochs": 5, "opt.schedule_type": "cosine", "opt.schedule_steps": [],
    "opt.schedule_gamma": 0.1, "loader.batch_size": 8,
}  # fmt: skip
# What the original's four data-set classes do beyond their options.
_DATASETS = {
    "thumos": {"skip_missing": True, "clean_annotations": False, "tious": [0.3, 0.4, 0.5, 0.6, 0.7]},
    "anet": {
        "skip_missing": False,
        "clean_annotations": True,
        "tious": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    },
    "epic": {"skip_missing": False, "clean_annotations": False, "tious": [0.1, 0.2, 0.3, 0.4, 0.5]},
    "ego4d": {"skip_missing": True, "clean_annotations": False, "tious": [0.1, 0.2, 0.3, 0.4, 0.5]},
}


def recipe_from_original(source: str | Path | Mapping[str, Any]) -> Recipe:
    """A Recipe from a configuration of the original release.

    Args:
        source: a .yaml or .json file, or the (merged or partial) dictionary. What is left out has the original's
            default. Where a merged dictionary holds `train_cfg` and `test_cfg` twice, the top level wins. A leading
            `./data/` of paths is dropped: ours are relative to the data root.

    Raises:
        ValueError: the file cannot be read, a key is unknown, or settings contradict each other; it names the key.
    """
    name, config = _read(source)
    flat = _DEFAULTS | _flatten(name, config)
    unknown = sorted(flat.keys() - _RENAMED.keys() - _TRANSLATED - _WITHOUT_EFFECT)
    if unknown:
        raise ValueError(f"'{name}' has keys that the original does not know: {', '.join(unknown)}; remove or rename")
    for key in ("dataset.json_file", "dataset.feat_folder"):
        if key not in flat:
            raise ValueError(f"'{name}' lacks {key}; the original has no default for it")
    if str(flat["dataset_name"]) not in _DATASETS:
        raise ValueError(f"'{name}': dataset_name '{flat['dataset_name']}' is none of {', '.join(_DATASETS)}")
    overrides = {ours: flat[theirs] for theirs, ours in _RENAMED.items() if theirs in flat}
    overrides |= {f"data.{key}": value for key, value in _DATASETS[flat["dataset_name"]].items()}
    try:
        translated = _translate(flat)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"'{name}' has a setting of another type than the original's ({error}); correct it") from None
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None
    return make_recipe({"name": name}, overrides | translated)


def _read(source: str | Path | Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if isinstance(source, Mapping):
        return str(source.get("dataset_name", "original")), source
    path = Path(source)
    if not path.exists():
        raise ValueError(f"{path} does not exist; name a .yaml or .json configuration of the original")
    config = read_json(path) if path.suffix == ".json" else _read_yaml(path)
    if not isinstance(config, Mapping):
        raise ValueError(f"{path} must hold a mapping of sections")
    return path.stem, config


def _read_yaml(path: Path) -> Any:
    """YAML of plain data and Python tuples, which the original's dumped files hold, as lists."""
    try:
        from afkit.yaml_files import read_yaml  # it needs a library that only files in YAML need
    except ImportError:
        raise ValueError(f"reading {path} needs a YAML library: pip install pyyaml") from None
    return read_yaml(path, [TUPLE])[1]


def _flatten(name: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """{"a": {"b": 1}} -> {"a.b": 1}; of the two copies of train_cfg and test_cfg the one at the top level wins."""
    flat: dict[str, Any] = {}
    sections = ("dataset", "loader", "model", "train_cfg", "test_cfg", "opt")
    parts = {section: config.get(section, {}) for section in sections}
    inner = parts["model"] if isinstance(parts["model"], Mapping) else {}
    parts |= {f"model.{section}": inner.get(section) or {} for section in ("train_cfg", "test_cfg")}
    for section, part in parts.items():
        if not isinstance(part, Mapping):
            raise ValueError(f"'{name}': '{section}' must be a section of settings, not {reprlib.repr(part)}")
    for section in ("train_cfg", "test_cfg"):
        flat |= {f"{section}.{key}": value for key, value in parts[f"model.{section}"].items()}
    for section, value in ((str(section), value) for section, value in config.items()):
        if isinstance(value, Mapping):
            flat |= {f"{section}.{key}": v for key, v in value.items() if not isinstance(v, Mapping)}
            nested = [
                key for key, v in value.items() if isinstance(v, Mapping) and key not in ("train_cfg", "test_cfg")
            ]
            flat |= {f"{section}.{key}": value[key] for key in nested}  # unknown: named by the caller
        else:
            flat[section] = value
    return flat


def _translate(flat: Mapping[str, Any]) -> dict[str, Any]:
    """The keys whose meaning is not a plain copy."""
    folders, dims, width = flat["dataset.feat_folder"], flat["dataset.input_dim"], flat["model.embd_dim"]
    try:
        embed, stem, branch = flat["model.backbone_arch"]
    except (TypeError, ValueError):
        raise ValueError(
            f"model.backbone_arch must be [embedding, stem, branch] layers, not {flat['model.backbone_arch']!r}"
        ) from None
    upsampled = flat["dataset_name"] == "anet" and bool(flat["dataset.force_upsampling"])  # the others do not read it
    warmup_epochs = flat["opt.warmup_epochs"] if flat["opt.warmup"] else 0
    trained = flat.get("opt.early_stop_epochs", flat["opt.epochs"] + flat["opt.warmup_epochs"])  # warm-up or not
    return {
        "data.annotations": _below_root(flat["dataset.json_file"]),
        "data.features": [_below_root(folder) for folder in _as_list(folders)],
        "data.prefix": flat["dataset.file_prefix"] or "",
        "data.input_dims": _as_list(dims),
        "data.resize": upsampled,
        "data.downsample": 1 if upsampled else flat["dataset.downsample_rate"],
        "data.train_subsets": _as_list(flat["train_split"]),
        "data.test_subsets": _as_list(flat["val_split"]),
        "model.backbone": {"convTransformer": "transformer"}.get(
            flat["model.backbone_type"], flat["model.backbone_type"]
        ),
        "model.embed_dim": sum(_as_list(width)),
        "model.stream_dims": list(width) if isinstance(width, (list, tuple)) else [],
        "model.embed_layers": embed,
        "model.stem_layers": stem,
        "model.branch_layers": branch,
        "model.class_prior": _or_off(flat["train_cfg.cls_prior_prob"], 0.5),  # 0: the bias starts at 0
        "decode.min_score": _or_off(flat["test_cfg.min_score"], 0),
        "decode.voting_threshold": _or_off(flat["test_cfg.voting_thresh"], 0),
        "decode.score_file": _below_root(flat["test_cfg.ext_score_file"]),
        "optim.optimizer": str(flat["opt.type"]).lower(),
        "optim.warmup_epochs": warmup_epochs,
        "optim.extra_epochs": trained - flat["opt.epochs"] - warmup_epochs,
    }


def _or_off(value: Any, off: float) -> Any:
    """A setting that the original uses above 0 only; else the value with which ours has no effect."""
    return off if isinstance(value, (int, float)) and value <= 0 else value


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _below_root(path: str | None) -> str | None:
    return path if path is None else path.removeprefix("./").removeprefix("data/")
