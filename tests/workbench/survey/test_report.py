"""Counts of a data set, and its fingerprint."""

import shutil

import numpy as np
from tiny_data import change_video, read_database, tiny_recipe

from afkit.workbench.survey.checks import inspect_data
from afkit.workbench.survey.facts import SAMPLE_BYTES, fingerprint, is_twin, summarise


def test_counts_per_subset(root):
    rows = [{"segment": [0, 1], "label": "action 1", "label_id": 1}] * 2
    rows += [{"segment": [2, 2], "label": "action 2", "label_id": 2}]
    for video in ("video6", "video7"):
        change_video(root, video, annotations=rows)
    (root / "tiny/features/video7.npy").unlink()
    config = tiny_recipe(data__max_missing=0.5).data
    summary = summarise(config, root, *inspect_data(config, root))
    database = read_database(root)
    seconds = database["video6"]["duration"] + database["video7"]["duration"]
    assert summary["subsets"]["test"] == {
        "videos": 2,
        "videos_without_features": 1,
        "videos_without_duration": 0,
        "hours": round(seconds / 3600, 3),
        "actions": 6,
        "actions_after_cleaning": 2,
        "classes": 1,
    }
    assert summary["subsets"]["training"]["videos"] == 6
    assert summary["findings"] == {"duplicates": 2, "missing features": 1, "segments without length": 2}
    assert summary["generated"] is is_twin(config, root) is False
    assert summary["fingerprint"] == fingerprint(config, root)
    (root / "tiny" / "TWIN.md").write_text("generated")
    assert is_twin(config, root)
    for video in ("video6", "video7"):
        change_video(root, video, duration=None)
    for features, hours in (("video7", round(database["video6"]["duration"] / 3600, 3)), ("video6", None)):
        (root / f"tiny/features/{features}.npy").unlink(missing_ok=True)
        summary = summarise(config, root, *inspect_data(config, root))["subsets"]["test"]
        assert (summary["videos_without_duration"], summary["hours"]) == (2 - (hours is not None), hours)


# ---- fingerprint


def test_the_fingerprint_is_of_the_data_and_not_of_its_place(root, tmp_path_factory):
    config = tiny_recipe().data
    copy = tmp_path_factory.mktemp("other") / "root"
    shutil.copytree(root, copy)
    first = fingerprint(config, root)
    assert first == fingerprint(config, root) == fingerprint(config, copy)
    (copy / "tiny/features/unused.npy").write_bytes(b"not in the annotation file")
    assert first == fingerprint(config, copy)


def test_every_change_shows_in_the_fingerprint(root):
    config = tiny_recipe().data
    path = root / "tiny/features/video4.npy"
    seen = {fingerprint(config, root)}

    def is_new():
        seen.add(fingerprint(config, root))
        return len(seen) - 1

    whole = np.load(path)
    first, last = whole.copy(), whole.copy()
    first[0, 0] += 1
    last[-1, -1] += 1
    for number, content in enumerate((first, last, whole[:-1]), start=1):
        np.save(path, content)
        assert is_new() == number
    path.unlink()
    assert is_new() == 4
    change_video(root, "video0", duration=1.0)
    assert is_new() == 5
    for number, position in enumerate((None, 0, SAMPLE_BYTES - 1, 2 * SAMPLE_BYTES, 3 * SAMPLE_BYTES - 1), start=6):
        content = bytearray(3 * SAMPLE_BYTES)
        content[position or 0] = position is not None
        path.write_bytes(content)
        assert is_new() == number, "beginning and end of large files count"
