"""One row per run, per setting and per experiment of folds; what a run of another version lacks is blank."""

import csv
import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from run_folders import change_json, write_run

from afkit.files import write_text
from afkit.workbench.runs.opened import read_runs
from afkit.workbench.runs.summary import (
    FOLD_COLUMNS,
    SPREAD,
    for_readers,
    in_words,
    readable_costs,
    seen_in_training,
    summarise_costs,
    summarise_folds,
    summarise_runs,
    summarise_settings,
    write_summary,
)


def summary(results: Path, *folders: Path) -> pd.DataFrame:
    return summarise_runs(read_runs(folders, results))


def test_a_row_says_what_a_run_found_and_what_it_cost(tmp_path):
    folder = write_run(tmp_path / "thumos_i3d" / "seed1", 0.6, name="thumos_i3d", overrides={"optim.epochs": 2})
    row = summary(tmp_path, folder).iloc[0].to_dict()
    assert math.isnan(row.pop("peak_memory_mb")), "there are no event files"
    shown = {key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}
    assert " ".join(f"{key}={value}" for key, value in shown.items()) == (
        "run=thumos_i3d/seed1 state=done recipe=thumos_i3d setting=thumos_i3d seed=1 changed=optim.epochs=2 "
        "generated=False weights=ema label_remap=fixed subsets=test data=ffffffff average_map_percent=60 "
        "low_percent=55 high_percent=64 map_0.30_percent=70 map_0.50_percent=50 recall_1x_percent=70 "
        "baseline_percent=10 frames_percent=40 published_percent=66.83 difference_percent=-6.83 training_sec=1 "
        "prediction_sec=1.5 steps=3 epochs=3 device=x86_64, 2 threads afkit=0.1.0 commit=0123456789"
    )


def test_runs_that_are_tested_on_what_they_were_trained_on_are_told(tmp_path):
    folders = [write_run(tmp_path / name) for name in "abc"]
    recipe = {"data": {"train_subsets": ["Test"], "test_subsets": ["test"]}}
    change_json(folders[1] / "run.json", recipe=recipe)
    change_json(folders[2] / "run.json", recipe={"data": {"train_subsets": 3}})
    said = "b: Tested on test, which is trained on, too: the score says nothing about other recordings."
    assert seen_in_training(read_runs(folders, tmp_path)) == [said]


def test_memory_is_the_most_that_the_event_files_have_and_steps_done_again_are_no_warning(tmp_path, caplog):
    tensorboard = pytest.importorskip("torch.utils.tensorboard")
    caplog.set_level("NOTSET", "tensorboard")
    folder = write_run(tmp_path / "a")
    for number, values in enumerate(([100.0, 300.0], [200.0])):  # of an interrupted training and of the rest
        with tensorboard.SummaryWriter(folder / "tensorboard", filename_suffix=f".{number}") as writer:
            for step, value in enumerate(values):
                writer.add_scalar("train/memory_mb", value, number + step)
                writer.add_scalar("train/final_loss", 1000.0, number + step)
    (write_run(tmp_path / "b") / "tensorboard").mkdir()
    table = summary(tmp_path, folder, tmp_path / "b")
    assert table["peak_memory_mb"].tolist() == pytest.approx([300, math.nan], nan_ok=True) and caplog.records == []


def test_what_another_version_lacks_is_blank(tmp_path):
    lacking = dict.fromkeys(("confidence", "recall", "baseline", "subsets", "weights", "label_remap", "generated"))
    old = write_run(tmp_path / "old", 0.6, **lacking, predict_seconds=None)
    change_json(old / "run.json", device=None, git={"commit": None}, execution=None, versions={}, data={})
    (old / "metrics.csv").unlink()
    table = summary(tmp_path, old, write_run(tmp_path / "new", 0.5))
    row = table.iloc[0]
    assert (row["run"], row["average_map_percent"], row["subsets"]) == ("old", pytest.approx(60), "test")
    blank = ["low_percent", "high_percent", "recall_1x_percent", "baseline_percent", "training_sec", "prediction_sec"]
    assert row[[*blank, "peak_memory_mb", "steps", "weights", "label_remap", "device", "afkit", "commit"]].isna().all()
    assert len(summarise_settings(table)) == 2 and len(summarise_costs(table)) == 2
    wrong = write_run(tmp_path / "a", 0.6, map=[1], recall=3, predict_seconds="soon", confidence={"average_map": 1})
    change_json(wrong / "run.json", seed="one", overrides=None, data=7, device="mine")
    row = summary(tmp_path, wrong).iloc[0]
    assert row[["seed", "low_percent", "prediction_sec", "recall_1x_percent", "device"]].isna().all()
    assert row["average_map_percent"] == pytest.approx(60) and row["changed"] == ""


