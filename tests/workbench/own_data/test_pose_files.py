"""Key points of bodies as DeepLabCut, SLEAP and plain tables have them, and the channels that they become."""

import h5py
import numpy as np
import pytest

from afkit.__main__ import main
from afkit.workbench.own_data.pose_files import Points, pose_channels, read_pose
from afkit.workbench.own_data.sample_files import SensorKind, read_sensor

NAMES = ["nose", "tail"]
PLACES = np.array([[[0, 0], [4, 0]], [[1, 0], [5, 0]], [[2, 1], [6, 1]], [[2, 2], [6, 2]]], float)  # (4, 2, 2)


def as_deeplabcut(places, likelihood=0.9):
    head = ["scorer,n,n,n,n,n,n", "bodyparts,nose,nose,nose,tail,tail,tail", "coords" + ",x,y,likelihood" * 2]
    rows = [",".join(map(str, [i, a, b, likelihood, c, d, 1.0])) for i, ((a, b), (c, d)) in enumerate(places.tolist())]
    return "\n".join([*head, *rows]) + "\n"


def as_sleap_table(places):
    rows = [f"t,{i},0.9,{a},{b},0.9,{c},{d},1" for i, ((a, b), (c, d)) in enumerate(places.tolist())]
    return "\n".join(["track,frame_idx,instance.score,nose.x,nose.y,nose.score,tail.x,tail.y,tail.score", *rows])


def as_plain(places):
    rows = [f"{a},{b},{c},{d}" for (a, b), (c, d) in places.tolist()]
    return "\n".join(["x_nose,y_nose,x_tail,y_tail", *rows])


@pytest.mark.parametrize("text", [as_deeplabcut, as_sleap_table, as_plain])
def test_tables_give_the_same_channels(tmp_path, text):
    path = tmp_path / "a.csv"
    path.write_text(text(PLACES))
    channels, names = read_pose(path)[:2]
    expected, _ = pose_channels(Points(NAMES, PLACES))
    np.testing.assert_allclose(channels, expected)
    assert names == [f"{n}_{a}{v}" for v in ("", "_velocity") for n in NAMES for a in "xy"]


def test_places_are_centred_and_in_body_sizes():
    channels, _ = pose_channels(Points(NAMES, PLACES))
    np.testing.assert_allclose(channels[0], [-1, 0, 1, 0, 0, 0, 0, 0])  # both 2 from the centre
    np.testing.assert_allclose(channels[1, 4:], [0.5, 0, 0.5, 0])
    moved, _ = pose_channels(Points(NAMES, 7 * PLACES + 100))
    np.testing.assert_allclose(moved, channels, atol=1e-12)


def test_unlikely_points_are_bridged_and_points_never_seen_lie_in_the_centre(tmp_path):
    broken = as_deeplabcut(PLACES).replace("1,1.0,0.0,0.9,5.0,0.0,1.0", "1,99,99,0.1,5.0,0.0,1.0")
    (tmp_path / "a.csv").write_text(broken)
    straight = PLACES.copy()
    straight[1, 0] = (PLACES[0, 0] + PLACES[2, 0]) / 2
    np.testing.assert_allclose(read_pose(tmp_path / "a.csv")[0], pose_channels(Points(NAMES, straight))[0])
    (tmp_path / "a.csv").write_text(as_deeplabcut(PLACES, likelihood=0.1))
    assert not read_pose(tmp_path / "a.csv")[0][:, :4].any()


