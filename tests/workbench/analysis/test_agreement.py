"""Two annotators: what both judged, counted by hand, and by the library on a grid."""

import json
import math

import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.analysis.agreement import ALL, agreement, describe_agreement, kappa

IDS = {"walk": 0, "sit": 1, "run": 2}


@pytest.fixture
def compare(tmp_path):
    """Agreement of two {video: ([(start, end, label)], facts)}."""

    def compare(*annotators, **options):
        paths = []
        for name, videos in zip(("one", "other"), annotators, strict=True):
            database = {
                video: {"subset": "x", "duration": 20}
                | facts
                | {"annotations": [{"segment": [s, e], "label": label, "label_id": IDS[label]} for s, e, label in rows]}
                for video, (rows, facts) in videos.items()
            }
            paths.append(tmp_path / f"{name}.json")
            paths[-1].write_text(json.dumps({"database": database}))
        return agreement(*paths, **options)

    return compare


def listed(found):
    return [(row.video, row.start_sec, row.end_sec, row.what) for row in found.differences.itertuples()]


def test_the_same_labels_agree_in_all(compare):
    rows = [(1, 4, "walk"), (5, 9, "sit"), (8, 12, "run")]
    found = compare({"a": (rows, {})}, {"a": (rows, {})})
    assert (
        found.classes.loc[ALL].tolist() == [3, 3, 1, 1, 1, 1, 1, 1] and not len(found.differences) and not found.notes
    )


def test_f1_kappa_and_differences_as_counted_by_hand(compare):
    one = [(0, 10, "walk"), (12, 16, "sit"), (18, 20, "walk")]
    other = [(0, 8, "walk"), (12, 15, "run"), (16.5, 17.5, "sit")]
    found = compare({"a": (one, {})}, {"a": (other, {})})
    walk = found.classes.loc["walk"]  # both 8 s, one alone 4 s, neither 8 s
    assert walk[["segments_one", "segments_other", "f1@0.5"]].tolist() == [2, 1, 2 / 3]
    assert walk["f1@0.7"] == 2 / 3 and found.classes.loc[ALL, "f1@0.5"] == 2 / 6
    assert walk["kappa"] == pytest.approx((0.8 - (0.6 * 0.4 + 0.4 * 0.6)) / (1 - (0.6 * 0.4 + 0.4 * 0.6)))
    agreed = 8 + 2 + 0.5 + 0.5  # walk; none from 10 to 12, 16 to 16.5, 17.5 to 18
    chance = (12 * 8 + 4 * 1 + 4 * 8) / 400  # walk, sit, none
    assert found.classes.loc[ALL, "kappa"] == pytest.approx((agreed / 20 - chance) / (1 - chance))
    assert listed(found) == [
        ("a", 0, 10, "end differs by 2 s"),
        ("a", 12, 16, "label differs"),
        ("a", 16.5, 17.5, "missed by one"),
        ("a", 18, 20, "missed by other"),
    ]
    changed = found.differences.iloc[1]
    assert changed[["label_one", "start_one", "end_one"]].tolist() == ["sit", 12, 16]
    assert changed[["label_other", "start_other", "end_other"]].tolist() == ["run", 12, 15]
    assert len(compare({"a": (one, {})}, {"a": (other, {})}, tolerance_sec=2).differences) == 3


def test_a_class_counts_only_itself_and_overlaps_of_classes_are_labels_of_their_own(compare):
    found = compare({"a": ([(0, 10, "walk"), (5, 10, "sit")], {})}, {"a": ([(0, 10, "walk")], {})})
    assert found.classes.loc["walk", "kappa"] == 1
    chance = (0.25 * 0.5 + 0.5 * 0.5) / 1  # walk alone; none
    assert found.classes.loc[ALL, "kappa"] == pytest.approx((0.75 - chance) / (1 - chance))
    assert math.isnan(
        compare({"a": ([(0, 20, "walk")], {})}, {"a": ([(0, 20, "walk")], {})}).classes.loc["walk", "kappa"]
    )


def test_segments_that_overlap_little_are_one_difference(compare):
    found = compare({"a": ([(0, 1, "walk")], {})}, {"a": ([(0.4, 1.4, "walk")], {})})
    assert listed(found) == [("a", 0, 1.4, "they overlap little (tIoU 0.43)")]
    assert found.classes.loc["walk", ["f1@0.4", "f1@0.5"]].tolist() == [1, 0]


