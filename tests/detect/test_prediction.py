"""From features to detections in seconds: the original's, and what the function promises beside."""

import numpy as np
import pandas as pd
import pytest
import torch
from golden_files import assert_same_detections
from tiny_data import read_database, tiny_recipe, write_annotations, write_tiny_data
from tiny_networks import parts
from watched import Watched

import afkit
from afkit.data.items import Dataset, Item
from afkit.detect.prediction import COLUMNS, detect_items, predict, predict_dataset
from afkit.model.actionformer import build_model
from afkit.segments import sec_to_grid
from afkit.workbench.analysis.score_curves import score_curves


def test_detections_equal_the_original(config):
    model, recipe = config.model("state_dict_ema"), config.recipe
    for _, saved in config.cases():
        fps, duration, stride, num_frames = saved["meta"].tolist()
        expected = [saved[f"final_{name}"] for name in ("segments", "scores", "labels")]
        if recipe.data.resize:  # what is stored has been resized already
            item = Item("v", torch.from_numpy(saved["feats"]), None, None, fps, duration, stride, num_frames)
            found = detect_items(model, recipe, [item])
        else:
            assert (stride, num_frames) == (recipe.data.stride_frames, recipe.data.num_frames)
            found = afkit.predict(model, recipe, saved["feats"].T, fps=fps, duration=duration, video="v")
        assert_same_detections(parts(found), expected)
        assert (found["score"].diff().dropna() <= 0).all()


@pytest.fixture(scope="module")
def model():
    """A tiny network whose offsets and scores differ from point to point."""
    torch.manual_seed(0)
    model = build_model(tiny_recipe())
    for name, parameter in model.named_parameters():
        if "scale" in name or name.startswith(("cls_head.cls_head", "reg_head.offset_head")):
            torch.nn.init.normal_(parameter, 0.5, 0.5)
    return model


FEATURES = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)


def test_the_table(model):
    found = predict(model, tiny_recipe(), FEATURES, fps=10, duration=30.0, video="name")
    assert found.columns.tolist() == COLUMNS == ["video", "start_sec", "end_sec", "label", "score"]
    assert len(found) > 20
    assert set(found["video"]) == {"name"}
    assert [str(found[name].dtype) for name in COLUMNS[1:]] == ["float64", "float64", "int64", "float64"]
    assert found.index.tolist() == list(range(len(found)))
    assert (found["end_sec"] >= found["start_sec"]).all()
    nothing = predict(model, tiny_recipe(decode__duration_thresh=1e6), FEATURES, fps=10)
    assert len(nothing) == 0 and nothing.dtypes.tolist() == found.dtypes.tolist()


def test_clipping(model):
    found = predict(model, tiny_recipe(), FEATURES, fps=10)
    assert found["start_sec"].min() == 0
    assert found["end_sec"].max() > 20.4  # the features end at (49 * 4 + 8) / 10 s
    clipped = predict(model, tiny_recipe(), FEATURES, fps=10, duration=12.0)
    expected = found[["start_sec", "end_sec"]].clip(upper=np.float32(12.0))
    np.testing.assert_allclose(clipped[["start_sec", "end_sec"]], expected, rtol=1e-6)
    np.testing.assert_array_equal(clipped["score"], found["score"])


def test_times_follow_the_frame_rate(model):
    slow, fast = (predict(model, tiny_recipe(), FEATURES, fps=fps) for fps in (10, 20))
    np.testing.assert_allclose(slow["end_sec"], 2 * fast["end_sec"], rtol=1e-6)
    own = predict(model, tiny_recipe(data__fps=20), FEATURES)
    pd.testing.assert_frame_equal(own, fast)
    given = predict(model, tiny_recipe(data__fps=33), FEATURES, fps=20)
    pd.testing.assert_frame_equal(given, fast)


def test_the_model_is_put_into_evaluation_mode_and_the_input_stays(model):
    features = FEATURES.astype(np.float64)
    before = features.copy()
    first = predict(model.train(), tiny_recipe(), features, fps=10)
    assert not model.training
    pd.testing.assert_frame_equal(first, predict(model, tiny_recipe(), FEATURES.tolist(), fps=10))
    np.testing.assert_array_equal(features, before)


