"""Predictions on new recordings: the same as in an evaluation, restartable, and what is wrong with a file is told."""

import hashlib
import json
import math
import re
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
from run_folders import change_json, write_trained
from safetensors.torch import load_file, save_file
from tiny_data import CHANNELS, FPS, NUM_FRAMES, STRIDE, change_video, tiny_recipe, write_tiny_data

from afkit.__main__ import main
from afkit.config import make_recipe
from afkit.data.items import Dataset
from afkit.detect import prediction
from afkit.detect.prediction import predict_dataset
from afkit.files import locked, write_json
from afkit.model.actionformer import build_model
from afkit.model.checkpoints import load_weights, save_weights
from afkit.workbench import progress
from afkit.workbench.analysis.operating_point import apply_thresholds
from afkit.workbench.analysis.result_files import read_predictions
from afkit.workbench.datasets import hapt, watch
from afkit.workbench.own_data.signal_files import write_windows
from afkit.workbench.own_data.signals import raw_windows
from afkit.workbench.runs import predicting
from afkit.workbench.runs.new_recordings import Recording, find_recordings
from afkit.workbench.runs.predicting import LOG, predict_recordings

NAMES = {label: f"action {label}" for label in range(3)}
RECIPE = tiny_recipe(model__class_prior=0.3)


@pytest.fixture
def root(tmp_path):
    """A data root with the tiny data set, of 1 + 5 videos."""
    write_tiny_data(tmp_path / "data", training=1, test=5)
    return tmp_path / "data"


@pytest.fixture
def run(tmp_path, root):
    return write_trained(tmp_path / "run", root, RECIPE)


@pytest.fixture
def new(root):
    """The folder of new recordings: those of the test subset."""
    (root / "tiny" / "features" / "video0.npy").unlink()
    return root / "tiny" / "features"


@pytest.fixture
def go(run):
    """Predicts with the run and gives what was said."""

    def go(*places, **options):
        said = []
        go.folder = predict_recordings(run, places, say=said.append, **options)
        return said

    return go


def evaluated(run, root, recipe, weights="ema"):
    """What 03_eval predicts for the test subset."""
    model = build_model(recipe)
    load_weights(model, run / "checkpoints" / f"{weights}.safetensors", weights)
    return predict_dataset(model, recipe, Dataset(recipe.data, root, ["test"]))


def read_tables(folder):
    return pd.concat([pd.read_csv(path) for path in sorted(folder.glob("*.csv"))], ignore_index=True)


def same(found, expected):
    """Whether a table holds the expected detections, to the millisecond; each is found by its time."""
    assert len(found) == len(expected) > 0
    times = ["start_sec", "end_sec", "score"]
    found, expected = (
        table.round(dict.fromkeys(times, 3)).sort_values(["video", "label", *times]) for table in (found, expected)
    )
    assert found[["video", "label"]].to_numpy().tolist() == expected[["video", "label"]].to_numpy().tolist()
    np.testing.assert_allclose(found[times].to_numpy(float), expected[times], rtol=0, atol=1.1e-3)


# ---- what is written


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_the_detections_are_those_of_an_evaluation(run, root, new, go, weights):
    expected = apply_thresholds(evaluated(run, root, RECIPE, weights), 0.35)
    said = go(new, min_score=0.35, weights=weights)
    assert go.folder == run / "predicted"
    found = read_tables(go.folder)
    same(found, expected)
    assert found["name"].tolist() == [NAMES[label] for label in found["label"]]
    about = f"weights '{weights}', 10 frames per second, kept: scores from 0.35"
    assert said == [about, f"5 recordings predicted, {len(expected)} detections"]


@pytest.mark.parametrize(
    ("form", "beginning"), [("srt", "1\n00:"), ("vtt", "WEBVTT\n\n00:"), ("elan", "action "), ("json", "{")]
)
def test_every_format_has_a_file_for_every_recording(run, root, new, go, tmp_path, form, beginning):
    go(new, form=form, out=tmp_path / "out", min_score=0.3)
    ending = "txt" if form == "elan" else form
    assert sorted(path.name for path in go.folder.iterdir()) == sorted(
        [LOG, *(f"video{number}.{ending}" for number in range(1, 6))]
    )
    assert (go.folder / f"video3.{ending}").read_text().startswith(beginning)
    if form == "json":
        expected = apply_thresholds(evaluated(run, root, RECIPE), 0.3)
        same(read_predictions(go.folder / "video3.json", NAMES), expected[expected["video"] == "video3"])
    go(new / "video1.npy", form=form, out=go.folder, min_score=1)
    text = (go.folder / f"video1.{ending}").read_text()
    assert text in ("", "WEBVTT\n") or json.loads(text)["results"] == {"video1": []}, "nothing is found, and said so"


