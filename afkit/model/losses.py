"""Which points learn what (targets), the class and offset losses, and the running normaliser that both share."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from afkit.config import LossConfig, Recipe
from afkit.model.actionformer import Output
from afkit.model.heads import offsets_of

FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2
EPS = 1e-8


def focal_loss(logits: Tensor, targets: Tensor) -> Tensor:
    """Sigmoid focal loss (Lin 2017), for soft targets in [0, 1] too; of the shape of both."""
    probability = logits.sigmoid()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    of_target = probability * targets + (1 - probability) * (1 - targets)
    alpha = FOCAL_ALPHA * targets + (1 - FOCAL_ALPHA) * (1 - targets)
    return alpha * cross_entropy * (1 - of_target) ** FOCAL_GAMMA


def _overlap(offsets: Tensor, targets: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """IoU, union and enclosing length of segments given as offsets to both sides of one point: (...,) each."""
    overlap = torch.minimum(offsets, targets).sum(-1)
    union = offsets.sum(-1) + targets.sum(-1) - overlap
    enclosing = torch.maximum(offsets, targets).sum(-1)
    return overlap / union.clamp(min=EPS), union, enclosing


def diou_loss(offsets: Tensor, targets: Tensor) -> Tensor:
    """Distance-IoU loss in one dimension (Zheng 2020): 1 - IoU + (distance of centres / enclosing length)^2.

    Distances >= 0 from a point to onset and end, and the true ones: (..., 2), (..., 2) -> (...,).
    """
    iou, _, enclosing = _overlap(offsets, targets)
    distance = 0.5 * (offsets[..., 1] - offsets[..., 0] - targets[..., 1] + targets[..., 0])
    return 1 - iou + (distance / enclosing.clamp(min=EPS)) ** 2


def giou_loss(offsets: Tensor, targets: Tensor) -> Tensor:
    """Generalised IoU loss in one dimension (Rezatofighi 2019); shapes as of `diou_loss`."""
    iou, union, enclosing = _overlap(offsets, targets)
    return 1 - iou + (enclosing - union) / enclosing.clamp(min=EPS)


_REGRESSION = {"diou": diou_loss, "giou": giou_loss}


class Targets(NamedTuple):
    """What each point of B videos learns."""

    classes: Tensor  # (B, P, K) float, 0 or 1
    offsets: Tensor  # (B, P, 2) float in strides, meaningful where any class is set
    weights: Tensor | None = None  # (B, P) float, of the points that learn; None: 1


class Criterion(nn.Module):
    """Losses of a batch. Its state is the running mean of positives per batch, which divides both losses.

    In training mode each call first updates the mean (momentum 0.9) with `max(positives, 1)`, weighted ones as far as
    they count; in eval mode the mean stays. Nothing here waits for a GPU, but for the trident head. Where each of
    several processes has a part of a batch, `sum_over_parts` sums numbers over them, so that the normaliser and an
    automatic regression weight are those of the whole batch.
    """

    loss_norm: Tensor  # () float64

    def __init__(self, recipe: Recipe):
        super().__init__()
        self.config, self.num_classes = recipe.loss, recipe.data.num_classes
        self.sum_over_parts: Callable[[Tensor], Tensor] = lambda numbers: numbers
        self.register_buffer("loss_norm", torch.tensor(recipe.loss.init_loss_norm, dtype=torch.float64))

    def forward(
        self,
        out: Output,
        segments: Sequence[Tensor | None],
        labels: Sequence[Tensor | None],
        ignored: Sequence[Tensor | None] = (),
    ) -> dict[str, Tensor]:
        """{"cls", "reg", "total"} of one batch, or of this process's part of it; the parts add up to the batch.

        Of B videos: segments (N, 2) on the grid, None or (0, 2) for background only; labels (N,) int64; where some
        have ignored spans (R, 2) on the grid, points in these learn nothing.
        """
        if any(spans is not None for spans in ignored):
            out = _without_ignored(out, ignored)
        logits, valid = torch.cat(out.logits, dim=1), torch.cat(out.masks, dim=1)  # (B, P, K), (B, P)
        targets = self.targets(out, segments, labels)
        positive = valid & (targets.classes.sum(-1) > 0)  # (B, P)
        learns = positive.to(logits.dtype) if targets.weights is None else targets.weights.where(positive, 0)
        if self.training:
            momentum = self.config.loss_norm_momentum
            count = self.sum_over_parts(learns.sum(dtype=self.loss_norm.dtype)).clamp(min=1)
            self.loss_norm.mul_(momentum).add_((1 - momentum) * count)
        norm = self.loss_norm.to(logits.dtype)
        smoothing = self.config.label_smoothing
        soft = targets.classes * (1 - smoothing) + smoothing / (self.num_classes + 1)
        # what stands at masked positions may be anything: replaced before the loss, so that no gradient is NaN
        cls = focal_loss(logits.where(valid[..., None], 0), soft)  # (B, P, K)
        if targets.weights is not None:
            cls = cls * learns.where(positive, 1)[..., None]
        factor, reg = self._offset_losses(out, targets, positive, learns)
        cls = (cls if factor is None else cls * factor).sum(-1).where(valid, 0).sum() / norm
        reg = reg / norm
        weight: float | Tensor = self.config.regression_weight
        if weight <= 0:
            whole_cls, whole_reg = self.sum_over_parts(torch.stack([cls, reg]).detach())
            weight = whole_cls / whole_reg.clamp(min=0.01)
        return {"cls": cls, "reg": reg, "total": cls + weight * reg}

    def _offset_losses(
        self, out: Output, targets: Targets, positive: Tensor, learns: Tensor
    ) -> tuple[Tensor | None, Tensor]:
        """The offset loss () of all positives, and factors (B, P, K) of the class loss where IoUs count there.

        With the trident head each class of a point has offsets of its own: a positive counts for each.
        """
        loss, power = _REGRESSION[self.config.regression], self.config.class_iou_power
        if isinstance(out.offsets[0], Tensor):
            kept = positive[..., None]
            found = torch.cat(out.offsets, dim=1).where(kept, 1)  # type: ignore[arg-type]  # all are tensors
            wanted = targets.offsets.where(kept, 1)
            factor = None
            if power:
                factor = _power_of_iou(found, wanted, power)[..., None].where(kept & (targets.classes > 0), 1)
            return factor, (loss(found, wanted) * learns).where(positive, 0).sum()
        factors, total = [], learns.new_zeros(())
        lengths = [mask.shape[1] for mask in out.masks]
        of_levels = (part.split(lengths, dim=1) for part in (targets.classes, targets.offsets, positive, learns))
        for level, classes, offsets, learning, weights in zip(out.offsets, *of_levels, strict=True):
            pairs = (learning[..., None] & (classes > 0)).nonzero(as_tuple=True)  # video, point, class: (n,) each
            found, wanted = offsets_of(level, *pairs), offsets[pairs[:2]]  # (n, 2)
            total = total + (loss(found, wanted) * weights[pairs[:2]]).sum()
            if power:
                factors.append(torch.ones_like(classes).index_put(pairs, _power_of_iou(found, wanted, power)))
        return torch.cat(factors, dim=1) if power else None, total

    @torch.no_grad()
    def targets(self, out: Output, segments: Sequence[Tensor | None], labels: Sequence[Tensor | None]) -> Targets:
        """`assign_targets` of B videos; segments and labels as of `forward`."""
        points = torch.cat(out.points)
        actions = pad_actions(segments, labels, points.device)
        if self.config.offset_target == "shortest":
            return Targets(*assign_targets(points, *actions, self.num_classes, self.config))
        offsets = torch.cat([level for level in out.offsets if isinstance(level, Tensor)], dim=1)
        logits = torch.cat(out.logits, dim=1)
        cost = action_costs(points, *actions, logits, offsets, self.config)
        cost.masked_fill_(~torch.cat(out.masks, dim=1)[..., None], torch.inf)
        targets = assign_targets(points, *actions, self.num_classes, self.config, cost)
        return Targets(*targets, _weights(cost, self.config))


def _without_ignored(out: Output, ignored: Sequence[Tensor | None]) -> Output:
    """The output with points in the ignored spans of B videos, (R, 2) each or None, masked."""
    nothing = torch.zeros(0, 2)
    spans = pad_sequence([nothing if own is None else own for own in ignored], batch_first=True)  # (B, R, 2)
    start, end = spans.to(out.points[0].device, non_blocking=True)[:, None].unbind(-1)  # (B, 1, R); filled up by [0, 0)
    positions = [points[:, :1] for points in out.points]  # (T_l, 1)
    inside = [((start <= position) & (position < end)).any(dim=-1) for position in positions]  # (B, T_l)
    return out._replace(masks=[mask & ~level for mask, level in zip(out.masks, inside, strict=True)])


def _power_of_iou(offsets: Tensor, targets: Tensor, power: float) -> Tensor:
    """IoU ** power of (..., 2) and (..., 2); at 0, where its slope is infinite, without gradient."""
    iou = _overlap(offsets, targets)[0]
    return iou.where(iou > 0, 1) ** power * (iou > 0)


SAME_LENGTH = 1e-3  # actions as short as the shortest up to this share a point's class target
NOWHERE = -1  # label of a row that only fills the batch; its segment (0, 0) holds no point


def pad_actions(
    segments: Sequence[Tensor | None], labels: Sequence[Tensor | None], device: torch.device
) -> tuple[Tensor, Tensor]:
    """The actions of B videos, (N_b, 2) and (N_b,) each or None, moved to a device in two transfers.

    Segments (B, N, 2) float32 and labels (B, N) int64, N >= 1; rows that only fill have label -1.
    """
    # one row more than there are actions, so that a video without any needs no way of its own
    filler = torch.zeros(1, 2), torch.full((1,), NOWHERE)
    rows = [
        filler if own is None or classes is None else (torch.cat([own, filler[0]]), torch.cat([classes, filler[1]]))
        for own, classes in zip(segments, labels, strict=True)
    ]
    padded = pad_sequence([own for own, _ in rows], batch_first=True)
    ids = pad_sequence([classes for _, classes in rows], batch_first=True, padding_value=NOWHERE)
    return padded.to(device, non_blocking=True), ids.to(device, non_blocking=True)


def assign_targets(
    points: Tensor,
    segments: Tensor,
    labels: Tensor,
    num_classes: int,
    config: LossConfig,
    cost: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Class and offset targets of every point for the actions of each video.

    A point takes an action if it lies inside it (near its centre, with centre sampling) and the farther end lies in
    the regression range of the point's level. The classes of all those of its actions are set that are as short as
    the shortest. This one (the first on ties) gives the offsets, or, with costs, the cheapest of all.

    Points (P, 4) are position on the grid, range low and high, stride; segments (B, N, 2) on the grid, N >= 1; labels
    (B, N) int64, -1 for a row that is none; cost (B, P, N), see `action_costs` -> classes (B, P, K) float, 0 or 1;
    offsets (B, P, 2) float in strides, meaningful where any class is set.
    """
    position, low, high, stride = points[:, :, None].unbind(1)  # each (P, 1)
    onset, end = segments[:, None].unbind(-1)  # (B, 1, N)
    left, right = position - onset, end - position  # (B, P, N)
    if config.center_sample == "radius":
        center, radius = 0.5 * (onset + end), config.center_radius * stride
        inside_left = position - torch.maximum(center - radius, onset)
        inside_right = torch.minimum(center + radius, end) - position
        inside = torch.minimum(inside_left, inside_right) > 0
    else:
        inside = torch.minimum(left, right) > 0
    farther = torch.maximum(left, right)
    takes = inside & (farther >= low) & (farther <= high) & (labels >= 0)[:, None]  # (B, P, N)
    lengths = (end - onset).expand_as(takes).masked_fill(~takes, torch.inf)
    shortest, index = lengths.min(dim=2, keepdim=True)  # (B, P, 1)
    shares = takes & (lengths <= shortest + SAME_LENGTH)
    one_hot = labels[..., None] == torch.arange(num_classes, device=labels.device)  # (B, N, K)
    classes = (shares.to(points.dtype) @ one_hot.to(points.dtype)).clamp_(max=1)
    if cost is not None:
        index = cost.min(dim=2, keepdim=True).indices
    offsets = torch.cat([left.gather(2, index), right.gather(2, index)], dim=2)  # (B, P, 2)
    return classes, offsets / stride


