"""What a sweep lacks is said before its first run."""

import shutil
from collections import namedtuple

import pytest

pytest.importorskip("papermill", reason="the parameters of notebooks are read by papermill")
import afkit
from afkit.workbench.sweeps.sweep_file import WEIGHT_BYTES, missing_data, missing_space, read_sweep


def write(folder, text):
    (folder / "mine.yaml").write_text(text)
    return folder / "mine.yaml"


def test_missing_data_is_said_with_the_line_unless_it_is_generated(tmp_path):
    text = f"data_root: {tmp_path}\nrecipes:\n- watch\n- epic_verb\n"
    plan = read_sweep(write(tmp_path, text))
    message = missing_data(plan, plan.cells)
    assert message.startswith(f"{plan.path}, line 4: the data of 'epic_verb' is not at {tmp_path}")
    assert missing_data(plan, plan.cells[:1]) == ""
    twins = read_sweep(write(tmp_path, text + "data: twin\n"))
    assert missing_data(twins, twins.cells) == ""


def test_a_disk_that_is_too_small_for_all_checkpoints_is_said_with_both_numbers(tmp_path, monkeypatch):
    text = f"results: {tmp_path}/not/there\nseeds: [1, 2]\nruns:\n- recipe: watch\n"
    plan = read_sweep(write(tmp_path, text + "- {recipe: watch, overrides: {model.embed_dim: 64}}\n"))
    recipes = [afkit.recipe("watch"), afkit.recipe("watch", {"model.embed_dim": 64})]
    weights = [sum(part.numel() for part in afkit.build_model(recipe).parameters()) for recipe in recipes]
    needed = WEIGHT_BYTES * 2 * sum(weights)
    usage, asked = namedtuple("Usage", "total used free"), []

    def with_free(free):
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: asked.append(folder) or usage(0, 0, free))
        return missing_space(plan, plan.cells)

    assert with_free(needed) == ""
    message = with_free(needed - 1)
    assert message.startswith(f"the 4 runs need about {needed / 1e9:.1f} GB for checkpoints, and {tmp_path} has ")
    assert set(asked) == {tmp_path}