def test_thresholds_are_those_that_the_evaluation_chose_for_these_weights(run, root, new, go):
    point = {"by_class": {"action 0": {"threshold": 0.4}, "action 1": {"threshold": None}}}
    write_json(run / "eval.json", {"weights": "ema", "operating_point": point | {"one_threshold": {"threshold": 0.3}}})
    said = go(new)
    assert said[0].endswith("kept: scores from 0.30 to 0.40, by class, as 03_eval chose")
    same(read_tables(go.folder), apply_thresholds(evaluated(run, root, RECIPE), {0: 0.4, 1: np.inf, 2: 0.3}))
    change_json(run / "eval.json", weights_sha256="0" * 64)
    assert "kept: scores from 0.2 (03_eval has chosen no thresholds" in go(new)[0], "of weights that were there before"
    digest = hashlib.sha256((run / "checkpoints" / "ema.safetensors").read_bytes()).hexdigest()
    change_json(run / "eval.json", weights_sha256=digest)
    assert "kept: scores from 0.30 to 0.40" in go(new)[0]
    said = go(new, weights="raw")
    assert "kept: scores from 0.2 (03_eval has chosen no thresholds for these weights)" in said[0]
    same(read_tables(go.folder), apply_thresholds(evaluated(run, root, RECIPE, "raw"), 0.2))


def test_a_score_that_was_chosen_as_threshold_is_kept_where_it_rounds_otherwise(run, root, new, go):
    best = evaluated(run, root, RECIPE)["score"].max()
    for threshold, kept in ((best + 5e-6, True), (best + 5e-5, False)):
        point = {"by_class": {}, "one_threshold": {"threshold": threshold}}
        write_json(run / "eval.json", {"weights": "ema", "operating_point": point})
        go(new)
        assert (len(read_tables(go.folder)) > 0) is kept


def test_detections_end_with_the_features_at_the_recipes_the_data_sets_or_the_given_frame_rate(new, go, run, root):
    path = run / "checkpoints" / "ema.safetensors"
    state = load_file(path)
    state["reg_head.offset_head.conv.bias"] += 9  # nearly every segment would reach beyond the recording
    save_file(state, path, {"weights": "ema"})
    steps = len(np.load(new / "video1.npy"))
    for fps in (FPS, 20):
        go(new / "video1.npy", min_score=0, **{} if fps == FPS else {"fps": fps})
        found = read_tables(go.folder)
        assert found["start_sec"].min() == 0
        assert found["end_sec"].max() == pytest.approx(((steps - 1) * STRIDE + NUM_FRAMES) / fps)
    change_video(root, "video2", fps=25.0)
    with pytest.raises(ValueError, match=r"annotations\.json have several frame rates; give yours with --fps"):
        go(new / "video1.npy")


def test_more_detections_than_a_recording_may_have_are_told(tmp_path, root, new):
    run, said = write_trained(tmp_path / "few", root, tiny_recipe(model__class_prior=0.3, decode__max_segments=5)), []
    predict_recordings(run, [new / "video1.npy"], min_score=0.2, say=said.append)
    assert said[1] == (
        "video1: the best 5 detections are kept (decode.max_segments), and more may reach the lowest score; raise "
        "--min-score, or cut the recording into parts"
    )


