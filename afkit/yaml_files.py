"""YAML as people mean it: recipes, sweeps and descriptions of clusters are written by hand.

The library reads YAML 1.1, in which `24:00:00` is the number 86400, `010` is 8, and `1e-3` a text. Here a plain value
is what YAML 1.2 makes of it (https://yaml.org/spec/1.2.2/#103-core-schema), and one that people may mean in two ways,
such as `no` or `010`, is refused.
"""

import json
import math
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

from afkit.opening import LONGEST_KEY, read_text

MAX_ENTRIES = 100_000
KINDS = ("null", "bool", "int", "float", "str", "seq", "map", "merge")  # of plain data: what JSON can hold
PREFIX = "tag:yaml.org,2002:"
SCHEMA = {  # the first that fits a plain value is its kind
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "word": r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF",
    "zeros": r"[-+]?0[0-9]+",
    "none": r"None",
    "timestamp": r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ].*)?",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
    "merge": r"<<",  # of YAML 1.1: takes over the entries of another mapping
}
UNCLEAR = {  # kinds of `SCHEMA` that are refused, and how to write what is meant
    "word": "true or false, or a word; write true or false, or '{}' in quotes",
    "zeros": "a number or a name; write it without the zeros, or '{}' in quotes",
    "none": "nothing, or a word; write null, or '{}' in quotes",
}


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers = {}


class _Dumper(yaml.SafeDumper):
    """Puts a text into quotes where readers of either YAML would take it for something else."""


for _kind, _pattern in SCHEMA.items():
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(PREFIX + _kind, re.compile(rf"(?:{_pattern})\Z"), None)


def read_value(text: str, where: str) -> Any:
    """What a word of a command line stands for: as in a file, but that any word which is no number is text.

    A ValueError as of `read_yaml`, with `where` for the file.
    """
    kind = next((kind for kind, pattern in SCHEMA.items() if re.fullmatch(pattern, text)), "str")
    plain = not text or (kind in ("str", "timestamp", "merge") and text[0] not in "[{'\"")
    return text if plain else read_yaml(where, text=text)[1]


def read_yaml(path: Path | str, tags: Collection[str] = (), text: str | None = None) -> tuple[Any, Any]:
    """The nodes of a YAML document of plain data, as of `yaml.compose`, and its content; both None where it is empty.

    `tags` of sequences are allowed beside those of plain data; `text` is that of the document, where it is no file's. A
    ValueError has the file, the line and what is wrong: a plain value that may mean two things, a key that comes twice,
    dates, sets, objects and the like, a value that is not what its tag says, an alias that holds itself, or aliases
    that stand for very much.
    """
    try:
        tree = yaml.compose(read_text(Path(path)) if text is None else text, Loader=_Loader)
        if tree is None:
            return None, None
        if _size(tree, tags, {}) > MAX_ENTRIES:
            raise _error(tree, f"its aliases stand for more than {MAX_ENTRIES} entries; write less")
        return tree, _construct(tree, tags)
    except FileNotFoundError:
        raise
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
        line, why = mark.line + 1 if mark else 1, problem or " ".join(str(error).split())
        raise ValueError(f"{path}, line {line}: not YAML: {why}") from None
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from None
    except _LineError as error:
        raise ValueError(f"{path}, {error}") from None


def yaml_text(value: Any) -> str:
    """A value in one line, for `read_yaml` and for readers of YAML 1.1."""
    readable = json.dumps(value, ensure_ascii=False).isprintable()  # else letters become codes
    options: dict[str, Any] = {"default_flow_style": True, "width": math.inf, "sort_keys": False}
    line = yaml.dump([value], Dumper=_Dumper, allow_unicode=readable, **options)
    return line.strip()[1:-1]  # without the brackets of the list


class _LineError(ValueError):
    """What is wrong in a file, with the line."""


def _error(node: yaml.Node, message: str) -> _LineError:
    return _LineError(f"line {node.start_mark.line + 1}: {message}")


def _size(node: Any, tags: Collection[str], sizes: dict[int, float]) -> float:
    """Entries, with all that aliases stand for; what is no plain data is refused. `sizes` holds inf while it counts."""
    if sizes.get(id(node)) == math.inf:
        raise _error(node, "an alias that holds itself")
    if id(node) not in sizes:
        _check(node, tags)
        sizes[id(node)] = math.inf
        pairs = node.value if node.id == "mapping" else [node.value] if node.id == "sequence" else []
        sizes[id(node)] = 1 + sum(_size(part, tags, sizes) for pair in pairs for part in pair)
    return sizes[id(node)]


def _check(node: Any, tags: Collection[str]) -> None:
    """Refuse what is no plain data, what may mean two things, and a mapping with a key that comes twice."""
    kind = node.tag.removeprefix(PREFIX)
    if node.id == "scalar" and len(node.value) > LONGEST_KEY:
        raise _error(node, f"a word of {len(node.value)} letters; correct it")
    if kind in UNCLEAR:
        raise _error(node, f"{node.value} may be {UNCLEAR[kind].format(node.value)}")
    if kind not in KINDS and node.tag not in tags:
        raise _error(node, f"a value of the kind {kind[:80]!r}; write it as plain text, in quotes")
    seen = set()
    for key, _ in node.value if node.id == "mapping" else ():
        if str(key.value) in seen and key.value != "<<":
            raise _error(key, f"'{str(key.value)[:80]}' is given twice; remove one")
        seen.add(str(key.value))


def _construct(tree: yaml.Node, tags: Collection[str]) -> Any:
    class Loader(_Loader):
        yaml_constructors = _Loader.yaml_constructors | dict.fromkeys(tags, _Loader.construct_sequence)

    try:
        return Loader("").construct_document(tree)
    except (ValueError, KeyError, TypeError, OverflowError) as error:  # e.g. of !!bool x, or a number of 5000 digits
        raise _error(tree, f"a value that is not what its kind says ({error})") from None
