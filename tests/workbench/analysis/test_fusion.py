"""Score fusion: the original's numbers, and score files that are read without anything of them being run."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import afkit
from afkit.workbench.analysis.fusion import classify, fuse_scores, num_labels, read_scores, uncovered_videos

GOLDEN = Path(__file__).parents[2] / "golden" / "fusion"
NAMES = {"video_id": "video", "t_start": "start_sec", "t_end": "end_sec", "label": "label", "score": "score"}


def golden_table(part):
    with np.load(GOLDEN / "fusion.npz") as arrays:
        return pd.DataFrame({NAMES[key]: arrays[f"{part}.{key}"] for key in NAMES})


def detections(scores, video="a"):
    count = len(scores)
    return pd.DataFrame(
        {"video": [video] * count, "start_sec": np.arange(count), "end_sec": np.arange(count) + 2.0, "score": scores}
    )


def as_json(folder, content):
    path = folder / "scores.json"
    path.write_text(json.dumps(content))
    return path


def as_pickle(folder, content, protocol=4):
    path = folder / "scores.pkl"
    path.write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=protocol))
    return path


@pytest.mark.parametrize("file", ["scores.json", "scores.pkl"])
@pytest.mark.parametrize(("part", "arguments"), [("default", {}), ("top3_num50", {"top_k": 3, "max_predictions": 50})])
def test_the_originals_rows_in_its_order(file, part, arguments):
    predictions, expected = golden_table("in"), golden_table(part)
    before = predictions.copy()
    fused = fuse_scores(predictions, GOLDEN / file, **arguments)
    assert fused["video"].tolist() == expected["video"].tolist()
    for column in ("start_sec", "end_sec", "label"):
        np.testing.assert_array_equal(fused[column], expected[column])
        assert fused[column].dtype == expected[column].dtype
    np.testing.assert_allclose(fused["score"], expected["score"], rtol=1e-12, atol=0)
    pd.testing.assert_frame_equal(predictions, before)


def test_a_case_by_hand():
    # the two best of 0.25, 0.81, 0.49 are 0.81 and 0.49; the two best classes are 2 (0.64) and 0 (0.36)
    fused = fuse_scores(detections([0.25, 0.81, 0.49]), {"a": np.array([0.36, 0.0, 0.64])}, max_predictions=2)
    assert fused["start_sec"].tolist() == [1, 2, 1, 2]
    assert fused["label"].tolist() == [2, 2, 0, 0]
    np.testing.assert_allclose(fused["score"], [0.8 * 0.9, 0.8 * 0.7, 0.6 * 0.9, 0.6 * 0.7])
    assert list(fused) == ["video", "start_sec", "end_sec", "label", "score"]
    assert fused.index.tolist() == [0, 1, 2, 3]
    nothing = fuse_scores(detections([]), {"a": [0.5, 0.5]})
    assert len(nothing) == 0 and nothing.dtypes[["label", "score"]].tolist() == [np.int64, np.float64]


def test_of_equal_scores_the_later_row_comes_first():
    fused = fuse_scores(detections([0.5] * 30), {"a": [0.25, 0.1] * 100}, top_k=1, max_predictions=3)
    assert fused["start_sec"].tolist() == [29, 28, 27]
    assert fused["label"].tolist() == [198, 198, 198]


def test_the_prefix_of_the_ids_may_differ():
    scores = {"v_one": [0.1, 0.9], "two": [0.9, 0.1], "v_three": [0.2, 0.1], "three": [0.1, 0.2]}
    predictions = pd.concat([detections([1.0], video) for video in ("one", "v_two", "three", "v_three")])
    fused = fuse_scores(predictions, scores, top_k=1)
    labels = dict(zip(fused["video"], fused["label"], strict=True))
    assert labels == {"one": 1, "v_two": 0, "three": 1, "v_three": 0}


def test_videos_that_are_not_covered_are_listed():
    predictions = pd.concat([detections([0.5], f"video{i}") for i in range(8)])
    scores = {"video3": np.array([0.5, 0.5])}
    assert uncovered_videos(predictions, scores) == [f"video{i}" for i in (0, 1, 2, 4, 5, 6, 7)]
    with pytest.raises(ValueError, match=r"7 of 8 videos \(video0, video1, video2, video4, video5, \.\.\.\)"):
        fuse_scores(predictions, scores)
    covered = predictions[~predictions["video"].isin(uncovered_videos(predictions, scores))]
    assert fuse_scores(covered, scores)["video"].unique().tolist() == ["video3"]


def python_2(dtype, text):
    """A pickle of protocol 2 as Python 2 wrote it: text strings where Python 3 has bytes."""
    return (
        b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR(K\x01K\x02\x85"
        b"cnumpy\ndtype\nU\x02" + dtype + b"K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U" + bytes([len(text)]) + text + b"tbs."
    )


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "|u1", "<i8"])
def test_pickles_of_every_protocol_are_read(tmp_path, protocol, dtype):
    base = np.arange(12).astype(dtype)
    content = {"whole": base, "part": base.reshape(6, 2)[:, :1].ravel()[::-1].repeat(2), "list": [0.5] * 12}
    scores = read_scores(as_pickle(tmp_path, content, protocol))
    for video in content:
        np.testing.assert_array_equal(scores[video], np.asarray(content[video], float))
        assert scores[video].dtype == np.float64


def test_the_spelling_of_older_numpy_and_python_is_read(tmp_path):
    content = pickle.dumps({"a": np.array([0.25, 0.75])}, protocol=2)
    older = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert older != content
    assert read_scores(as_pickle(tmp_path, older))["a"].tolist() == [0.25, 0.75]
    with_python_2 = python_2(b"f8", np.array([0.25, 0.75], "<f8").tobytes())
    assert read_scores(as_pickle(tmp_path, with_python_2))["a"].tolist() == [0.25, 0.75]


def test_a_bare_dictionary_and_one_under_results_are_the_same(tmp_path):
    bare, inside = {"a": [0.1, 0.2]}, {"version": "1", "results": {"a": [0.1, 0.2]}}
    for write in (as_json, as_pickle):
        assert read_scores(write(tmp_path, bare))["a"].tolist() == [0.1, 0.2]
        assert read_scores(write(tmp_path, inside))["a"].tolist() == [0.1, 0.2]


@pytest.mark.parametrize(
    "content",
    [
        np.array([0.5, None], object),
        np.array(["0.5", "0.5"]),
        np.array([True, False]),
        np.array([0.5, 0.5j]),
        np.array([[0.5, 0.5]]),
        np.array(0.5),
        np.zeros(0),
        np.array([0.5, np.nan]),
        [0.5, np.inf],
        [0.5, "x"],
        [[0.5], [0.5, 0.5]],
        {"score": 0.5},
        None,
    ],
)
@pytest.mark.parametrize("protocol", [4, 5])
def test_what_is_not_a_list_of_finite_numbers_is_refused(tmp_path, content, protocol):
    path = as_pickle(tmp_path, {"fine": np.array([0.5, 0.5]), "bad": content}, protocol)
    with pytest.raises(ValueError, match=r"scores\.pkl, video 'bad': class scores must be a list of finite numbers"):
        read_scores(path)
    with pytest.raises(ValueError, match="score_file, video 'bad': class scores must be"):
        fuse_scores(detections([0.5]), {"bad": content})


def test_a_forged_data_type_is_refused(tmp_path):
    # data type "O" (addresses of objects) filled with bytes: NumPy's own reconstruction would follow them
    forged = python_2(b"O8", b"\x01" * 16)
    with pytest.raises(ValueError, match="video 'a'"):
        read_scores(as_pickle(tmp_path, forged))
    # flags that call eight-byte floats addresses are of no effect
    flagged = python_2(b"f8", b"\x00" * 16).replace(b"K\x00tb\x89", b"K\x7ftb\x89")
    assert read_scores(as_pickle(tmp_path, flagged))["a"].tolist() == [0, 0]


def test_class_scores_above_1_are_refused_but_for_rounding(tmp_path):
    path = as_json(tmp_path, {"a": [0.5, 1.649, 0.2], "b": [0.5, 1 + 1e-7, 0.2]})
    with pytest.raises(
        ValueError, match=r"scores\.json, video 'a': a class score of 1\.649 is among the 1 best; give prob"
    ):
        fuse_scores(detections([0.5]), path, top_k=1)
    assert fuse_scores(detections([1.0], "b"), path, top_k=1)["score"].tolist() == [1]


def test_negative_class_scores_are_refused_where_they_count(tmp_path):
    path = as_json(tmp_path, {"a": [0.5, -0.1, 0.2], "b": [0.5, 0.1, 0.2]})
    assert fuse_scores(detections([0.5]), path, top_k=2)["label"].tolist() == [0, 2]
    assert len(fuse_scores(detections([0.5], "b"), path, top_k=3)) == 3
    with pytest.raises(
        ValueError,
        match=r"scores\.json, video 'a': a class score of -0.1 is among the 3 best; give probabilities, from 0",
    ):
        fuse_scores(detections([0.5]), path, top_k=3)


@pytest.mark.parametrize("score", [-0.1, np.nan, np.inf, None, "high"])
def test_a_bad_detection_score_is_named(score):
    predictions = detections([0.5, 0.5, 0.5]).astype({"score": object})
    predictions.loc[1, "score"] = score
    with pytest.raises(ValueError, match=rf"row 1 of predictions has video a and score {score};"):
        fuse_scores(predictions, {"a": [0.5, 0.5]})


def test_bad_tables_and_arguments_are_named():
    predictions, scores = detections([0.5, 0.5]), {"a": [0.5, 0.5]}
    with pytest.raises(ValueError, match="predictions lacks the columns end_sec, score"):
        fuse_scores(predictions.drop(columns=["score", "end_sec"]), scores)
    with pytest.raises(ValueError, match="row 1 of predictions has video nan"):
        fuse_scores(predictions.assign(video=["a", None]), scores)
    for arguments in ({"top_k": 3}, {"top_k": 0}, {"max_predictions": 0}):
        with pytest.raises(ValueError, match="give top_k between 1 and 2"):
            fuse_scores(predictions, scores, **arguments)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.json", None, "none.json does not exist"),
        ("none.pkl", None, "none.pkl does not exist"),
        ("scores.npy", None, r"scores\.npy must be a \.json or \.pkl file"),
        *(
            ("scores.pkl", content, r"scores\.pkl is not a pickle of NumPy arrays")
            for content in (b"", b"not a pickle", pickle.dumps({"a": np.zeros(9)})[:-20], b"\x80\x04\x95")
        ),
        ("scores.pkl", pickle.dumps({1: [0.5]}), r"scores\.pkl has no class scores"),
        *(
            ("scores.json", content, r"scores\.json has no class scores")
            for content in (b"[]", b"{}", b'{"results": {}}', b'"t"')
        ),
        ("scores.json", b'{"a": [0.1, 0.2], "b": [0.1, 0.2, 0.3]}', "video 'b': 3 class scores, not 2"),
        ("scores.json", b'{"a": [0.1, NaN]}', r"scores\.json, video 'a'"),
    ],
)
def test_malformed_files_are_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_scores(tmp_path / name)


def test_the_classes_of_a_recipes_detections(tmp_path):
    table = detections([0.25]).assign(label=0)
    proposals = afkit.recipe("anet_tsp", {"decode.score_file": None})
    with pytest.raises(ValueError, match=r"'anet_tsp' finds segments without a class .* have 200 labels; name a file"):
        classify(table, proposals, tmp_path, 200)
    assert classify(table, proposals, tmp_path, 1) is table, "one class in the data needs no scores"
    assert classify(table, afkit.recipe("thumos_i3d"), tmp_path, 20) is table
    recipe = afkit.recipe("anet_tsp", {"decode.score_file": as_json(tmp_path, {"a": [0.1, 0.9, 0.4]}).name})
    fused = classify(table, recipe, tmp_path, 3)
    assert fused["label"].tolist() == [1, 2]
    assert fused["score"].tolist() == pytest.approx([(0.9 * 0.25) ** 0.5, (0.4 * 0.25) ** 0.5])
    assert (num_labels(recipe, tmp_path), num_labels(afkit.recipe("thumos_i3d"), tmp_path)) == (3, 20)
