"""The plain baseline's training: targets video by video, losses by boolean indexing, AdamW, a loop for the average."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import LossConfig, Recipe
from afkit.data.batches import Batch
from afkit.train.state import rate_factor
from benchmarks.plain import Output, PlainActionFormer

EPS = 1e-8
SAME_LENGTH = 1e-3


def assign_targets(
    points: Tensor, segments: Tensor, labels: Tensor, classes: int, radius: float, costs: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Targets of one video: points (P, 4), segments (N, 2), labels (N,) -> classes (P, K), offsets (P, 2).

    With costs (P, N) the offsets are those to the cheapest action.
    """
    count, actions = len(points), len(segments)
    if actions == 0:
        return points.new_zeros(count, classes), points.new_zeros(count, 2)
    segments = segments[None].expand(count, actions, 2)
    onset, end = segments[..., 0], segments[..., 1]  # (P, N)
    position, stride = points[:, :1], points[:, 3:]  # (P, 1)
    offsets = torch.stack([position - onset, end - position], dim=2)  # (P, N, 2)
    centre = 0.5 * (onset + end)
    left = position - torch.maximum(centre - radius * stride, onset)
    right = torch.minimum(centre + radius * stride, end) - position
    inside = torch.stack([left, right], dim=2).min(dim=2).values > 0
    farther = offsets.max(dim=2).values
    in_range = torch.logical_and(farther >= points[:, 1:2], farther <= points[:, 2:3])
    lengths = end - onset
    lengths = lengths.masked_fill(~inside, torch.inf).masked_fill(~in_range, torch.inf)
    shortest, index = lengths.min(dim=1)  # (P,)
    shares = torch.logical_and(lengths <= shortest[:, None] + SAME_LENGTH, lengths < torch.inf)
    if costs is not None:
        index = costs.argmin(dim=1)
    one_hot = F.one_hot(labels, classes).to(offsets.dtype)  # (N, K)
    class_targets = (shares.to(offsets.dtype) @ one_hot).clamp(max=1)
    return class_targets, offsets[torch.arange(count, device=points.device), index] / stride


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Elements of the sigmoid focal loss (Lin 2017)."""
    probability = torch.sigmoid(logits)
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    of_target = probability * targets + (1 - probability) * (1 - targets)
    loss = loss * (1 - of_target) ** gamma
    return (alpha * targets + (1 - alpha) * (1 - targets)) * loss


def diou_loss(offsets: Tensor, targets: Tensor) -> Tensor:
    """Distance-IoU loss (Zheng 2020) of segments around one point: (..., 2), (..., 2) -> (...,)."""
    left, right = offsets.unbind(-1)  # (...,)
    true_left, true_right = targets.unbind(-1)
    enclosing = torch.max(left, true_left) + torch.max(right, true_right)
    distance = 0.5 * (right - left - true_right + true_left)
    return 1 - iou(offsets, targets) + torch.square(distance / enclosing.clamp(min=EPS))


def iou(offsets: Tensor, targets: Tensor) -> Tensor:
    """IoU of segments around one point: (..., 2), (..., 2) -> (...,)."""
    overlap = torch.min(offsets, targets).sum(dim=-1)
    union = offsets.sum(dim=-1) + targets.sum(dim=-1) - overlap
    return overlap / union.clamp(min=EPS)


@torch.no_grad()
def action_costs(
    points: Tensor, segments: Tensor, labels: Tensor, logits: Tensor, offsets: Tensor, config: LossConfig
) -> Tensor:
    """How badly each point of a video predicts each action (TemporalMaxer): (P, N), infinite outside of it.

    Points (P, 4), segments (N, 2), labels (N,), logits (P, K), offsets (P, 2).
    """
    position, stride = points[:, :1], points[:, 3:]  # (P, 1)
    sides = torch.stack([position - segments[:, 0], segments[:, 1] - position], dim=2)  # (P, N, 2)
    count, actions, _ = sides.shape
    one_hot = F.one_hot(labels, logits.shape[1]).to(logits.dtype)  # (N, K)
    cost = focal_loss(logits[:, None].expand(-1, actions, -1), one_hot.expand(count, -1, -1)).sum(dim=2)  # (P, N)
    reg = diou_loss(offsets[:, None].expand(-1, actions, -1), sides / stride[..., None])
    cost = config.cost_class * cost + config.cost_iou * reg
    return cost.masked_fill(sides.min(dim=2).values < 0, torch.inf)


class PlainCriterion:
    """Losses of a batch; the running normaliser is a number of the host."""

    def __init__(self, recipe: Recipe):
        self.config, self.classes = recipe.loss, recipe.data.num_classes
        self.loss_norm = recipe.loss.init_loss_norm

    def __call__(self, out: Output, segments: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        """{"cls", "reg", "total"} of B videos with segments (N, 2) and labels (N,)."""
        points, valid = torch.cat(out.points), torch.cat(out.masks, dim=1)  # (P, 4), (B, P)
        logits, offsets = torch.cat(out.logits, dim=1), torch.cat(out.offsets, dim=1)
        class_targets, offset_targets = self._targets(points, valid, logits, offsets, segments, labels)
        positive = torch.logical_and(class_targets.sum(-1) > 0, valid)  # (B, P)
        kept = positive
        if offsets.dim() == 4:  # of the trident head, for each class
            kept = torch.logical_and(class_targets > 0, valid[:, :, None])  # (B, P, K)
            offset_targets = offset_targets[:, :, None].expand(offsets.shape)
        offsets, offset_targets = offsets[kept], offset_targets[kept]
        momentum, count = self.config.loss_norm_momentum, positive.sum().item()
        self.loss_norm = momentum * self.loss_norm + (1 - momentum) * max(count, 1)

        smoothing = self.config.label_smoothing
        class_targets = class_targets[valid]
        class_targets *= 1 - smoothing
        class_targets += smoothing / (self.classes + 1)
        cls = focal_loss(logits[valid], class_targets)
        if self.config.class_iou_power > 0:
            factor = torch.ones_like(logits)
            factor[kept] = iou(offsets, offset_targets) ** self.config.class_iou_power
            cls = cls * factor[valid]
        cls = cls.sum() / self.loss_norm
        reg = 0 * offsets.sum() if count == 0 else diou_loss(offsets, offset_targets).sum() / self.loss_norm
        weight = self.config.regression_weight
        if weight <= 0:
            weight = cls.detach() / max(reg.item(), 0.01)
        return {"cls": cls, "reg": reg, "total": cls + weight * reg}

    @torch.no_grad()
    def _targets(
        self,
        points: Tensor,
        valid: Tensor,
        logits: Tensor,
        offsets: Tensor,
        segments: list[Tensor],
        labels: list[Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Class targets (B, P, K) and offset targets (B, P, 2)."""
        found, config = [], self.config
        for video, (own, names) in enumerate(zip(segments, labels, strict=True)):
            own, names, costs = own.to(points.device), names.to(points.device), None
            if config.offset_target == "cheapest":
                costs = action_costs(points, own, names, logits[video], offsets[video], config)
                costs = costs.masked_fill(~valid[video, :, None], torch.inf)
            found.append(assign_targets(points, own, names, self.classes, config.center_radius, costs))
        classes, offset_targets = zip(*found, strict=True)
        return torch.stack(classes), torch.stack(offset_targets)


