"""Which runs may be compared, which are chosen, and what is said of the difference."""

import json

import pytest
from run_folders import NAMES, NUM_VIDEOS, change_json, write_run, write_scored_run, write_test_data
from tiny_data import change_video, read_database, write_annotations

from afkit.files import write_text
from afkit.workbench.analysis.result_files import read_predictions, write_predictions
from afkit.workbench.runs.opened import read_runs
from afkit.workbench.runs.paired_test import choose_pairs, class_differences, compare_pair, verdict


@pytest.fixture
def scored(tmp_path):
    """Three runs: all videos right, half of them, half of them with other settings."""
    gt = write_test_data(tmp_path / "data")
    settings = {"all": (NUM_VIDEOS, {}), "half": (3, {}), "wide": (3, {"overrides": {"model.embed_dim": 8}})}
    for name, (num_right, changes) in settings.items():
        write_scored_run(tmp_path / name, gt, num_right, tmp_path / "data", **changes)
    return read_runs([tmp_path / name for name in settings], tmp_path)


def names(pairs) -> list[tuple[str, str]]:
    return [(a.name, b.name) for a, b in pairs]


def written(tmp_path, runs: dict[str, tuple[float, dict]]):
    return read_runs([write_run(tmp_path / name, value, **more) for name, (value, more) in runs.items()], tmp_path)


def test_the_best_is_tested_against_the_best_with_other_settings(tmp_path):
    wide = {"overrides": {"model.embed_dim": 8}}
    runs = written(tmp_path, {"a": (0.6, {}), "b": (0.8, {}), "c": (0.7, {}), "d": (0.4, wide), "e": (0.5, wide)})
    assert names(choose_pairs(runs)) == [("b", "e")]
    assert names(choose_pairs(runs[:3])) == [("b", "c")], "seeds alone, where nothing else differs"
    assert choose_pairs(runs[:1]) == []
    assert names(choose_pairs(runs, ["a", str(tmp_path / "b")])) == [("a", "b")], "named ones keep their order"
    others = {"overrides": {"data.features": ["a", "b"]}, "fingerprint": "a" * 64}
    for other, digest in (({"weights": "raw"}, ""), ({}, "0" * 8), (others, "")):
        written(tmp_path, {"a": (0.8, {}), "b": (0.7, {}), "c": (0.3, dict(other))})
        change_json(tmp_path / "c" / "run.json", recipe_file=digest)
        assert names(choose_pairs(read_runs([tmp_path / name for name in "abc"], tmp_path))) == [("a", "c")]


def test_each_recipe_and_test_has_a_pair_of_its_own(tmp_path):
    alone = {"counts": {"ground_truths": 5}}, {"subsets": ["val"]}, {"label_remap": "official"}, {"generated": True}
    runs = {f"alone{number}": (0.9, more) for number, more in enumerate(alone)}
    runs |= {"x": (0.3, {}), "y": (0.4, {}), "z": (0.1, {"name": "z"}), "zz": (0.2, {"name": "z"})}
    runs |= {"running": (0.95, {"stages": {"02_train": {"status": "running"}}})}
    assert names(choose_pairs(written(tmp_path, runs))) == [("y", "x"), ("zz", "z")]


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        (["a"], r"pair is \['a'\]; name two different runs, or none for the best two"),
        (["a", "a"], "name two different runs"),
        (["a", "b", "c"], "name two different runs"),
        (["alpha", "bata"], r"'bata' of pair is no run with scores; did you mean 'beta'\?"),
        (["alpha", "running"], "'running' of pair is no run with scores"),
        ([1, 2], "'1' of pair is no run with scores"),
    ],
)
def test_a_wrong_pair_is_named(tmp_path, pair, message):
    running = {"stages": {"02_train": {"status": "running"}}}
    runs = written(tmp_path, {"alpha": (0.3, {}), "beta": (0.4, {}), "running": (0.5, running)})
    with pytest.raises(ValueError, match=message):
        choose_pairs(runs, pair)


