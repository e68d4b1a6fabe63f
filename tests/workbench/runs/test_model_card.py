"""The card of a run says what its files say, and what they do not know."""

from run_folders import change_json, write_scored_run, write_test_data
from tiny_data import tiny_recipe

from afkit.files import write_text
from afkit.workbench.runs.model_card import write_model_card

SUBSETS = {
    "training": {"videos": 21, "hours": 4.43, "actions": 849},
    "test": {"videos": 9, "hours": 1.807, "actions": 367, "actions_after_cleaning": 365},
}
POINT = {
    "tiou": 0.5,
    "one_threshold": {"threshold": 0.466, "precision": 0.948, "recall": 0.893, "false_alarms_per_hour": 9.96},
}


def write_card(tmp_path, run=(), scores=()):
    folder = tmp_path / "results" / "tiny" / "seed1"
    write_scored_run(folder, write_test_data(tmp_path / "data"), 3, tmp_path / "data")
    change_json(folder / "run.json", data={"subsets": SUBSETS, "fingerprint": "f" * 64} | dict(run))
    baseline = {"average_map": 0.1, "map": {"0.30": 0.1, "0.50": 0.1}}
    change_json(folder / "eval.json", baseline=baseline, operating_point=POINT, **dict(scores))
    return folder, write_model_card(folder).read_text(encoding="utf-8")


def test_it_has_data_settings_scores_and_limits(tmp_path):
    _, card = write_card(tmp_path, scores={"calibration": {"error": 0.1268}, "not_searched": {"videos": 2}})
    assert card.startswith("# tiny: ActionFormer\n")
    assert "| training: 21 recordings, 4.4 hours, 849 actions |" in card
    assert "| test: 9 recordings, 1.8 hours, 365 actions |" in card
    assert "seed 1, fp32" in card and "commit 0123456789ab" in card
    assert "ActionFormer                         60.00   40.00   50.00" in card
    assert "95 % interval of the average: 45.00 to 54.00" in card
    assert (
        "score 0.47 or more, 95 % are right at tIoU 0.5, and 89 % of the actions are found, 10.0 false alarms" in card
    )
    assert "| jump | 50.0 |" in card and "differs from it by 13 points" in card
    assert "2 test recordings had no features" in card and "generated" not in card


def test_a_score_of_recordings_that_were_trained_on_is_told(tmp_path):
    folder, card = write_card(tmp_path)
    assert "other recordings of this kind" in card and "trained on, too" not in card
    recipe = tiny_recipe(data__train_subsets=["TEST"], data__test_subsets=["Test", "test"]).model_dump(mode="json")
    change_json(folder / "run.json", recipe=recipe)
    card = write_model_card(folder).read_text(encoding="utf-8")
    assert "**Tested on test, which is trained on, too: the score says nothing about other recordings.**" in card
    assert "| Test, test: 9 recordings, 1.8 hours, 365 actions |" in card and "of this kind" not in card


def test_what_is_not_known_and_generated_data_are_told(tmp_path):
    _, card = write_card(tmp_path, run={"subsets": {}})
    assert "| trained on | training |" in card and " 0 recordings" not in card, "01_data was not done"
    few = "an interval needs at least 5 test groups, there are 3"
    folder, card = write_card(tmp_path, run={"generated": True}, scores={"confidence": {"refused": few}})
    assert "The data is generated" in card and f"is not known: {few}." in card
    write_text(folder / "per_class.csv", 'label,name,ap_0.50,ap_average\n0,"a|b <i>\nc",0.0,0.0\n1,,0.5,\n')
    card = write_model_card(folder).read_text(encoding="utf-8")
    assert "| a\\|b &lt;i> c | 0.0 |" in card and "| 1 | |" not in card