def test_rows_go_by_recipe_and_falling_map_and_those_without_numbers_come_last(tmp_path):
    folders = [write_run(tmp_path / f"b{i}", value, name="b") for i, value in enumerate((0.4, 0.6))]
    folders += [write_run(tmp_path / "a", 0.5, name="a"), write_run(tmp_path / "broken")]
    folders.append(write_run(tmp_path / "b9", 0.9, name="b", stages={"02_train": {"status": "failed", "error": "x"}}))
    write_text(tmp_path / "broken" / "run.json", "{")
    table = summary(tmp_path, *folders)
    assert len(summarise_settings(table)) == 2 and summarise_costs(table.tail(2)).empty
    assert table["run"].tolist() == ["a", "b1", "b0", "b9", "broken"]
    assert table["average_map_percent"].tolist() == pytest.approx([50, 60, 40, math.nan, math.nan], nan_ok=True)
    assert table["seed"].tolist() == [1, 1, 1, 1, pd.NA]


def test_a_setting_is_named_by_what_tells_it_from_the_others(tmp_path):
    shared = {"optim.epochs": 2}
    runs = {
        "plain": {"overrides": shared},
        "wide": {"overrides": shared | {"model.embed_dim": 64}},
        "raw": {"overrides": shared, "weights": "raw"},
        "file": {"overrides": shared, "weights": "/home/me/theirs.pth.tar"},
        "other": {"overrides": shared, "name": "watch", "generated": True},
        "a": {"name": "z", "fingerprint": 64 * "a", "map": {"0.10": 0.3}},
        "b": {"name": "z", "fingerprint": 64 * "b"},
        "p0": {"name": "f", "overrides": {"data.test_subsets": ["p0"]}, "subsets": ["p0"]},
        "p1": {"name": "f", "overrides": {"data.test_subsets": ["p1"]}, "subsets": ["p1"]},
    }
    folders = [write_run(tmp_path / name, **changes) for name, changes in runs.items()]
    table = summary(tmp_path, *folders).set_index("run")
    columns = [name for name in table if name.startswith("map_")]
    assert columns == ["map_0.10_percent", "map_0.30_percent", "map_0.50_percent"]
    assert table.loc["a", columns].isna().tolist() == [False, True, True]
    assert table["setting"].to_dict() == {
        "plain": "tiny, weights=ema",
        "wide": "tiny, model.embed_dim=64, weights=ema",
        "raw": "tiny, weights=raw",
        "file": "tiny, weights=theirs.pth.tar",
        "other": "twin: watch",
        "a": "z, data=aaaaaaaa",
        "b": "z, data=bbbbbbbb",
        "p0": "f, test=p0",
        "p1": "f, test=p1",
    }


def test_settings_have_mean_and_spread_over_their_seeds(tmp_path):
    folders = [write_run(tmp_path / f"s{i}", value, i, name="thumos_i3d") for i, value in enumerate((0.6, 0.7, 0.8))]
    folders.append(write_run(tmp_path / "wide", 0.5, name="thumos_i3d", overrides={"model.embed_dim": 64}))
    folders.append(write_run(tmp_path / "lost", stages={"03_eval": {"status": "running"}}, name="thumos_i3d"))
    table = summarise_settings(summary(tmp_path, *folders))
    assert table["setting"].tolist() == ["thumos_i3d", "thumos_i3d, model.embed_dim=64"]
    assert table.loc[0, SPREAD[:-1]].tolist() == pytest.approx([3, 70, 10, 60, 80, 66.83, 70 - 66.83])
    assert table.loc[0, "values_percent"] == pytest.approx([80, 70, 60])
    change_json(write_run(tmp_path / "s0-rerun", 0.6, 0, name="thumos_i3d") / "run.json", rerun_of="s0")
    again = summarise_settings(summary(tmp_path, *folders, tmp_path / "s0-rerun"))
    pd.testing.assert_frame_equal(again, table, obj="a seed counts once")
    assert table.loc[1, "runs"] == 1 and math.isnan(table.loc[1, "standard_deviation"])


