"""Every public name is explained, and the examples are right.

Public is what has no leading underscore. A function with three or more arguments has a section `Args:` that names
each; every error that a function raises itself is named; a field of a class has a comment at the end of its line, or is
named in the class's docstring. The commands' own functions raise what the user reads; their help explains them.
"""

import ast
import doctest
import importlib
import io
import re
from contextlib import redirect_stdout
from pathlib import Path

import pytest

import afkit

PACKAGE = Path(afkit.__file__).parent
MODULES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.stem != "__main__"]
LEAST_EXAMPLES = 20
OF_PYTHON = {"AttributeError", "NotImplementedError"}  # raised where the language asks for them


def public(nodes):
    """The public functions and classes of a module or class."""
    return [n for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]


def functions(tree):
    """(name, node) of public functions, and of public methods of public classes."""
    for node in public(tree.body):
        if isinstance(node, ast.FunctionDef):
            yield node.name, node
        else:
            yield from ((f"{node.name}.{m.name}", m) for m in public(node.body) if isinstance(m, ast.FunctionDef))


def arguments(function):
    """The names of a function's arguments."""
    own = function.args
    every = [*own.posonlyargs, *own.args, *own.kwonlyargs, *filter(None, (own.vararg, own.kwarg))]
    return [argument.arg for argument in every if argument.arg not in ("self", "cls")]


def unexplained_arguments(function):
    """What is wrong with the arguments in a docstring."""
    text, names = ast.get_docstring(function) or "", arguments(function)
    if len(names) < 3:
        return []
    section = text.partition("Args:\n")[2].partition("\nReturns:")[0].partition("\nRaises:")[0]
    return [name for name in names if not re.search(rf"^ +(?:\w+, )*{name}(?:, \w+)*:", section, re.M)]


def unexplained_errors(function):
    """The errors that a function raises itself, not from an inner one, and does not name."""
    text, found = ast.get_docstring(function) or "", set()
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            found.add(getattr(error, "id", ""))
    return sorted(name for name in found - OF_PYTHON if name[:1].isupper() and name not in text)


def unexplained_fields(node, lines):
    """The annotated fields of a class without a word about them."""
    text = ast.get_docstring(node) or ""
    fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and not f.target.id.startswith("_")]
    return [
        field.target.id
        for field in fields
        if not re.search(rf"\b{field.target.id}\b", text)
        and not any("  # " in line for line in lines[field.lineno - 1 : field.end_lineno])
    ]


def wrong(path, source):
    """Everything of a module that is not explained."""
    tree, lines = ast.parse(source), source.splitlines()
    methods = (function for name, function in functions(tree) if "." in name)
    for node in (tree, *public(tree.body), *methods):
        if not ast.get_docstring(node):
            yield f"{path}: {getattr(node, 'name', 'module')} has no docstring"
    for name, function in functions(tree):
        yield from (f"{path}: {name} does not explain {argument}" for argument in unexplained_arguments(function))
        if path.parts[0] != "commands":
            yield from (f"{path}: {name} raises {error}" for error in unexplained_errors(function))
    for node in public(tree.body):
        if isinstance(node, ast.ClassDef):
            yield from (f"{path}: {node.name}.{field} has no comment" for field in unexplained_fields(node, lines))


def test_every_public_name_is_explained():
    assert [line for path in MODULES for line in wrong(path.relative_to(PACKAGE), path.read_text("utf-8"))] == []


def test_what_is_not_explained_is_noticed():
    source = '''"""A module."""
class Kind:
    """A kind."""
    field: int
    named: int  # of something
def function(a, b, c):
    """Do it.

    Args:
        a, c: numbers.
    """
    raise ValueError("no")
def none(): pass
'''
    assert list(wrong(Path("a.py"), source)) == [
        "a.py: none has no docstring",
        "a.py: function does not explain b",
        "a.py: function raises ValueError",
        "a.py: Kind.field has no comment",
    ]


def examples(path):
    """The doctests of a module."""
    name = ".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples_in_docstrings_give_what_they_say(path):
    tests, said = examples(path), io.StringIO()
    assert tests
    with redirect_stdout(said):
        failed = sum(doctest.DocTestRunner().run(test).failed for test in tests)
    assert not failed, said.getvalue()


def test_there_are_examples():
    count = sum(path.read_text(encoding="utf-8").count("    >>> ") for path in WITH_EXAMPLES)
    assert count >= LEAST_EXAMPLES
