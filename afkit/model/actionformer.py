"""The whole network: features and mask in, logits and offsets per pyramid level out."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.limits import check_memory
from afkit.model.backbone import Backbone
from afkit.model.heads import ClassHead, FeaturePyramidNeck, IdentityNeck, OffsetHead, join_levels


class Output(NamedTuple):
    """What the network says about a batch; each field is a list over the L pyramid levels.

    What stands at masked positions of logits and offsets is unspecified.
    """

    logits: list[Tensor]  # (B, T_l, K) float, before the sigmoid
    offsets: list[Tensor]  # (B, T_l, 2) float >= 0, to the left and right in units of the level's stride
    masks: list[Tensor]  # (B, T_l) bool, true features
    points: list[Tensor]  # (T_l, 4) float: position on the grid, regression range low and high, stride


class ActionFormer(nn.Module):
    """ActionFormer (Zhang, Wu, Li, ECCV 2022): local attention, feature pyramid, class head and offset head."""

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.recipe = recipe
        self.backbone = Backbone(recipe)
        self.neck = FeaturePyramidNeck(recipe) if recipe.model.neck == "fpn" else IdentityNeck(recipe)
        self.cls_head = ClassHead(recipe)
        self.reg_head = OffsetHead(recipe)
        for module in self.modules():
            if isinstance(module, nn.Conv1d) and module.bias is not None:
                nn.init.zeros_(module.bias)
        self.cls_head.set_prior(recipe)

    def forward(self, features: Tensor, mask: Tensor) -> Output:
        """Logits and offsets of a batch (B, C, T), (B, T) bool; T is a multiple of the last stride: `padded_length`."""
        self._check(features, mask)
        levels, masks = self.backbone(features.transpose(1, 2), mask[..., None])
        start = self.recipe.model.neck_start_level
        levels, masks = levels[start:], masks[start:]
        rows = join_levels(self.neck(levels, masks), masks, gap=self.recipe.model.head_kernel // 2)
        return Output(
            logits=self.cls_head(rows),
            offsets=self.reg_head(rows),
            masks=[mask[..., 0] for mask in masks],
            points=self.points(rows.lengths, features.device),
        )

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

    Raises:
        ValueError: it would need more memory than this machine has; the message names the setting to lower.
    """
    check_memory(recipe)
    return ActionFormer(recipe)


def padded_length(length: int, recipe: Recipe) -> int:
    """T to which the original pads one video of `length` steps at inference.

    max_seq_len for a sequence that fits, else the next multiple of the largest `stride * 2 * (window // 2)` over
    levels (`stride` where the window is <= 1), and of the last level's stride where that is no multiple of it.

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
    """
    widest = max(recipe.model.embed_kernel, recipe.model.head_kernel, 3)
    return recipe.model.level_strides[-1] * (widest // 2)


def count_parameters(model: ActionFormer) -> dict[str, int]:
    """Number of parameters of each part: embedding, stem, branch, neck, class head, offset head, and all together."""
    parts = {
        "embedding": ("backbone.proj", "backbone.embd"),
        "stem": ("backbone.stem",),
        "branch": ("backbone.branch",),
        "neck": ("neck",),
        "class head": ("cls_head",),
        "offset head": ("reg_head",),
    }
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    counts = {part: sum(n for name, n in sizes.items() if name.startswith(own)) for part, own in parts.items()}
    return counts | {"all": sum(sizes.values())}
