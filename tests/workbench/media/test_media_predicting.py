"""`predict RUN film.mp4` and `x.wav`: features as those of the training, and a film with the detections drawn in."""

import json
import sys

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("av", reason="films are read by PyAV")
pytest.importorskip("transformers", reason="networks are those of transformers")

import av
import torch
from media_files import write_film, write_wave
from test_media_backbones import save_model
from tiny_data import tiny_recipe, write_annotations

from afkit.__main__ import main
from afkit.files import write_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import save_weights
from afkit.workbench.media.overlay import write_overlay


def write_media_run(tmp_path, made, fps):
    """A run with random weights whose features are those in data/tiny/features; its folder."""
    overrides = {"data__stride_frames": made["stride_frames"], "data__num_frames": made["num_frames"]}
    recipe = tiny_recipe(data__input_dims=[made["width"]], data__fps=fps, model__class_prior=0.3, **overrides)
    torch.manual_seed(0)
    save_weights(build_model(recipe), tmp_path / "run" / "checkpoints" / "ema.safetensors", "ema")
    facts = {"recipe": recipe.model_dump(mode="json"), "seed": 1, "data_root": str(tmp_path / "data")}
    write_json(tmp_path / "run" / "run.json", facts)
    video = {"duration": 2.0, "fps": fps}
    names = [{"segment": [0.1, 0.5], "label": f"action {label}", "label_id": label} for label in range(3)]
    videos = {
        "a": video | {"subset": "training", "annotations": names},
        "b": video | {"subset": "test", "annotations": []},
    }
    write_annotations(tmp_path / "data", videos)
    return tmp_path / "run"


@pytest.fixture
def film_run(tmp_path):
    """Makes a run on a film's features by a backbone."""

    def make(backbone):
        features = tmp_path / "data" / "tiny" / "features"
        write_film(tmp_path / "old" / "a.mp4", [0.4])
        assert main(["features", str(tmp_path / "old"), "--out", str(features), "--backbone", backbone]) == 0
        settings = json.loads((features / "film.json").read_text())
        return write_media_run(tmp_path, settings, settings["fps"])

    (tmp_path / "old").mkdir()
    return make


@pytest.mark.parametrize("kind", ["videomae", "dinov2"])
def test_a_film_gets_its_detections_as_a_table_and_drawn_in(tmp_path, film_run, kind, capsys):
    save_model(tmp_path / "model", kind)
    run, film, drawn = film_run(str(tmp_path / "model")), tmp_path / "neu ü.mp4", tmp_path / "drawn.mp4"
    write_film(film, [0.4, 1.4], length_sec=3.0, rotation=-90)
    arguments = ["predict", str(run), str(film), "--overlay", str(drawn), "--min-score", "0.1"]
    assert main(arguments) == 0
    table = pd.read_csv(run / "predicted" / next(path.name for path in (run / "predicted").glob("*.csv")))
    assert len(table) and table["end_sec"].max() <= 3.0
    features = tmp_path / "features"
    assert main(["features", str(film), "--out", str(features), "--backbone", str(tmp_path / "model")]) == 0
    assert main(["predict", str(run), str(features), "--out", str(tmp_path / "p"), "--min-score", "0.1"]) == 0
    of_features = pd.read_csv(next((tmp_path / "p").glob("*.csv")))
    pd.testing.assert_frame_equal(table, of_features)
    with av.open(str(drawn)) as container:
        frames = list(container.decode(video=0))
    assert len(frames) == 75 and (frames[0].width, frames[0].height) == (48, 64)
    assert main(arguments) == 0, "again, with what is there"
    capsys.readouterr()


def test_detections_are_drawn_where_they_are(tmp_path):
    film, drawn = tmp_path / "film.mkv", tmp_path / "drawn.mkv"
    write_film(film, picture=lambda _: np.zeros((48, 64, 3), np.uint8), times_sec=[0, 0.5, 0.52, 0.9, 1.0, 1.9])
    rows = pd.DataFrame([(0.5, 1.0, 0, 0.9)], columns=["start_sec", "end_sec", "label", "score"])
    write_overlay(drawn, film, rows, {0: "跳 jump"})
    with av.open(str(drawn)) as container:
        frames = [(frame.time, frame.to_ndarray(format="rgb24")) for frame in container.decode(video=0)]
    assert [round(time, 2) for time, _ in frames] == [0, 0.5, 0.52, 0.9, 1.0, 1.9]
    assert [bool(picture[:12, :30].max() > 150) for _, picture in frames] == [False, True, True, True, False, False]
    bar = frames[4][1][-3:-1].max(axis=(0, 2)) > 120
    assert bar[20:28].all() and not bar[:12].any() and not bar[44:].any(), "0.5 to 1.0 of 1.9 s, and the cursor"