@pytest.mark.parametrize("steps", [1, 64, 65, 200])
@pytest.mark.parametrize("positions", [False, True])
def test_any_length(steps, positions):
    """Also where a table of positions must be stretched."""
    recipe = tiny_recipe(model__absolute_position=positions)
    features = np.random.default_rng(2).normal(size=(steps, 6)).astype(np.float32)
    found = predict(build_model(recipe), recipe, features, fps=10, duration=steps * 0.4 + 0.4)
    assert len(found) > 0
    assert np.isfinite(found[["start_sec", "end_sec", "score"]].to_numpy()).all()


def test_without_suppression_every_candidate_is_kept(model):
    recipe = tiny_recipe(decode__nms="none", decode__max_segments=3, decode__pre_nms_topk=2000)
    assert len(predict(model, recipe, FEATURES, fps=10)) > 100


def test_features_of_fixed_length_need_the_duration(model):
    recipe = tiny_recipe(data__stride_frames=-1)
    with pytest.raises(ValueError, match="recipe 'tiny' has features of fixed length; give the duration in seconds"):
        predict(model, recipe, FEATURES, fps=10)
    found = predict(model, recipe, FEATURES, fps=10, duration=40.0)
    stride = 40.0 * 10 / 50
    item = Item("v", torch.from_numpy(FEATURES.T.copy()), None, None, 10.0, 40.0, stride, stride)
    np.testing.assert_allclose(found["end_sec"], detect_items(model, recipe, [item])["end_sec"])


@pytest.mark.parametrize(
    ("features", "arguments", "message"),
    [
        *(
            (wrong, {"fps": 10}, r"features of 'video' must be \(T, 6\) for recipe 'tiny', not \(")
            for wrong in (FEATURES.T, FEATURES[0], FEATURES[:0], FEATURES[None])
        ),
        (FEATURES, {}, "recipe 'tiny' takes the frame rate from the data; give fps"),
        *((FEATURES, {"fps": fps}, "fps of 'video' must be") for fps in (0, -5, np.nan, np.inf, "25", [25])),
        (FEATURES, {"fps": 10, "duration": -1}, "duration of 'video' must be"),
    ],
)
def test_wrong_input_is_named(model, features, arguments, message):
    with pytest.raises(ValueError, match=message):
        predict(model, tiny_recipe(), features, **arguments)


# ---- a data set


def test_a_data_set_gives_what_its_recordings_give_alone(model, tmp_path):
    write_tiny_data(tmp_path)
    recipe, done = tiny_recipe(), []
    dataset = Dataset(recipe.data, tmp_path, ["training", "test"])
    found = predict_dataset(model, recipe, dataset, on_video=done.append)
    assert done == list(range(1, 9))
    assert found["video"].drop_duplicates().tolist() == [f"video{number}" for number in range(8)]
    assert found.index.tolist() == list(range(len(found)))
    for name, entry in read_database(tmp_path).items():
        features = np.load(tmp_path / f"tiny/features/{name}.npy")
        alone = predict(model, recipe, features, fps=entry["fps"], duration=entry["duration"], video=name)
        pd.testing.assert_frame_equal(found[found["video"] == name].reset_index(drop=True), alone)
    done.clear()
    batched = predict_dataset(model, recipe, dataset, done.append, batch_size=9, backend="torch")
    assert done == [8] and batched["video"].tolist() == found["video"].tolist()
    for name in set(found["video"]):
        assert_same_detections(*(parts(table[table["video"] == name]) for table in (batched, found)))