def action_costs(
    points: Tensor, segments: Tensor, labels: Tensor, logits: Tensor, offsets: Tensor, config: LossConfig
) -> Tensor:
    """How badly each point predicts each action now: (B, P, N), infinite outside it (TemporalMaxer's release).

    The class loss as if the action were the point's only one, and the distance-IoU loss, weighted; points, segments
    and labels as of `assign_targets`, logits (B, P, K), offsets (B, P, 2).
    """
    position, stride = points[:, 0, None], points[:, 3, None]  # (P, 1)
    onset, end = segments[:, None].unbind(-1)  # (B, 1, N)
    sides = torch.stack([position - onset, end - position], dim=-1)  # (B, P, N, 2)
    of_label = logits.gather(2, labels.clamp(min=0)[:, None].expand(-1, logits.shape[1], -1))  # (B, P, N)
    without = focal_loss(logits, torch.zeros_like(logits)).sum(dim=2, keepdim=True)  # (B, P, 1)
    alone = focal_loss(of_label, torch.ones_like(of_label)) - focal_loss(of_label, torch.zeros_like(of_label))
    cost = config.cost_class * (without + alone)
    cost = cost + config.cost_iou * diou_loss(offsets[:, :, None], sides / stride[..., None])
    return cost.masked_fill((sides < 0).any(dim=-1) | (labels < 0)[:, None], torch.inf)


def _weights(cost: Tensor, config: LossConfig) -> Tensor | None:
    """(B, P, N) -> (B, P): 1, or less for points that lie in actions, but for each among the dearer ones."""
    if config.cost_share == 1 or config.cost_rest == 1:
        return None
    inside = cost < torch.inf
    wanted = (inside.sum(dim=1, keepdim=True).double() * config.cost_share).floor()  # (B, 1, N)
    kept = inside & (cost.argsort(dim=1).argsort(dim=1) < wanted)
    return torch.where(inside.any(dim=2) & ~kept.any(dim=2), config.cost_rest, 1.0)
