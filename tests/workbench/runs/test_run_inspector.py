"""What the inspector gets of a run folder: curves, the signal, and words for what is missing."""

import json
import shutil

import numpy as np
import pytest
import torch
from run_folders import change_json, write_run
from tiny_data import read_database, tiny_recipe, write_annotations, write_tiny_data

from afkit.__main__ import main
from afkit.data.items import Dataset
from afkit.detect import prediction
from afkit.files import read_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.workbench.analysis import score_curves as curves_module
from afkit.workbench.analysis.score_curves import score_curves
from afkit.workbench.inspector.inspected import list_videos
from afkit.workbench.runs.opened import sha256_of
from afkit.workbench.runs.run_inspector import collect_inspected, inspect_run, inspect_runs

VIDEO = "video6"  # the first of the test subset


@pytest.fixture
def folder(tmp_path):
    """A run on the tiny data set with two sets of weights that differ, and without predictions."""
    write_tiny_data(tmp_path / "data")
    folder = write_run(tmp_path / "results" / "tiny" / "seed1", data_root=tmp_path / "data")
    for seed, weights in enumerate(("ema", "raw")):
        (folder / "checkpoints").mkdir(exist_ok=True)
        save_weights(network(seed), folder / "checkpoints" / f"{weights}.safetensors", weights)
    return folder


def network(seed):
    torch.manual_seed(seed)
    model = build_model(tiny_recipe())
    for name, parameter in model.named_parameters():
        if name.startswith("cls_head.cls_head"):
            torch.nn.init.normal_(parameter, 0.0, 0.5)
    return model


def expected(folder, seed):
    data = Dataset(tiny_recipe().data, folder.parents[2] / "data", ["test"])
    return score_curves(network(seed), tiny_recipe(), data.unread(0))[1]


def curve(folder):
    return collect_inspected(folder).tracks.curves(VIDEO)


def change_recipe(folder, **sections):
    change_json(folder / "run.json", recipe=read_json(folder / "run.json")["recipe"] | sections)


def change_evaluation(folder, **entries):
    stages = read_json(folder / "run.json")["stages"]
    stages["03_eval"] |= entries
    change_json(folder / "run.json", stages=stages)


def test_curves_are_those_of_the_weights_that_were_evaluated_or_of_the_averaged(folder, tmp_path):
    times_sec, scores = curve(folder)
    assert scores == pytest.approx(expected(folder, 0)) and len(times_sec) == len(scores)
    change_json(folder / "eval.json", weights="raw")
    raw = curve(folder)[1]
    assert raw == pytest.approx(expected(folder, 1)) and np.abs(raw - scores).max() > 0.1
    shutil.move(folder / "checkpoints" / "raw.safetensors", tmp_path / "other.safetensors")
    change_json(folder / "eval.json", weights=str(tmp_path / "other.safetensors"))
    change_evaluation(folder, parameters={"weights": "raw"})
    assert curve(folder)[1] == pytest.approx(raw), "of another file"
    (folder / "eval.json").unlink()
    change_evaluation(folder, parameters={})
    assert curve(folder)[1] == pytest.approx(scores)


def test_the_curve_of_a_long_recording_is_made_in_windows(monkeypatch, folder):
    asked, real = [], curves_module.score_curves
    monkeypatch.setattr(curves_module, "score_curves", lambda *a: asked.append(a[3]) or real(*a))
    assert curve(folder)[1] == pytest.approx(expected(folder, 0))
    monkeypatch.setattr(prediction, "WHOLE_STEPS", 10)
    assert curve(folder)[1] == pytest.approx(expected(folder, 0), abs=1e-5)
    assert asked[0] == 0 and asked[1] >= 10


def test_what_curves_lack_is_said_without_the_folders_of_this_machine(folder, tmp_path):
    (tmp_path / "data" / "tiny" / "features" / f"{VIDEO}.npy").unlink()
    curves = collect_inspected(folder).tracks.curves
    with pytest.raises(ValueError, match=rf"^no score curve: .*{VIDEO}") as error:
        curves(VIDEO)
    assert str(tmp_path) not in str(error.value)
    assert len(curves("video7")[0]) > 0, "the others are there"
    recipe = read_json(folder / "run.json")["recipe"]
    change_recipe(folder, data=recipe["data"] | {"skip_missing": True})
    with pytest.raises(ValueError, match=f"no score curve: a feature file of the video '{VIDEO}' is missing"):
        curve(folder)
    for model, message in (
        (recipe["model"] | {"embed_dim": 32}, r"no score curve: .* is of another architecture"),
        ({"unheard": 1}, r"no score curve: …/run\.json holds a recipe that this version does not know"),
    ):
        change_recipe(folder, model=model)
        with pytest.raises(ValueError, match=message):
            curve(folder)
    change_recipe(folder, model=recipe["model"])
    shutil.rmtree(folder / "checkpoints")
    with pytest.raises(ValueError, match=r"no score curve: …/ema\.safetensors does not exist; train first") as error:
        curve(folder)
    assert str(tmp_path) not in str(error.value)


