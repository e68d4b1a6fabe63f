"""Every public name is explained, and the examples are right.

Public is what has no leading underscore. A function or an `__init__` with three or more arguments has a section
`Args:`; where there is one, it names each argument and no other. What a function gives back stands in `Returns:`,
unless its first sentence is a noun phrase, or names it after a semicolon. Every error that a function raises itself is
named. A field of a class has a comment at the end of its line, or an entry in `Attributes:`. Examples stand in
`Examples:`, which the reference shows as code. The commands' own functions raise what the user reads; their help
explains them.
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
LEAST_EXAMPLES = 30
LEAST_MODULES = 20  # with examples
SECTION = re.compile(r"^(\w+):\n((?:    .*(?:\n|$)|\n)+)", re.M)
COMMENT = re.compile(r"  # (?!noqa|type:|fmt:)")
VERB = re.compile(  # with which a sentence begins that does not say what is given back
    "(Add|Append|Bring|Build|Check|Choose|Collect|Compare|Compute|Copy|Count|Decide|Decode|Draw|Execute|Find|Generate|"
    "Get|Give|Hold|Import|Join|Keep|Load|Look|Make|Match|Move|Note|Open|Pad|Prepare|Print|Raise|Read|Refuse|Repeat|"
    r"Replace|Restore|Return|Run|Save|Say|Send|Start|Summarise|Suppress|Take|Train|Write)\b"
)


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


def section(node, name):
    """The lines of a section of a docstring; "" where there is none."""
    return dict(SECTION.findall(ast.get_docstring(node) or "")).get(name, "")


def entries(node, name):
    """The names that a section explains: `name: ...` or `name, name: ...`."""
    lists = re.findall(r"^    (\w+(?:, \w+)*):", section(node, name), re.M)
    return {word for names in lists for word in names.split(", ")}


def wrong_arguments(node, names):
    """What is wrong with the arguments in the docstring of a function or class."""
    if not section(node, "Args") and len(names) < 3:
        return []
    explained = entries(node, "Args")
    return [
        *(f"does not explain {name}" for name in names if name not in explained),
        *(f"has no argument {name}" for name in sorted(explained - set(names))),
    ]


def lacks_result(function):
    """Whether a function gives something back that its docstring does not tell."""
    text, gives = ast.get_docstring(function) or "", ast.unparse(function.returns or ast.Constant(None))
    if gives == "None" or gives.startswith("Iterator") or section(function, "Returns"):
        return False
    first = text.partition("\n\n")[0]
    return bool(VERB.match(first)) and ";" not in first


def unexplained_errors(function):
    """The errors that a function raises itself, not from an inner one, and does not name."""
    text, found = ast.get_docstring(function) or "", set()
    for node in ast.walk(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            found.add(getattr(error, "id", ""))
    return sorted(name for name in found if name[:1].isupper() and name not in text)


def unexplained_fields(node, lines):
    """The annotated fields of a class without a word about them."""
    fields = [f for f in node.body if isinstance(f, ast.AnnAssign) and not f.target.id.startswith("_")]
    told = entries(node, "Attributes")
    return [f.target.id for f in fields if f.target.id not in told and not COMMENT.search(lines[f.lineno - 1])]


def wrong_class(node, lines):
    """What is wrong with the docstring of a class and the comments of its fields."""
    made = [m for m in node.body if isinstance(m, ast.FunctionDef) and m.name == "__init__"]
    for function in made:
        yield from (f"{node.name} {problem}" for problem in wrong_arguments(node, arguments(function)))
    fields = (f"{node.name}.{field}" for field in unexplained_fields(node, lines))
    yield from (f"{field} has no comment" for field in fields)


def wrong_function(name, function):
    """What is wrong with the docstring of a function, but for its errors."""
    yield from (f"{name} {problem}" for problem in wrong_arguments(function, arguments(function)))
    if lacks_result(function):
        yield f"{name} does not say what it gives back"
    text, shown = ast.get_docstring(function) or "", section(function, "Examples")
    if text.count(">>> ") > shown.count(">>> "):
        yield f"{name} has an example outside of Examples"


def wrong(path, source):
    """Everything of a module that is not explained."""
    tree, lines = ast.parse(source), source.splitlines()
    methods = (function for name, function in functions(tree) if "." in name)
    for node in (tree, *public(tree.body), *methods):
        if not ast.get_docstring(node):
            yield f"{path}: {getattr(node, 'name', 'module')} has no docstring"
    for name, function in functions(tree):
        yield from (f"{path}: {problem}" for problem in wrong_function(name, function))
        if path.parts[0] != "commands":
            yield from (f"{path}: {name} raises {error}" for error in unexplained_errors(function))
    for node in public(tree.body):
        if isinstance(node, ast.ClassDef):
            yield from (f"{path}: {problem}" for problem in wrong_class(node, lines))


def test_every_public_name_is_explained():
    assert [line for path in MODULES for line in wrong(path.relative_to(PACKAGE), path.read_text("utf-8"))] == []


WRONG = '''"""A module."""
class Kind:
    """A kind.

    Attributes:
        told: a number.
    """
    field: int
    kind: str
    named: int  # of something
    told: int
    def __init__(self, a, b, c):
        pass
    def method(self): pass
def function(a, b, c) -> int:
    """Make it.

    Args:
        a, c: numbers.
        d: once was one.

    >>> 1
    1
    """
    raise ValueError("no")
def none(): pass
'''
RIGHT = '''"""A module."""
class Kind:
    """A kind.

    Args:
        a, b: numbers.
        c: a text.
    """
    named: int  # of something
    def __init__(self, a, b, c):
        pass
def function(a, *others, **more) -> int:
    """Make it; the number that it has now.

    Args:
        a: number.
        others, more: as of `Kind`.

    Raises:
        ValueError: always.

    Examples:
        >>> 1
        1
    """
    raise ValueError("no")
def other(a, b) -> int:
    """Make it.

    Returns:
        A number.
    """
    try:
        function(a)
    except KeyError:
        raise
'''


def test_what_is_not_explained_is_noticed():
    assert list(wrong(Path("a.py"), WRONG)) == [
        "a.py: none has no docstring",
        "a.py: method has no docstring",
        "a.py: function does not explain b",
        "a.py: function has no argument d",
        "a.py: function does not say what it gives back",
        "a.py: function has an example outside of Examples",
        "a.py: function raises ValueError",
        "a.py: Kind does not explain a",
        "a.py: Kind does not explain b",
        "a.py: Kind does not explain c",
        "a.py: Kind.field has no comment",
        "a.py: Kind.kind has no comment",
    ]
    assert list(wrong(Path("a.py"), RIGHT)) == []


def examples(path):
    """The doctests of a module."""
    name = ".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")
    return [test for test in doctest.DocTestFinder().find(importlib.import_module(name)) if test.examples]


WITH_EXAMPLES = [path for path in MODULES if ">>> " in path.read_text(encoding="utf-8")]


def failures(tests):
    """How many examples give something else, and what is said about them."""
    said = io.StringIO()
    with redirect_stdout(said):
        failed = sum(doctest.DocTestRunner().run(test).failed for test in tests)
    return failed, said.getvalue()


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_examples_in_docstrings_give_what_they_say(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # they need no files
    tests = examples(path)
    assert tests
    failed, said = failures(tests)
    assert not failed, said
    assert not list(tmp_path.iterdir())


def test_a_wrong_example_is_noticed():
    texts = (">>> 1 + 1\n3\n", ">>> nothing\n", ">>> 1 + 1\n2\n")
    parsed = [doctest.DocTestParser().get_doctest(text, {}, "example", None, 0) for text in texts]
    assert [failures([test])[0] for test in parsed] == [1, 1, 0]
    assert "Expected:\n    3\nGot:\n    2" in failures(parsed)[1]


def test_there_are_examples():
    assert len(WITH_EXAMPLES) >= LEAST_MODULES
    count = sum(path.read_text(encoding="utf-8").count("    >>> ") for path in WITH_EXAMPLES)
    assert count >= LEAST_EXAMPLES
