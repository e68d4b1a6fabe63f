"""Actions from a run of verbs and a run of nouns: paired at each point, counted over pairs, and by a command."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from run_folders import write_trained
from tiny_data import CHANNELS, change_video, read_database, tiny_recipe, write_tiny_data

import afkit
from afkit.__main__ import main
from afkit.data.annotations import read_annotations
from afkit.data.items import Dataset
from afkit.detect.prediction import predict_dataset
from afkit.files import write_json
from afkit.model.actionformer import build_model
from afkit.model.heads import offsets_of
from afkit.workbench.analysis.submissions import combine_verbs_and_nouns
from afkit.workbench.datasets.twin import write_twin
from afkit.workbench.runs import actions
from afkit.workbench.runs.actions import (
    annotated_actions,
    detect_actions,
    evaluate_actions,
    find_run_actions,
    pair_level,
)

NOUNS = 4
GT = ["video", "start_sec", "end_sec", "verb", "noun"]
VERB = {"model__class_prior": 0.3}
NOUN = VERB | {"data__annotations": "tiny/nouns.json", "data__num_classes": NOUNS}


def write_run(folder, root, recipe, seed):
    """A run folder with random weights."""
    return str(write_trained(folder, root, recipe, seed, data={"generated": True}))


def write_nouns(root):
    """tiny/nouns.json: the same actions from last to first, each with its label plus one as the noun."""
    database = read_database(root)
    for video in database.values():
        rows = video["annotations"][::-1]
        video["annotations"] = [row | {"label": f"n {row['label']}", "label_id": row["label_id"] + 1} for row in rows]
    write_json(root / "tiny" / "nouns.json", {"database": database})


@pytest.fixture
def root(tmp_path):
    write_tiny_data(tmp_path / "data", training=1, test=3)
    write_nouns(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def runs(tmp_path, root):
    """A run of verbs and one of nouns."""
    verb, noun = tiny_recipe(**VERB), tiny_recipe(**NOUN)
    return write_run(tmp_path / "verb", root, verb, 1), write_run(tmp_path / "noun", root, noun, 2)


# ---- pairs of one point


def pairs_by_loops(verb, noun, config, best):
    """(video, onset, end, label, score) of the best pairs of each video of a level, pair by pair."""
    rows = []
    for video in range(len(verb.logits)):
        own = []
        for point in range(min(verb.logits.shape[1], noun.logits.shape[1])):
            if not verb.mask[video, point]:
                continue
            likely = [side.logits[video, point].sigmoid() for side in (verb, noun)]
            for v in likely[0].argsort(descending=True)[:best].tolist():
                for n in likely[1].argsort(descending=True)[:best].tolist():
                    at = [torch.tensor(number) for number in (video, point)]
                    (left, right), (noun_left, noun_right) = (
                        offsets_of(side.offsets, *at, torch.tensor(label)).tolist()
                        for side, label in ((verb, v), (noun, n))
                    )
                    position, stride = verb.points[point, 0].item(), verb.points[point, 3].item()
                    onset = position - stride * (left + noun_left) / 2
                    end = position + stride * (right + noun_right) / 2
                    score = (likely[0][v].item() * likely[1][n].item()) ** 0.5
                    own.append((video, onset, end, v * NOUNS + n, score))
        own = sorted(own, key=lambda row: -row[-1])[: config.pre_nms_topk]
        rows += [row for row in own if row[4] > config.pre_nms_thresh and row[2] - row[1] > config.duration_thresh]
    return rows


TRIDENT = {"model__backbone": "sgp", "model__head": "trident", "model__bins": 4}


@pytest.mark.parametrize("best", [2, 10])
@pytest.mark.parametrize("kind", [{}, TRIDENT], ids=["offsets", "trident"])
def test_pairs_of_two_networks_are_those_of_plain_loops(monkeypatch, kind, best):
    monkeypatch.setattr(actions, "BEST", best)
    torch.manual_seed(0)
    recipes = [tiny_recipe(**own, **kind, decode__pre_nms_topk=25, decode__pre_nms_thresh=0.35) for own in (VERB, NOUN)]
    features, outputs = torch.randn(2, CHANNELS, 32), []
    for recipe, steps in zip(recipes, (32, 24), strict=True):  # as if one were padded more
        model = build_model(recipe).eval()
        for parameter in model.parameters():  # an untrained network says nearly the same everywhere
            parameter.data += 0.2 * torch.randn_like(parameter)
        mask = (torch.arange(steps) < torch.tensor([20, 13])[:, None]).contiguous()
        with torch.no_grad():
            outputs.append(model(features[..., :steps] * mask[:, None], mask))
    number = 0
    for verb, noun in zip(*(out.levels() for out in outputs), strict=True):
        found, expected = pair_level(verb, noun, recipes[0].decode), pairs_by_loops(verb, noun, recipes[0].decode, best)
        video = torch.arange(2)[:, None].expand_as(found.keep)[found.keep]
        assert video.tolist() == [row[0] for row in expected]
        assert found.labels[found.keep].tolist() == [row[3] for row in expected]
        numbers = torch.cat([found.segments[found.keep], found.scores[found.keep][:, None]], dim=1)
        wanted = np.array([row[1:3] + row[4:] for row in expected]).reshape(-1, 3)
        np.testing.assert_allclose(numbers, wanted, rtol=0, atol=1e-4)
        number += len(expected)
    assert 20 < number < 150


def test_detections_are_suppressed_within_each_pair_and_lie_in_the_recording(root):
    recipes = [tiny_recipe(**own, decode__max_segments=50, decode__nms="hard") for own in (VERB, NOUN)]
    models = []
    for seed, recipe in enumerate(recipes):
        torch.manual_seed(seed)
        models.append(build_model(recipe).eval())
    dataset = Dataset(recipes[0].data, root, ["test"])
    before, after = detect_actions(*models, dataset.unread(1))
    assert before.columns.tolist() == after.columns.tolist() == [*GT, "score"]
    assert set(before["video"]) == {dataset.videos[1].name} and 0 < len(before) <= 50
    assert before["score"].is_monotonic_decreasing
    assert before["start_sec"].min() >= 0 and before["end_sec"].max() <= dataset.videos[1].duration_sec
    for _, table in before.groupby(["verb", "noun"]):
        starts, ends = (table[name].to_numpy() for name in ("start_sec", "end_sec"))
        overlap = (np.minimum(ends, ends[:, None]) - np.maximum(starts, starts[:, None])).clip(0)
        union = ends - starts + (ends - starts)[:, None] - overlap
        assert np.triu(overlap / union, 1).max() <= recipes[0].decode.iou_threshold
    exchanged, _ = detect_actions(*models[::-1], dataset.unread(1))
    exchanged = exchanged.rename(columns={"verb": "noun", "noun": "verb"})[before.columns]
    pd.testing.assert_frame_equal(before, exchanged)
    alone = [predict_dataset(model, model.recipe, dataset) for model in models]
    verbs, nouns = (table[table["video"] == dataset.videos[1].name] for table in alone)
    pd.testing.assert_frame_equal(after, combine_verbs_and_nouns(verbs, nouns, max_per_video=50), check_dtype=False)


# ---- what is counted


def test_ap_is_that_of_a_case_done_by_hand():
    gt = pd.DataFrame(
        [("a", 0.0, 10.0, 0, 1), ("a", 20.0, 30.0, 0, 1), ("b", 0.0, 10.0, 2, 3), ("b", 50.0, 60.0, 0, 3)], columns=GT
    )
    found = [
        ("a", 0.0, 10.0, 0, 1, 0.9),  # a hit
        ("b", 0.0, 10.0, 0, 1, 0.8),  # there is another action
        ("a", 20.0, 26.0, 0, 1, 0.7),  # a hit up to tIoU 0.6
        ("b", 0.0, 10.0, 2, 3, 0.1),  # a hit; better scores of other pairs are no matter
        ("b", 0.0, 10.0, 2, 1, 0.99),  # nobody has done 2 with 1: left out
        ("b", 0.0, 10.0, 1, 7, 0.99),  # nor anything with 7
    ]
    scores = evaluate_actions(gt, pd.DataFrame(found, columns=[*GT, "score"]), [0.5, 0.7])
    assert scores.counts["classes"] == 3 and scores.counts["predictions_unknown_label"] == 2
    assert scores.map.tolist() == pytest.approx([((1 + 2 / 3) / 2 + 1 + 0) / 3, (1 / 2 + 1 + 0) / 3])
    nothing = evaluate_actions(gt, pd.DataFrame(found[:0], columns=[*GT, "score"]), [0.5])
    assert nothing.average_map == 0


def test_a_verb_and_a_noun_are_one_action_where_their_times_are_the_same(root):
    change_video(root, "video1", annotations=[
        {"segment": [start, end], "label": f"action {verb}", "label_id": verb}
        for start, end, verb in [(1.0, 3.0, 0), (1.0, 2.0, 1), (1.0, 3.0, 2), (1.0, 3.0, 0), (0.5, 9.0, 2)]
    ])  # fmt: skip
    write_nouns(root)  # those of equal times are in the opposite order there
    files = [read_annotations(root / "tiny" / f"{name}.json") for name in ("annotations", "nouns")]
    gt = annotated_actions(*files, ["test"])
    assert gt.columns.tolist() == GT
    own = gt.loc[gt["video"] == "video1", GT[1:]].to_numpy().tolist()
    assert own == [[0.5, 9, 2, 3], [1, 2, 1, 2], [1, 3, 0, 1], [1, 3, 2, 3]]  # and one is a repetition
    assert set(gt["video"]) == {"video1", "video2", "video3"}


# ---- the command


def test_an_unfit_run_is_refused_in_one_sentence(tmp_path, root, runs, capsys):
    other_root = tmp_path / "elsewhere"
    write_tiny_data(other_root, training=1, test=3)
    write_nouns(other_root)
    fewer_levels = {"model__branch_layers": 1, "model__regression_ranges": [(0, 4), (4, 10000)]}
    refused = {
        "has data.stride_frames 4.0, ": NOUN | {"data__stride_frames": 8},
        "has levels with the strides [1, 2, 4], ": NOUN | fewer_levels,
        "both learned the labels of tiny/annotations.json": VERB,
    }
    cases = [(part, tiny_recipe(**own), root) for part, own in refused.items()]
    cases += [("has its data below ", tiny_recipe(**NOUN), other_root)]
    resized = write_run(tmp_path / "resized", root, tiny_recipe(**VERB, data__resize=True), 3)
    cases += [("has data.max_seq_len 64, ", tiny_recipe(**NOUN, data__resize=True, data__max_seq_len=32), root)]
    for number, (part, recipe, place) in enumerate(cases):
        other = write_run(tmp_path / f"other{number}", place, recipe, 3)
        assert main(["actions", resized if recipe.data.resize else runs[0], other]) == 2
        shown = capsys.readouterr()
        assert shown.out == "" and shown.err.count("\n") == 1 and part in shown.err and other in shown.err
    verbs = write_run(tmp_path / "v", root, tiny_recipe(**NOUN | {"data__num_classes": 97}), 1)
    nouns = write_run(tmp_path / "n", root, tiny_recipe(**VERB | {"data__num_classes": 300}), 1)
    assert main(["actions", nouns, verbs]) == 2
    assert "n has the 300 classes of the nouns; give the run of verbs first" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["actions", *runs, "--levels", "2", "7", "3"])
    assert "argument --levels: invalid choice: '7'" in capsys.readouterr().err
    assert not list(tmp_path.rglob("actions*"))


def test_missing_runs_weights_and_actions_are_told(tmp_path, root, runs, capsys):
    assert main(["actions", runs[0], "nothing"]) == 2
    assert "nothing holds no run.json with a recipe" in capsys.readouterr().err
    assert main(["actions", *runs, "--split", "tset"]) == 2
    assert "has no video of the subset 'tset'; did you mean 'test'?" in capsys.readouterr().err
    (tmp_path / "noun" / "checkpoints" / "ema.safetensors").unlink()
    assert main(["actions", *runs]) == 2
    assert "noun/checkpoints/ema.safetensors does not exist; train first" in capsys.readouterr().err
    database = json.loads((root / "tiny" / "nouns.json").read_text())["database"]
    without = {name: video for name, video in database.items() if name != "video2"}
    for changed in (without, database | {"video2": database["video2"] | {"annotations": []}}):
        write_json(root / "tiny" / "nouns.json", {"database": changed})
        assert main(["actions", *runs]) == 2
        assert "differ in the times of the actions of video 'video2'" in capsys.readouterr().err


def test_actions_of_a_split_without_labels_are_written_and_not_counted(tmp_path, root, runs):
    for video in ("video1", "video2", "video3"):
        change_video(root, video, annotations=[])
    write_nouns(root)
    said = []
    folder = find_run_actions(*runs, out=tmp_path / "out", say=said.append)
    assert said == ["3 videos, 0 actions of 0 pairs of a verb and a noun"]
    assert set(pd.read_csv(folder / "actions.csv")["video"]) == {"video1", "video2", "video3"}


SMALL = {"data.input_dims": [8], "data.max_seq_len": 64, "model.embed_dim": 16, "model.class_prior": 0.2}


def test_the_command_writes_the_actions_of_an_epic_twin_and_says_how_good_they_are(tmp_path, capsys):
    folders = []
    for seed, name in enumerate(("epic_verb", "epic_noun")):
        recipe = afkit.recipe(name, SMALL | {"decode.pre_nms_topk": 200, "decode.max_segments": 100})
        write_twin(recipe, tmp_path / "data", videos_per_subset=2, say=lambda text: None)
        folders.append(write_run(tmp_path / name, tmp_path / "data", recipe, seed))
    tables = {}
    for order in ("before", "after"):
        out = tmp_path / order
        assert main(["actions", *folders, "--out", str(out), "--pair", order, "--levels", "2", "4", "3"]) == 0
        shown = capsys.readouterr().out.splitlines()
        assert shown[0].startswith("2 videos, ") and "5 pairs of a verb and a noun" in shown[0]
        assert shown[1] == "generated data: these numbers say nothing about the method"
        assert shown[3].split() == ["0.10", "0.20", "0.30", "0.40", "0.50", "average"]
        assert [line[:25] for line in shown[4:6]] == ["paired before suppression", "paired after suppression "]
        assert shown[-1] == str(out)
        tables[order] = pd.read_csv(out / "actions.csv")
        dropped = f"of {len(tables[order])} detections are of pairs that no annotation has, and are left out"
        assert any(line.startswith(f"paired {order} suppression: ") and line.endswith(dropped) for line in shown)
        content = json.loads((out / "test.json").read_text())
        assert [content[level] for level in ("sls_pt", "sls_tl", "sls_td")] == [2, 4, 3]
        entries = sum(len(entries) for entries in content["results"].values())
        assert entries == len(tables[order]) and len(content["results"]) == 2
    columns = ["video", "start_sec", "end_sec", "verb", "verb_name", "noun", "noun_name", "score"]
    assert tables["before"].columns.tolist() == columns
    assert len(tables["before"]) == 200 and not tables["before"].equals(tables["after"])
    assert main(["actions", *folders]) == 0
    assert pd.read_csv(tmp_path / "epic_verb" / "actions" / "actions.csv").equals(tables["before"])
    assert not (tmp_path / "epic_verb" / "actions" / "test.json").exists()
