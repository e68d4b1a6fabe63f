"""YAML: plain values are what people mean by them, in each kind of file; what may mean two things is refused."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from afkit.yaml_files import read_value, read_yaml, yaml_text


def read(folder, text):
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return read_yaml(path)[1]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("24:00:00", "24:00:00"),  # 86400 in YAML 1.1
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("+7", 7),
        ("0", 0),
        ("1e3", 1000.0),  # a text in YAML 1.1
        ("1E-4", 0.0001),
        ("-2.5", -2.5),
        (".5", 0.5),
        ("1.", 1.0),
        ("00.5", 0.5),
        ("-.inf", float("-inf")),
        ("true", True),
        ("False", False),
        ("tRUE", "tRUE"),
        ("y", "y"),
        ("N", "N"),
        ("null", None),
        ("~", None),
        ("", None),
        ("=", "="),
        ("none", "none"),
        ("1.2.3", "1.2.3"),
        ("1e", "1e"),
        ("'no'", "no"),
        ("'010'", "010"),
        ("!!str 010", "010"),
        ("nobody", "nobody"),
    ],
)
def test_a_plain_value_is_what_yaml_1_2_makes_of_it(tmp_path, text, value):
    for found in (read(tmp_path, f"a: {text}\n")["a"], read(tmp_path, f"- {text}\n")[0]):
        assert found == value and type(found) is type(value)


@pytest.mark.parametrize("word", ["yes", "No", "ON", "off"])
def test_a_word_that_may_be_a_truth_value_is_refused_with_its_line(tmp_path, word):
    said = f"{word} may be true or false, or a word; write true or false, or '{word}' in quotes"
    for text in (f"a: 1\nb: {word}\n", f"a: 1\n{word}: b\n", f"a:\n- {word}\n"):
        with pytest.raises(ValueError) as error:
            read(tmp_path, text)
        assert str(error.value) == f"{tmp_path}/mine.yaml, line 2: {said}"


@pytest.mark.parametrize("number", ["010", "-01", "00123", "08", "00"])
def test_zeros_in_front_of_a_number_are_refused(tmp_path, number):
    with pytest.raises(ValueError, match=rf"line 1: {number} may be a number or a name; .*, or '{number}' in quotes"):
        read(tmp_path, f"account: {number}\n")


def test_a_word_of_a_command_line_is_read_as_a_value_in_a_file():
    given = {"true": True, "1e-3": 0.001, "[training, 3]": ["training", 3], "'010'": "010", '{"a":1}': {"a": 1}}
    texts = ["", "1_0", "x: y", "a #b", "@x", "2020-01-01", "C:\\x", "&x"]  # of which a file makes something else
    for text, value in (given | {text: text for text in texts}).items():
        assert read_value(text, "--set") == value
    for text, said in {"010": "a number or a name", "yes": "true or false", "None": "write null"}.items():
        with pytest.raises(ValueError, match=rf"--set a, line 1: {text} may be .*{said}"):
            read_value(text, "--set a")
    with pytest.raises(ValueError, match="--set a, line 1: not YAML"):
        read_value("[x", "--set a")


def test_a_key_that_comes_twice_is_refused_however_deep_and_merges_are_not(tmp_path):
    with pytest.raises(ValueError, match=r"mine\.yaml, line 4: 'c' is given twice; remove one"):
        read(tmp_path, "a:\n- b:\n    c: 1\n    c: 2\n")
    merged = read(tmp_path, "a: &a {x: 1}\nb: &b {y: 2}\nc: {<<: *a, <<: *b, x: 3}\n")
    assert merged["c"] == {"x": 3, "y": 2}


def test_an_empty_file_is_nothing_and_a_missing_one_is_not_found(tmp_path):
    assert read(tmp_path, "# a remark\n") is None
    with pytest.raises(FileNotFoundError):
        read_yaml(tmp_path / "none.yaml")


PLAIN = st.text(max_size=8) | st.from_regex(r"[-+0-9.:_eExob]{1,8}|[yYnNoOfFtTrRuUeE]{2,5}|2001-0?2-03", fullmatch=True)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | PLAIN,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PLAIN, inner, max_size=3),
    max_leaves=4,
)


@given(VALUES)
def test_what_is_written_is_read_back_by_readers_of_both_kinds(tmp_path_factory, value):
    line = yaml_text(value)
    assert "\n" not in line
    assert read(tmp_path_factory.mktemp("yaml"), f"a: {line}\n") == {"a": value}
    assert yaml.safe_load(f"a: {line}\n") == {"a": value}
