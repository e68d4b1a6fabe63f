"""Damaged and twisted files for every reader, the same ones each time: `make fuzz` tries others, and many more."""

import pytest
from fuzz import FILE_SEC, MEMORY_MB, SECTION, Reader, add_to, fuzz, outcome
from hostile import in_child
from readers import READERS, prepare
from table import FUZZED, add_fuzzed

from afkit.workbench.export.exported import _read_about
from afkit.workbench.own_data.import_tools import read_via
from afkit.workbench.runs.predicted_log import read_log

EXAMPLES, SLOW_EXAMPLES = 30, 8
SLOW = ("training checkpoints",)
GROWN_MB = 300  # of a reader's memory: less than it may map


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the files are read."""
    folder = tmp_path_factory.mktemp("fuzz")
    prepare(folder)
    return folder


@pytest.mark.parametrize("name", READERS)
def test_a_broken_file_is_read_or_refused(folder, name, tally):
    reader = READERS[name]()
    path = folder / reader.name
    for data in reader.seeds:
        path.write_bytes(data)
        read = in_child(lambda: bool([reader.read(path)]))
        assert read.end == "done", read
    ended = fuzz(reader, folder, SLOW_EXAMPLES if name in SLOW else EXAMPLES)
    path.unlink()
    assert ended.end == "done", f"{ended.end}: {ended.said}"
    assert ended.memory_mb < GROWN_MB
    counts = ended.said
    assert counts["inputs"] == counts["accepted"] + counts["refused"] >= SLOW_EXAMPLES
    tally(SECTION, name, **counts, crashes=0, hours=ended.seconds / 3600)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("features .csv", "a,{}x\n1,2\n".format("9" * 2**16)),
        ("samples with a clock", "a,x_ms\n1,1\n20,2\n4,{}1.\n".format("0" * 2**16)),
        ("imported JSON", '{{"a": [{{"segment": "[1{}", "label": "x"}}]}}'.format(" " * 2**16)),
        ("imported textgrid", 'File type = "ooTextFile"\n{}'.format("\n" * 2**16)),
        ("imported lines", "0.5 2.0 walk{}x\n".format(" " * 2**16)),
    ],
)  # fmt: skip
def test_a_long_run_of_one_character_takes_no_longer_than_its_length(tmp_path, name, data):
    prepare(tmp_path)
    reader = READERS[name]()
    path = tmp_path / reader.name
    path.write_text(data)
    ended = in_child(lambda: outcome(reader, path), MEMORY_MB)
    assert ended.end == "done", ended


DEEP = "[" * 100_000  # a structure of which Python's reader gives up


def test_lists_in_lists_are_refused_wherever_json_stands_in_another_file(tmp_path):
    via = "# CSV_HEADER = metadata_id,file_list,flags,temporal_coordinates,spatial_coordinates,metadata\n"
    (tmp_path / "via.csv").write_text(f'{via}1,"[""a.mp4""]",0,{DEEP},[],"{{}}"\n')
    with pytest.raises(ValueError, match="is not as VIA 3 writes it"):
        read_via(tmp_path / "via.csv")
    (tmp_path / "log").write_text(f"{DEEP}\n")
    assert read_log(tmp_path / "log") == {}
    with pytest.raises(ValueError, match=r"net\.onnx does not say in a known format how to predict"):
        _read_about(DEEP, "net.onnx")


def test_what_several_fuzzers_tried_is_added_up(tmp_path):
    counts = {"reader": "run.json, compared", "inputs": 3, "accepted": 1, "refused": 2, "hours": 0.5}
    for _ in range(2):
        add_to(tmp_path / "fuzz.csv", tmp_path / "lock", **counts)
    rows = {FUZZED: {"": {}, "run.json, compared": {"inputs": 30, "accepted": 0, "refused": 30, "hours": 0.0}}}
    add_fuzzed(rows, tmp_path / "fuzz.csv")
    assert rows[FUZZED]["run.json, compared"] == {"inputs": 36, "accepted": 2, "refused": 34, "hours": 1.0}


def raises(error):
    def read(path):
        raise error

    return read


def turns(path):
    while True:
        pass


@pytest.mark.parametrize(
    ("read", "end", "said"),
    [
        (raises(KeyError("x")), "KeyError", "x"),
        (raises(UnicodeDecodeError("ascii", b"x", 0, 1, "y")), "AssertionError", "UnicodeDecodeError"),
        (raises(ValueError("it is wrong")), "AssertionError", "does not name the file"),
        (raises(ValueError("some.file " + "x" * 20_000)), "AssertionError", "letters"),
        (lambda path: bytearray(2 * 2**30), "MemoryError", ""),
        (turns, "TooSlow", ""),
    ],
)
def test_what_a_reader_must_not_do_is_noticed(tmp_path, monkeypatch, read, end, said):
    monkeypatch.setattr("fuzz.FILE_SEC", 0.2)
    assert FILE_SEC > 1
    ended = fuzz(Reader("some.file", read, (b"abc",)), tmp_path, 5)
    assert ended.end == end and said in ended.said
