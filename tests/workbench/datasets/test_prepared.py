"""A data set that an older version wrote is recognised, and what is written now is what its version stands for."""

import json

import numpy as np
import pytest

from afkit.files import write_json
from afkit.recipes import recipe
from afkit.workbench.datasets.archives import MARKER, STAMP, VERSIONS, stale, write_stamp
from afkit.workbench.datasets.prepare import prepare
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.datasets.watch import write_watch


def test_what_is_up_to_date_or_not_ours_is_not_named(tmp_path):
    for name in ("watch", "hapt"):
        write_stamp(tmp_path / name, name)
        assert stale(tmp_path / name, name) == ""
    (tmp_path / "thumos").mkdir()
    assert stale(tmp_path / "thumos", "thumos_i3d") == "", "the published features"
    (tmp_path / "own").mkdir()
    assert stale(tmp_path / "own", "watch") == "", "a folder of the user's own in a recipe that begins with watch"
    assert stale(tmp_path / "none" / "watch", "watch") == ""


@pytest.mark.parametrize(
    ("folder_name", "recipe_name", "command"),
    [
        ("watch", "watch", "prepare watch"),
        ("hapt", "hapt", "prepare hapt ARCHIVE"),
        ("thumos", "thumos_i3d", "twin thumos_i3d"),
    ],
)
def test_an_old_one_is_named_with_the_command_that_renews_it(tmp_path, folder_name, recipe_name, command):
    folder = tmp_path / folder_name
    folder.mkdir()
    if command.startswith("twin"):
        (folder / MARKER).touch()
    old = f"{folder} was written by an older version of afkit (which left no note of itself); to renew it, delete it"
    assert stale(folder, recipe_name).startswith(f"{old} and run: python -m afkit {command} (")
    write_json(folder / STAMP, {"version": 1000})
    newer = f"{folder} was written by a newer version of afkit (version 1000 of its format; now: 1); to renew"
    assert stale(folder, recipe_name).startswith(newer)
    write_json(folder / STAMP, [])
    assert stale(folder, recipe_name).startswith(old)


def test_preparing_says_so_and_leaves_the_data_as_it_is(tmp_path):
    write_json(tmp_path / "watch" / "annotations" / "watch.json", {"database": {}})
    (tmp_path / "watch" / "features").mkdir()
    said = []
    prepare(recipe("watch"), tmp_path, say=said.append)
    assert len(said) == 1 and "an older version of afkit" in said[0]
    assert not (tmp_path / "watch" / STAMP).exists()
    write_stamp(tmp_path / "watch", "watch")
    prepare(recipe("watch"), tmp_path, say=said.append)
    assert len(said) == 1


def test_the_version_of_watch_stands_for_these_numbers(tmp_path):
    """Where this fails because other data is written on purpose: raise `VERSIONS`, so that old folders are named."""
    pytest.importorskip("seglearn", reason="the recordings are part of the package seglearn")
    folder = write_watch(tmp_path)
    assert json.loads((folder / STAMP).read_text())["version"] == VERSIONS["watch"] == 1
    database = json.loads((folder / "annotations" / "watch.json").read_text())["database"]
    times = [time for video in database.values() for action in video["annotations"] for time in action["segment"]]
    features = [np.load(folder / "features" / f"{name}.npy").astype(float) for name in database]
    first = sum(number * np.abs(array[0]).sum() for number, array in enumerate(features, 1))
    found = [sum(map(len, features)), sum(times), sum(np.abs(array).sum() for array in features), first]
    assert found == pytest.approx([9733, 23869.84, 236997.15457, 5374.75391], rel=1e-6)


def test_a_twin_notes_its_version_once(tmp_path):
    folder = write_twin(recipe("ego4d_s"), tmp_path, videos_per_subset=1)
    note = json.loads((folder / STAMP).read_text())
    assert (note["writer"], note["version"]) == ("twin", VERSIONS["twin"]) and stale(folder, "ego4d_s") == ""
    write_json(folder / STAMP, note | {"version": 0})
    write_twin(recipe("ego4d_o"), tmp_path, videos_per_subset=1)
    assert json.loads((folder / STAMP).read_text())["version"] == 0, "what was there is as old as it was"
