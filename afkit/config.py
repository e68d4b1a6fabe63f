"""The settings of an experiment: one frozen Recipe in five sections, checked as a whole when it is made.

Settings that contradict each other, or ask for more than a machine has, are refused before memory is taken. The bounds
are far above any use: they are for files of others, and for slips of the keyboard.
"""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from afkit.opening import LONGEST_KEY, plain_name

MOST_WIDTH = 2**17  # channels, classes
MOST_LAYERS = 256  # of one kind
MOST_LEVELS = 20  # below the first; each halves a sequence
MOST_STEPS = 2**20  # of a sequence
MOST_EPOCHS = 100_000
MOST_VALUES = 2**34  # that a layer makes of a sequence; 69 GB
BLOCK = 32  # queries that share their keys: enough for a dense product, few enough to waste few keys
Width = Annotated[int, Field(ge=1, le=MOST_WIDTH)]
Window = Annotated[int, Field(le=MOST_STEPS)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, str_max_length=LONGEST_KEY)


class DataConfig(_Section):
    """The data set: files below the data root, the time grid of its features, and how a training item is cropped."""

    annotations: str  # annotation file, relative to the data root
    features: list[str] = Field(min_length=1)  # feature folders (or .hdf5 files); channels are joined in this order
    prefix: str = ""  # of a feature file's name, before the video id
    suffix: Literal[".npy", ".npz", ".h5", ".hdf5", ".safetensors", ".csv", ".pkl"] = ".npy"  # of feature files
    train_subsets: list[str] = ["training"]  # subsets of the annotation file
    test_subsets: list[str] = ["validation"]  # predicted and evaluated, not seen in training
    num_classes: Width  # classes; 1 with many labels in the file: class-agnostic proposals
    input_dims: list[Width] = Field(min_length=1)  # channels of each feature folder, or one number for all together
    stride_frames: float  # frames between two feature vectors; <= 0: features of fixed length per video
    num_frames: float  # frames that a feature vector covers; of features of fixed length it says nothing
    fps: float | None = Field(None, gt=0)  # frames per second; None: the annotation file's
    downsample: int = Field(1, ge=1, le=MOST_STEPS)  # keep every n-th feature vector
    max_seq_len: int = Field(ge=1, le=MOST_STEPS)  # M, steps of a training sequence
    resize: bool = False  # resize each sequence linearly to max_seq_len (ActivityNet)
    clean_annotations: bool = False  # drop duplicate and empty annotations already when training (ActivityNet)
    skip_missing: bool = True  # leave out videos without features, instead of stopping
    max_missing: float = Field(0.1, ge=0, le=1)  # share of the videos that may be left out so; more stop a run
    crop_min_overlap: float = Field(0.5, ge=0, le=1)  # share of an action to keep in a training crop
    crop_ratio: tuple[float, float] | None = (0.9, 1.0)  # random length of a crop, relative to the sequence
    crop_margin: bool = True  # what the frames of a crop's first and last vector cover counts as inside it
    keep_clipped: bool = False  # with clean_annotations: training keeps whatever begins before the features end (HACS)
    half_channels: bool = False  # keep the first half of each file's channels only
    tious: list[float] = Field(default=[0.3, 0.4, 0.5, 0.6, 0.7], min_length=1)  # tIoU thresholds of the evaluation

    @field_validator("crop_ratio")
    @classmethod
    def _crop_ratio_is_a_range(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not 0 < value[0] <= value[1] <= 1:
            raise ValueError("must be two numbers with 0 < first <= second <= 1, or null")
        return value

    @field_validator("tious")
    @classmethod
    def _tious_are_fractions(cls, value: list[float]) -> list[float]:
        if not all(0 < tiou <= 1 for tiou in value) or sorted(set(value)) != value:
            raise ValueError("must be fractions above 0 and at most 1, rising")
        return value


# Recipes and runs of before there was a choice of norms say true or false.
_norm_of_bool = BeforeValidator(lambda value: ("none", "layer")[value] if isinstance(value, bool) else value)
_RANGES: list[tuple[float, float]] = [(0, 4), (4, 8), (8, 16), (16, 32), (32, 64), (64, 10000)]


class ModelConfig(_Section):
    """The network: embedding, stem, branch (one pyramid level per block), neck and the two heads."""

    # conv: convolutions instead of attention; sgp: TriDet's blocks; maxpool: nothing but pooling (TemporalMaxer)
    backbone: Literal["transformer", "conv", "sgp", "maxpool"] = "transformer"
    embed_dim: Width = 512  # width of the network
    stream_dims: list[Width] = []  # widths to which the feature streams are projected apart; they add up to embed_dim
    embed_layers: int = Field(2, ge=0, le=MOST_LAYERS)  # convolutions before the first level
    embed_kernel: int = Field(3, ge=1, le=1023)  # steps that each of them sees
    embed_norm: bool = True  # layer norm after each convolution of the embedding
    stem_layers: int = Field(2, ge=0, le=MOST_LAYERS)  # blocks at full resolution
    branch_layers: int = Field(5, ge=0, le=MOST_LEVELS)  # blocks that halve it, one level each
    scale_factor: int = Field(2, ge=2, le=1024)  # of steps, from one level to the next
    heads: Width = 4  # of attention
    # in steps, for all levels or each: of attention, <= 1 being the whole sequence; of an sgp block's convolutions, odd
    windows: Window | list[Window] = 19
    window_ratio: float = Field(1.5, gt=0, le=64)  # sgp: how much longer the second convolution is
    sgp_deviation: float = Field(0.0, ge=0)  # of the sgp convolutions' first weights; from 0 they can never learn
    pooling: Literal["max", "avg"] = "max"  # sgp: between two levels
    mlp_dim: Width | None = None  # width of a block's hidden layer; None: 4 embed_dim
    absolute_position: bool = False  # add sines of the position
    relative_position: bool = False  # learned, within the window
    neck: Literal["identity", "fpn"] = "identity"  # fpn: levels get what coarser ones saw
    neck_dim: Width | None = None  # width of the neck; None: embed_dim
    # layer: a layer norm for each level; shared: one for all; group: over groups of channels and all steps, unlearnt
    neck_norm: Annotated[Literal["layer", "shared", "group", "none"], _norm_of_bool] = "layer"
    neck_groups: Width = 4  # of channels, with the norm "group"
    neck_start_level: int = Field(0, ge=0)  # levels before it carry no heads
    head_dim: Width | None = None  # width of the heads; None: embed_dim
    head_layers: int = Field(3, ge=1, le=MOST_LAYERS)  # convolutions of each head, the last one included
    head_kernel: int = Field(3, ge=1, le=1023)  # steps of the level that each of them sees
    head_norm: bool = True  # layer norm between the convolutions of a head
    head: Literal["offsets", "trident"] = "offsets"  # trident: offsets are expectations over bins (TriDet)
    bins: int = Field(16, ge=1, le=1024)  # trident: the longest offset, in steps of the level
    boundary_kernel: int = Field(3, ge=1, le=1023)  # trident: of the heads that score onsets and ends
    regression_ranges: list[tuple[float, float]] = _RANGES  # of each level: how far the farther end may be, in steps
    class_prior: float = Field(0.01, gt=0, lt=1)  # probability that an untrained class head gives
    empty_classes: list[int] = []  # label ids that never occur in training
    dropout: float = Field(0.0, ge=0, lt=1)  # share of activations that training drops
    input_dropout: float = Field(0.0, ge=0, lt=1)  # share of feature channels, each dropped at all steps of a sequence
    input_noise: float = Field(0.0, ge=0)  # standard deviation of what is added to the features in training
    drop_path: float = Field(0.1, ge=0, lt=1)  # share of a batch whose block is left out

    @property
    def num_levels(self) -> int:
        return self.branch_layers + 1 - self.neck_start_level

    @property
    def strides(self) -> list[int]:
        """Feature steps between two steps after the stem and after each branch block (branch_layers + 1 numbers)."""
        return [self.scale_factor**level for level in range(self.branch_layers + 1)]

    @property
    def level_strides(self) -> list[int]:
        """Feature steps between two points, for each of the L levels."""
        return self.strides[self.neck_start_level :]

    @property
    def level_windows(self) -> list[int]:
        """Attention window of the stem and of each branch block (branch_layers + 1 numbers)."""
        return [self.windows] * (self.branch_layers + 1) if isinstance(self.windows, int) else self.windows

    @property
    def widest_head_kernel(self) -> int:
        """Of all heads, in steps of the level."""
        return max(self.head_kernel, self.boundary_kernel if self.head == "trident" else 0)

    @property
    def reads_padding(self) -> bool:
        """Whether the network averages over padded steps too, so that its outputs depend on how far it is padded."""
        return self.backbone == "sgp" or self.neck_norm == "group"

    @property
    def length_divisor(self) -> int:
        """A sequence longer than max_seq_len is padded to the next multiple of this (as the original pads)."""
        largest = max(
            stride * self._window_divisor(window) if window > 1 else stride
            for stride, window in zip(self.level_strides, self.level_windows, strict=False)
        )
        return math.lcm(largest, self.level_strides[-1])  # the original would fail where the two differ

    def _window_divisor(self, window: int) -> int:
        return {"sgp": window, "maxpool": 1}.get(self.backbone, window // 2 * 2)


class LossConfig(_Section):
    """Target assignment and the two losses."""

    init_loss_norm: float = Field(100, gt=0)  # start of the running mean of positives per batch
    loss_norm_momentum: float = Field(0.9, ge=0, lt=1)  # of that mean
    center_sample: Literal["radius", "none"] = "radius"  # radius: only points near the middle learn; none: all inside
    center_radius: float = Field(1.5, gt=0)  # radius: how near, in strides of the level
    # cheapest: a point learns the offsets of the action that it predicts best of all around it (TemporalMaxer)
    offset_target: Literal["shortest", "cheapest"] = "shortest"
    cost_class: float = Field(1.0, ge=0)  # cheapest: weight of the class loss in the cost of an action
    cost_iou: float = Field(2.0, ge=0)  # cheapest: of the offset loss
    cost_share: float = Field(1.0, ge=0, le=1)  # cheapest: of an action's points, the cheapest, that learn fully
    cost_rest: float = Field(0.0, ge=0)  # cheapest: weight of its other points in both losses
    class_iou_power: float = Field(0.0, ge=0)  # positives count by the IoU of their offsets, to this power; 0: alike
    label_smoothing: float = Field(0.0, ge=0, lt=1)  # of the class targets; 0: none
    regression: Literal["diou", "giou"] = "diou"  # loss of the offsets
    regression_weight: float = 1.0  # of the offset loss; <= 0: balanced automatically


class DecodeConfig(_Section):
    """From the network's outputs to the detections of a video."""

    pre_nms_thresh: float = Field(0.001, ge=0, lt=1)  # lowest score of a candidate
    pre_nms_topk: int = Field(2000, ge=1, le=10**7)  # candidates kept before NMS, per level
    duration_thresh: float = Field(0.05, ge=0)  # shortest detection, on the grid
    nms: Literal["soft", "hard", "none"] = "soft"  # how duplicates are suppressed; none: every candidate is kept
    multiclass: bool = True  # NMS within each class
    iou_threshold: float = Field(0.1, ge=0, le=1)  # hard NMS: overlap from which a candidate is dropped
    sigma: float = Field(0.5, gt=0)  # soft NMS: the larger, the less an overlap lowers a score
    # hard NMS takes candidates above it; soft NMS drops what it has lowered below it, so a class's best always stays
    min_score: float = Field(0.001, ge=0)
    max_segments: int = Field(200, ge=1, le=10**6)  # soft, hard: detections kept of each video
    voting_threshold: float = Field(0.7, ge=0, le=1)  # overlap from which candidates move a kept segment; 0: none does
    voting_weight: Literal["score_iou", "score"] = "score_iou"  # of a candidate that votes for a segment
    score_file: str | None = None  # external video-level class scores, relative to the data root


class OptimConfig(_Section):
    """Optimiser, schedule, and the running average of the weights."""

    optimizer: Literal["adamw", "sgd"] = "adamw"  # AdamW, or SGD with momentum
    learning_rate: float = Field(1e-4, gt=0)  # the highest, at the end of the warm-up
    weight_decay: float = Field(0.05, ge=0)  # of convolutions; biases, norms and scales have none
    momentum: float = Field(0.9, ge=0)  # of SGD
    batch_size: int = Field(2, ge=1, le=2**14)  # sequences in a step, of all devices together
    epochs: int = Field(30, ge=1, le=MOST_EPOCHS)  # passes over the training data after the warm-up
    warmup_epochs: int = Field(5, ge=0, le=MOST_EPOCHS)  # in which the learning rate rises; 0: none
    extra_epochs: int = Field(0, ge=-MOST_EPOCHS, le=MOST_EPOCHS)  # at the end; a cosine's rate rises again; <0: fewer
    schedule: Literal["cosine", "multistep"] = "cosine"  # how the learning rate falls after the warm-up
    final_rate: float | None = Field(None, ge=0)  # cosine: at its end; None: 1e-8, or 0 without a warm-up
    schedule_epochs: list[int] = []  # multistep: epochs (after the warm-up) at which the rate falls
    schedule_gamma: float = Field(0.1, gt=0)  # multistep: factor of each fall
    clip_norm: float = 1.0  # longest gradient; <= 0: none is shortened
    ema_decay: float = Field(0.999, ge=0, lt=1)  # of the averaged weights, per step
    ema_warmup: bool = False  # start the decay low, so that few steps do not keep the random start

    @property
    def total_epochs(self) -> int:
        return self.warmup_epochs + self.epochs + self.extra_epochs


def _misfits(data: DataConfig, model: ModelConfig, loss: LossConfig, optim: OptimConfig) -> Iterator[str]:
    """A sentence for each pair of settings that contradict each other, or are too large."""
    if data.num_frames <= 0 < data.stride_frames:
        yield f"data.num_frames is {data.num_frames:g}; give the frames that a feature vector covers, above 0"
    if model.neck_start_level > model.branch_layers:
        yield f"model.neck_start_level {model.neck_start_level} is above the last level {model.branch_layers}"
        return
    if len(model.regression_ranges) != model.num_levels:
        yield (
            f"model.regression_ranges has {len(model.regression_ranges)} ranges for {model.num_levels} pyramid levels "
            "(model.branch_layers + 1 - model.neck_start_level); give one range per level"
        )
    if any(low >= high for low, high in model.regression_ranges):
        yield "model.regression_ranges: each range is [low, high] with low < high"
    if len(model.level_windows) != model.branch_layers + 1:
        yield f"model.windows has {len(model.level_windows)} numbers; give one, or {model.branch_layers + 1}"
        return
    top_stride = model.scale_factor**model.branch_layers
    if data.max_seq_len % top_stride:
        above = -(-data.max_seq_len // top_stride) * top_stride
        yield (
            f"data.max_seq_len {data.max_seq_len} is not a multiple of {top_stride}, the stride of the last pyramid "
            f"level; the nearest above is {above}"
        )
    if model.backbone == "transformer" and model.embed_dim % model.heads:
        yield f"model.embed_dim {model.embed_dim} does not divide into model.heads {model.heads}"
    if model.neck == "identity" and model.neck_dim not in (None, model.embed_dim):
        yield f"model.neck_dim {model.neck_dim} must equal model.embed_dim {model.embed_dim} with model.neck 'identity'"
    for name in ("embed_kernel", "head_kernel", "boundary_kernel"):
        if getattr(model, name) % 2 == 0:
            yield f"model.{name} must be odd, not {getattr(model, name)}"
    if model.backbone == "sgp" and any(window < 1 or window % 2 == 0 for window in model.level_windows):
        yield f"model.windows {model.windows} must be odd and 1 or more with model.backbone 'sgp'"
    if model.backbone == "sgp" and model.embed_dim % 16:
        yield f"model.embed_dim {model.embed_dim} must be a multiple of 16 with model.backbone 'sgp'"
    if model.neck_norm == "group" and (model.neck_dim or model.embed_dim) % model.neck_groups:
        yield f"model.neck_groups {model.neck_groups} does not divide {model.neck_dim or model.embed_dim} channels"
    if model.head == "trident" and loss.offset_target == "cheapest":
        yield "loss.offset_target 'cheapest' needs offsets that classes share; take model.head 'offsets'"
    fitting = len(model.stream_dims) == len(data.input_dims) and sum(model.stream_dims) == model.embed_dim
    if model.stream_dims and not fitting:
        yield (
            f"model.stream_dims {model.stream_dims} must hold one width per entry of data.input_dims "
            f"{data.input_dims} and add up to model.embed_dim {model.embed_dim}"
        )
    if any(not 0 <= label < data.num_classes for label in model.empty_classes):
        yield f"model.empty_classes must be label ids from 0 to {data.num_classes - 1}"
    if not model.embed_layers and not model.stream_dims and sum(data.input_dims) != model.embed_dim:
        yield f"model.embed_layers 0 leaves the features as they are, so model.embed_dim must be {sum(data.input_dims)}"
    if optim.total_epochs < 1:
        yield f"optim.extra_epochs {optim.extra_epochs} leaves no epoch of optim.epochs and optim.warmup_epochs"
    if data.resize and data.downsample > 1:
        yield "data.resize and data.downsample cannot be combined"
    yield from _oversized(data, model)


def _oversized(data: DataConfig, model: ModelConfig) -> Iterator[str]:
    if model.length_divisor > MOST_STEPS:
        yield (
            f"model.windows {model.windows} let long recordings be padded to a multiple of {model.length_divisor} "
            f"steps, more than {MOST_STEPS}; take smaller ones"
        )
    strides = model.strides
    reach = max(window / stride for window, stride in zip(model.level_windows, strides, strict=True))
    widths = {
        "data.input_dims": sum(data.input_dims),
        "data.num_classes": data.num_classes,
        "model.head_dim": model.head_dim or 0,
        "model.embed_dim": model.embed_dim,
        "model.windows": int(model.embed_dim * max(reach, 0) / BLOCK) if model.backbone == "transformer" else 0,
    }
    name = max(widths, key=lambda name: widths[name])
    if data.max_seq_len * widths[name] > MOST_VALUES:
        value = getattr(data if name.startswith("data") else model, name.partition(".")[2])
        yield (
            f"{name} {value} with data.max_seq_len {data.max_seq_len} makes {data.max_seq_len * widths[name]:.1e} "
            "numbers of a sequence, more than memory holds; lower one of them"
        )


class Recipe(_Section):
    """All settings of one experiment. Frozen; made with `afkit.recipe`, changed with dotted overrides."""

    name: str  # of the experiment, and of its folders
    base: str = Field("", exclude=True)  # built-in recipe whose data a recipe file uses, to prepare it
    data: DataConfig  # where the data lies and how it is read
    model: ModelConfig = ModelConfig()  # the network
    loss: LossConfig = LossConfig()  # targets and losses
    decode: DecodeConfig = DecodeConfig()  # from outputs to detections
    optim: OptimConfig = OptimConfig()  # optimiser, schedule, weight average

    @model_validator(mode="after")
    def _sections_fit(self) -> "Recipe":
        plain_name("a recipe", self.name)
        for complaint in _misfits(self.data, self.model, self.loss, self.optim):
            raise ValueError(complaint)
        return self


SECTIONS = tuple(name for name in Recipe.model_fields if name not in ("name", "base"))


def make_recipe(settings: Mapping[str, Any], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """A checked Recipe from settings {"name": ..., "data": {...}, ...} and, on top, {"section.parameter": value}.

    A ValueError is one sentence that names the parameter, and the nearest valid one where it is unknown.
    """
    merged = {key: dict(value) if isinstance(value, Mapping) else value for key, value in settings.items()}
    for dotted, value in (overrides or {}).items():
        _check_parameter(dotted)
        section, _, parameter = dotted.partition(".")
        merged.setdefault(section, {})[parameter] = value
    try:
        made = Recipe.model_validate(merged)
    except ValidationError as error:
        raise ValueError(_one_sentence(error, str(settings.get("name", "?"))[:80])) from None
    for dotted, value in (overrides or {}).items():
        kind = type(getattr(getattr(made, dotted.partition(".")[0]), dotted.partition(".")[2]))
        if isinstance(value, bool | str) and kind in (int, float, bool) and kind is not type(value):
            raise ValueError(f"recipe {made.name!r}, parameter '{dotted}' = {value!r}: give a value like {kind(1)}")
    return made


def parameter_names() -> list[str]:
    """Every dotted parameter that an override may name, e.g. 'optim.epochs'."""
    sections = Recipe.__annotations__
    return [f"{section}.{parameter}" for section in SECTIONS for parameter in sections[section].model_fields]


def changed_settings(recipe: Recipe) -> dict[str, Any]:
    """The dotted parameters of a recipe that differ from the defaults or have none, with their values."""
    return {
        f"{section}.{parameter}": getattr(settings, parameter)
        for section, settings in ((name, getattr(recipe, name)) for name in SECTIONS)
        for parameter, field in type(settings).model_fields.items()
        if field.is_required() or getattr(settings, parameter) != field.default
    }


def nearest(name: str, valid: list[str]) -> str:
    """A half-sentence for error messages: the nearest valid name, or all of them when none is near."""
    found = difflib.get_close_matches(name, valid, n=1, cutoff=0.5)
    if found:
        return f"did you mean '{found[0]}'?"
    shown = ", ".join(valid[:20])
    return f"choose from: {shown}" + (f" and {len(valid) - 20} more" if len(valid) > 20 else "")


def _check_parameter(dotted: str) -> None:
    valid = parameter_names()
    if dotted in valid:
        return
    section, _, last = dotted.rpartition(".")
    same_name = [  # or its initials: lr
        name for name in valid if last in (own := name.split(".")[1], "".join(word[0] for word in own.split("_")))
    ]
    in_section = [name for name in valid if name.startswith(f"{section}.")]
    hint = f"did you mean '{same_name[0]}'?" if same_name else nearest(dotted, in_section or valid)
    raise ValueError(f"no recipe has the parameter '{dotted}'; {hint}")


def _one_sentence(error: ValidationError, name: str) -> str:
    """The first complaint of pydantic as one sentence with the dotted parameter."""
    errors = error.errors()
    same = [part for part in errors if part["loc"][:2] == errors[0]["loc"][:2]]
    first = max(same, key=lambda part: any(isinstance(place, int) for place in part["loc"]))  # of a list, the entry
    # beyond section and parameter only places in a list: pydantic names the alternatives of a union there, too
    dotted = ".".join(str(part) for i, part in enumerate(first["loc"]) if i < 2 or isinstance(part, int))
    message = first["msg"].removeprefix("Value error, ")
    message = message[0].lower() + message[1:]
    if first["type"] == "extra_forbidden":
        _check_parameter(dotted)
    if not dotted:
        return f"recipe {name!r}: {message}"
    if first["type"] == "missing":
        return f"recipe {name!r}: parameter '{dotted}' is missing"
    return f"recipe {name!r}, parameter '{dotted}' = {first['input']!r:.300}: {message}"
