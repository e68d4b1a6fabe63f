"""Reading a configuration of the original releases of ActionFormer, TriDet and TemporalMaxer as a Recipe."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from afkit.config import Recipe, make_recipe
from afkit.files import read_json

_TWICE = ("train_cfg", "test_cfg")  # sections that a merged file holds at the top, and in `model`
TUPLE = "tag:yaml.org,2002:python/tuple"
# Where each key of ActionFormer goes, and what it fills in where a file is silent: section.key of the merged file,
# ours, default.
_RENAMED: dict[str, tuple[str, Any]] = {
    "dataset.file_prefix": ("data.prefix", None),
    "dataset.file_ext": ("data.suffix", ".npy"),
    "dataset.num_classes": ("data.num_classes", 97),
    "dataset.feat_stride": ("data.stride_frames", 16),
    "dataset.num_frames": ("data.num_frames", 32),
    "dataset.default_fps": ("data.fps", None),
    "dataset.max_seq_len": ("data.max_seq_len", 2304),
    "dataset.trunc_thresh": ("data.crop_min_overlap", 0.5),
    "dataset.crop_ratio": ("data.crop_ratio", None),
    "model.embd_kernel_size": ("model.embed_kernel", 3),
    "model.embd_with_ln": ("model.embed_norm", True),
    "model.scale_factor": ("model.scale_factor", 2),
    "model.n_head": ("model.heads", 4),
    "model.n_mha_win_size": ("model.windows", -1),
    "model.use_abs_pe": ("model.absolute_position", False),
    "model.use_rel_pe": ("model.relative_position", False),
    "model.fpn_type": ("model.neck", "identity"),
    "model.fpn_dim": ("model.neck_dim", 512),
    "model.fpn_with_ln": ("model.neck_norm", True),
    "model.fpn_start_level": ("model.neck_start_level", 0),
    "model.head_dim": ("model.head_dim", 512),
    "model.head_num_layers": ("model.head_layers", 3),
    "model.head_kernel_size": ("model.head_kernel", 3),
    "model.head_with_ln": ("model.head_norm", True),
    "model.regression_range": ("model.regression_ranges", [[0, 4], [4, 8], [8, 16], [16, 32], [32, 64], [64, 10000]]),
    "train_cfg.head_empty_cls": ("model.empty_classes", []),
    "train_cfg.dropout": ("model.dropout", 0.0),
    "train_cfg.droppath": ("model.drop_path", 0.1),
    "train_cfg.init_loss_norm": ("loss.init_loss_norm", 2000),
    "train_cfg.center_sample": ("loss.center_sample", "radius"),
    "train_cfg.center_sample_radius": ("loss.center_radius", 1.5),
    "train_cfg.label_smoothing": ("loss.label_smoothing", 0.0),
    "train_cfg.loss_weight": ("loss.regression_weight", 1.0),
    "train_cfg.clip_grad_l2norm": ("optim.clip_norm", -1),
    "test_cfg.pre_nms_thresh": ("decode.pre_nms_thresh", 1e-3),
    "test_cfg.pre_nms_topk": ("decode.pre_nms_topk", 5000),
    "test_cfg.duration_thresh": ("decode.duration_thresh", 0.05),
    "test_cfg.nms_method": ("decode.nms", "soft"),
    "test_cfg.multiclass_nms": ("decode.multiclass", True),
    "test_cfg.iou_threshold": ("decode.iou_threshold", 0.1),
    "test_cfg.nms_sigma": ("decode.sigma", 0.5),
    "test_cfg.max_seg_num": ("decode.max_segments", 1000),
    "opt.learning_rate": ("optim.learning_rate", 1e-3),
    "opt.weight_decay": ("optim.weight_decay", 0.0),
    "opt.momentum": ("optim.momentum", 0.9),
    "opt.epochs": ("optim.epochs", 30),
    "opt.schedule_type": ("optim.schedule", "cosine"),
    "opt.schedule_steps": ("optim.schedule_epochs", []),
    "opt.schedule_gamma": ("optim.schedule_gamma", 0.1),
    "loader.batch_size": ("optim.batch_size", 8),
}
# What the two others have more, and what they do not know of the above.
_RENAMED_MORE: dict[str, dict[str, tuple[str, Any]]] = {
    "actionformer": {},
    "tridet": {
        "model.n_sgp_win_size": ("model.windows", -1),
        "model.sgp_mlp_dim": ("model.mlp_dim", None),
        "model.boudary_kernel_size": ("model.boundary_kernel", 3),
        "model.downsample_type": ("model.pooling", "max"),
        "model.k": ("model.window_ratio", 1.5),
        "model.init_conv_vars": ("model.sgp_deviation", 0.0),
        "model.num_bins": ("model.bins", 16),
        "model.iou_weight_power": ("loss.class_iou_power", 1.0),
        "model.input_noise": ("model.input_noise", 0.0),
        "opt.eta_min": ("optim.final_rate", 1e-8),
    },
    "temporalmaxer": {"model.num_group": ("model.neck_groups", 4)},
}
_ATTENTION = {"model.n_head", "model.n_mha_win_size", "model.use_rel_pe"}
_NOT_READ = {
    "actionformer": set(),
    "tridet": _ATTENTION | {"model.fpn_start_level", "train_cfg.dropout"},
    "temporalmaxer": _ATTENTION
    | {"model.use_abs_pe", "train_cfg.center_sample_radius", "train_cfg.dropout", "train_cfg.droppath"}
    | {"train_cfg.center_sample"},
}
_TRANSLATED_MORE: dict[str, dict[str, Any]] = {
    "actionformer": {},
    "tridet": {"model.backbone_type": "SGP", "model.use_trident_head": True, "dataset.backbone_type": None},
    "temporalmaxer": {
        "model.backbone_type": "convPooler",
        "model.backbone_arch": [2, 5],
        "model.fpn_norm": "groupnorm",
    },
}
# Keys that are translated below, with their defaults; those without follow.
_TRANSLATED: dict[str, Any] = {
    "dataset_name": "epic",
    "train_split": ["training"],
    "val_split": ["validation"],
    "dataset.input_dim": 2304,
    "dataset.downsample_rate": 1,
    "dataset.force_upsampling": False,
    "model.backbone_type": "convTransformer",
    "model.backbone_arch": [2, 2, 5],
    "model.embd_dim": 512,
    "train_cfg.cls_prior_prob": 0.01,
    "test_cfg.min_score": 0.01,
    "test_cfg.ext_score_file": None,
    "test_cfg.voting_thresh": 0.75,
    "opt.type": "AdamW",
    "opt.warmup": True,
    "opt.warmup_epochs": 5,
}
_WITHOUT_DEFAULT = {"dataset.json_file", "dataset.feat_folder", "opt.early_stop_epochs", "model.assigner"}
# Keys that say nothing about the experiment.
_WITHOUT_EFFECT = {
    *("model.max_buffer_len_factor", "model.input_dim", "model.num_classes", "model.max_seq_len"),
    *("loader.num_workers", "output_folder", "init_rand_seed", "devices", "model_name"),
}
# What the originals' data-set classes do beyond their options.
_DATASETS = {
    "thumos": {"skip_missing": True, "clean_annotations": False, "tious": [0.3, 0.4, 0.5, 0.6, 0.7]},
    "anet": {
        "skip_missing": False,
        "clean_annotations": True,
        "tious": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    },
    "epic": {"skip_missing": False, "clean_annotations": False, "tious": [0.1, 0.2, 0.3, 0.4, 0.5]},
    "ego4d": {"skip_missing": True, "clean_annotations": False, "tious": [0.1, 0.2, 0.3, 0.4, 0.5]},
    "hacs": {
        "skip_missing": True,
        "keep_clipped": True,
        "clean_annotations": True,
        "tious": [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95],
    },
    "multithumos": {
        "skip_missing": True,
        "clean_annotations": False,
        "half_channels": True,
        "tious": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    },
}


def recipe_from_original(source: str | Path | Mapping[str, Any]) -> Recipe:
    """A Recipe from a configuration of ActionFormer, TriDet or TemporalMaxer: a .yaml or .json file, or a dictionary.

    The dictionary may be merged or partial; what is left out has the default of the release that it is of. Where a
    merged one holds `train_cfg` and `test_cfg` twice, the top level wins. A leading `./data/` of paths is dropped: ours
    are relative to the data root. A ValueError names the key that is unknown or wrong.
    """
    name, config = _read(source)
    given = _flatten(name, config)
    family = _family(given)
    renamed = {theirs: rule for theirs, rule in _RENAMED.items() if theirs not in _NOT_READ[family]}
    renamed |= _RENAMED_MORE[family]
    translated = _TRANSLATED | _TRANSLATED_MORE[family]
    flat = {theirs: default for theirs, (_, default) in renamed.items()} | translated | given
    known = renamed.keys() | translated.keys() | _NOT_READ[family] | _WITHOUT_DEFAULT | _WITHOUT_EFFECT
    unknown = sorted(flat.keys() - known)
    if unknown:
        raise ValueError(f"'{name}' has keys that the original does not know: {', '.join(unknown)}; remove or rename")
    for key in ("dataset.json_file", "dataset.feat_folder"):
        if key not in flat:
            raise ValueError(f"'{name}' lacks {key}; the original has no default for it")
    if str(flat["dataset_name"]) not in _DATASETS:
        raise ValueError(f"'{name}': dataset_name {flat['dataset_name']!r:.80} is none of {', '.join(_DATASETS)}")
    overrides = {ours: flat[theirs] for theirs, (ours, _) in renamed.items()}
    overrides |= {f"data.{key}": value for key, value in _DATASETS[flat["dataset_name"]].items()}
    try:
        overrides |= _translate(flat, family) | _OF_FAMILY[family](flat)
    except (AttributeError, TypeError) as error:
        raise ValueError(f"'{name}' has a setting of another type than the original's ({error}); correct it") from None
    except ValueError as error:
        raise ValueError(f"'{name}': {error}") from None
    return make_recipe({"name": name}, overrides)


def _family(given: Mapping[str, Any]) -> str:
    """The release that a configuration is of, by its name and the settings that no other release has."""
    names = {str(given.get(key)) for key in ("model_name", "model.backbone_type")}
    if "model.assigner" in given or names & {"TemporalMaxerArchitecture", "convPooler"}:
        return "temporalmaxer"
    own = _RENAMED_MORE["tridet"].keys() | {"model.use_trident_head"}
    return "tridet" if names & {"TriDet", "SGP"} or given.keys() & own else "actionformer"


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
    parts = {section: config.get(section, {}) for section in ("dataset", "loader", "model", *_TWICE, "opt")}
    inner = parts["model"] if isinstance(parts["model"], Mapping) else {}
    copies = {section: inner.get(section) or {} for section in _TWICE}
    for section, part in (parts | {f"model.{section}": part for section, part in copies.items()}).items():
        if not isinstance(part, Mapping):
            raise ValueError(f"'{name}': '{section}' must be a section of settings, not {reprlib.repr(part)}")
    for section, value in (*copies.items(), *config.items()):
        if isinstance(value, Mapping):
            own = {key: v for key, v in value.items() if not (key in _TWICE and isinstance(v, Mapping))}
            flat |= {f"{section}.{key}": v for key, v in own.items()}
        else:
            flat[str(section)] = value
    return flat


_BACKBONES = {"convTransformer": "transformer", "SGP": "sgp", "convPooler": "maxpool"}


def _translate(flat: Mapping[str, Any], family: str) -> dict[str, Any]:
    """The keys whose meaning is not a plain copy."""
    folders, dims, width = flat["dataset.feat_folder"], flat["dataset.input_dim"], flat["model.embd_dim"]
    pools, arch = family == "temporalmaxer", flat["model.backbone_arch"]
    try:
        embed, stem, branch = (arch[0], 0, *arch[1:]) if pools else arch
    except (TypeError, ValueError, LookupError):
        layers = "[embedding, pooling]" if pools else "[embedding, stem, branch]"
        raise ValueError(f"model.backbone_arch must be {layers} layers, not {arch!r:.80}") from None
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
        "model.backbone": _BACKBONES.get(flat["model.backbone_type"], flat["model.backbone_type"]),
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


def _of_tridet(flat: Mapping[str, Any]) -> dict[str, Any]:
    trident = flat["model.use_trident_head"]
    settings = {"data.crop_margin": False, "decode.voting_weight": "score"}
    if flat["dataset.backbone_type"] in ("slowfast", "i3d"):  # a folder for each subset
        settings["data.features"] = [f"{_below_root(folder)}/*" for folder in _as_list(flat["dataset.feat_folder"])]
    if flat["dataset.backbone_type"] == "tsp":
        settings["data.prefix"] = "v_"
    return settings | ({"model.head": "trident"} if trident else {"loss.class_iou_power": 0.0})


def _of_temporalmaxer(flat: Mapping[str, Any]) -> dict[str, Any]:
    if "model.assigner" not in flat:
        raise ValueError("it lacks model.assigner; the original has no default for it")
    costs = dict(flat["model.assigner"])
    names = {
        "center_radius": "loss.center_radius",
        "cls_weight": "loss.cost_class",
        "iou_weight": "loss.cost_iou",
        "keep_percent": "loss.cost_share",
        "confuse_weight": "loss.cost_rest",
    }
    if costs.keys() != names.keys():
        raise ValueError(f"model.assigner must have {', '.join(names)}, not {', '.join(costs) or 'nothing'}")
    norm = flat["model.fpn_norm"]
    return {
        "model.neck_norm": {"groupnorm": "group", "layernorm": "shared", None: "none"}.get(norm, norm),
        "model.drop_path": 0.0,
        "loss.offset_target": "cheapest",
        **{ours: costs[theirs] for theirs, ours in names.items()},
    }


_OF_FAMILY = {"actionformer": lambda flat: {}, "tridet": _of_tridet, "temporalmaxer": _of_temporalmaxer}


def _or_off(value: Any, off: float) -> Any:
    """A setting that the original uses above 0 only; else the value with which ours has no effect."""
    return off if isinstance(value, (int, float)) and value <= 0 else value


def _as_list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


def _below_root(path: str | None) -> str | None:
    return path if path is None else path.removeprefix("./").removeprefix("data/")