def test_costs_are_means_of_times_and_the_most_memory_by_device(tmp_path):
    folders = [write_run(tmp_path / name, predict_seconds=sec) for name, sec in (("a", 1.0), ("b", 3.0), ("c", 9.0))]
    change_json(folders[2] / "run.json", device={"gpu": "H1"}, execution={"devices": 2})
    table = summary(tmp_path, *folders).assign(peak_memory_mb=[5.0, 7.0, 1.0])
    costs = summarise_costs(table)
    assert costs["device"].tolist() == ["x86_64, 2 threads", "2 x H1"]
    assert costs["prediction_sec"].tolist() == [2, 9]
    assert costs["peak_memory_mb"].tolist() == [7, 1]
    assert costs["runs"].tolist() == [2, 1]
    costs["training_sec"] = [180.0, None]
    shown = readable_costs(costs)
    units = ["training [min]", "prediction [s]", "peak memory [MB]"]
    assert [name for name in shown if "[" in name] == units and shown["training [min]"][0] == 3
    assert "training [min]" not in readable_costs(costs.tail(1))


def test_the_best_run_of_each_recipe_is_named_with_its_interval_or_without(tmp_path):
    folders = [write_run(tmp_path / name, score) for name, score in (("a", 0.4), ("b", 0.5))]
    folders.append(write_run(tmp_path / "c", 0.3, name="other", confidence=None))
    table = summary(tmp_path, *folders)
    table = table.assign(name=table["run"])
    sentences = ["c: average mAP 30.00 % (without interval)", "b: average mAP 50.00 % (95 % interval 45.00 to 54.00)"]
    assert in_words(table) == ["3 runs of 2 recipes, the best of each:", *sentences]
    assert in_words(table[table["recipe"] == "tiny"]) == [sentences[1], "It is the best of 2 runs."]
    assert in_words(table.head(0)) == ["No run has scores"]


