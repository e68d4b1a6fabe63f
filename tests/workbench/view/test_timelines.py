"""What a timeline shows: rows, bars and symbols per outcome, names, legend, signals; and what it refuses."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matched import NAMES, predicted, row_names, small_case, truth
from matplotlib.patches import Rectangle

from afkit.workbench.view.signals import Spectrogram
from afkit.workbench.view.timelines import IGNORED, arrange_lanes, draw_ground_truth, draw_timeline, pack_rows

NO_GT, NO_PREDICTIONS = truth(), predicted()


def bars_by_kind(figure) -> dict[str, int]:
    return dict(Counter(patch.get_label() for patch in figure.axes[0].patches if isinstance(patch, Rectangle)))


def symbols_by_kind(figure) -> dict[str, int]:
    lines = [line.get_label() for line in figure.axes[0].lines]
    return dict(Counter(label for label in lines if label.endswith("symbol")))


def legend_texts(figure) -> list[str]:
    figure.canvas.draw()
    return [text.get_text() for text in figure.legends[0].get_texts()]


def remark(figure) -> str:
    return figure.legends[0].get_title().get_text()


def test_bars_symbols_and_legend_of_a_small_case():
    figure = draw_timeline(*small_case(), NAMES, title="video v", duration_sec=240)
    assert bars_by_kind(figure) == {"ground truth": 2, "miss": 1, "hit": 2, "false alarm": 3}
    assert symbols_by_kind(figure) == {"miss symbol": 1, "false alarm symbol": 3}
    looks = ["ground truth, found", "ground truth, missed", "prediction, hit", "prediction, false alarm"]
    assert legend_texts(figure) == looks
    assert "upper bars: ground truth" in remark(figure)
    (axes,) = figure.axes
    assert axes.get_xlabel() == "time [s]" and axes.get_xlim() == (0, 240) and figure.get_suptitle() == "video v"
    assert [name.replace(r"\$", "$") for name in row_names(axes)] == list(NAMES.values())


def test_outcomes_differ_by_more_than_colour():
    figure = draw_timeline(*small_case(), NAMES)
    looks = {}
    for patch in figure.axes[0].patches:
        looks[patch.get_label()] = (patch.get_hatch(), patch.get_linestyle(), bool(sum(patch.get_facecolor()[:3]) > 2))
    assert len(set(looks.values())) == 4


def test_predictions_below_the_least_score_are_not_drawn():
    gt, predictions = small_case()
    assert bars_by_kind(draw_timeline(gt, predictions, NAMES, min_score=0.5)).get("false alarm", 0) == 0
    figure = draw_timeline(gt, predictions, NAMES, min_score=0.95)
    assert bars_by_kind(figure) == {"ground truth": 2, "miss": 1}
    assert remark(figure) == "no prediction scores 0.95 or more"


def test_videos_without_ground_truth_or_predictions_say_so():
    gt, predictions = small_case()
    without_predictions = draw_timeline(gt, NO_PREDICTIONS, NAMES)
    assert bars_by_kind(without_predictions) == {"ground truth": 2, "miss": 1}
    assert remark(without_predictions) == "no predictions"
    without_gt = draw_timeline(NO_GT, predictions, NAMES)
    assert bars_by_kind(without_gt) == {"hit": 2, "false alarm": 3}
    assert remark(without_gt) == "no ground truth"
    never_filled = (pd.DataFrame(columns=[*table]) for table in (NO_GT, NO_PREDICTIONS))
    for tables in ((NO_GT, NO_PREDICTIONS), never_filled):
        neither = draw_timeline(*tables, NAMES, duration_sec=60)
        assert bars_by_kind(neither) == {} and legend_texts(neither) == []
        assert remark(neither) == "no ground truth; no predictions"


@pytest.mark.parametrize("num_classes", [1, 40, 45])
def test_one_class_to_too_many(num_classes):
    gt = truth(*[(10 * i, 10 * i + 5, i, i % 2) for i in range(num_classes)])
    figure = draw_timeline(gt, NO_PREDICTIONS, {})
    shown = min(num_classes, 40)
    assert len(figure.axes[0].get_yticklabels()) == shown
    assert figure.axes[0].get_yticklabels()[0].get_text() == "class 0"
    assert ("5 more classes are left out" in remark(figure)) == (num_classes == 45)
    figure.canvas.draw()
    height_of_a_lane_pt = figure.axes[0].get_window_extent().height / figure.dpi * 72 / shown
    assert height_of_a_lane_pt > 11  # names do not overlap


def test_a_segment_without_length_is_visible_even_in_hours():
    gt, predictions = truth((3600, 3600, 0, True)), predicted((3600, 3600.1, 0, 0.9, "hit", 0.0))
    figure = draw_timeline(gt, predictions, NAMES, duration_sec=4 * 3600)
    assert len(figure.axes[0].patches) == 2
    for patch in figure.axes[0].patches:
        assert patch.get_width() > 50
        assert patch.get_x() + patch.get_width() / 2 == pytest.approx(3600, abs=1)


def test_segments_beyond_the_duration_stay_in_the_picture():
    figure = draw_timeline(truth((-3, 70, 0, True)), NO_PREDICTIONS, NAMES, duration_sec=60)
    assert figure.axes[0].get_xlim() == (-3, 70)


def test_ground_truth_alone():
    gt, _ = small_case()
    for table in (gt, gt.drop(columns=["found", "video"])):
        figure = draw_ground_truth(table, NAMES, 240, title="v")
        assert bars_by_kind(figure) == {"ground truth": 3}
        assert legend_texts(figure) == ["ground truth"]
    assert remark(draw_ground_truth(NO_GT, NAMES)) == "no ground truth"


def test_signals_share_the_time_axis_in_panels():
    signal = np.random.default_rng(0).normal(size=(12000, 6))
    groups = {"acceleration [g]": [0, 1, 2], "rotation [rad/s]": [3, 4, 5]}
    gt, predictions = small_case()
    figure = draw_timeline(
        gt, predictions, NAMES, signal=signal, signal_rate_hz=50, signal_names=["x", "y", "z"] * 2, signal_groups=groups
    )
    lanes, *panels = figure.axes
    assert [panel.get_ylabel() for panel in panels] == ["acceleration\n[g]", "rotation\n[rad/s]"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "time [s]"]
    assert lanes.get_xlim() == panels[1].get_xlim() == pytest.approx((0, 240), abs=0.1)
    assert [text.get_text() for text in panels[0].get_legend().get_texts()] == ["x", "y", "z"]


def test_a_spectrogram_lies_below_all_at_its_times_with_its_frequencies_and_what_there_is_to_say():
    values = np.zeros((4, 2), np.uint8)
    picture = Spectrogram("spectrogram [kHz]", np.array([5.0, 15, 25, 35]), values, [(0.2, "0.5"), (0.7, "2")], "Gone.")
    figure = draw_ground_truth(NO_GT, NAMES, 80, signal=np.ones((9, 1)), signal_rate_hz=1, spectrogram=picture)
    _, signal, panel = figure.axes
    assert panel.get_ylabel() == "spectrogram\n[kHz]" and panel.get_title(loc="left") == "Gone."
    assert panel.images[0].get_extent() == [0, 40, 0, 1] and panel.get_xlim() == signal.get_xlim() == (0, 80)
    assert [text.get_text() for text in panel.get_yticklabels()] == ["0.5", "2"]
    assert panel.get_yticks().tolist() == [0.2, 0.7]
    one = picture._replace(times_sec=np.array([5.0]), values=values[:1])
    draw_timeline(*small_case(), NAMES, spectrogram=one).canvas.draw()


def test_a_long_signal_is_thinned_but_keeps_its_peaks():
    signal = np.zeros((500_003, 1))
    signal[123_456] = 9
    figure = draw_ground_truth(NO_GT, NAMES, signal=signal, signal_rate_hz=100)
    times_sec, values = figure.axes[1].lines[0].get_data()
    assert len(values) < 4000
    assert values.max() == 9
    assert times_sec[values.argmax()] == pytest.approx(1234.56, abs=4)
    assert times_sec[-1] == pytest.approx(5000, abs=5)
    with_gaps = np.full((9000, 2), np.nan)
    with_gaps[::3, 0] = 1
    draw_ground_truth(NO_GT, NAMES, signal=with_gaps, signal_rate_hz=10).canvas.draw()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"signal": np.zeros(5), "signal_rate_hz": 1}, r"shape \(samples, channels\), not \(5,\)"),
        ({"signal": np.zeros((5, 2))}, "signal_rate_hz above 0, not None"),
        ({"signal": np.zeros((5, 2)), "signal_rate_hz": 0}, "above 0, not 0"),
        ({"signal": np.zeros((5, 2)), "signal_rate_hz": 1, "signal_names": ["x"]}, "1 names for 2 channels"),
        ({"signal": np.zeros((5, 2)), "signal_rate_hz": 1, "signal_groups": {"a": [2]}}, "channel 2, but"),
        ({"duration_sec": float("nan")}, "duration_sec is above 0, not nan"),
        ({"duration_sec": -1}, "duration_sec is above 0, not -1"),
    ],
)
def test_wrong_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        draw_timeline(*small_case(), NAMES, **settings)


def test_wrong_tables_are_named():
    gt, predictions = small_case()
    with pytest.raises(ValueError, match="predictions lacks the column 'outcome'; call match_segments first"):
        draw_timeline(gt, predictions.drop(columns="outcome"), NAMES)
    with pytest.raises(ValueError, match=r"gt lacks the column 'label'$"):
        draw_ground_truth(gt.drop(columns="label"), NAMES)
    with pytest.raises(ValueError, match="one video, but predictions holds 2"):
        draw_timeline(gt, pd.concat([predictions, predictions.assign(video="w")]), NAMES)
    with pytest.raises(ValueError, match="gt holds times that are not finite"):
        draw_timeline(gt.assign(end_sec=np.nan), predictions, NAMES)


def test_the_tables_are_left_as_they_were():
    gt, predictions = small_case()
    draw_timeline(gt, predictions, NAMES)
    for table, before in zip((gt, predictions), small_case(), strict=True):
        pd.testing.assert_frame_equal(table, before)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=20))
def test_rows_hold_no_overlaps_and_none_could_move_up(segments):
    spans = [(start, start + length) for start, length in segments]
    rows = pack_rows(*zip(*spans, strict=True)) if spans else []
    for i, (start, end) in enumerate(spans):
        earlier = [(rows[j], min(end, spans[j][1]) - max(start, spans[j][0])) for j in range(i)]
        assert not any(row == rows[i] and overlap > 0 for row, overlap in earlier)
        assert {row for row, overlap in earlier if overlap > 0} >= set(range(rows[i]))


def test_every_segment_has_one_bar_in_its_lane():
    bars, lanes, left_out = arrange_lanes(*small_case(), min_width_sec=0.5)
    assert bars["kind"].value_counts().to_dict() == {"ground truth": 2, "miss": 1, "hit": 2, "false alarm": 3}
    edges = np.array(list(lanes.values()))
    assert list(lanes) == [0, 1, 2, 3] and left_out == 0 and (edges[1:, 0] > edges[:-1, 1]).all()
    for bar in bars.itertuples():
        assert any(top <= bar.top and bar.top + bar.height <= bottom + 1e-9 for top, bottom in lanes.values())


def test_lanes_follow_time_and_classes_that_never_happen_come_last():
    gt = truth((50, 60, 2, True), (10, 20, 5, True))
    predictions = predicted((0, 5, 9, 0.2, "false alarm", 0), (0, 5, 8, 0.7, "false alarm", 0))
    assert list(arrange_lanes(gt, predictions, 0.1)[1]) == [5, 2, 8, 9]


def test_heights_are_those_of_scores_within_rows_that_share_their_room():
    rows = [(10 * i, 10 * i + 5, 0, score, "hit", 1) for i, score in enumerate((0.0, 0.5, 1.0, 7.0))]
    heights = arrange_lanes(truth(), predicted(*rows), 0.1)[0].sort_values("left_sec")["height"].tolist()
    assert 0 < heights[0] < heights[1] < heights[2] == heights[3]
    few, many = (predicted(*[(0, 10, 0, 0.5, "hit", 1)] * n) for n in (4, 60))
    assert arrange_lanes(truth(), many, 0.1)[1][0] == pytest.approx(arrange_lanes(truth(), few, 0.1)[1][0])


def test_short_and_reversed_segments_get_the_least_width_about_their_middle():
    bars, _, _ = arrange_lanes(truth((5, 5, 0, True), (30, 20, 0, False)), predicted(), min_width_sec=2)
    assert bars["left_sec"].tolist() == [4, 24] and bars["width_sec"].tolist() == [2, 2]


def test_parts_that_were_not_annotated_are_hatched():
    spans = np.array([[-np.inf, 4], [30, 38], [230, np.inf]])
    figure = draw_timeline(*small_case(), NAMES, duration_sec=240, ignored_sec=spans)
    spans_drawn = [patch for patch in figure.axes[0].patches if patch.get_zorder() == IGNORED["zorder"]]
    hatched = [patch.get_bbox().intervalx.tolist() for patch in spans_drawn]
    assert hatched == [[0, 4], [30, 38], [230, 240]]
    assert "not annotated, not judged" in [text.get_text() for text in figure.legends[0].get_texts()]
    figure = draw_timeline(*small_case(), NAMES, duration_sec=240, ignored_sec=spans[:0])
    assert "not annotated, not judged" not in [text.get_text() for text in figure.legends[0].get_texts()]