def test_long_recordings_go_through_in_windows_with_the_same_result(monkeypatch, new, go):
    features = np.random.default_rng(1).normal(size=(1000, CHANNELS)).astype(np.float32)
    np.save(new / "long.npy", features)
    go(new / "long.npy", min_score=0.2)
    whole = read_tables(go.folder)
    sizes = []
    real = predicting.detect_in_windows
    monkeypatch.setattr(predicting, "detect_in_windows", lambda *a: sizes.append(a[3]) or real(*a))
    monkeypatch.setattr(prediction, "WHOLE_STEPS", 100)
    go(new / "long.npy", min_score=0.21)
    go(new / "long.npy", min_score=0.2)
    assert sizes == [100 if prediction.receptive_field(RECIPE) <= 50 else sizes[0]] * 2 and sizes[0] < 1000
    same(read_tables(go.folder), whole)


# ---- again


def test_what_is_missing_or_has_changed_is_predicted_again(new, go):
    go(new)
    before = {path: path.stat().st_mtime_ns for path in go.folder.glob("*.csv")}
    left = "5 of 5 recordings are there already: left as they are"
    assert go(new)[1:] == [left, "0 recordings predicted, 0 detections"]
    assert {path: path.stat().st_mtime_ns for path in go.folder.glob("*.csv")} == before
    (go.folder / "video2.csv").unlink()
    np.save(new / "video4.npy", np.load(new / "video4.npy")[:20])
    np.save(new / "video9.npy", np.load(new / "video1.npy"))
    said = go(new)
    written = {path.name for path in go.folder.glob("*.csv") if before.get(path) != path.stat().st_mtime_ns}
    assert written == {"video2.csv", "video4.csv", "video9.csv"}
    assert said[1].startswith("3 of 6 recordings are there already")
    assert said[2] == "2 recordings were predicted from other files or with other settings: predicted again"
    assert said[3].startswith("3 recordings predicted")


def test_the_samples_beside_the_header_of_a_record_are_looked_at_too(tmp_path):
    header, samples = tmp_path / "walk [1].hea", tmp_path / "walk [1].dat"
    samples.write_bytes(b"1")

    def key():
        return predicting._key(SimpleNamespace(settings="some"), Recording("walk", [header], ["walk"]), "csv")

    before = key()
    samples.write_bytes(b"12")
    assert key() != before


def test_other_settings_weights_or_a_log_of_something_else_are_noticed(new, go, run):
    go(new / "video1.npy")
    again = "1 recordings were predicted from other files or with other settings: predicted again"
    for options in ({"min_score": 0.5}, {"fps": 20}, {"weights": "raw"}):
        assert go(new / "video1.npy", **options)[1] == again
    save_weights(build_model(RECIPE), run / "checkpoints" / "raw.safetensors", "raw")
    assert go(new / "video1.npy", weights="raw")[1] == again
    log = go.folder / LOG
    entry = json.loads(log.read_text().splitlines()[-1])
    (go.folder.parent / entry["file"]).write_text("not what was predicted")
    (go.folder / entry["file"]).unlink()
    log.write_bytes(b"\xff\xfe\n" + json.dumps(entry | {"file": f"../{entry['file']}"}).encode() + b"\n")
    go(new / "video1.npy", weights="raw")
    assert (go.folder / entry["file"]).is_file(), "a file elsewhere counts for nothing"


def test_nothing_is_written_over_what_is_read_or_not_of_predict(new, go, run, tmp_path):
    rows = np.random.default_rng(0).normal(size=(30, CHANNELS))
    np.savetxt(tmp_path / "a.csv", rows, delimiter=",", fmt="%.6f")
    before = (tmp_path / "a.csv").read_bytes()
    with pytest.raises(ValueError, match=r"a\.csv is there, and not of predict; name another folder with --out"):
        go(tmp_path / "a.csv", out=tmp_path)
    assert (tmp_path / "a.csv").read_bytes() == before
    go(tmp_path / "a.csv", form="json", out=tmp_path)
    go(tmp_path / "a.csv", form="srt", out=tmp_path)
    said = go(tmp_path / "a.csv", form="json", out=tmp_path)
    assert said[1].startswith("1 of 1 recordings are there already"), "each form on its own"


def test_in_bf16_it_is_said_predicted_again_and_nearly_the_same(new, go, bf16_units):
    assert "bf16" not in go(new / "video1.npy", min_score=0)[0]
    exact = read_tables(go.folder)
    said = go(new / "video1.npy", min_score=0, precision="auto")
    assert said[0].endswith(", bf16") and "predicted again" in said[1]
    near = read_tables(go.folder)
    assert not near.equals(exact)
    assert near["score"].max() == pytest.approx(exact["score"].max(), rel=0.02)


