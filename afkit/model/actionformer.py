"""The whole network: features and mask in, logits and offsets per pyramid level out. Names are the original's."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.limits import check_memory
from afkit.model.backbone import Backbone
from afkit.model.heads import Boundaries, ClassHead, FeaturePyramidNeck, IdentityNeck, OffsetHead, join_levels


class LevelOutput(NamedTuple):
    """One level of an `Output`."""

    logits: Tensor  # (B, T, K)
    offsets: Tensor | Boundaries  # (B, T, 2)
    mask: Tensor  # (B, T)
    points: Tensor  # (T, 4)


class Output(NamedTuple):
    """What the network says about a batch; each field is a list over the L pyramid levels, unspecified where masked."""

    logits: list[Tensor]  # (B, T_l, K) float, before the sigmoid
    # (B, T_l, 2) float >= 0, to the left and right in units of the level's stride; `offsets_of` reads both kinds
    offsets: Sequence[Tensor | Boundaries]
    masks: list[Tensor]  # (B, T_l) bool, true features
    points: list[Tensor]  # (T_l, 4) float: position on the grid, regression range low and high, stride

    def levels(self) -> Iterator[LevelOutput]:
        """The same level by level."""
        return itertools.starmap(LevelOutput, zip(*self, strict=True))

    def float(self) -> "Output":
        """In float32 whatever it was computed in."""
        offsets = [
            level.float() if isinstance(level, Tensor) else Boundaries(*(part.float() for part in level))
            for level in self.offsets
        ]
        return self._replace(logits=[level.float() for level in self.logits], offsets=offsets)


class ActionFormer(nn.Module):
    """ActionFormer (Zhang, Wu, Li, ECCV 2022): local attention, feature pyramid, class head and offset head.

    By its settings also TriDet (Shi et al., CVPR 2023: SGP blocks, trident head), TemporalMaxer (Tang et al. 2023:
    pooling alone), and what lies between the three.
    """

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe
        self.backbone = Backbone(recipe)
        self.neck = FeaturePyramidNeck(recipe) if recipe.model.neck == "fpn" else IdentityNeck(recipe)
        self.cls_head = ClassHead(recipe, recipe.model.head_kernel)
        self.reg_head = OffsetHead(recipe)
        if recipe.model.head == "trident":
            self.start_head, self.end_head = (ClassHead(recipe, recipe.model.boundary_kernel) for _ in range(2))
        for module in self.modules():
            if isinstance(module, nn.Conv1d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        for head in self.children():
            if isinstance(head, ClassHead):
                head.set_prior(recipe)

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        """Logits and offsets of a batch (B, C, T), (B, T) bool; T is a multiple of the last stride: `padded_length`."""
        self._check(features, mask)
        if self.training:
            features = self._disturbed(features)
        levels, masks = self.backbone(features.transpose(1, 2), mask[..., None])
        start = self.recipe.model.neck_start_level
        levels, masks = levels[start:], masks[start:]
        model = self.recipe.model
        rows = join_levels(self.neck(levels, masks), masks, gap=model.widest_head_kernel // 2)
        offsets = self.reg_head(rows)
        if model.head == "trident":
            apart = rows._replace(x=rows.x.detach())  # onsets and ends do not train what lies before
            offsets = list(map(Boundaries, self.start_head(apart), self.end_head(apart), offsets))
        return Output(
            logits=self.cls_head(rows),
            offsets=offsets,
            masks=[mask[..., 0] for mask in masks],
            points=self.points(rows.lengths, features.device),
        )

    def _disturbed(self, features: Tensor) -> Tensor:
        """What is seen in training: without some of the channels, and with noise, at padded steps too."""
        model = self.recipe.model
        if model.input_dropout:
            features = F.dropout1d(features, model.input_dropout)
        return features + model.input_noise * torch.randn_like(features) if model.input_noise else features

    def points(self, lengths: list[int], device: torch.device) -> list[Tensor]:
        """The (T_l, 4) points of each level: grid position 0, s, 2s, ..., the level's regression range, s."""
        model = self.recipe.model
        points = []
        for length, stride, limits in zip(lengths, model.level_strides, model.regression_ranges, strict=True):
            position = torch.arange(length, device=device, dtype=torch.float32) * stride
            # filled on the device: a tensor made from numbers would have to be copied there
            constants = [torch.full_like(position, number) for number in (*limits, stride)]
            points.append(torch.stack([position, *constants], dim=1))
        return points

    def _check(self, features: Tensor, mask: Tensor) -> None:
        width, stride = sum(self.recipe.data.input_dims), self.recipe.model.level_strides[-1]
        if features.dim() != 3 or features.shape[1] != width:
            raise ValueError(f"features must be (B, {width}, T) for recipe '{self.recipe.name}', not {features.shape}")
        if mask.shape != (features.shape[0], features.shape[2]) or mask.dtype != torch.bool:
            raise ValueError(f"mask must be (B, T) bool for features {features.shape}, not {mask.dtype} {mask.shape}")
        if features.shape[2] % stride:
            raise ValueError(f"T = {features.shape[2]} must be a multiple of {stride}; pad it with afkit.padded_length")


def build_model(recipe: Recipe) -> ActionFormer:
    """An untrained network for a recipe; the state_dict has the original's names without 'module.'.

    A ValueError where it would need more memory than this machine has names the setting to lower.
    """
    check_memory(recipe)
    return ActionFormer(recipe)


def padded_length(length: int, recipe: Recipe) -> int:
    """T to which the original pads a video at inference: max_seq_len, or a multiple of `length_divisor`.

    Examples:
        >>> from afkit.recipes import recipe
        >>> [padded_length(length, recipe("thumos_i3d")) for length in (100, 2304, 2305)]
        [2304, 2304, 2880]
    """
    if length <= recipe.data.max_seq_len:
        return recipe.data.max_seq_len
    divisor = recipe.model.length_divisor
    return -(-length // divisor) * divisor


def padding_alignment(recipe: Recipe) -> int:
    """A multiple of steps to pad short sequences to, with one more of it, so that the network does not notice.

    Every level then keeps the padded slots that its convolutions read (see `afkit.data.batches.padded_batch_length`).
    0 for a network that would notice: it is padded as the original's.
    """
    if recipe.model.reads_padding:
        return 0
    widest = max(recipe.model.embed_kernel, recipe.model.widest_head_kernel, 3)
    return recipe.model.level_strides[-1] * (widest // 2)


def count_parameters(model: ActionFormer) -> dict[str, int]:
    """Number of parameters of each part, from the embedding to the heads, and of all together."""
    parts = {
        "embedding": ("backbone.proj", "backbone.embd"),
        "stem": ("backbone.stem",),
        "branch": ("backbone.branch",),
        "neck": ("neck",),
        "class head": ("cls_head",),
        "offset head": ("reg_head",),
        "boundary heads": ("start_head", "end_head"),
    }
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    counts = {part: sum(n for name, n in sizes.items() if name.startswith(own)) for part, own in parts.items()}
    return counts | {"all": sum(sizes.values())}
