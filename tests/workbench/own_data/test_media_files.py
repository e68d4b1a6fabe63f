"""Files that are recordings: in folders, by patterns, of one name, with partners."""

import unicodedata

import pytest

from afkit.workbench.own_data.media_files import files_of, paired_files


@pytest.fixture
def touch(tmp_path, monkeypatch):
    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text("")

    monkeypatch.chdir(tmp_path)
    return make


def test_a_folder_below_counts_where_none_lies_in_the_first(touch):
    touch("a/s1/x.csv", "a/s2/y.csv", "a/.hidden.csv", "a/notes.txt")
    assert list(files_of("a", (".csv",))) == ["x", "y"]
    touch("a/z.csv")
    assert list(files_of("a", (".csv",))) == ["z"]


def test_patterns_of_two_sensors_pair_without_what_their_names_end_in(touch):
    touch(*(f"d/{who}/{who}_{take}_{sensor}.csv" for who in "pq" for take in (1, 11) for sensor in ("sp", "sw")))
    found = paired_files(["d/*/*_sp.csv", "d/*/*_sw.csv"], (".csv",))
    assert sorted(found) == ["p_1", "p_11", "q_1", "q_11"]
    assert [path.name for path in found["p_11"]] == ["p_11_sp.csv", "p_11_sw.csv"]
    touch(*(f"e/{who}_1_{sensor}.csv" for who in "pq" for sensor in ("sp", "sw")))
    assert sorted(paired_files(["e/*_sp.csv", "e/*_sw.csv"], (".csv",))) == ["p_1", "q_1"]
    touch("d/p/p_2_sp.csv")
    with pytest.raises(ValueError, match=r"d/\*/\*_sw.csv has no file of the recording d/p/p_2_sp.csv; add it"):
        paired_files(["d/*/*_sp.csv", "d/*/*_sw.csv"], (".csv",))


def test_two_files_of_one_name_are_refused_also_where_only_signs_are_composed_otherwise(touch):
    touch("a/x.csv", "a/x.txt")
    with pytest.raises(ValueError, match="are of one name"):
        files_of("a", (".csv", ".txt"))
    decomposed = unicodedata.normalize("NFD", "ü")
    touch(f"b/{decomposed}.csv")
    assert list(files_of("b", (".csv",))) == ["ü"]
    touch("b/ü.csv")
    with pytest.raises(ValueError, match="are of one name"):
        files_of("b", (".csv",))
