"""TensorBoard event files: the original's tags, and no step twice after an interruption."""

import sys
import time

import pandas as pd
import pytest
from trainings import LostMachineError, assert_same_training, start, stop_after

from afkit.train import record as logs
from afkit.train.execution import Execution


@pytest.fixture
def every_step(monkeypatch):
    """Each step is logged; the test is skipped where tensorboard is missing."""
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    monkeypatch.setattr(logs, "LOG_STEPS", 1)


def scalars(folder):
    """{tag: [(step, value), ...]} of one folder of event files, as TensorBoard shows them."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder), size_guidance={"scalars": 0})
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def test_tags_and_values(data, tmp_path, every_step):
    table = start(data, tmp_path, execution=Execution(evaluate_every=2), evaluate=lambda model: 0.25)
    main = scalars(tmp_path / "tensorboard")
    names = ["learning_rate", "final_loss", "grad_norm", "steps_per_sec", "memory_mb"]
    assert main.keys() == {f"train/{name}" for name in names}
    for tag, column in {"learning_rate": "learning_rate", "final_loss": "loss_total", "grad_norm": "grad_norm"}.items():
        steps, values = zip(*main[f"train/{tag}"], strict=True)
        assert list(steps) == list(range(12))
        assert list(values) == pytest.approx(table[column].tolist(), rel=1e-6)
    speed = [value for _, value in main["train/steps_per_sec"]]
    assert speed == pytest.approx((1 / table["seconds"]).tolist(), rel=1e-3)
    assert all(50 < value < 50_000 for _, value in main["train/memory_mb"])
    for name, column in (("cls_loss", "loss_cls"), ("reg_loss", "loss_reg")):
        own = scalars(tmp_path / "tensorboard" / f"train_all_losses_{name}")
        assert own.keys() == {"train/all_losses"}
        assert [value for _, value in own["train/all_losses"]] == pytest.approx(table[column].tolist(), rel=1e-6)
    assert scalars(tmp_path / "tensorboard" / "validation") == {"validation/mAP": [(1, 0.25), (3, 0.25)]}


def test_a_curve_has_a_point_for_every_tenth_step(data, tmp_path):
    pytest.importorskip("tensorboard", reason="the extra 'tensorboard' is not installed")
    table = start(data, tmp_path)
    main = scalars(tmp_path / "tensorboard")
    assert [step for step, _ in main["train/final_loss"]] == [0, 10]
    speed = dict(main["train/steps_per_sec"])
    assert speed[10] == pytest.approx(10 / table["seconds"][1:11].sum(), rel=1e-3)


def test_after_an_interruption_no_step_and_no_evaluation_stands_twice(data, tmp_path, every_step, told_each_step):
    values = iter(range(1, 9))
    execution = Execution(evaluate_every=1, checkpoint_minutes=0)

    def evaluate(model):
        return next(values) / 8

    with pytest.raises(LostMachineError):
        start(data, tmp_path, execution=execution, evaluate=evaluate, on_progress=stop_after(8))
    time.sleep(1)  # event files are ordered by the second in their names
    start(data, tmp_path, execution=execution, evaluate=evaluate)
    for folder in ("", "train_all_losses_cls_loss", "train_all_losses_reg_loss"):
        for curve in scalars(tmp_path / "tensorboard" / folder).values():
            assert [step for step, _ in curve] == list(range(12))
    validation = scalars(tmp_path / "tensorboard" / "validation")["validation/mAP"]
    table = pd.read_csv(tmp_path / "validation.csv")
    assert validation == list(zip(table["epoch"], table["average_map"], strict=True))
    assert table["average_map"].tolist() == [0.125, 0.375, 0.5, 0.625], "epoch 1 was evaluated again"


def test_without_tensorboard_there_is_a_line_and_no_log(data, finished, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    table = start(data, tmp_path)
    said = capsys.readouterr().out.splitlines()
    assert said == ["afkit: no TensorBoard logs, since the package tensorboard is not installed"]
    assert not (tmp_path / "tensorboard").exists()
    assert_same_training(tmp_path, table, finished)
