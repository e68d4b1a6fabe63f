"""The benchmark of streams finds them equal, counts those that came early, and draws."""

from run_folders import write_trained
from tiny_data import tiny_recipe, write_tiny_data

from benchmarks import stream
from benchmarks.timing import read_csv


def test_a_row_for_each_recording_and_each_detection_and_a_picture(tmp_path):
    write_tiny_data(tmp_path, training=1, test=2)
    run = write_trained(tmp_path / "run", tmp_path, tiny_recipe(model__class_prior=0.3))
    table = tmp_path / "out" / "stream.csv"
    stream.main([str(run), "--data-root", str(tmp_path), "--days", "0.001", "--csv", str(table)])
    found, latencies, memory = (read_csv(table.with_stem(f"stream{name}")) for name in ("", "_latency", "_memory"))
    assert [row["video"] for row in found] == ["video1", "video2"]
    for row in found:
        assert int(row["equal"]) == int(row["expected"]) == int(row["detections"]) > int(row["early"]) > 0
        assert float(row["largest_sec"]) < 1e-3 and row["too_long"] == row["topk"] == row["segments"] == "0"
    assert len(latencies) == sum(int(row["detections"]) for row in found)
    early = [row for row in latencies if row["known_after_sec"]]
    assert len(early) == sum(int(row["early"]) for row in found)
    assert all(float(row["provisional_after_sec"]) <= float(row["known_after_sec"]) for row in early)
    assert float(memory[-1]["peak_mb"]) > 1 and table.with_suffix(".png").stat().st_size > 10_000
