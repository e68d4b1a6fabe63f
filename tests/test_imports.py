"""The two floors: the core is small, needs little, and knows nothing of the workbench."""

import ast
import graphlib
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import afkit

PACKAGE = Path(afkit.__file__).parent
CORE = [path for path in sorted(PACKAGE.rglob("*.py")) if "workbench" not in path.relative_to(PACKAGE).parts]
DEPENDENCIES = {"torch", "numpy", "pandas", "pydantic", "safetensors", "h5py", "yaml"}  # yaml only where it is used
TABLES = {PACKAGE / "__init__.py", PACKAGE / "__main__.py"}  # may name what lies on the upper floor, lazily
MOST_MODULES, MOST_LINES, MOST_STATEMENTS = 36, 7_110, 4_435  # of the core
MOST_LINES_OF_ALL, MOST_LINES_OF_TESTS = 34_893, 40_701


def imported_modules(path):
    """Dotted names that a file imports anywhere in it, functions included; relative imports are refused."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports of afkit in full"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def module_name(path):
    """As it is imported."""
    return ".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts))


def test_the_core_knows_nothing_of_the_workbench():
    wrong = {path.name: [m for m in imported_modules(path) if "workbench" in m] for path in CORE if path not in TABLES}
    assert {name: modules for name, modules in wrong.items() if modules} == {}
    named = {path.name for path in CORE if path not in TABLES and "afkit.workbench" in path.read_text("utf-8")}
    assert not named, "nor by a text that is imported later"


def size(paths):
    """Modules (packages' own files not counted), lines, and statements of some files."""
    texts = [path.read_text(encoding="utf-8") for path in paths]
    statements = sum(isinstance(node, ast.stmt) for text in texts for node in ast.walk(ast.parse(text)))
    return sum(not path.stem.startswith("__") for path in paths), sum(text.count("\n") for text in texts), statements


def test_the_house_and_its_core_stay_small():
    modules, lines, statements = size(CORE)
    all_lines, tests = (size(list(folder.rglob("*.py")))[1] for folder in (PACKAGE, PACKAGE.parent / "tests"))
    print(f"the core: {modules} modules, {lines} lines, {statements} statements")
    print(f"afkit: {all_lines} lines, its tests: {tests}")
    assert modules <= MOST_MODULES and lines <= MOST_LINES and statements <= MOST_STATEMENTS
    assert all_lines <= MOST_LINES_OF_ALL and tests <= MOST_LINES_OF_TESTS


BLOCKING = """
import builtins, sys
allowed = {allowed!r} | set(sys.stdlib_module_names) | {{"afkit"}}
real = builtins.__import__
def guarded(name, globals=None, locals=None, fromlist=(), level=0):
    caller = (globals or {{}}).get("__name__", "")
    if level == 0 and caller.startswith("afkit") and name.partition(".")[0] not in allowed:
        raise ImportError("blocked: " + name)
    return real(name, globals, locals, fromlist, level)
builtins.__import__ = guarded
import importlib
for name in {names!r}:
    importlib.import_module(name)
"""


def test_each_module_of_the_core_needs_its_dependencies_only():
    names = [
        module_name(path).removesuffix(".__init__") for path in CORE if path.stem not in ("__main__", "yaml_files")
    ]
    subprocess.run([sys.executable, "-c", BLOCKING.format(allowed=DEPENDENCIES - {"yaml"}, names=names)], check=True)


@pytest.mark.parametrize(("new", "old"), [(new, old) for new, names in afkit._MOVED.items() for old in names.split()])
def test_an_old_path_is_told_the_new_one(new, old):
    new = new.replace("*", old.rpartition(".")[2])
    with pytest.raises(ImportError, match=rf"^afkit\.{re.escape(old)} has moved; import {re.escape(new)}$"):
        importlib.import_module(f"afkit.{old}")
    importlib.import_module(new)


def test_code_that_names_a_module_in_a_room_that_has_moved_is_told_the_room():
    with pytest.raises(ImportError, match=r"^afkit\.view has moved; import afkit\.workbench\.view$"):
        importlib.import_module("afkit.view.timelines")


def test_modules_have_no_cycles():
    paths = {module_name(path): path for path in PACKAGE.rglob("*.py") if not path.stem.startswith("__")}
    graph = {name: {other for other in imported_modules(path) if other in paths} for name, path in paths.items()}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def imports_of(notebook):
    """What a notebook imports."""
    cells = json.loads((PACKAGE.parent / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    lines = [line for cell in cells if cell["cell_type"] == "code" for line in "".join(cell["source"]).splitlines()]
    return "\n".join(line for line in lines if line.startswith(("import ", "from ")))


NOTEBOOK = "jupyter ipywidgets anywidget dask matplotlib papermill IPython seaborn nbformat"
LIGHT = {  # what is imported: what must not come with it
    "import afkit": f"{NOTEBOOK} torch pandas pydantic",
    "import afkit.data": "numpy torch pydantic",
    "import afkit.detect.suppression": f"{NOTEBOOK} pydantic pandas safetensors h5py",  # it also runs on a bare machine
    "import afkit\nfor name in afkit.__all__: getattr(afkit, name)": f"{NOTEBOOK} h5py seglearn yaml",
    "import afkit.workbench.sweeps.sweep": "torch papermill nbformat matplotlib",
    "import afkit.workbench.sweeps.work, afkit.workbench.runs.pipeline": "torch matplotlib",
    imports_of("01_data"): "torch seaborn scipy",
    imports_of("04_visualize"): "torch seaborn scipy",
}


@pytest.mark.slow
@pytest.mark.parametrize("code", LIGHT, ids=lambda code: code.splitlines()[-1])
def test_what_starts_quickly_or_works_with_little_loads_no_more(code):
    if "sweeps" in code:
        pytest.importorskip("distributed", reason="sweeps are made by dask")
    command = [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert "afkit" in loaded and not loaded & set(LIGHT[code].split())


def test_public_names():
    assert set(afkit.__all__) <= set(dir(afkit))
    for name in afkit.__all__:
        assert getattr(afkit, name) is not None
    with pytest.raises(AttributeError, match="module 'afkit' has no attribute 'nothing'"):
        afkit.nothing  # noqa: B018
    assert not {path.stem for path in PACKAGE.iterdir()} & {name for name in afkit.__all__ if not name.startswith("_")}


def test_the_room_of_data_offers_the_import_by_its_name():
    import afkit.data
    from afkit.workbench.own_data.importing import import_annotations

    assert afkit.data.import_annotations is import_annotations
    with pytest.raises(AttributeError, match=r"module 'afkit\.data' has no attribute 'nothing'"):
        afkit.data.nothing  # noqa: B018