def test_the_analysis_file_of_sleap_and_a_frame_that_is_missing(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = np.full((1, 2, 2, 4), np.nan)
        file["tracks"][0] = PLACES.transpose(2, 1, 0)
        file["node_names"] = [b"nose", b"tail"]
    np.testing.assert_allclose(read_pose(tmp_path / "a.h5")[0], pose_channels(Points(NAMES, PLACES))[0])
    table = as_sleap_table(PLACES).splitlines()
    (tmp_path / "a.csv").write_text("\n".join(table[:2] + table[3:]))
    straight = PLACES.copy()
    straight[1] = (PLACES[0] + PLACES[2]) / 2
    np.testing.assert_allclose(read_pose(tmp_path / "a.csv")[0], pose_channels(Points(NAMES, straight))[0])


@pytest.mark.parametrize("changed", [b"\0" * 16, b"\0" * 8 + b"\xf0" + b"\xff" * 7, b"\2\0" + b"\0" * 6 + b"\xff" * 8])
def test_names_in_a_damaged_file_of_sleap_are_not_read_for_ever(tmp_path, monkeypatch, changed):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["tracks"] = PLACES.transpose(2, 1, 0)[None]
        file["node_names"] = [b"nose", b"tail"]
    data = (tmp_path / "a.h5").read_bytes()
    second = data.index(b"GCOL") + 16 + 24  # behind the heap's head, and the first text's
    (tmp_path / "a.h5").write_bytes(data[:second] + changed + data[second + 16 :])
    monkeypatch.setattr(h5py.Dataset, "__getitem__", lambda *_: pytest.fail("the library would not come back"))
    with pytest.raises(ValueError, match="its texts, such as the names of nodes, are damaged; write the file again"):
        read_pose(tmp_path / "a.h5")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it holds no row of key points"),
        ("a,b\n1,2\n", "its columns a, b name no key points; call them name_x, name_y"),
        ("nose_x,nose_y\n1,2\n3\n", "row 3 has 1 cells under 2 columns"),
        ("nose_x,nose_y\n1,left\n", "'nose': could not convert string to float: 'left'"),
        ("nose_x,nose_y,nose_x,nose_y\n1,2,3,4\n", "it has several columns 'nose_x'; give each a name of its own"),
        ("nose_x,nose_y,nose_likelihood\n1,2,0.1\n", "no point is likely in any frame"),
        ("frame,nose_x,nose_y\n1,1,2\n1,1,2\n", "frame 1 or another one is there twice"),
        ("frame,nose_x,nose_y\n0.5,1,2\n", "its column 'frame' does not number the frames"),
        ("frame,nose_x,nose_y\n,,\n,,\n", "it holds no row of numbers, only empty ones"),
        ("frame,nose_x,nose_y\n250,1,2\n251,1,2\n", "its column 'frame' begins at 250; count from 0 on if the labels"),
        ("frame,nose_x,nose_y\n0,1,2\n99999999,1,2\n", "its column 'frame' goes up to 99999999 in 2 rows; correct it"),
        ("scorer,n,n\nbodyparts,nose,nose\n1,2,3\n", "none of the next with 'coords'"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(ValueError) as caught:
        read_pose(tmp_path / "a.csv")
    assert message in str(caught.value)


def test_the_command_makes_windows_of_key_points(tmp_path, capsys):
    (tmp_path / "pose").mkdir()
    (tmp_path / "pose" / "a.csv").write_text(as_deeplabcut(np.tile(PLACES, (5, 1, 1))))
    out = tmp_path / "out"
    command = ["signals", f"{tmp_path / 'pose'}@25", "--pose", "--out", str(out), "--window", "4", "--stride", "2"]
    assert main(command) == 0
    assert np.load(out / "a.npy").shape == (9, 4 * 8)


LOST = range(100, 200)  # of 500 frames at 25 Hz: 4 to 8 s


@pytest.mark.parametrize(
    ("head", "row", "lost", "rate"),
    [
        ("timestamp,", "{0:.2f},{1},{2},{3},4", None, ""),
        ("", "{1},{2},{3},4", ",,,", "@25"),
        ("frame,", "{4},{1},{2},{3},4", None, "@25"),
        ("frame,time_ms,", "{4},{5},{1},{2},{3},4", None, "@25"),
        ("frame,time_ms,", "{4},{5},{1},{2},{3},4", None, ""),
        ("frame,", "{4},{1},{2},{3},4", "{4},,,,", "@25"),
        ("frame,", "{4},{1},{2},{3},4", "{4},NA,NA,NA,NA", "@25"),
        *((f"{name},", "{4},{1},{2},{3},4", None, "@25") for name in ("", "index", "frame_num", "Frame #", "fnum")),
        ("id,video_frame,", "7,{4},{1},{2},{3},4", None, "@25"),
    ],
)
def test_frames_without_any_point_are_a_gap_that_moves_nothing(tmp_path, capsys, head, row, lost, rate):
    rows = []
    for i in range(500):
        text = lost if i in LOST else row
        rows += [text.format(i / 25, i % 7, i % 5, i % 3 + 9, i, 40 * i)] if text is not None else []
    (tmp_path / "pose").mkdir()
    (tmp_path / "pose" / "a.csv").write_text("\n".join([f"{head}nose_x,nose_y,tail_x,tail_y", *rows]) + "\n")
    command = ["signals", f"{tmp_path / 'pose'}{rate}", "--pose", "--out", str(tmp_path / "out"), "--window", "1"]
    assert main([*command, "--stride", "1"]) == 0
    assert "gap: a has no samples for 4.04 s after 3.96 s: bridged by straight lines" in capsys.readouterr().out
    found = np.load(tmp_path / "out" / "a.npy")
    shape, _ = pose_channels(Points(NAMES, np.array([[[i % 7, i % 5], [i % 3 + 9, 4]] for i in range(500)], float)))
    assert found.shape == (500, 8)
    same = found[:, 0] / shape[:, 0]  # sizes of the body differ by what was not seen
    np.testing.assert_allclose(same[[*range(100), *range(200, 500)]], same[0], rtol=1e-4)


@pytest.mark.parametrize(("rate", "seen"), [(25, "jumps by 4.04 s after sample 100"), (30, "has 25 samples a second")])
def test_the_clock_of_a_table_contradicts_a_rate(tmp_path, rate, seen):
    kept = [i for i in range(500) if i not in LOST or rate == 30]
    rows = [f"{i / 25:.2f},{i % 7},{i % 5}" for i in kept]
    (tmp_path / "a.csv").write_text("\n".join(["timestamp,nose_x,nose_y", *rows]))
    with pytest.raises(ValueError, match=f"its clock 'timestamp' .*{seen}"):
        read_sensor(tmp_path / "a.csv", SensorKind("pose", rate, 0, pose=True), False)
