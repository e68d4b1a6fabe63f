"""The published rows, whose averages are those of README (test_readme), and ours beside them."""

import re

import pandas as pd
import pytest

import afkit
from afkit.workbench.published import compare_with_published, published, published_note

PUBLISHED = [name for name in afkit.recipe_names() if published(name)]


@pytest.mark.parametrize("name", [name for name in PUBLISHED if not re.search("anet|hacs", name)])
def test_the_average_of_a_row_is_that_of_its_thresholds(name):
    row = published(name)
    rounded = 0.06 if name.startswith("temporalmaxer") else 0.02  # to one place, to two
    assert list(row.map) == afkit.recipe(name).data.tious
    assert sum(row.map.values()) / len(row.map) == pytest.approx(row.average_map, abs=rounded)
    if row.recall_1x:
        assert sum(row.recall_1x.values()) / len(row.recall_1x) == pytest.approx(row.average_recall_1x, abs=0.02)


def test_ours_stands_beside_the_published_number_in_percent():
    tious = [0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95]
    ours = pd.Series([0.5, 0.4, 0.4, 0.3, 0.3, 0.38, 0.2, 0.1, 0.1, 0.05], index=tious)
    table = compare_with_published("anet_tsp", 0.40, ours, ours)
    assert table.index.tolist() == ["mAP at 0.5", "mAP at 0.75", "mAP at 0.95", "average mAP"]
    assert table["ours"].tolist() == pytest.approx([50, 38, 5, 40])
    assert table["published"].tolist() == [54.67, 37.81, 8.36, 36.56]
    assert table["difference"].tolist() == pytest.approx([-4.67, 0.19, -3.36, 3.44])
    table = compare_with_published("ego4d_s", 0.15, ours[[0.5, 0.7]], ours[[0.5, 0.7]])
    assert table.index.tolist() == ["mAP at 0.5", "average mAP", "Recall@1x at 0.5", "average Recall@1x"]
    assert not table.isna().any().any()
    assert compare_with_published("watch", 0.5, ours, ours).empty


def test_it_is_said_where_published_figures_are_not_those_of_the_last_epoch():
    said = (
        "The published figures of temporalmaxer_thumos come from the best epoch on the test split, ours from the last."
    )
    assert published_note("temporalmaxer_thumos") == said
    assert "epoch 23 of 27" in published_note("tridet_epic_verb")
    assert {name for name in PUBLISHED if published_note(name)} == {
        name for name in PUBLISHED if name.startswith("temporalmaxer") or name == "tridet_epic_verb"
    }
