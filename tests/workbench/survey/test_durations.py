"""How long videos last: what the file says, else what features cover, else nothing."""

import pytest
from tiny_data import change_video, read_database, tiny_recipe

from afkit.data.annotations import read_annotations
from afkit.data.items import Dataset
from afkit.workbench.survey.facts import durations_of


def found(root, **overrides):
    return durations_of(
        tiny_recipe(**overrides).data, root, read_annotations(root / "tiny/annotations.json").of_subsets(["test"])
    )


def test_the_file_goes_before_the_features_and_where_neither_tells_there_is_none(root):
    database = read_database(root)
    change_video(root, "video6", duration=7.5)
    change_video(root, "video7", duration=None)
    assert found(root) == {"video6": 7.5, "video7": pytest.approx(database["video7"]["duration"])}
    assert found(root, data__fps=20)["video7"] == pytest.approx(database["video7"]["duration"] / 2)
    assert found(root, data__stride_frames=-1)["video7"] is None  # of features of fixed length, it is not known
    (root / "tiny/features/video7.npy").unlink()
    assert found(root) == {"video6": 7.5, "video7": None}


def test_features_of_fixed_length_need_a_duration(root):
    change_video(root, "video6", duration=None)
    dataset = Dataset(tiny_recipe(data__stride_frames=-1).data, root, ["test"])
    assert dataset[1].stride > 0
    with pytest.raises(
        ValueError, match="video 'video6' has no 'duration' in the annotation file, and features of fix"
    ):
        dataset[0]