def test_the_verdict_names_the_better_run_whichever_comes_first(scored):
    everything, half, wide = scored
    found = compare_pair(everything, half, resamples=200)
    assert found.average_map.value == pytest.approx(0.5) and found.sign_test[:3] == (3, 0, 3)
    assert found.counts["resamples"] == 200 and found.counts["videos"] == NUM_VIDEOS
    there = verdict(everything, half, found)
    back = verdict(half, everything, compare_pair(half, everything, resamples=200))
    assert there == back
    assert there.startswith("all is ahead of half by 50.00 points of average mAP (95 % interval ")
    assert ": significant. Video by video it is better in 3, worse in 0 and equal in 3 (sign test, p = 0.250)." in there
    assert there.endswith("The two tests disagree; the first one counts, since it judges the average mAP itself.")
    low, high = (float(text) for text in there.split("interval ")[1].split(", p")[0].split(" to "))
    assert 0 < low < 50 < high
    assert verdict(half, wide, compare_pair(half, wide, resamples=20)).startswith("half and wide score the same")


def test_groups_are_drawn_and_counted_and_too_few_are_refused(scored, tmp_path):
    for number in range(NUM_VIDEOS):
        change_video(tmp_path / "data", f"video{number}", group=f"p{min(number, 4)}")  # the last two are of one
    found = compare_pair(*scored[:2], resamples=200)
    assert (found.counts["groups"], found.counts["videos"]) == (5, 6) and found.sign_test[:3] == (2, 0, 3)
    said = verdict(*scored[:2], found)
    assert "(95 % interval over 5 groups " in said and "Group by group it is better in 2, worse in 0" in said
    change_video(tmp_path / "data", "video0", group="p1")
    with pytest.raises(ValueError, match=r"an interval needs at least .* \(all and half\)"):
        compare_pair(*scored[:2])


def test_a_small_difference_is_not_significant_and_generated_data_is_said(tmp_path):
    gt = write_test_data(tmp_path / "data")
    folders = [
        write_scored_run(tmp_path / name, gt, right, tmp_path / "data", generated=True)
        for name, right in (("a", 4), ("b", 3))
    ]
    runs = read_runs(folders, tmp_path)
    said = verdict(*runs, compare_pair(*runs, resamples=200))
    assert "by 16.67 points" in said and "not significant, these recordings do not tell them apart." in said
    assert "disagree" not in said and said.endswith("The data is generated, so this says nothing about the method.")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subsets": ["val"]}, r"the test subset differs \(all: test, half: val\)"),
        ({"label_remap": "official"}, r"label_remap differs \(all: fixed, half: official\)"),
        ({"generated": True}, r"whether the data is generated differs \(all: False, half: True\)"),
        ({"tious": [0.3]}, "the list of tIoU thresholds"),
    ],
)
def test_runs_that_faced_another_test_are_not_compared(scored, tmp_path, change, message):
    recipe = json.loads((tmp_path / "half" / "run.json").read_text())["recipe"]
    change_json(tmp_path / "half" / "run.json", recipe=recipe | {"data": recipe["data"] | change})
    change_json(tmp_path / "half" / "eval.json", **change)
    runs = read_runs([tmp_path / "all", tmp_path / "half"], tmp_path)
    with pytest.raises(ValueError, match=f"all and half cannot be compared, since {message}"):
        compare_pair(*runs)
    with pytest.raises(ValueError, match=f"all and half cannot be compared, since {message}"):
        class_differences(*runs)