@pytest.mark.parametrize("window_steps", [0, 64])
def test_in_bf16_scores_and_times_are_nearly_those_of_float32(model, tmp_path, bf16_units, window_steps):
    write_tiny_data(tmp_path)
    recipe = tiny_recipe(decode__nms="none")  # every candidate, so that none is replaced by its neighbour
    dataset = Dataset(recipe.data, tmp_path, ["test"])
    exact, near = (
        predict_dataset(model, recipe, dataset, window_steps=window_steps, precision=precision).sort_values(
            ["video", "label", "start_sec"]
        )
        for precision in ("fp32", "auto")
    )
    assert abs(len(exact) - len(near)) <= 0.02 * len(exact)
    for column in ("start_sec", "end_sec", "score"):
        assert near[column].mean() == pytest.approx(exact[column].mean(), rel=0.01)
        assert not np.isin(near[column], exact[column]).all(), "it computed in float32"


def test_more_videos_without_features_than_allowed_are_an_error(model, tmp_path):
    write_tiny_data(tmp_path)
    (tmp_path / "tiny/features/video7.npy").unlink()
    with pytest.raises(ValueError, match=r"1 of 2 videos of test have no features"):
        predict_dataset(model, tiny_recipe(), Dataset(tiny_recipe().data, tmp_path, ["test"]))
    allowed = tiny_recipe(data__max_missing=0.5)
    found = predict_dataset(model, allowed, Dataset(allowed.data, tmp_path, ["test"]))
    assert set(found["video"]) == {"video6"}


def test_a_network_that_knows_the_answer_finds_every_action(tmp_path):
    """Outputs made from the annotations come back as them: grid and seconds fit together on the whole way."""
    write_tiny_data(tmp_path)
    database = read_database(tmp_path)
    actions = [{"segment": [2.0 + 5 * k, 5.0 + 5 * k], "label": f"action {k}", "label_id": k} for k in range(3)]
    database["video7"]["annotations"] = actions
    write_annotations(tmp_path, database)
    recipe = tiny_recipe(decode__nms="hard")
    dataset = Dataset(recipe.data, tmp_path, ["test"])
    item = dataset[1]

    class Oracle(torch.nn.Module):
        """Says at the point nearest to each action's centre what the annotation says."""

        def __init__(self):
            super().__init__()
            self.unused = torch.nn.Parameter(torch.zeros(1))

        def forward(self, features, mask):
            """The outputs of a tiny network."""
            out = build_model(recipe)(features, mask)
            logits = [torch.full_like(level, -20.0) for level in out.logits]
            offsets = [torch.zeros_like(level) for level in out.offsets]
            for action in actions:
                onset, end = (sec_to_grid(time, item.fps, item.stride, item.num_frames) for time in action["segment"])
                step = round((onset + end) / 4)  # on the level with stride 2
                logits[1][0, step, action["label_id"]] = 3.0 + action["label_id"]
                offsets[1][0, step] = torch.tensor([step - onset / 2, end / 2 - step])
            return out._replace(logits=logits, offsets=offsets)

    found = detect_items(Oracle(), recipe, [item])
    assert found["label"].tolist() == [2, 1, 0]
    expected = [action["segment"] for action in reversed(actions)]
    np.testing.assert_allclose(found[["start_sec", "end_sec"]], expected, atol=1e-5)


def test_a_batch_gives_what_its_videos_give_alone(model):
    """Also where they differ in length, number of detections, grid and duration."""
    recipe = tiny_recipe(decode__pre_nms_thresh=0.3, decode__max_segments=1000)
    random = np.random.default_rng(3)
    items = [
        Item(name, torch.from_numpy(random.normal(size=(6, steps)).astype(np.float32)) * size, None, None, *grid)
        for name, steps, size, grid in [
            ("long", 150, 1, (10.0, 50.0, 4.0, 8.0)),
            ("short", 20, 1, (30.0, 2.0, 4.0, 8.0)),
            ("other grid", 64, 1, (25.0, 1e9, 7.5, 16.0)),
        ]
    ]
    together = detect_items(model, recipe, items)
    alone = pd.concat([detect_items(model, recipe, [item]) for item in items], ignore_index=True)
    assert len(set(together.groupby("video").size())) == 3
    for item in items:  # soft NMS turns rounding into another order where scores nearly tie
        assert_same_detections(*(parts(table[table["video"] == item.video]) for table in (together, alone)))
    unlikely = tiny_recipe(decode__duration_thresh=1e6)
    assert len(detect_items(model, unlikely, items)) == 0