def test_an_interruption_leaves_whole_files_and_a_second_start_goes_on(monkeypatch, new, go, run):
    real, seen = predicting.detect, []

    def stop_at_the_third(trained, recording, say):
        files = list((run / "predicted").glob("*.csv"))
        noted = [json.loads(line)["file"] for line in (run / "predicted" / LOG).read_text().splitlines()]
        assert set(noted) == {path.name for path in files}, "what is done is noted at once"
        seen.append(recording.name)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return real(trained, recording, say)

    monkeypatch.setattr(predicting, "detect", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        go(new)
    folder = run / "predicted"
    assert sorted(path.name for path in folder.iterdir()) == [LOG, "video1.csv", "video2.csv"]
    with (folder / LOG).open("a") as lines:
        lines.write('{"recording": "video3", "fi')  # as a power failure may leave it
    said = go(new)
    assert seen[3:] == ["video3", "video4", "video5"]
    assert said[1].startswith("2 of 5 recordings are there already")
    assert go(new)[1].startswith("5 of 5 recordings are there already"), "and the log has each once"
    entries = [json.loads(line) for line in (folder / LOG).read_text().splitlines()]
    assert [entry["recording"] for entry in entries] == [f"video{number}" for number in range(1, 6)]


def test_many_recordings_are_told_in_few_lines(monkeypatch, new, go):
    for number in range(20):
        np.save(new / f"copy{number}.npy", np.zeros((3, CHANNELS), np.float32))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: 0.0))
    assert len(go(new)) == 2
    clock = iter(range(0, 10000, 4))
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # four for each recording
    monkeypatch.setenv(progress.EVERY, "10")
    said = go(new, min_score=0.9)
    assert said[2] == "recordings: 1 of 25, 3 min left"
    assert 8 < len(said) < 13


# ---- what is wrong


def write_bad_files(folder):
    np.save(folder / "bad_width.npy", np.zeros((9, CHANNELS + 1)))
    np.save(folder / "bad_nan.npy", np.where(np.arange(54).reshape(9, 6) == 30, np.nan, 0))
    np.save(folder / "bad_empty.npy", np.zeros((0, CHANNELS)))
    np.save(folder / "bad_object.npy", np.array([[None]]), allow_pickle=True)
    (folder / "bad_text.csv").write_text("1,2,3,4,5,6\n1,2,3,nan,5,6\n")
    (folder / "bad_file.h5").write_bytes(b"")


MESSAGES = [
    r"bad_empty: .*bad_empty\.npy: features must be \(T, C\)",
    r"bad_file: .*bad_file\.h5 is not a readable",
    r"bad_nan: .*bad_nan\.npy: NaN or infinite at step 5; extract",
    r"bad_object: .*bad_object\.npy is not a readable",
    r"bad_text: .*bad_text\.csv .*row 2: 'nan' is no finite number",
    r"bad_width: .*bad_width\.npy has 7 numbers in a vector, recipe 'tiny' takes 6",
]


