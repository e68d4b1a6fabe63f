"""The benchmark of films and sound goes on where it was stopped, and compares the long film with the short one."""

import pytest

from benchmarks import media
from benchmarks.timing import read_csv


def test_rows_that_are_there_are_kept_and_the_others_made(tmp_path, monkeypatch, capsys):
    made, path = [], tmp_path / "media.csv"

    def measured(kind, films, out, model, workers):
        made.append((kind, films.rpartition("/")[2], workers))
        if len(made) == 4:
            raise KeyboardInterrupt
        return {"vectors": 7, "seconds": 2.0, "processor": 1.0, "begin": 100.0, "peak": 200.0 + len(made)}

    monkeypatch.setattr(media, "in_process", measured)
    monkeypatch.setattr(media, "write_film", lambda path, minutes: path.write_bytes(b"film"))
    monkeypatch.setattr(media, "save_network", lambda folder: None)
    with pytest.raises(KeyboardInterrupt):
        media.main(["--csv", str(path)])
    first = read_csv(path)
    assert [(row["features"], row["minutes"], row["more_than_short_mb"]) for row in first] == [
        ("grid", "2.0", ""), ("grid", "120.0", "1.0"), ("sound", "2.0", ""),
    ]  # fmt: skip
    media.main(["--csv", str(path)])
    assert made[3:] == [
        ("sound", "1films120", "1"), ("sound", "1films120", "1"), ("film", "1films2", "1"),
        ("film", "4films5", "1"), ("film", "4films5", "2"),
    ]  # fmt: skip
    assert read_csv(path)[:3] == first and read_csv(path)[3]["more_than_short_mb"] == "2.0"
    assert len(read_csv(path)) == 7 and "VideoMAE" in capsys.readouterr().out.splitlines()[-3]
