"""Length, coverage and number of instances, and their bins."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_tables import table

from afkit.workbench.analysis.sensitivity import characteristics, name_bins

BINS = ["length_bin", "coverage_bin", "instances_bin"]


def lasting(*lengths_sec):
    return table([(1000 * i, 1000 * i + length) for i, length in enumerate(lengths_sec)])


ENDS = {  # of the published bins: of length, coverage and instances; each belongs to the lower bin
    "activitynet": ((30, 60, 120, 180), (0.2, 0.4, 0.6, 0.8), (1, 4, 8)),
    "thumos": ((3, 6, 12, 18), (0.02, 0.04, 0.06, 0.08), (1, 40, 80)),
}


@pytest.mark.parametrize("data", ENDS)
def test_published_bins_are_closed_above_and_the_last_is_open(data):
    lengths, shares, counts = ENDS[data]
    bins = ["XS", "S", "S", "M", "M", "L", "L", "XL", "XL"]
    around = [length + more for length in lengths for more in (0, 0.1)]
    found = characteristics(lasting(*around, 9000), {}, data)
    assert found["length_sec"].tolist() == pytest.approx([*around, 9000])
    assert found["length_bin"].tolist() == bins
    assert found["length_bin"].cat.categories.tolist() == ["XS", "S", "M", "L", "XL"]
    around = [share + more for share in shares for more in (0, 0.001)]
    found = characteristics(table([(0, 1000 * share) for share in (*around, 1.5)]), {"v": 1000}, data)
    assert found["coverage"].tolist() == pytest.approx([*around, 1.5])
    assert found["coverage_bin"].tolist() == bins
    for count, name in zip(
        [end + more for end in counts for more in (0, 1)], ["XS", "S", "S", "M", "M", "L"], strict=True
    ):
        others = [lasting(5).assign(video="w"), lasting(5, 5).assign(label=1)]
        found = characteristics(pd.concat([lasting(*[5] * count), *others], ignore_index=True), {}, data)
        assert found["instances"].tolist() == [count] * count + [1, 2, 2], "of a class and a video"
        assert found["instances_bin"].tolist() == [name] * count + ["XS", "S", "S"]


def test_quantiles_share_the_rows_out():
    found = characteristics(lasting(*range(1, 11)), {"v": 20})
    assert found["length_bin"].tolist() == ["XS"] * 2 + ["S"] * 2 + ["M"] * 2 + ["L"] * 2 + ["XL"] * 2
    assert found["coverage_bin"].tolist() == found["length_bin"].tolist()
    assert found["instances_bin"].tolist() == ["M"] * 10  # all equal: a single bin


@pytest.mark.parametrize(
    ("lengths_sec", "bins"),
    [
        ([7], "M"),
        ([7, 7, 7], "M M M"),
        ([1, 7], "S L"),
        ([1, 1, 1, 1, 1, 1, 1, 1, 1, 7], "S S S S S S S S S L"),
        ([1, 7, 7, 7, 7, 7, 7, 7, 7, 7], "M M M M M M M M M M"),  # all quantiles are 7
        ([1, 1, 5, 5, 9, 9], "S S M M L L"),
        ([4, 3, 2, 1], "L M S XS"),
    ],
)
def test_few_or_equal_values_make_fewer_bins(lengths_sec, bins):
    found = characteristics(lasting(*lengths_sec), {})["length_bin"]
    assert found.tolist() == bins.split()
    assert set(found.cat.categories) == set(found)


@given(st.lists(st.integers(0, 12), min_size=1, max_size=40))
def test_bins_rise_with_the_value_and_hold_each_row_once(lengths_sec):
    found = characteristics(lasting(*lengths_sec), {})
    known = found[found["length_sec"] > 0].sort_values("length_sec", kind="stable")
    assert known["length_bin"].cat.codes.is_monotonic_increasing
    assert (known.groupby("length_sec")["length_bin"].nunique() == 1).all()
    assert known["length_bin"].nunique() <= 5
    assert (found["length_bin"] == "unknown").tolist() == (found["length_sec"] <= 0).tolist()
    assert not found[BINS].isna().any(axis=None)


def test_what_is_unknown_has_its_own_bin():
    rows = [(0, 10), (5, 5), (9, 4)]
    gt = pd.concat([table(rows, "a"), table([(0, 1)], "b"), table([(0, 1)], "c")], ignore_index=True)
    found = characteristics(gt, {"a": 100, "b": np.nan}, "activitynet")
    for seconds in (0, -3, None, np.inf):
        pd.testing.assert_frame_equal(characteristics(gt, {"a": 100, "b": seconds}, "activitynet"), found)
    assert found["length_bin"].tolist() == ["XS", "unknown", "unknown", "XS", "XS"]
    assert found["coverage_bin"].tolist() == ["XS", "unknown", "unknown", "unknown", "unknown"]
    assert found["instances_bin"].tolist() == ["S", "S", "S", "XS", "XS"]
    assert found["coverage"].isna().tolist() == [False, True, True, True, True]
    assert found["length_sec"].tolist() == [10, 0, -5, 1, 1]
    assert found["length_bin"].cat.categories.tolist() == ["XS", "S", "M", "L", "XL", "unknown"]
    assert "unknown" not in found["instances_bin"].cat.categories


def test_no_rows_give_no_rows():
    found = characteristics(lasting(1).iloc[:0], {})
    assert len(found) == 0
    assert found["length_bin"].cat.categories.tolist() == ["M"]


@pytest.mark.parametrize(
    ("videos", "name"),
    [
        (["v_QOlSCBRmfWY", "v_ehGHCYK-y_8"], "activitynet"),
        (["video_test_0000004", "video_validation_0000051"], "thumos"),
        (["v_QOlSCBRmfWY", "recording_1"], "quantiles"),
        (["video_test_4", "video_test_0000004"], "quantiles"),
        (["v_QOlSCBRmfWY_left"], "quantiles"),
        (["P01_11"], "quantiles"),
        ([], "quantiles"),
    ],
)
def test_auto_knows_data_sets_by_their_videos(videos, name):
    gt = pd.concat([table([(0, 50)], video) for video in videos or ["none"]], ignore_index=True).head(len(videos))
    assert name_bins(gt) == name
    pd.testing.assert_frame_equal(characteristics(gt, {}), characteristics(gt, {}, name))
    with pytest.raises(ValueError, match="data is 'epic'; choose from: auto, activitynet, thumos, quantiles"):
        characteristics(gt, {}, "epic")