def test_only_what_both_judged_is_compared(compare):
    one = {"a": ([(1, 3, "walk"), (15, 17, "sit")], {"annotated": [0, 10]}), "b": ([(1, 2, "run")], {})}
    other = {"a": ([(1, 3, "walk"), (5, 7, "sit"), (14, 17, "run")], {"ignored": [[4, 8]]}), "c": ([(1, 2, "run")], {})}
    found = compare(one, other)
    assert found.classes.index.tolist() == ["walk", ALL] and not len(found.differences)
    assert found.classes.loc["walk", "kappa"] == 1
    assert [note.split(" are in ")[0] for note in found.notes] == ["1 recordings", "1 recordings"]
    cut = compare(
        {"a": ([(2, 6, "walk")], {"ignored": [[4, 8]], "duration": 10})}, {"a": ([(2, 3, "walk")], {"duration": 10})}
    )
    both, alone, none = 1 / 6, 1 / 6, 4 / 6  # of the 6 s that are judged
    chance = (both + alone) * both + none * (none + alone)
    assert cut.classes.loc["walk", "kappa"] == pytest.approx((both + none - chance) / (1 - chance))


def test_kappa_is_that_of_the_library_on_a_fine_grid(compare):
    metrics = pytest.importorskip("sklearn.metrics", reason="the yardstick")
    rng = np.random.default_rng(1)
    annotators = []
    for _ in range(2):
        cuts = np.sort(rng.choice(2000, 20, replace=False)) / 100
        rows = [(s, e, str(rng.choice(list(IDS)))) for s, e in zip(cuts[::2], cuts[1::2], strict=True)]
        annotators.append({"a": ([(float(s), float(e), label) for s, e, label in rows], {})})
    found, middles = compare(*annotators), np.arange(2000) / 100 + 0.005
    grids = []
    for one in annotators:
        grid = np.full(2000, "none", object)
        for start, end, label in one["a"][0]:
            grid[(middles > start) & (middles < end)] = label
        grids.append(grid.astype(str))
    assert found.classes.loc[ALL, "kappa"] == pytest.approx(metrics.cohen_kappa_score(*grids))
    for label in set(grids[0]) - {"none"}:
        wanted = metrics.cohen_kappa_score(grids[0] == label, grids[1] == label)
        assert found.classes.loc[label, "kappa"] == pytest.approx(wanted)
    assert math.isnan(kappa([], [], []))


def test_durations_that_are_missing_or_differ_are_noted(compare):
    found = compare({"a": ([(0, 5, "walk")], {"duration": None})}, {"a": ([(0, 4, "walk")], {"duration": None})})
    assert found.notes == ["'a' has no duration: kappa counts until its last segment ends"]
    found = compare({"a": ([(0, 5, "walk")], {})}, {"a": ([(0, 4, "walk")], {"duration": 21})})
    assert found.notes == ["'a' lasts 20 s in one file and 21 s in the other"]


def test_the_command_prints_the_table_and_writes_the_differences(compare, tmp_path, capsys):
    many = [(i, i + 0.5, "walk") for i in range(19)]
    compare({"a": ([*many, (19, 20, "run"), (19, 20, "sit"), (0, 20, "run")], {})}, {"a": ([(5, 5.5, "walk")], {})})
    paths = [str(tmp_path / name) for name in ("one.json", "other.json")]
    assert main(["agreement", *paths, "--csv", str(tmp_path / "d.csv")]) == 0
    printed = capsys.readouterr().out
    assert f"one: {paths[0]}" in printed and "walk" in printed and "21 differences:" in printed
    assert "... and 1 more; --csv FILE writes all of them" in printed
    assert len((tmp_path / "d.csv").read_text().splitlines()) == 22
    assert main(["agreement", *paths, "--tolerance", "-1"]) == 2
    assert "the tolerance is -1.0 s; give 0 or more" in capsys.readouterr().err


def test_files_about_other_recordings_are_refused(compare):
    with pytest.raises(
        ValueError, match=r"one\.json \(a\) and .*other\.json \(b, 'c d'\) have no recording in common; "
    ):
        compare({"a": ([], {})}, {"b": ([], {}), "c d": ([], {})})
    with pytest.raises(
        ValueError, match=r"^b\.csv is a table; make an annotation file of it: python -m afkit import b\.csv "
    ):
        agreement("a.json", "b.csv")
    assert describe_agreement(compare({"a": ([], {})}, {"a": ([], {})})).splitlines()[-1] == "0 differences"
