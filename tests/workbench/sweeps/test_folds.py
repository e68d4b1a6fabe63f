"""Folds: each group is tested once by a network that learned from all others, on features that stay where they are."""

import json

import pytest
from tiny_data import change_video, read_database, tiny_recipe, write_tiny_data, write_tiny_recipe

from afkit.data.annotations import groups_of, read_annotations
from afkit.data.items import Dataset
from afkit.recipes import recipe
from afkit.workbench.datasets.grouped import by_group
from afkit.workbench.datasets.prepare import can_prepare, prepare
from afkit.workbench.sweeps.folds import folds_of

GROUPED = "tiny/annotations_groups.json"


@pytest.fixture
def root(tmp_path):
    """Six training and two test videos of the animals Ann, bob and cat, and a recipe."""
    write_tiny_data(tmp_path)
    for number in range(8):
        change_video(tmp_path, f"video{number}", group=("Ann", "bob", "cat")[number % 3])
    write_tiny_recipe(tmp_path)
    return tmp_path


def test_every_group_is_tested_once_by_all_others(root):
    folds = folds_of(tiny_recipe().data, root, "group")
    assert list(folds) == ["Ann", "bob", "cat"]
    assert folds["bob"] == {
        "data.annotations": GROUPED, "data.test_subsets": ["bob"], "data.train_subsets": ["Ann", "cat"]
    }  # fmt: skip
    assert folds_of(tiny_recipe().data, root, "subset") == {
        "test": {"data.test_subsets": ["test"], "data.train_subsets": ["training"]},
        "training": {"data.test_subsets": ["training"], "data.train_subsets": ["test"]},
    }


def test_the_annotations_of_a_fold_are_written_once_and_again_when_the_labels_change(root):
    before = {path for path in root.rglob("*") if path.is_file()}
    made = recipe(str(root / "tiny.yaml"), folds_of(tiny_recipe().data, root, "group")["Ann"])
    assert can_prepare(made, root)
    prepare(made, root)
    path = root / GROUPED
    assert {path for path in root.rglob("*") if path.is_file()} - before == {path}
    train, test = (Dataset(made.data, root, subsets) for subsets in (made.data.train_subsets, made.data.test_subsets))
    assert set(groups_of(test.videos).values()) == {"Ann"} and set(groups_of(train.videos).values()) == {"bob", "cat"}
    assert (len(train), len(test)) == (5, 3) and test[0].features.shape[0] == 6
    first = path.read_bytes(), path.stat().st_mtime_ns
    prepare(made, root)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == first
    change_video(root, "video0", annotations=[])
    prepare(made, root)
    assert len(read_annotations(path).videos["video0"].labels) == 0
    path.write_text(json.dumps({"database": {}}))
    prepare(made, root)
    assert json.loads(path.read_text()) == {"database": {}}, "a file of the user's own is left alone"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": None}, "annotations.json: video 'video3' has no group; give all videos one"),
        ({"group": "ANN"}, "the groups 'Ann' and 'ANN' differ in case only"),
        ({"subset": "later"}, "recordings of the group 'Ann' are also in a subset that the recipe does not use"),
    ],
)
def test_what_makes_no_folds_is_said(root, changes, message):
    change_video(root, "video3", **changes)
    with pytest.raises(ValueError, match=message):
        folds_of(tiny_recipe().data, root, "group")


def test_folds_need_data_and_two_groups(root, tmp_path):
    with pytest.raises(ValueError, match="which does not exist; prepare the data, or give its data_root"):
        folds_of(tiny_recipe().data, tmp_path / "elsewhere", "group")
    for number in range(8):
        change_video(root, f"video{number}", group="ann")
    with pytest.raises(ValueError, match="has the group ann only; folds need at least two"):
        folds_of(tiny_recipe().data, root, "group")
    assert by_group(read_database(root))["video7"]["subset"] == "ann"


def test_a_sweep_has_a_run_for_each_group_named_after_it(root, capsys):
    pytest.importorskip("distributed", reason="sweeps are made by dask")
    from afkit.workbench.sweeps.sweep_file import missing_data, read_sweep

    file = root / "mine.yaml"
    file.write_text(f"recipes: [{root}/tiny.yaml]\nseeds: [1, 2]\ndata_root: {root}\nfolds: group\n")
    plan = read_sweep(file)
    names = [cell.folder.name.rpartition("-")[0] for cell in plan.cells]
    assert names == [f"{who}-seed{seed}" for seed in (1, 2) for who in ("Ann", "bob", "cat")]
    assert len({cell.folder for cell in plan.cells}) == 6 and missing_data(plan, plan.cells) == ""
    file.write_text(file.read_text().replace("folds: group", "folds: person"))
    with pytest.raises(ValueError, match=r"line 4: 'folds' = 'person': input should be '', 'group' or 'subset'"):
        read_sweep(file)
    file.write_text(file.read_text().replace("folds: person\n", ""))
    assert [len(read_sweep(file, folds).cells) for folds in ("", "group", "subset")] == [2, 6, 4]
    for number in range(8):
        change_video(root, f"video{number}", group=None)
    with pytest.raises(ValueError, match=r"mine\.yaml, line 1: .*annotations\.json: video 'video0' has no group"):
        read_sweep(file, "group")