def test_sound_is_predicted_from_the_file(tmp_path, capsys):
    write_wave(tmp_path / "a.wav", [0.5], length_sec=4.0)
    features = tmp_path / "data" / "tiny" / "features"
    assert main(["features", str(tmp_path / "a.wav"), "--sound", "--bands", "4", "--out", str(features)]) == 0
    settings = json.loads((features / "sound.json").read_text())
    run = write_media_run(tmp_path, settings, settings["fps"])
    for place, out in ((tmp_path / "a.wav", "of_sound"), (features / "a.npy", "of_features")):
        assert main(["predict", str(run), str(place), "--min-score", "0.1", "--out", str(tmp_path / out)]) == 0
    ours = (tmp_path / "of_sound" / "a.csv").read_text()
    assert ours == (tmp_path / "of_features" / "a.csv").read_text() and len(ours.splitlines()) > 1
    write_wave(tmp_path / "low.wav", [0.5], length_sec=4.0, rate_hz=8000)
    assert "low.wav" not in capsys.readouterr().out
    assert main(["predict", str(run), str(tmp_path / "low.wav")]) == 0
    assert (
        "low.wav has 8000 samples a second, so nothing above 4000 Hz, up to 16000 of which" in capsys.readouterr().out
    )


def test_what_does_not_fit_the_run_is_one_sentence(tmp_path, film_run, capsys):
    save_model(tmp_path / "model", "videomae")
    run, film = film_run(str(tmp_path / "model")), tmp_path / "new.mp4"
    write_film(film)

    def refused(*arguments):
        assert main(["predict", str(run), *map(str, arguments)]) == 2
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1
        return said

    assert "--overlay takes one film, and 2 recordings" in refused(
        film, tmp_path / "old" / "a.mp4", "--overlay", "x.mp4"
    )
    assert "is the film itself; give --overlay another name" in refused(film, "--overlay", film)
    assert "ends in .mp4, .mkv, .mov, not x.gif; name it so" in refused(film, "--overlay", "x.gif")
    (tmp_path / "empty.mp4").write_bytes(b"")
    assert "empty.mp4 is empty; copy it anew" in refused(tmp_path / "empty.mp4")
    assert "and 25 frames per second, the run of 16, 2, 4 and 30; give features" in refused(film, "--fps", "30")
    settings = tmp_path / "data" / "tiny" / "features" / "film.json"
    content = json.loads(settings.read_text())
    settings.write_text(json.dumps(content | {"width": 17}))
    assert "is of features with 17 numbers, a stride of 2, clips of 4 frames and 25 frames per second" in refused(film)
    settings.write_text(json.dumps(content | {"weights": "0" * 64}))
    assert "has other weights than when" in refused(film)
    settings.write_text("{}")
    assert "film.json does not say how features are made; write the features again" in refused(film)
    settings.unlink()
    assert "stands in film.json or sound.json in" in refused(film)


def test_a_function_of_ones_own_runs_only_if_it_is_named_again(tmp_path, film_run, monkeypatch, capsys):
    (tmp_path / "strange.py").write_text(
        "from pathlib import Path\nPath('called').touch()\n"
        "def vectors(clips):\n    return clips.reshape(len(clips), -1)[:, :7] / 255\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    run = film_run("strange:vectors")
    (tmp_path / "called").unlink()
    sys.modules.pop("strange")
    film = str(tmp_path / "old" / "a.mp4")
    assert main(["predict", str(run), film]) == 2
    assert "if you trust it, name it: --backbone strange:vectors" in capsys.readouterr().err
    assert not (tmp_path / "called").exists()
    assert main(["predict", str(run), film, "--backbone", "strange:vectors"]) == 0
    assert (tmp_path / "called").exists()
