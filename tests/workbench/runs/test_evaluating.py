"""What stands beside the score of 03_eval: its interval, or why there is none, and the frame classifier."""

import sys
from dataclasses import replace

import pytest
import torch
from tiny_data import change_video, tiny_recipe, write_tiny_data

import afkit
from afkit.workbench.analysis.bootstrap import Interval
from afkit.workbench.runs import evaluating
from afkit.workbench.runs.folder import Run
from afkit.workbench.runs.opened import open_run


@pytest.fixture
def run(tmp_path):
    """Two training and six test videos."""
    write_tiny_data(tmp_path, training=2, test=6)
    return Run(tmp_path / "run", "03_eval", tiny_recipe(), 1, tmp_path)


def how_sure(run):
    """Of predictions that find the actions of two videos."""
    gt = Run(*(getattr(run, name) for name in ("folder", "stage", "recipe", "seed", "data_root"))).gt
    predictions = gt[gt["video"].isin(["video2", "video3"])].assign(score=0.5)
    return evaluating.how_sure(run, afkit.evaluate(gt, predictions, [0.5]), gt, predictions, "fixed")


def test_the_interval_says_what_was_drawn(run):
    found = how_sure(run)
    assert isinstance(found.average_map, Interval) and found.facts["resampled"] == "6 recordings"
    assert found.sentence.startswith("95 % interval of the average: ") and "over 6 recordings)" in found.sentence


def test_groups_are_drawn_and_fewer_than_five_give_no_interval(run):
    for number in range(2, 8):
        change_video(run.data_root, f"video{number}", group=f"p{min(number, 6)}")
    assert how_sure(run).facts["counts"]["groups"] == 5
    change_video(run.data_root, "video2", group="p6")
    del run.__dict__["annotations"]  # read again
    found = how_sure(run)
    assert isinstance(found.average_map, float)
    assert found.facts == {"refused": "an interval needs at least 5 test groups, there are 4"}
    assert found.sentence == "no interval of the average: an interval needs at least 5 test groups, there are 4"


def test_the_frame_classifier_has_a_row_or_a_sentence(run, capsys, monkeypatch):
    pytest.importorskip("sklearn", reason="the frame classifier needs scikit-learn")
    test = afkit.Dataset(run.recipe.data, run.data_root, ["test"])
    found = evaluating.frame_classifier(run, test, run.gt, "fixed")
    (name,) = found.rows
    assert name == "frame classifier with smoothing" and found.facts["average_map"] == found.rows[name].average_map
    assert {"map", "recall", "filter_steps", "threshold", "learned_from_steps"} < found.facts.keys()
    assert capsys.readouterr().out.startswith("frame classifier: median filter of ")
    for number in (0, 1):
        change_video(run.data_root, f"video{number}", annotations=[])
    found = evaluating.frame_classifier(run, test, run.gt, "fixed")
    why = "the frame classifier has no training video with an action to learn from"
    assert (found.rows, found.facts) == ({}, {"left_out": why})
    assert capsys.readouterr().out == f"without the row of a frame classifier: {why}\n"


@pytest.mark.parametrize("bf16_units", [True, False], indirect=True)
def test_what_was_computed_in_is_noted(run, bf16_units):
    dataset, model = afkit.Dataset(run.recipe.data, run.data_root, ["test"]), afkit.build_model(run.recipe)
    evaluating.find_actions(run, model, dataset, run.folder, "ema", "torch", 1, "bf16", True)
    used = {"precision": "bf16" if bf16_units else "fp32", "cuda_graphs": torch.cuda.is_available()}
    assert torch.cuda.is_available() or open_run(run.folder).stage("03_eval").used == used


def test_what_the_building_of_the_operator_says_is_no_error_in_a_notebook(monkeypatch, capsys):
    def built(wanted, device):
        print("building", file=sys.stderr)
        return "cpp"

    monkeypatch.setattr(evaluating, "choose_backend", built)
    assert evaluating.built_backend("auto", "cpu") == "cpp"
    assert capsys.readouterr() == ("building\n", "")


def test_class_scores_that_change_make_an_evaluation_old(run, monkeypatch):
    monkeypatch.setattr(evaluating, "classify", lambda predictions, *_: predictions)
    run, path = replace(run, recipe=tiny_recipe(decode__score_file="scores.json")), run.data_root / "scores.json"
    path.write_text('{"video0": [1, 0, 0]}')
    evaluating.keep_predictions(run, afkit.Dataset(run.recipe.data, run.data_root, ["test"]), run.gt.assign(score=0.5))
    assert open_run(run.folder).up_to_date("03_eval")
    path.write_text('{"video0": [0, 1, 0]}')
    assert not open_run(run.folder).up_to_date("03_eval")
