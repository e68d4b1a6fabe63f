"""The other features of HAPT hold the samples of the prepared data set, as each choice says."""

import numpy as np
import pytest

from afkit.files import write_json
from afkit.workbench.own_data.signals import raw_windows
from benchmarks.hapt_choices import CHOICES, write_choices


def test_each_choice_holds_its_channels_windows_and_steps(tmp_path):
    signal = np.random.default_rng(0).normal(3.0, 2.0, size=(200, 6)).astype(np.float32)
    for folder, channels in (("acceleration", slice(0, 3)), ("rotation", slice(3, 6))):
        (tmp_path / "hapt" / folder).mkdir(parents=True)
        np.save(tmp_path / "hapt" / folder / "person01.npy", raw_windows(signal[:, channels], 50, 25))
    entry = {"subset": "person01", "duration": 4.0, "fps": 50.0, "annotations": []}
    write_json(tmp_path / "hapt" / "annotations" / "people.json", {"database": {"person01": entry}})
    for _ in range(2):  # a second time writes it anew
        folder = write_choices(tmp_path)
    found = {name: np.load(folder / name / "person01.npy") for name in CHOICES}
    assert sorted(path.name for path in folder.iterdir()) == sorted(CHOICES)
    np.testing.assert_array_equal(found["half_the_stride"], raw_windows(signal[:, :3], 50, 12))
    np.testing.assert_array_equal(found["twice_the_window"], raw_windows(signal[:, :3], 100, 25))
    normalised = (signal - signal.mean(axis=0)) / signal.std(axis=0)
    assert found["acceleration_normalised"] == pytest.approx(raw_windows(normalised[:, :3], 50, 25), abs=1e-5)
    assert found["both_normalised"] == pytest.approx(raw_windows(normalised, 50, 25), abs=1e-5)