def test_bad_files_are_told_at_the_end_and_the_others_are_done(new, run, go):
    write_bad_files(new)
    with pytest.raises(ValueError) as caught:
        go(new)
    lines = str(caught.value).splitlines()
    assert lines[0] == "6 of 11 recordings cannot be predicted; the others are done:"
    for line, pattern in zip(lines[1:], MESSAGES, strict=True):
        assert re.match(pattern, line)
    assert sorted(path.stem for path in (run / "predicted").glob("*.csv")) == [f"video{i}" for i in range(1, 6)]
    with pytest.raises(ValueError, match=f"^{MESSAGES[-1]}$"):  # alone, it gives one sentence
        go(new / "bad_width.npy")
    for path in new.glob("bad_*"):
        path.unlink()
    assert go(new)[1].startswith("5 of 5 recordings are there already")
    for number in range(30):
        np.save(new / f"bad{number}.npy", np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"30 of 35 recordings") as caught:
        go(new)
    assert str(caught.value).splitlines()[-1] == "... and 10 more"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"form": "cvs"}, "there is no format 'cvs'; did you mean 'csv'?"),
        ({"weights": "best"}, "weights must be 'ema' or 'raw', not 'best'"),
        *(({"min_score": score}, f"the lowest score is {score}; give a number from 0 to 1") for score in (2, math.nan)),
        *(({"fps": fps}, f"the frame rate is {fps}; give a number above 0") for fps in (0, math.inf)),
        ({"signal": True}, r"signals\.json does not exist, so nothing says how the features of recipe 'tiny'"),
        ({"data_root": "/nowhere"}, r"/nowhere/tiny/annotations\.json does not exist; name the folder of the run's"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(new, run, go, options, message):
    with pytest.raises(ValueError, match=message):
        go(new, **options)
    assert not (run / "predicted").exists()


def test_a_run_without_weights_and_a_folder_without_a_run(tmp_path, new, run, go):
    (run / "checkpoints" / "raw.safetensors").unlink()
    with pytest.raises(ValueError, match=r"raw\.safetensors does not exist; train the run first"):
        go(new, weights="raw")
    (run / "checkpoints" / "ema.safetensors").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"ema\.safetensors is not a readable safetensors file"):
        go(new)
    with pytest.raises(ValueError, match="is not one run but holds 1; name one of them"):
        predict_recordings(tmp_path, [new])


def test_features_of_fixed_length_need_a_duration_and_segments_without_classes_are_actions(tmp_path, root, new):
    run = write_trained(tmp_path / "fixed", root, tiny_recipe(data__stride_frames=-1))
    with pytest.raises(ValueError, match=r"recipe 'tiny' has features of fixed length.* use afkit\.predict"):
        predict_recordings(run, [new])
    run = write_trained(tmp_path / "one", root, tiny_recipe(model__class_prior=0.3, data__num_classes=1))
    predict_recordings(run, [new / "video1.npy"], min_score=0, say=lambda line: None)
    assert set(pd.read_csv(run / "predicted" / "video1.csv")["name"]) == {"action"}


