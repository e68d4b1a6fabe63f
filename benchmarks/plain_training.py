"""The plain baseline's training: targets video by video, losses by boolean indexing, AdamW, a loop for the average."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from afkit.config import Recipe
from afkit.data.batches import Batch
from afkit.train.state import rate_factor
from benchmarks.plain import Output, PlainActionFormer

EPS = 1e-8
SAME_LENGTH = 1e-3


def assign_targets(
    points: Tensor, segments: Tensor, labels: Tensor, classes: int, radius: float
) -> tuple[Tensor, Tensor]:
    """Targets of one video: points (P, 4), segments (N, 2), labels (N,) -> classes (P, K), offsets (P, 2)."""
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
    one_hot = F.one_hot(labels, classes).to(offsets.dtype)  # (N, K)
    class_targets = (shares.to(offsets.dtype) @ one_hot).clamp(max=1)
    return class_targets, offsets[torch.arange(count, device=points.device), index] / stride


def focal_loss(logits: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2.0) -> Tensor:
    """Sum of the sigmoid focal loss (Lin 2017)."""
    probability = torch.sigmoid(logits)
    loss = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    of_target = probability * targets + (1 - probability) * (1 - targets)
    loss = loss * (1 - of_target) ** gamma
    return ((alpha * targets + (1 - alpha) * (1 - targets)) * loss).sum()


def diou_loss(offsets: Tensor, targets: Tensor) -> Tensor:
    """Sum of the distance-IoU loss (Zheng 2020) of segments around one point: (P, 2), (P, 2)."""
    left, right = offsets.unbind(1)  # (P,)
    true_left, true_right = targets.unbind(1)
    overlap = torch.min(left, true_left) + torch.min(right, true_right)
    union = (left + right) + (true_left + true_right) - overlap
    enclosing = torch.max(left, true_left) + torch.max(right, true_right)
    distance = 0.5 * (right - left - true_right + true_left)
    iou = overlap / union.clamp(min=EPS)
    return (1 - iou + torch.square(distance / enclosing.clamp(min=EPS))).sum()


class PlainCriterion:
    """Losses of a batch; the running normaliser is a number of the host."""

    def __init__(self, recipe: Recipe):
        self.config, self.classes = recipe.loss, recipe.data.num_classes
        self.loss_norm = recipe.loss.init_loss_norm

    def __call__(self, out: Output, segments: list[Tensor], labels: list[Tensor]) -> dict[str, Tensor]:
        """{"cls", "reg", "total"} of B videos with segments (N, 2) and labels (N,)."""
        points, valid = torch.cat(out.points), torch.cat(out.masks, dim=1)  # (P, 4), (B, P)
        class_targets, offset_targets = self._targets(points, segments, labels)
        positive = torch.logical_and(class_targets.sum(-1) > 0, valid)  # (B, P)
        offsets = torch.cat(out.offsets, dim=1)[positive]
        offset_targets = offset_targets[positive]
        momentum, count = self.config.loss_norm_momentum, positive.sum().item()
        self.loss_norm = momentum * self.loss_norm + (1 - momentum) * max(count, 1)

        smoothing = self.config.label_smoothing
        class_targets = class_targets[valid]
        class_targets *= 1 - smoothing
        class_targets += smoothing / (self.classes + 1)
        cls = focal_loss(torch.cat(out.logits, dim=1)[valid], class_targets) / self.loss_norm
        reg = 0 * offsets.sum() if count == 0 else diou_loss(offsets, offset_targets) / self.loss_norm
        weight = self.config.regression_weight
        if weight <= 0:
            weight = cls.detach() / max(reg.item(), 0.01)
        return {"cls": cls, "reg": reg, "total": cls + weight * reg}

    @torch.no_grad()
    def _targets(self, points: Tensor, segments: list[Tensor], labels: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Class targets (B, P, K) and offset targets (B, P, 2)."""
        found = [
            assign_targets(
                points, own.to(points.device), names.to(points.device), self.classes, self.config.center_radius
            )
            for own, names in zip(segments, labels, strict=True)
        ]
        classes, offsets = zip(*found, strict=True)
        return torch.stack(classes), torch.stack(offsets)


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
