"""The two losses and what joins them: values and gradients of the original, the normaliser, masks."""

import numpy as np
import pytest
import torch
from golden_files import LOGITS, arrays, content
from tiny_data import tiny_recipe

from afkit.model.actionformer import Output, build_model
from afkit.model.losses import Criterion, diou_loss, focal_loss, giou_loss


@pytest.mark.parametrize("name, loss", [("focal", focal_loss), ("diou", diou_loss), ("giou", giou_loss)])
def test_values_and_gradients_equal_the_original(name, loss):
    saved = arrays("losses/losses.npz")
    inputs = torch.from_numpy(saved[f"{name}_in"]).requires_grad_()
    values = loss(inputs, torch.from_numpy(saved[f"{name}_target"]))
    values.sum().backward()
    np.testing.assert_allclose(values.detach(), saved[f"{name}_none"], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(inputs.grad, saved[f"{name}_grad"], rtol=1e-6, atol=1e-6)


# ---- the criterion


def outputs(videos=3, seed=0):
    """Random outputs of a tiny network for videos of different lengths; logits and offsets take gradients."""
    torch.manual_seed(seed)
    points = build_model(tiny_recipe()).points([64, 32, 16], torch.device("cpu"))
    steps = torch.tensor([64, 45, 9])[:videos]
    masks = [torch.arange(0, 64, stride) < steps[:, None] for stride in (1, 2, 4)]
    logits = [torch.randn(*mask.shape, 3, requires_grad=True) for mask in masks]
    offsets = [(4 * torch.rand(*mask.shape, 2)).requires_grad_() for mask in masks]
    return Output(logits, offsets, masks, points)


# the last action lies at the end of the features and beyond
SEGMENTS = [torch.tensor([[3.0, 9.5], [20.0, 60.0]]), torch.tensor([[10.0, 30.0], [40.0, 60.0]]), None]
LABELS = [torch.tensor([0, 2]), torch.tensor([1, 2]), None]


def joined(levels):
    """(B, P, ...) of a list over levels."""
    return torch.cat(levels, dim=1)


def by_hand(criterion, out, norm, smoothing=0.0, regression=diou_loss):
    """Class and offset loss with plain indexing of the valid and the positive points."""
    classes, offsets, _ = criterion.targets(out, SEGMENTS, LABELS)
    valid = joined(out.masks)
    positive = valid & (classes.sum(-1) > 0)
    smooth = classes * (1 - smoothing) + smoothing / 4
    cls = focal_loss(joined(out.logits)[valid], smooth[valid]).sum() / norm
    return cls, regression(joined(out.offsets)[positive], offsets[positive]).sum() / norm, positive.sum().item()


@pytest.mark.parametrize("smoothing, regression", [(0.0, "diou"), (0.1, "diou"), (0.0, "giou")])
def test_sums_over_valid_and_positive_points(smoothing, regression):
    recipe = tiny_recipe(loss__label_smoothing=smoothing, loss__regression=regression, loss__regression_weight=2.5)
    criterion, out = Criterion(recipe).eval(), outputs()
    losses = criterion(out, SEGMENTS, LABELS)
    cls, reg, positives = by_hand(criterion, out, 100, smoothing, {"diou": diou_loss, "giou": giou_loss}[regression])
    assert positives > 5
    assert losses["cls"].item() == pytest.approx(cls.item())
    assert losses["reg"].item() == pytest.approx(reg.item())
    assert losses["total"].item() == pytest.approx(cls.item() + 2.5 * reg.item())


def test_masked_outputs_never_matter():
    plain, spoiled = outputs(), outputs()
    for levels in (spoiled.logits, spoiled.offsets):
        for level, (values, mask) in enumerate(zip(levels, spoiled.masks, strict=True)):
            levels[level] = values.detach().masked_fill(~mask[..., None], torch.nan).requires_grad_()
    losses = []
    for out in (plain, spoiled):
        losses.append(Criterion(tiny_recipe())(out, SEGMENTS, LABELS))
        losses[-1]["total"].backward()
    for name in ("cls", "reg", "total"):
        assert torch.equal(losses[0][name], losses[1][name])
    for name in ("logits", "offsets"):
        pairs = zip(getattr(plain, name), getattr(spoiled, name), spoiled.masks, strict=True)
        for expected, found, mask in pairs:
            assert torch.equal(found.grad, expected.grad), f"gradient of {name}"
            assert not found.grad[~mask].any()


def test_the_normaliser_is_an_average_that_moves_in_training_only():
    criterion, out = Criterion(tiny_recipe(loss__init_loss_norm=50)), outputs()
    positives = by_hand(criterion, out, 1)[2]
    norm = 50.0
    for _ in range(3):
        norm = 0.9 * norm + 0.1 * positives  # moves before it divides
        losses = criterion.train()(out, SEGMENTS, LABELS)
        assert criterion.loss_norm.item() == pytest.approx(norm, rel=1e-12)
        assert losses["cls"].item() == pytest.approx(by_hand(criterion, out, norm)[0].item())
        criterion.eval()(out, SEGMENTS, LABELS)
        assert criterion.loss_norm.item() == pytest.approx(norm, rel=1e-12)


def test_a_batch_without_positives():
    criterion, out = Criterion(tiny_recipe()), outputs()
    losses = criterion(out, [None] * 3, [None] * 3)
    assert criterion.loss_norm.item() == pytest.approx(90.1, rel=1e-12)  # at least one is counted
    assert losses["reg"].item() == 0
    assert losses["total"].item() == losses["cls"].item() > 0
    losses["total"].backward()
    assert all(torch.isfinite(logits.grad).all() for logits in out.logits)
    assert all(not offsets.grad.any() for offsets in out.offsets)
    empty = Criterion(tiny_recipe())(out, [torch.zeros(0, 2)] * 3, [torch.zeros(0, dtype=torch.int64)] * 3)
    assert torch.equal(empty["total"], losses["total"])


def test_the_background_video_of_the_original(config):
    model, expected = config.model("state_dict").train(), content(f"{config.name}/train.json")["no_positive_batch"]
    features, mask, segments, labels = config.training_batch()
    (row,) = expected["items"]
    criterion = Criterion(config.recipe)
    losses = criterion(model(features[[row]], mask[[row]]), [segments[row]], [labels[row]])
    # a background point adds p^2 * log(1 + e^logit): where a logit is off by d, the sum is by a share of at most 3 d
    assert losses["cls"].item() == pytest.approx(expected["cls_loss"], rel=3 * LOGITS)
    assert losses["reg"].item() == expected["reg_loss"] == 0
    assert losses["total"].item() == losses["cls"].item()
    assert criterion.loss_norm.item() == pytest.approx(expected["loss_normalizer_after"], rel=1e-12)


@pytest.mark.parametrize("weight", [0.0, -1.0])
def test_balanced_weight(weight):
    criterion, out = Criterion(tiny_recipe(loss__regression_weight=weight)), outputs()
    losses = criterion(out, SEGMENTS, LABELS)
    assert losses["total"].item() == pytest.approx(2 * losses["cls"].item(), rel=1e-6)
    factor = (losses["cls"] / losses["reg"]).detach()  # a constant: no gradient passes through it
    expected = torch.autograd.grad(losses["cls"] + factor * losses["reg"], out.logits + out.offsets, retain_graph=True)
    found = torch.autograd.grad(losses["total"], out.logits + out.offsets)
    assert all(torch.allclose(a, b, rtol=1e-6, atol=0) for a, b in zip(found, expected, strict=True))
    small = criterion(out, [None] * 3, [None] * 3)
    assert small["total"].item() == small["cls"].item()  # the divisor is at least 0.01


def test_points_in_ignored_spans_learn_nothing():
    criterion, out = Criterion(tiny_recipe()), outputs()
    spans = [torch.tensor([[-torch.inf, 3.0], [9.0, 9.5]]), None, torch.tensor([[2.0, torch.inf]])]
    masks = [mask.clone() for mask in out.masks]
    for mask, points in zip(masks, out.points, strict=True):
        for t, position in enumerate(points[:, 0].tolist()):
            if position < 3 or 9 <= position < 9.5:
                mask[0, t] = False
            if position >= 2:
                mask[2, t] = False
    losses, whole = criterion(out, SEGMENTS, LABELS, spans), Criterion(tiny_recipe())(out, SEGMENTS, LABELS)
    masked = Criterion(tiny_recipe())(out._replace(masks=masks), SEGMENTS, LABELS)
    assert not torch.equal(losses["total"], whole["total"])
    for name in ("cls", "reg", "total"):
        assert torch.equal(losses[name], masked[name])
    assert torch.equal(Criterion(tiny_recipe())(out, SEGMENTS, LABELS, [None] * 3)["total"], whole["total"])