# ---- which features are taken


def changed(value, dtype=np.float64):
    """FEATURES with one other value in step 7."""
    features = FEATURES.astype(dtype)
    features[7, 2] = value
    return features


@pytest.mark.parametrize("window_steps", [0, 64])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, np.ndarray.tolist, pd.DataFrame, Watched])
def test_features_that_are_not_finite_are_refused(model, value, window_steps, kind):
    with pytest.raises(ValueError, match="features of 'v': NaN or infinite at step 7; extract it again"):
        predict(model, tiny_recipe(), kind(changed(value)), fps=10, video="v", window_steps=window_steps)


@pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy, np.ndarray.tolist, pd.DataFrame, Watched])
def test_features_that_are_no_real_numbers_are_refused(model, kind):
    wrong = [kind(changed(1j, np.complex64))]
    if kind in (np.asarray, Watched):
        texts = (object, str, "S8", "datetime64[s]", "timedelta64[s]", [("a", "f4")])
        wrong += [kind(FEATURES.astype(int).astype(dtype)) for dtype in texts]
    for features in wrong:
        with pytest.raises(ValueError, match=r"features of 'v' must be real numbers, not "):
            predict(model, tiny_recipe(), features, fps=10, video="v")


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint16", "int64", "float16", "float64", ">f4", "bfloat16"])
@pytest.mark.parametrize("kind", [np.asarray, Watched, torch.from_numpy])
def test_numbers_of_any_type_count_as_what_they_are(model, dtype, kind):
    features = (4 * FEATURES).astype(np.int8).clip(0)
    if kind is torch.from_numpy:
        dtype = getattr(torch, dtype.replace(">f4", "float32"))
        given = torch.from_numpy(features).to(dtype).requires_grad_(dtype.is_floating_point)
        features = given.detach().float().numpy()
    else:
        features = features.astype(dtype.replace("bfloat16", "float32"))
        given = kind(features)
    expected = predict(model, tiny_recipe(), features.astype(np.float32), fps=10)
    pd.testing.assert_frame_equal(predict(model, tiny_recipe(), given, fps=10), expected)


@pytest.mark.parametrize("window_steps", [0, 64])
def test_a_file_with_features_that_are_not_finite_is_named(model, tmp_path, window_steps):
    write_tiny_data(tmp_path)
    path = tmp_path / "tiny" / "features" / "video7.npy"
    features = np.load(path)
    features[11, 3] = np.nan
    np.save(path, features)
    dataset = Dataset(tiny_recipe().data, tmp_path, ["test"])
    with pytest.raises(ValueError, match=r"video7\.npy: NaN or infinite at step 11; extract it again"):
        predict_dataset(model, tiny_recipe(), dataset, window_steps=window_steps)
    with pytest.raises(ValueError, match=r"video7\.npy: NaN or infinite at step 11; extract it again"):
        score_curves(model, tiny_recipe(), dataset.unread(1))


@pytest.mark.parametrize("setting", [{"data__downsample": 3}, {"data__resize": True}])
def test_the_step_is_that_of_the_file(model, setting):
    features = changed(np.nan)
    features[9] = np.nan
    step = 9 if "data__downsample" in setting else 7  # of every third step, the others are not looked at
    with pytest.raises(ValueError, match=f"at step {step};"):
        predict(model, tiny_recipe(**setting), features, fps=10)


def test_an_item_that_was_read_is_looked_at_as_well(model, tmp_path):
    write_tiny_data(tmp_path)
    item = Dataset(tiny_recipe().data, tmp_path, ["test"])[0]
    item.features[2, 9] = torch.inf
    with pytest.raises(ValueError, match="features of 'video6': NaN or infinite at step 9; extract it again"):
        detect_items(model, tiny_recipe(), [item])
