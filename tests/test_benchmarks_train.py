"""The training and inference benchmarks: the baseline computes the same, and both run. No timing is judged here."""

import mmap
import subprocess
import sys

import pytest
import torch
from tiny_networks import all_offsets

from afkit.data.batches import padded_batch_length
from afkit.detect.decoding import decode
from afkit.detect.operator import unavailable
from afkit.model.actionformer import build_model, padded_length, padding_alignment
from afkit.recipes import recipe, recipe_names
from afkit.workbench.published import published
from benchmarks import infer, limits, memory, plain_detection, synthetic, textbook, train, whole
from benchmarks.plain import PlainActionFormer
from benchmarks.plain_training import PlainTraining
from benchmarks.timing import read_csv

RECIPES = ("thumos_i3d", "anet_tsp", "epic_verb", "ego4d_o_e", "ego4d_s_o_e")
TRIDET = ("tridet_thumos", "tridet_epic_verb", "tridet_epic_noun", "tridet_anet", "tridet_hacs_slowfast")
TEMPORALMAXER = (
    "temporalmaxer_thumos",
    "temporalmaxer_multithumos",
    "temporalmaxer_epic_verb",
    "temporalmaxer_epic_noun",
)
THREE = ("anet_tsp", "tridet_thumos", "temporalmaxer_thumos")  # measured in a trial
DECODED = (*RECIPES[:4], "tridet_thumos", "tridet_anet", "temporalmaxer_thumos")
ALL = (*RECIPES, *TRIDET, *TEMPORALMAXER)
LOGITS, LOSSES, GRADIENTS, WEIGHTS = 1e-5, 1e-6, 1e-4, 1e-5
CLIP = 0.01  # low enough to be reached
REASON = unavailable("cpp")  # the baseline's NMS needs the same tools
needs_compiler = pytest.mark.skipif(bool(REASON), reason=REASON)
COLUMNS = {
    "recipe",
    "plain_ms",
    "ours_ms",
    "speedup",
    "target_speedup",
    "plain_peak_mb",
    "ours_peak_mb",
    "memory",
    "met",
}


@pytest.fixture(autouse=True)
def arithmetic_as_it_was():
    flags = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = flags


@torch.no_grad()
def shake(model):
    """Move what starts at a constant off it, where it hides most of what a block computes."""
    for parameter in model.parameters():
        if parameter.dim() < 3 or parameter.shape[0] == 1 or not parameter.any():
            parameter += 0.3 * torch.randn(parameter.shape)
    model.load_state_dict(model.state_dict())  # blocks look for convolutions that are 0


def both(name, lengths, padded):
    """The outputs of ours and of the baseline with the same weights, for videos padded by each side's rule."""
    torch.manual_seed(0)
    settings = synthetic.sized(name, "tiny")
    ours, plain = build_model(settings).eval(), PlainActionFormer(settings).eval()
    shake(ours)
    plain.load_state_dict(ours.state_dict())
    items = [synthetic.item(settings, length, seed) for seed, length in enumerate(lengths)]
    with torch.no_grad():
        pairs = {"ours": ours, "plain": plain}
        return [
            network(*synthetic.padded(side, items, length, "cpu")[:2])
            for (side, network), length in zip(pairs.items(), padded, strict=True)
        ]


def for_all_classes(out):
    """An output of ours with the offsets of each class, as the baseline has them."""
    return out._replace(offsets=[all_offsets(out, level) for level in range(len(out.offsets))])


def assert_same(ours, plain):
    """Both sides at true features; masks and points, too."""
    levels = zip(*for_all_classes(ours), *plain, strict=True)
    for logits, offsets, mask, points, plain_logits, plain_offsets, plain_mask, plain_points in levels:
        steps = mask.shape[1]
        assert torch.equal(mask, plain_mask[:, :steps]) and not plain_mask[:, steps:].any()
        assert torch.equal(points, plain_points[:steps])
        assert ((logits - plain_logits[:, :steps])[mask].abs() <= LOGITS).all()
        assert offsets.shape[2:] == plain_offsets.shape[2:]
        assert ((offsets - plain_offsets[:, :steps])[mask].abs() <= LOGITS).all()