def test_predictions_of_other_weights_than_those_that_are_there_are_told(folder):
    weights = folder / "checkpoints" / "ema.safetensors"
    change_evaluation(folder, made_from={"checkpoints/ema.safetensors": sha256_of(weights)})
    remark = collect_inspected(folder).remark
    save_weights(network(7), weights, "ema")
    again = "The weights have changed since these predictions were made: run 03_eval again."
    assert again not in remark and collect_inspected(folder).remark == f"{remark} {again}"


def test_a_run_that_is_not_finished_is_shown_without_what_it_lacks(folder, tmp_path):
    shutil.rmtree(folder / "checkpoints")
    inspected = collect_inspected(folder, videos=tmp_path)
    assert inspected.remark.startswith("This run has no predictions yet")
    assert inspected.tracks.offered() == {"curves": True, "signal": False, "media": True}
    assert len(list_videos(inspected, 0.5, 0.2)) == 2
    with pytest.raises(ValueError, match="the folder of videos 'nowhere' does not exist"):
        collect_inspected(folder, videos="nowhere")


def test_the_signal_is_offered_where_the_data_set_has_one(folder, tmp_path):
    data = read_json(folder / "run.json")["recipe"]["data"]
    change_recipe(folder, data=data | {"annotations": "watch/annotations/watch.json"})
    for part in ("annotations", "signals"):
        (tmp_path / "data" / "watch" / part).mkdir(parents=True)
    text = json.dumps({"database": read_database(tmp_path / "data")})
    (tmp_path / "data" / "watch" / "annotations" / "watch.json").write_text(text)
    np.save(tmp_path / "data" / "watch" / "signals" / f"{VIDEO}.npy", np.ones((9, 6)))
    assert collect_inspected(folder).tracks.signal(VIDEO)["signal"].shape == (9, 6)


def test_widgets_of_one_run_and_of_two(folder):
    pytest.importorskip("anywidget", reason="the widget is an extra")
    widget = inspect_run(folder, video=VIDEO, tiou=0.4)
    assert widget.video == VIDEO and widget.runs[0]["tracks"]["curves"]
    both = inspect_runs([folder, folder], video="video7", min_score=0.3)
    assert [run["title"] for run in both.runs] == ["tiny/seed1 (1)", "tiny/seed1 (2)"]
    assert (both.video, both.min_score) == ("video7", 0.3)


def data_of(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(text.split('id="segments">')[1].split("</script>")[0])


def test_the_command_embeds_curves_when_asked_to(folder):
    assert main(["view", str(folder), "--html"]) == 0
    assert "tracks" not in data_of(folder / "inspector.html")
    assert main(["view", str(folder), "--curves", "--html"]) == 0
    tracks = data_of(folder / "inspector.html")["tracks"]
    assert [set(track) for track in tracks] == [{"curves"}] * 2 and tracks[0]["curves"]["points"] > 10


def test_the_command_compares_runs_and_takes_videos_below_the_page(folder, tmp_path, capsys):
    assert main(["view", str(folder), str(folder), "--html"]) == 0
    assert len(data_of(folder / "comparison.html")["runs"]) == 2
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / f"{VIDEO}.mp4").write_bytes(b"film")
    arguments = ["view", str(folder), "--videos", str(tmp_path / "films"), "--html"]
    assert main([*arguments, str(tmp_path / "a.html")]) == 0
    assert str(tmp_path / "a.html") in capsys.readouterr().out
    assert data_of(tmp_path / "a.html")["tracks"][0]["media"]["url"] == f"films/{VIDEO}.mp4"
    assert "media-src 'self'\"" in (tmp_path / "a.html").read_text()
    assert main([*arguments, str(folder / "b.html")]) == 2
    assert "write the page beside the videos" in capsys.readouterr().err and not (folder / "b.html").exists()


def test_runs_with_other_ground_truth_give_one_line_and_status_2(folder, tmp_path, capsys):
    other = shutil.copytree(tmp_path / "results", tmp_path / "elsewhere" / "results") / "tiny" / "seed1"
    database = read_database(tmp_path / "data")
    database[VIDEO]["annotations"] = database[VIDEO]["annotations"][:-1]
    write_annotations(tmp_path / "elsewhere" / "data", database)
    change_json(other / "run.json", data_root=str(tmp_path / "elsewhere" / "data"))
    assert main(["view", str(folder), str(other), "--html"]) == 2
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1 and f"differs in the video '{VIDEO}'" in shown
    assert not list(folder.glob("*.html"))
