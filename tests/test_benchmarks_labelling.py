"""The benchmark of labelling effort counts keys as it says, starts all orders alike, and keeps what was found."""

import pandas as pd
import pytest

from afkit.data.annotations import to_frame
from afkit.data.items import Dataset
from afkit.recipes import recipe
from afkit.workbench.datasets.watch import write_watch
from benchmarks import labelling
from benchmarks.timing import read_csv

COLUMNS = ["video", "start_sec", "end_sec", "label"]
GT = pd.DataFrame([("a", 0.0, 10.0, 0), ("a", 20.0, 30.0, 1)], columns=COLUMNS)


@pytest.mark.parametrize(
    ("proposals", "keys"),
    [
        ([], 3 + 3),
        ([(0.4, 10.0, 0), (20.0, 29.5, 1)], 1 + 1),
        ([(1.0, 10.0, 0), (19.0, 31.0, 1)], (1 + 2) + (1 + 2 + 2)),
        ([(0.0, 10.0, 2), (20.0, 29.0, 0)], 1 + (1 + 2)),
        ([(0.0, 10.0, 0), (0.0, 9.0, 0), (50.0, 60.0, 1)], 1 + 1 + 1 + 3),
    ],
)
def test_keys_are_those_of_the_model(proposals, keys):
    table = pd.DataFrame([("a", *row, 0.9) for row in proposals], columns=[*COLUMNS, "score"])
    assert labelling.count_keys(GT, table.astype({"start_sec": float, "end_sec": float})) == keys


def test_all_orders_start_and_end_alike_and_the_table_is_written(tmp_path, monkeypatch, capsys):
    """Networks that find everything: mAP is 100 %, each action costs one key but those of the start, three."""

    write_watch(tmp_path)
    videos = Dataset(recipe("watch").data, tmp_path, ["training", "test"]).videos
    everything, tested = to_frame(videos).assign(score=0.9), {v.name for v in videos if v.subset == "test"}
    asked = []
    monkeypatch.setattr(labelling, "detections_of", lambda names, *_: asked.append(set(names)) or everything)
    monkeypatch.setattr(labelling, "NUMBERS", (2, 8, 14))
    monkeypatch.setattr(labelling, "SEEDS", (1,))
    labelling.main(["--data-root", str(tmp_path), "--csv", str(tmp_path / "out" / "labelling.csv")])
    table = pd.DataFrame(read_csv(tmp_path / "out" / "labelling.csv"))
    assert [len(names) for names in asked] == [2, 8, 14] * 3 and not tested & set().union(*asked)
    assert asked[0] == asked[3] == asked[6] and asked[2] == asked[5] == asked[8] and asked[1] != asked[7]
    assert set(table["average_map"].astype(float)) == {1.0}
    assert table["labelled"].str.split().map(set).tolist() == asked
    assert table["keys"].tolist() == [str(2 * 5 * 3 + further * 5) for further in (0, 6, 12)] * 3
    printed = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["next", "14", "100.0", "100.0", "55.6", "90.0", "30.1", "210.0", "33.1"] in printed
    assert ["doubt", "mean", "+0.0", "+0.0", "+0.0"] in printed


def test_what_a_network_found_is_read_again(tmp_path, monkeypatch):
    options = type("Options", (), {"csv": tmp_path / "labelling.csv", "data_root": str(tmp_path)})
    monkeypatch.setattr(labelling, "train", None)
    with pytest.raises(ValueError, match=r"watch\.json does not exist"):
        labelling.detections_of(["a"], 1, options)
    digest = labelling.kept_at(["a", "b"], 1, options)
    digest.parent.mkdir()
    digest.write_text("video,score\na,0.5\n")
    assert labelling.detections_of(["b", "a"], 1, options)["score"].tolist() == [0.5]
    assert labelling.kept_at(["a", "b"], 2, options) != digest
