"""What nothing uses is not kept: it serves the package, a notebook, a benchmark, or a reader who is told of it."""

import json
import re
from pathlib import Path

import pytest

import afkit

ROOT = Path(__file__).parents[1]
vulture = pytest.importorskip("vulture", reason="it looks for unused code")

CALLED_BY_OTHERS = {"forward", "backward", "setup_context", "find_class", "__getattr__", "__dir__", "start_http_server"}
CALLED_BY_OTHERS |= {"format_help"}  # by argparse
CALLED_BY_OTHERS |= {"get_absolute_path", "validate_absolute_path", "write_error"}  # by tornado
BY_DECORATOR = ["@field_validator", "@model_validator", "@traitlets.validate", "@traitlets.observe"]
KINDS = {"function", "method", "class", "property", "import", "unreachable_code"}


def notebook_code(path):
    """The code of a notebook as a module."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


def explained():
    """Names in the code of the documentation and of the notebooks' prose."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in pages)
    spans = re.findall(r"```python\n(.*?)```|`([^`\n]+)`", text, re.S)
    return {name for span in spans for name in re.findall(r"\w+", " ".join(span))}


def unused(sources, known=()):
    """[file: name] of what none of the sources {file: code} uses, and nobody knows."""
    finder = vulture.Vulture(ignore_names=[*CALLED_BY_OTHERS, *known], ignore_decorators=BY_DECORATOR)
    for path, code in sources.items():
        finder.scan(code, path)
    return [f"{item.filename}: {item.name}" for item in finder.get_unused_code() if item.typ in KINDS]


def our_sources():
    """Code that may use the package: itself, notebooks, benchmarks."""
    folders = ("afkit", "benchmarks", "extensions")
    modules = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {path.relative_to(ROOT): path.read_text(encoding="utf-8") for path in modules}
    return found | {
        path.relative_to(ROOT): notebook_code(path) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    }


def test_nothing_is_unused():
    assert unused(our_sources(), {*afkit.__all__, *explained()}) == []


def test_something_unused_is_noticed():
    found = unused({Path("a.py"): "def used(): pass\ndef unused(): pass\nclass A:\n    def b(self): used()\n"})
    assert found == ["a.py: unused", "a.py: A", "a.py: b"]