def plain_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """AdamW as torch gives it; weight decay on convolution weights only."""
    convolutions = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Conv1d)}
    decayed = [value for name, value in model.named_parameters() if name in convolutions]
    others = [value for name, value in model.named_parameters() if name not in convolutions]
    groups = [{"params": decayed, "weight_decay": recipe.optim.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.optim.learning_rate)


class PlainTraining:
    """A training of the plain network; `loss`, `backward` of what it returns, and `update` are one step.

    Args:
        recipe: all settings.
        device: where to train.
        steps_per_epoch: for the schedule.
        weights: a state_dict to start from.
    """

    def __init__(self, recipe: Recipe, device: str, steps_per_epoch: int, weights: dict[str, Tensor]):
        self.recipe = recipe
        self.model = PlainActionFormer(recipe)
        self.model.load_state_dict(weights)
        self.model.to(device).train()
        self.average = copy.deepcopy(self.model).eval()
        self.criterion = PlainCriterion(recipe)
        self.optimizer = plain_optimizer(self.model, recipe)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimizer, lambda step: rate_factor(step, recipe.optim, steps_per_epoch)
        )

    def loss(self, batch: Batch) -> Tensor:
        """The total loss of a batch."""
        self.optimizer.zero_grad(set_to_none=True)
        return self.criterion(self.model(batch.features, batch.mask), batch.segments, batch.labels)["total"]

    def update(self) -> None:
        """Clip the gradients, move weights, learning rate and the averaged weights."""
        nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.optim.clip_norm)
        self.optimizer.step()
        self.schedule.step()
        decay = self.recipe.optim.ema_decay
        with torch.no_grad():
            pairs = zip(self.average.state_dict().values(), self.model.state_dict().values(), strict=True)
            for averaged, current in pairs:
                averaged.copy_(decay * averaged + (1 - decay) * current)