def test_runs_may_be_trained_with_other_labels_where_those_of_the_test_are_the_same(scored, tmp_path):
    """The second annotation file has another training recording, then another label of a test recording."""
    database = read_database(tmp_path / "data")
    database["fresh"] = database["video0"] | {"subset": "training"}
    more = tmp_path / "data" / "tiny" / "more.json"
    more.write_text(json.dumps({"database": database}))
    recipe = json.loads((tmp_path / "half" / "run.json").read_text())["recipe"]
    recipe["data"]["annotations"] = "tiny/more.json"
    change_json(tmp_path / "half" / "run.json", recipe=recipe, overrides={"data.annotations": "tiny/more.json"})
    runs = read_runs([tmp_path / "all", tmp_path / "half"], tmp_path)
    assert names(choose_pairs(runs)) == [("all", "half")]
    assert compare_pair(*runs, resamples=20).average_map.value == pytest.approx(0.5)
    database["video1"] |= {"annotations": database["video1"]["annotations"][:1]}
    more.write_text(json.dumps({"database": database}))
    with pytest.raises(ValueError, match=r"all and half cannot be compared, since .* have other test recordings, or"):
        compare_pair(*runs)


def test_annotations_that_are_gone_or_have_changed_are_named(scored, tmp_path):
    (tmp_path / "data").rename(tmp_path / "moved")
    found = compare_pair(*scored[:2], data_root=str(tmp_path / "moved"), resamples=10)
    assert found.average_map.value == pytest.approx(0.5)
    (tmp_path / "moved").rename(tmp_path / "data")
    with pytest.raises(ValueError, match="does not exist"):
        compare_pair(*scored[:2], data_root=str(tmp_path / "elsewhere"))
    database = read_database(tmp_path / "data")
    database["video0"]["annotations"].append({"segment": [40, 50], "label": "jump", "label_id": 0})
    write_annotations(tmp_path / "data", database)
    with pytest.raises(ValueError, match=r"^all has an average mAP of 100.00 %, but 92.86 % by .* --data-root, or run"):
        compare_pair(*scored[:2])


def test_the_official_numbering_of_labels_is_kept(scored, tmp_path):
    """A predicted class that no ground truth has: "official" takes 'label 1' for the second class, "fixed" does not."""
    database = read_database(tmp_path / "data")
    for video in database.values():
        for action in video["annotations"]:
            action |= {"label_id": 2, "label": "throw"} if action["label_id"] == 1 else {}
    write_annotations(tmp_path / "data", database)
    for name, value in (("all", 1.0), ("half", 0.5)):
        path = tmp_path / name / "predictions.json.gz"
        write_predictions(path, read_predictions(path, NAMES), {0: "jump", 1: "label 1"})
        change_json(tmp_path / name / "eval.json", label_remap="official", average_map=value)
    found = compare_pair(*read_runs([tmp_path / "all", tmp_path / "half"], tmp_path), resamples=10)
    assert found.average_map.value == pytest.approx(0.5)


def test_classes_are_compared_by_name_in_percentage_points(scored, tmp_path):
    write_text(tmp_path / "half" / "per_class.csv", "label,name,ap_0.50,ap_average\n0,jump,0.2,0.25\n7,run,1,1\n")
    differences = class_differences(*scored[:2])
    assert differences.to_dict() == {"jump": 75.0}
    write_text(tmp_path / "half" / "per_class.csv", "label,name,ap_0.50,ap_average\n1,jump,0.2,0.25\n0,NA,1,1\n")
    write_text(tmp_path / "all" / "per_class.csv", "label,name,ap_0.50,ap_average\n0,jump,1,1\n1,NA,0.5,0.5\n")
    assert class_differences(*scored[:2]).to_dict() == {"jump": 75.0, "NA": -50.0}, "whatever their ids are"
    write_text(tmp_path / "half" / "per_class.csv", "label\n")
    with pytest.raises(ValueError, match=r"^half has no readable per_class.csv; run 03_eval again$"):
        class_differences(*scored[:2])
    (tmp_path / "all" / "per_class.csv").unlink()
    with pytest.raises(ValueError, match="all has no readable"):
        class_differences(*scored[:2])