@pytest.mark.parametrize("name", [name for name in recipe_names() if published(name)])
def test_the_baseline_takes_our_weights(name):
    with torch.device("meta"):
        ours, plain = build_model(recipe(name)), PlainActionFormer(recipe(name))
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (ours, plain)]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("name", ALL)
def test_networks_agree_on_a_batch_padded_by_each_sides_rule_and_on_a_video_longer_than_in_training(name):
    settings = synthetic.sized(name, "tiny")
    longest, align = settings.data.max_seq_len, padding_alignment(settings)
    for lengths in ((longest, longest // 2), (longest // 3 + 5, longest // 4)):
        assert_same(*both(name, lengths, (padded_batch_length(max(lengths), longest, align), longest)))
    assert_same(*both(name, (2 * longest + 7,), 2 * (padded_length(2 * longest + 7, settings),)))


def trainings(name, published_start=False):
    """Both sides at the same start, without warm-up (whose first step moves nothing), random dropping and noise."""
    torch.manual_seed(0)
    overrides = {"optim.warmup_epochs": 0, "optim.clip_norm": CLIP, "model.input_noise": 0}
    settings = synthetic.sized(name, "tiny", overrides)
    ours = train.OurTraining(settings, "cpu", steps_per_epoch=10)
    if not published_start:
        shake(ours.model)
    ours.average.load_state_dict(ours.model.state_dict())
    plain = PlainTraining(settings, "cpu", 10, ours.model.state_dict())
    for module in (*ours.model.modules(), *plain.model.modules()):
        for setting in ("rate", "p"):
            if hasattr(module, setting):
                setattr(module, setting, 0.0)
    longest = recipe(name).data.max_seq_len
    case = train.Case(name, (longest * 3 // 5, longest * 2 // 5), 1.0)
    batches = train.inputs(case, settings, "cpu")
    return ours, plain, {side: with_rivals(batch, settings) for side, batch in batches.items()}


def with_rivals(batch, settings):
    """A batch whose first actions share their points with one of another class and with one that is a little longer."""
    rivals = torch.tensor([[0.0, 0.0], [-0.5, 0.5]])
    segments = [torch.cat([own, own[:1] + rivals]) for own in batch.segments]
    labels = [torch.cat([own, (own[:1] + torch.tensor([1, 2])) % settings.data.num_classes]) for own in batch.labels]
    return batch._replace(segments=segments, labels=labels)


@pytest.mark.parametrize(
    ("name", "published_start"),
    [*((name, False) for name in (*RECIPES[:4], *TRIDET, *TEMPORALMAXER)), (TRIDET[0], True)],
)
def test_a_step_of_both_sides_is_the_same(name, published_start):
    ours, plain, batches = trainings(name, published_start)
    losses = [side.loss(batches[which]) for side, which in ((ours, "ours"), (plain, "plain"))]
    assert losses[0].item() == pytest.approx(losses[1].item(), rel=LOSSES)
    assert ours.criterion.loss_norm.item() == pytest.approx(plain.criterion.loss_norm, rel=1e-12)
    for loss in losses:
        loss.backward()
    gradients = {key: (value.grad, dict(plain.model.named_parameters())[key].grad)
                 for key, value in ours.model.named_parameters()}  # fmt: skip
    whole_norm = torch.stack([b.norm() for _, b in gradients.values()]).norm()
    for key, (a, b) in gradients.items():  # some are zero but for rounding
        assert (a - b).norm() <= GRADIENTS * b.norm() + 1e-6 * whole_norm, key
    told = {key: b.abs() > 1e-5 * whole_norm for key, (_, b) in gradients.items()}
    ours.update()
    plain.update()
    for clipped in zip(*gradients.values(), strict=True):
        assert torch.stack([gradient.norm() for gradient in clipped]).norm().item() == pytest.approx(CLIP, rel=1e-3)
    rate = ours.recipe.optim.learning_rate
    for model, theirs in ((ours.model, plain.model), (ours.average, plain.average)):
        theirs = theirs.state_dict()
        for key, value in model.state_dict().items():
            difference = (value - theirs[key]).abs()
            if key in told:  # a norm that levels share has more names
                assert (difference[told[key]] <= WEIGHTS).all(), key
            assert (difference <= 2.1 * rate).all(), key  # Adam moves by the rate, whatever a gradient's size
    assert sum(mask.sum() for mask in told.values()) > 1000


def sort(rows):
    """Candidates by descending score."""
    order = rows[1].argsort(descending=True)
    return tuple(column[order] for column in rows)


@pytest.mark.parametrize("name", DECODED)
def test_decoding_agrees(name):
    side = infer.Side("ours", synthetic.sized(name, "tiny"), 150, "cpu", "fp32")
    side.network()
    empty = [
        offsets * (torch.rand(offsets.shape[:2])[..., None] > 0.2) if isinstance(offsets, torch.Tensor) else offsets
        for offsets in side.out.offsets
    ]
    side.out = side.out._replace(offsets=empty)
    (ours,), (plain,) = decode(side.out, side.recipe), plain_detection.decode(for_all_classes(side.out), side.recipe)
    assert len(ours[1]) > 50
    assert textbook.agree(sort(ours), sort(plain))


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("name", DECODED)
def test_detections_agree(name):
    textbook.build()
    ours, plain = (infer.Side(side, synthetic.sized(name, "tiny"), 150, "cpu", "fp32") for side in ("ours", "plain"))
    ours.all()
    plain.all()
    assert infer.alike(ours.detections, plain.detections)
    plain.candidates = plain_detection.decode(for_all_classes(ours.out), ours.recipe)
    plain.nms()
    assert textbook.agree(ours.detections, plain.detections)
    assert len(ours.detections[1]) > 5


def test_peak_memory_is_that_of_the_process_itself():
    ballast = torch.ones(2**27)  # 512 MB
    child = "from benchmarks.memory import peak_mb; print(peak_mb('cpu'))"
    told = subprocess.run([sys.executable, "-c", child], cwd=train.ROOT, capture_output=True, text=True, check=True)
    assert 50 < float(told.stdout) < 512 < memory.peak_mb("cpu")
    assert ballast[0] == 1


@pytest.mark.slow
def test_the_training_benchmark_runs(tmp_path, capsys):
    path = tmp_path / "new" / "train.csv"
    train.main(["--size", "tiny", "--recipes", *THREE, "--repeats", "1", "--clock", "processor", "--csv", str(path)])
    found = read_csv(path)
    assert tuple(row["recipe"] for row in found) == THREE
    for row in found:
        assert row.keys() >= COLUMNS | {"steps", "batch", "target_memory", "processor", "torch"}
        assert float(row["plain_ms"]) > 0 and float(row["ours_peak_mb"]) > 50
        assert row["met"] in ("True", "False")
    assert str(path) in capsys.readouterr().out


@needs_compiler
@pytest.mark.slow
def test_the_inference_benchmark_runs(tmp_path):
    path = tmp_path / "infer.csv"
    infer.main(["--size", "tiny", "--recipes", *THREE, "--repeats", "1", "--clock", "processor", "--csv", str(path)])
    found = read_csv(path)
    assert tuple(row["recipe"] for row in found) == THREE
    for row in found:
        assert row.keys() >= COLUMNS | {f"{side}_{part}_ms" for side in ("ours", "plain") for part in infer.PARTS}
        assert row["alike"] == "True" and int(row["detections"]) > 0


@pytest.mark.slow
def test_a_long_sequence_is_measured(tmp_path):
    path = tmp_path / "long.csv"
    infer.main(["--size", "tiny", "--long", "2000", "--csv", str(path)])
    (row,) = read_csv(path)
    assert row["steps"] == "2000" and int(row["detections"]) > 0 and row["met"] == "True"


def test_the_profile_names_operations_and_parts(capsys):
    train.main(["--size", "tiny", "--recipes", "anet_tsp", "--repeats", "1", "--profile"])
    shown = capsys.readouterr().out
    assert "aten::" in shown and "2 backward" in shown


@pytest.mark.parametrize("really", [False, True])
def test_a_whole_training_is_projected_or_run(really):
    line = whole.measure("cpu", "fp32", really, "tiny")
    assert line["how"] == ("run" if really else "projected")
    assert line["steps"] == 8 // 2 * 3
    assert line["seconds"] > 0


def test_the_synthetic_videos_are_as_long_as_those_of_the_data_set():
    videos = whole.SyntheticVideos(synthetic.sized(whole.RECIPE, "tiny"), 50, training=False)
    steps = sorted(item.features.shape[1] for item in videos.items)
    shrink = synthetic.TINY_LENGTHS["thumos"] / 2304
    assert steps[25] == pytest.approx(1212 * shrink, rel=0.05)  # e^7.1
    assert 100 * shrink <= steps[0] and steps[-1] <= 8000 * shrink


def test_the_arithmetic_of_all_kinds_of_products_is_counted():
    y, a, b = torch.zeros(2, 5, 7), torch.ones(2, 5, 3), torch.ones(2, 3, 7)

    def products():
        y.baddbmm_(a, b)
        return a @ b, torch.nn.functional.linear(a, b[0].T, y[0, 0])

    assert limits.product_gflop(products) == pytest.approx(3 * 2 * 2 * 5 * 3 * 7 / 1e9)


def test_held_memory_is_below_the_peak_and_grows_with_what_is_held():
    before = memory.used_mb("cpu")
    held = mmap.mmap(-1, 2**26)  # new memory; an allocator may give what it kept from other tests
    held.write(b"1" * 2**26)
    assert 60 < memory.used_mb("cpu") - before < 90
    assert memory.used_mb("cpu") <= memory.peak_mb("cpu")
    assert memory.parameters_mb(torch.nn.Linear(2**10, 2**10, bias=False)) == 4
    held.close()
