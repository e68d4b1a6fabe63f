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
MOST_MODULES, MOST_LINES, MOST_STATEMENTS = 33, 6_350, 3_960  # of the core
MOST_LINES_OF_ALL, MOST_LINES_OF_TESTS = 21_300, 31_600
NOT_NEEDED = ["jupyter", "ipywidgets", "anywidget", "dask", "matplotlib", "papermill", "IPython", "seaborn", "nbformat"]


def imported_modules(path):
    """Dotted names that a file imports anywhere in it, functions included; relative imports are refused."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports of afkit in full"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


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


def test_the_core_is_read_in_an_afternoon():
    modules, lines, statements = size(CORE)
    print(f"the core: {modules} modules, {lines} lines, {statements} statements")
    assert modules <= MOST_MODULES and lines <= MOST_LINES and statements <= MOST_STATEMENTS


def test_the_house_stays_small():
    lines, tests = (size(sorted(folder.rglob("*.py")))[1] for folder in (PACKAGE, PACKAGE.parent / "tests"))
    print(f"afkit: {lines} lines, its tests: {tests}")
    assert lines <= MOST_LINES_OF_ALL and tests <= MOST_LINES_OF_TESTS


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
    names = [".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in CORE]
    names = [name.removesuffix(".__init__") for name in names if name not in ("afkit.__main__", "afkit.yaml_files")]
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
    graph = {}
    files = [path for path in sorted(PACKAGE.rglob("*.py")) if not path.stem.startswith("__")]
    names = {".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in files}
    for name, path in names.items():
        graph[name] = {module for module in imported_modules(path) if module in names} - {name}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError


def loaded_after(code):
    """Names of the modules that a fresh interpreter has loaded after a piece of code."""
    program = f"{code}\nimport sys\nprint(' '.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=PACKAGE.parent
    )
    return {name.split(".")[0] for name in done.stdout.split()} | set(done.stdout.split())


def test_afkit_is_light():
    loaded = loaded_after("import afkit")
    assert not loaded & {*NOT_NEEDED, "torch", "pandas", "pydantic"}


@pytest.mark.slow
def test_nothing_public_needs_a_notebook():
    loaded = loaded_after("import afkit\nfor name in afkit.__all__: getattr(afkit, name)")
    assert "torch" in loaded
    assert not loaded & {*NOT_NEEDED, "h5py", "seglearn", "yaml"}


def test_suppression_needs_torch_alone():
    """It also runs where there is little more than torch: on a bare GPU machine."""
    loaded = loaded_after("import afkit.detect.suppression")
    assert "torch" in loaded
    assert not loaded & {*NOT_NEEDED, "pydantic", "pandas", "safetensors", "h5py"}


@pytest.mark.slow
@pytest.mark.parametrize("notebook", ["01_data", "04_visualize"])
def test_notebooks_that_compute_nothing_start_without_torch(notebook):
    cells = json.loads((PACKAGE.parent / "notebooks" / f"{notebook}.ipynb").read_text(encoding="utf-8"))["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    imports = [line for source in sources for line in source.splitlines() if line.startswith(("import ", "from "))]
    assert len(imports) > 10
    assert not loaded_after("\n".join(imports)) & {"torch", "seaborn", "scipy"}


@pytest.mark.slow
def test_a_sweep_starts_without_what_only_its_workers_need():
    pytest.importorskip("distributed", reason="sweeps are made by dask")
    assert not loaded_after("import afkit.workbench.sweeps.sweep") & {"torch", "papermill", "nbformat", "matplotlib"}
    assert not loaded_after("import afkit.workbench.sweeps.work, afkit.workbench.runs.pipeline") & {
        "torch",
        "matplotlib",
    }


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
    assert not loaded_after("import afkit.data") & {"numpy", "torch", "pydantic"}
