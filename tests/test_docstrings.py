"""Every public function and class is explained, and the examples in docstrings give what they say."""

import ast
import doctest
import importlib
from pathlib import Path

import pytest

import afkit

PACKAGE = Path(afkit.__file__).parent
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__main__"]
WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")]


def unexplained(path):
    """Public functions and classes at the top of a module, and the module, without a docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    nodes = [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]
    return [getattr(node, "name", "the module") for node in (tree, *nodes) if not ast.get_docstring(node)]


def test_every_public_name_is_explained():
    found = {path.relative_to(PACKAGE).as_posix(): unexplained(path) for path in MODULES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples_in_docstrings_give_what_they_say(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they need no files
    name = ".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted and not result.failed, "what differs is printed"
    assert not list(tmp_path.iterdir())


def test_there_are_examples():
    assert len(WITH_EXAMPLES) >= 20