def test_a_folder_that_cannot_be_written_to_or_is_in_use_is_left_alone(tmp_path, new, go, run, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for out in ("file", "file/below"):
        with pytest.raises(ValueError, match=r"file.* cannot be written to \(.*\); name another folder with --out"):
            go(new, out=tmp_path / out)
    assert (tmp_path / "file").read_text() == "mine"
    monkeypatch.setattr(predicting, "locked", lambda path: locked(path, 0))
    with locked(run / "predicted" / ".lock"), pytest.raises(ValueError, match="is in use by process"):
        go(new)


# ---- which recordings


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(b"")


def names_of(*places, parts=1, prefix=""):
    suffixes = (".npy", ".h5", ".csv")
    return [(r.name, [path.name for path in r.paths]) for r in find_recordings(places, parts, suffixes, prefix)]


def test_files_folders_and_repetitions(tmp_path):
    touch(tmp_path, "b/y.npy", "b/x.csv", "b/.z.npy", "b/notes.md", "a.npy", "v_x.npy", "y.csv")
    found = names_of(tmp_path / "a.npy", tmp_path / "b", tmp_path / "b" / "x.csv")
    assert found == [("a", ["a.npy"]), ("x", ["x.csv"]), ("y", ["y.npy"])]
    assert names_of(tmp_path / "v_x.npy", prefix="v_") == [("x", ["v_x.npy"])]
    (tmp_path / "empty").mkdir()
    for place, message in (("nothing", "does not exist"), ("empty", "holds, no file"), ("b/notes.md", "is, or")):
        with pytest.raises(ValueError, match=f"{place}.* {message}"):
            names_of(tmp_path / place)
    with pytest.raises(ValueError, match=r"b/y\.npy and .*y\.csv are both of a recording 'y'; rename one"):
        names_of(tmp_path / "b", tmp_path / "y.csv")


@pytest.mark.parametrize("arrays", [["only"], ["feats", "times"], ["x", "y"]])
def test_hdf5_files_of_one_and_of_many_recordings(tmp_path, new, go, run, arrays):
    features = np.load(new / "video1.npy")
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for array in arrays:
            file[array] = features if array != "times" else np.arange(3)
    go(tmp_path / "all.h5", new / "video1.npy", min_score=0.3)
    found = sorted(path.stem for path in go.folder.glob("*.csv"))
    assert found == (["video1", "x", "y"] if arrays == ["x", "y"] else ["all", "video1"])
    tables = [pd.read_csv(go.folder / f"{name}.csv").drop(columns="video") for name in found]
    assert all(table.equals(tables[0]) for table in tables) and len(tables[0])


def test_a_recipe_of_two_feature_folders(tmp_path, root, new):
    for part, columns in (("one", slice(0, 4)), ("two", slice(4, 6))):
        (root / "tiny" / part).mkdir()
        for path in new.glob("*.npy"):
            np.save(root / "tiny" / part / path.name, np.load(path)[:, columns])
    folders = ["tiny/one", "tiny/two"]
    recipe = tiny_recipe(model__class_prior=0.3, data__features=folders, data__input_dims=[4, 2])
    run = write_trained(tmp_path / "both", root, recipe)
    predict_recordings(run, [root / folder for folder in folders], min_score=0.3, say=lambda line: None)
    same(read_tables(run / "predicted"), apply_thresholds(evaluated(run, root, recipe), 0.3))
    one, two = (root / folder for folder in folders)
    predict_recordings(run, [two, one], min_score=0.3, out=tmp_path / "swapped", say=lambda line: None)
    assert read_tables(tmp_path / "swapped").equals(read_tables(run / "predicted")), "by the names of the folders"
    (two / "video2.npy").unlink()
    with pytest.raises(ValueError, match=r"1 of 5 recordings.*\nvideo2: .*two/video2\.npy does not exist"):
        predict_recordings(run, [one, two], say=lambda line: None)
    assert names_of(one / "video1.npy", two / "video3.npy", parts=2) == [("video1", ["video1.npy", "video3.npy"])]
    with pytest.raises(ValueError, match="a recording has 2 parts, and 1 files or folders are given; give 2"):
        names_of(one, parts=2)
    with pytest.raises(ValueError, match=r"b\.npy has 2 numbers in a vector, recipe 'tiny' takes 4"):
        predict_recordings(run, [(two / "video1.npy").rename(tmp_path / "b.npy"), one / "video1.npy"], say=print)


def test_half_of_the_channels_as_in_the_training_and_no_thresholds_of_joined_scores(tmp_path, root, new):
    for path in new.glob("*.npy"):
        np.save(path, np.pad(np.load(path), ((0, 0), (0, CHANNELS)), constant_values=9))
    overrides = {"data__half_channels": True, "decode__score_file": "scores.json"}
    recipe, said = tiny_recipe(model__class_prior=0.3, **overrides), []
    run = write_trained(tmp_path / "half", root, recipe)
    point = {"by_class": {}, "one_threshold": {"threshold": 0.9}}
    write_json(run / "eval.json", {"weights": "ema", "operating_point": point})
    predict_recordings(run, [new], say=said.append)
    assert said[0].endswith("scores from 0.2 (03_eval chose for scores joined with those of decode.score_file)")
    same(read_tables(run / "predicted"), apply_thresholds(evaluated(run, root, recipe), 0.2))


# ---- samples of sensors


def trained_on(tmp_path, annotations, features, width, stride=25, window=50, **data):
    """A run of a recipe for sensors, with its annotation file."""
    grid = {"stride_frames": stride, "num_frames": window, "max_seq_len": 64, "fps": 50, "num_classes": 1}
    data = {"annotations": annotations, "features": features, "input_dims": [width]} | grid | data
    model = tiny_recipe(model__class_prior=0.3).model_dump(mode="json")["model"]
    labelled = {"segment": [0, 1], "label": "walk", "label_id": 0}
    write_json(tmp_path / "data" / annotations, {"database": {"a": {"subset": "x", "annotations": [labelled]}}})
    recipe = make_recipe({"name": "sensors", "data": data, "model": model})
    return write_trained(tmp_path / "run", tmp_path / "data", recipe)


def predicted(run, *places, **options):
    predict_recordings(run, places, min_score=0.2, say=lambda line: None, **options)
    table = read_tables(run / "predicted")
    assert len(table)
    return table


def test_samples_of_hapt_and_of_the_watch_become_the_features_of_the_training(tmp_path):
    run = trained_on(tmp_path / "hapt", "hapt/annotations/hapt.json", ["hapt/acceleration"], 150)
    signal = np.random.default_rng(0).normal(size=(400, 3)).round(6)
    np.savetxt(tmp_path / "acc.txt", signal, "%.6f")
    np.save(tmp_path / "acc.npy", raw_windows(signal, hapt.WINDOW_SAMPLES, hapt.STEP_SAMPLES).astype(np.float32))
    by_features = predicted(run, tmp_path / "acc.npy")
    assert predicted(run, tmp_path / "acc.txt", signal=True).equals(by_features)
    run = trained_on(tmp_path, watch.ANNOTATIONS, ["watch/features"], 30)
    signal = np.random.default_rng(0).normal(size=(400, 6))
    for side in ("side0", "side1"):
        np.save(tmp_path / f"new_{side}.npy", signal)
        (tmp_path / "features").mkdir(exist_ok=True)
        np.save(tmp_path / "features" / f"new_{side}.npy", watch.timeline_features(signal, f"new_{side}"))
    by_features = predicted(run, tmp_path / "features")
    found = predicted(run, tmp_path / "new_side0.npy", tmp_path / "new_side1.npy", signal=True)
    assert found.equals(by_features)
    np.save(tmp_path / "new.npy", signal)
    np.save(tmp_path / "five_side0.npy", signal[:, :5])
    for name, message in (("new", "must end in side0 or side1"), ("five_side0", "rows of 6 finite numbers")):
        with pytest.raises(ValueError, match=message):
            predicted(run, tmp_path / f"{name}.npy", signal=True)
    rows = np.column_stack([np.arange(400) / 100, signal])
    np.savetxt(tmp_path / "fast_side0.csv", rows, delimiter=",", header="time_s,a,b,c,d,e,f", comments="")
    with pytest.raises(ValueError, match="by its clock 'time_s' it has 100 samples a second, not 50"):
        predicted(run, tmp_path / "fast_side0.csv", signal=True)


def test_samples_of_own_sensors_are_treated_as_in_the_training(tmp_path, capsys):
    draws, sensors = np.random.default_rng(0), [tmp_path / "raw" / "acc", tmp_path / "raw" / "gyro"]
    for folder, samples in zip(sensors, (500, 200), strict=True):
        folder.mkdir(parents=True)
        np.savetxt(folder / "new.csv", draws.normal(size=(samples, 2)), delimiter=",", header="x,y", comments="")
    features = tmp_path / "data" / "mine" / "features"
    write_windows(sensors, [50, 20], features, 50, 25, normalise="recording", say=lambda line: None)
    run = trained_on(tmp_path, "mine/mine.json", ["mine/features"], 200)
    by_features = predicted(run, features / "new.npy")
    assert predicted(run, *sensors, signal=True).equals(by_features)
    assert predicted(run, *(folder / "new.csv" for folder in sensors), signal=True).equals(by_features)
    assert predicted(run, *sensors[::-1], signal=True).equals(by_features), "by the names of the folders"
    with pytest.raises(ValueError, match="samples of recipe 'sensors' come 50 times a second, not 100"):
        predicted(run, *sensors, signal=True, fps=100)
    (sensors[1] / "new.csv").write_text("1,2,3\n" * 200)
    with pytest.raises(ValueError, match=r"gyro/new\.csv has 3 channels, that sensor has 2 elsewhere"):
        predicted(run, *sensors, signal=True)
    (sensors[1] / "new.csv").write_text("1,2\n1,\n" * 100)
    with pytest.raises(ValueError, match=r"gyro/new\.csv', sample 1: NaN or infinite \(100 such samples\)"):
        predicted(run, *sensors, signal=True)
    capsys.readouterr()
    assert len(predicted(run, *sensors, signal=True, fix=True))
    assert "sample 1: NaN or infinite (100 such samples): bridged by straight lines" in capsys.readouterr().out
    rows = draws.normal(size=(500, 2))
    np.savetxt(sensors[0] / "new.csv", np.column_stack([3600 + np.arange(500) / 50, rows]), header="time_s x y")
    predicted(run, *sensors, signal=True, fix=True)
    assert "time 0 of new is 3600 s of its clock 'time_s'" in capsys.readouterr().out


def test_sensors_in_one_folder_are_paired_by_their_names_and_gaps_say_nothing(tmp_path):
    draws, raw = np.random.default_rng(0), tmp_path / "raw[1]"
    raw.mkdir()
    for end, hz in (("sp", 50), ("sw", 25)):
        for name in ("s1_1", "s1_2"):
            rows = np.column_stack([np.arange(20 * hz) / hz, draws.normal(size=20 * hz)])
            np.savetxt(raw / f"{name}_{end}.csv", rows, delimiter=",", header="time,x", comments="")
    features = tmp_path / "data" / "mine" / "features"
    write_windows([raw.parent / f"raw?1?/*_{end}.csv" for end in ("sp", "sw")], [None] * 2, features, 50, 25, say=print)
    run = trained_on(tmp_path, "mine/mine.json", ["mine/features"], 100)
    by_features = predicted(run, features / "s1_1.npy", features / "s1_2.npy")
    assert predicted(run, raw, signal=True).equals(by_features)

    lines = (raw / "s1_1_sp.csv").read_text().splitlines()
    (raw / "s1_1_sp.csv").write_text("\n".join(lines[:101] + lines[500:]))
    (raw / "s1_2_sw.csv").unlink()
    said: list[str] = []
    with pytest.raises(ValueError, match=r"s1_2: .*raw\[1\]/s1_2_sw\.csv does not exist"):
        predict_recordings(run, [raw], min_score=0.2, signal=True, say=said.append)
    assert "s1_1: nothing can be said from 1.44 to 10.52 s, since the clock has gaps there" in said
    left = read_tables(run / "predicted")
    left = left[left["video"] == "s1_1"]
    assert len(left) and not ((left["start_sec"] >= 1.44) & (left["end_sec"] <= 10.52)).any()
    (raw / "s1_2_sp.csv").unlink()
    predict_recordings(run, [raw], out=tmp_path / "one", min_score=0.2, signal=True, say=said.append)
    assert set(read_tables(tmp_path / "one")["video"]) == {"s1_1"}


@pytest.mark.parametrize(
    ("change", "message"),
    [({"stride": 10}, "a stride of 10 and a window of 50 samples"), ({"sensors": 3}, "does not say how features are")],
)
def test_a_record_that_does_not_fit_the_recipe_is_refused(tmp_path, change, message):
    run = trained_on(tmp_path, "mine/mine.json", ["mine/features"], 50)
    record = {"sensors": [{"name": "a", "rate_hz": 50.0, "channels": 1}], "window": 50, "stride": 25, "rate_hz": 50.0}
    write_json(tmp_path / "data" / "mine" / "features" / "signals.json", record | change)
    with pytest.raises(ValueError, match=message):
        predicted(run, tmp_path, signal=True)


# ---- the command


def test_the_command_tells_where_the_files_are_or_what_is_wrong(new, run, tmp_path, capsys):
    command = ["predict", str(run), str(new), "--out", str(tmp_path / "out"), "--format", "vtt"]
    assert main(command) == 0
    shown = capsys.readouterr()
    assert shown.out.splitlines()[-1] == str(tmp_path / "out") and shown.err == ""
    assert len(list((tmp_path / "out").glob("*.vtt"))) == 5
    write_bad_files(new)
    assert main(command) == 2
    assert "afkit: 6 of 11 recordings cannot be predicted; the others are done:" in capsys.readouterr().err
    assert main(["predict", str(tmp_path), str(new)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_table_is_by_time_to_the_millisecond_and_without_overlaps_if_wanted(new, go):
    go(new, min_score=0.0)
    plain = read_tables(go.folder)
    for _, rows in plain.groupby("video"):
        assert rows["start_sec"].is_monotonic_increasing
        times = rows[["start_sec", "end_sec"]].to_numpy()
        np.testing.assert_allclose(times, times.round(3), rtol=0, atol=1e-12)
    go(new, min_score=0.0, exclusive=True)
    alone = read_tables(go.folder)
    assert 0 < len(alone) < len(plain)
    for _, rows in alone.groupby("video"):
        assert (rows["start_sec"].to_numpy()[1:] >= rows["end_sec"].to_numpy()[:-1]).all()