def test_the_file_has_all_rows_and_no_path_of_the_machine(tmp_path):
    folders = [write_run(tmp_path / "a", weights=str(tmp_path / "w.pth"), overrides={"decode.score_file": "/x/y.json"})]
    folders.append(write_run(tmp_path / "b", stages={"01_data": {"status": "failed", "error": f"no {tmp_path}/c"}}))
    write_summary(tmp_path / "out" / "summary.csv", summary(tmp_path, *folders))
    text = (tmp_path / "out" / "summary.csv").read_text()
    again = pd.read_csv(tmp_path / "out" / "summary.csv")
    assert list(for_readers(again, ["run", "average_map_percent", "published_percent"])) == ["run", "mAP [%]"]
    assert again["run"].tolist() == ["a", "b"] and again["average_map_percent"].iloc[0] == 50
    assert again["changed"].iloc[0] == "decode.score_file=…/y.json"
    assert str(tmp_path) not in text and "/x/" not in text


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t=", "\n=", " =", "a\r=", "\uff1d"])
def test_a_spreadsheet_executes_nothing_that_a_run_folder_says(tmp_path, first):
    """It would take a cell for a formula. Numbers stay numbers, below 0, too."""
    error = f"{first}HYPERLINK(A1)"
    folder = write_run(tmp_path / f"{first}a", weights=error, overrides={f"{first}cmd": 1}, name=f"{first.strip()}b")
    change_json(folder / "run.json", git={"commit": error})
    table = summary(tmp_path, folder).assign(difference_percent=-1.5)
    write_summary(tmp_path / "s.csv", table)
    with (tmp_path / "s.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    mark = "" if first.startswith("a") else "'"
    assert row["run"] == f"{mark}{' '.join(first.split())}a" and row["changed"].startswith(f"{mark}{first.strip()[0]}")
    formulas = {name for name, text in row.items() if re.match(r"\s*[=+@\uff1d-]", text)}
    assert formulas == {"difference_percent"} and row["difference_percent"] == "-1.5"


def test_settings_of_a_recipe_file_count_as_changes(tmp_path):
    folders = [write_run(tmp_path / name, name="mine", overrides={"optim.epochs": 2}) for name in "ab"]
    for folder, digest in zip(folders, ("11111111", "22222222"), strict=True):
        change_json(folder / "run.json", recipe_file=digest)
    table = summary(tmp_path, *folders)
    assert sorted(table["changed"]) == [f"optim.epochs=2, recipe_file={digest}" for digest in ("11111111", "22222222")]
    assert sorted(table["setting"]) == ["mine, recipe_file=11111111", "mine, recipe_file=22222222"]
    assert len(summarise_settings(table)) == 2, "they are no two seeds of one setting"


PEOPLE = ["p1", "p2", "p3", "p4"]


def fold(folder, person, average_map, seed=1, **changes):
    """A run that leaves one person out."""
    split = {"data.train_subsets": [p for p in PEOPLE if p != person], "data.test_subsets": [person]}
    overrides = split | changes.pop("overrides", {})
    path = write_run(folder, average_map, seed, overrides=overrides, subsets=[person], **changes)
    change_json(
        path / "run.json", data={"fingerprint": changes.get("fingerprint", "f"), "subsets": dict.fromkeys(PEOPLE)}
    )
    return path


def folds_of(tmp_path, *folders):
    return summarise_folds(read_runs(folders, tmp_path))


def test_folds_have_mean_and_spread_and_one_with_more_seeds_counts_once(tmp_path):
    scores = zip(PEOPLE, (0.6, 0.7, 0.8, 0.9), strict=True)
    folders = [fold(tmp_path / person, person, value) for person, value in scores]
    (folders[3] / "eval.json").unlink()  # it is left out
    table = folds_of(tmp_path, *folders)
    assert list(table) == FOLD_COLUMNS and len(table) == 1
    row = table.iloc[0].to_dict()
    numbers = ["tiny", 3, 4, 3, 70, None, None, 10, 60, 80, "p1; p2; p3"]
    assert row == pytest.approx(dict(zip(FOLD_COLUMNS, numbers, strict=True)))
    folders = [fold(tmp_path / f"a{seed}", "p1", value, seed) for seed, value in ((1, 0.5), (2, 0.7))]
    row = folds_of(tmp_path, *folders, fold(tmp_path / "b", "p2", 0.9)).iloc[0]
    assert (row["folds"], row["runs"], row["mean_percent"]) == (2, 3, pytest.approx(75))  # of 60 and 90


def test_from_five_folds_on_their_mean_has_an_interval(tmp_path):
    values = [0.5, 0.5, 0.5, 0.5, 1.0]  # the share of the last in five draws is 0 in 33 %, 3 or more in 6 %, 4 in 0.7 %
    folders = [fold(tmp_path / f"p{number}", f"p{number}", value) for number, value in enumerate(values)]
    row = folds_of(tmp_path, *folders).iloc[0]
    assert (row["mean_percent"], row["low_percent"], row["high_percent"]) == pytest.approx((60, 50, 80))
    assert np.isnan(folds_of(tmp_path, *folders[:4]).astype({"low_percent": float}).iloc[0]["low_percent"])


def test_experiments_are_kept_apart(tmp_path):
    experiments = [{}, {"overrides": {"optim.epochs": 2}}, {"name": "watch"}, {"weights": "raw"}]
    experiments += [{"label_remap": "official"}, {"generated": True}, {"fingerprint": "0"}]
    folders = [
        fold(tmp_path / f"{i}{person}", person, 0.1 * i + 0.1, **dict(changes))
        for i, changes in enumerate(experiments)
        for person in ("p1", "p2")
    ]
    table = folds_of(tmp_path, *folders)
    assert table["folds"].tolist() == [2] * 7
    assert table["standard_deviation"].tolist() == pytest.approx([0] * 7, abs=1e-9)
    assert table["setting"].tolist()[:3] == ["tiny", "tiny, optim.epochs=2", "watch"]
    assert table["setting"][5] == "twin: tiny"


def test_runs_with_the_same_test_or_a_shared_one_are_no_folds(tmp_path):
    same = [write_run(tmp_path / f"s{seed}", seed=seed) for seed in (1, 2)]
    assert folds_of(tmp_path, *same).empty
    shared = [write_run(tmp_path / "one", subsets=["p1"]), write_run(tmp_path / "two", subsets=["p1", "p2"])]
    assert folds_of(tmp_path, *shared).empty
    assert list(folds_of(tmp_path, *shared)) == FOLD_COLUMNS
    apart = [write_run(tmp_path / "x", subsets=["p1", "p3"]), write_run(tmp_path / "y", subsets=["p2"])]
    assert folds_of(tmp_path, *apart)["tested"].tolist() == ["p1, p3; p2"]


def test_what_a_training_was_given_beside_the_recipe_is_another_setting(tmp_path):
    done = {"status": "done", "finished": "2026-01-01T11:00:00"}
    changed = [{}, {"used": {"precision": "bf16"}}, {"parameters": {"start_from": "data/theirs.pth.tar"}}]
    stages = [{"02_train": done | own} for own in changed] + [{"03_eval": done | changed[1]}]
    folders = [write_run(tmp_path / str(i), stages=own) for i, own in enumerate(stages)]
    told = ["", ", precision=bf16", ", start_from=data/theirs.pth.tar", ", evaluated in=bf16"]
    assert summary(tmp_path, *folders)["setting"].tolist() == [f"tiny{own}" for own in told]


@pytest.mark.parametrize("changed", [{"data.tious": [0.3]}, {"data.test_subsets": ["training"]}])
def test_another_test_than_the_published_one_is_not_held_against_it(tmp_path, changed):
    table = summary(tmp_path, write_run(tmp_path / "a", name="thumos_i3d", overrides=changed))
    assert table[["published_percent", "difference_percent"]].isna().all(axis=None)
