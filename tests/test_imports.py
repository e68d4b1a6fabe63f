"""Who may import whom: rooms import downwards only, and afkit itself needs no notebook library."""

import ast
import graphlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import afkit

PACKAGE = Path(afkit.__file__).parent
BASE = {
    "trust",
    "opening",
    "zips",
    "lock",
    "files",
    "scratch",
    "home",
    "yaml_files",
    "file_names",
    "limits",
    "shipped",
    "segments",
    "config",
}
LAYERS = {  # room or module: what it may import; a room may import itself. BASE imports nothing but each other
    "trust": set(),
    "opening": set(),
    "zips": {"opening"},
    "lock": {"opening"},
    "files": {"trust", "opening", "lock"},
    "scratch": {"opening", "lock", "files"},
    "yaml_files": {"opening"},
    "file_names": set(),
    "limits": set(),
    "home": set(),
    "shipped": set(),
    "segments": set(),
    "config": {"file_names", "limits"},
    "recipe_files": BASE,
    "recipes": BASE | {"recipe_files"},
    "original": BASE,
    "published": BASE,
    "data": BASE,
    "model": BASE,
    "detect": BASE | {"data", "model"},
    "train": BASE | {"data", "model"},
    "evaluation": BASE | {"published"},
    "view": BASE | {"data", "evaluation", "published"},
    "inspector": BASE | {"data", "evaluation", "view"},
    "runs": BASE
    | {"recipe_files", "recipes", "original", "published"}
    | {"data", "model", "detect", "train", "evaluation", "view", "inspector"},
}
LAYERS["commands"] = set(LAYERS)
NOT_NEEDED = ["jupyter", "ipywidgets", "anywidget", "dask", "matplotlib", "papermill", "IPython", "seaborn", "nbformat"]


def room_of(path):
    """The room (folder) or module that a file of the package belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(path):
    """Dotted names that a file imports anywhere in it, functions included; relative imports are refused."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports of afkit in full"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files():
    """All modules but the two that stand above the rooms."""
    return [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path) not in ("__init__", "__main__")]


def imports_between_rooms():
    """{(importing room, imported room): {file, ...}}."""
    found, rooms = {}, {room_of(path) for path in files()}
    for path in files():
        for module in imported_modules(path):
            parts = module.split(".")
            if parts[0] == "afkit" and len(parts) > 1 and parts[1] in rooms:
                found.setdefault((room_of(path), parts[1]), set()).add(path.relative_to(PACKAGE).as_posix())
    return found


def test_every_room_is_in_the_table():
    assert {room_of(path) for path in files()} <= LAYERS.keys()


def test_rooms_import_downwards_only():
    wrong = {
        (room, other): sorted(paths)
        for (room, other), paths in imports_between_rooms().items()
        if other != room and other not in LAYERS.get(room, set())
    }
    assert wrong == {}


def test_the_table_has_no_cycles():
    order = list(graphlib.TopologicalSorter(LAYERS).static_order())
    assert order.index("config") < order.index("data") < order.index("train") < order.index("runs")


def test_modules_have_no_cycles():
    graph = {}
    names = {".".join(("afkit", *path.relative_to(PACKAGE).with_suffix("").parts)): path for path in files()}
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
    assert not loaded_after("import afkit.runs.sweep") & {"torch", "papermill", "nbformat", "matplotlib"}
    assert not loaded_after("import afkit.runs.sweep_work, afkit.runs.pipeline") & {"torch", "matplotlib"}


def test_public_names():
    assert set(afkit.__all__) <= set(dir(afkit))
    for name in afkit.__all__:
        assert getattr(afkit, name) is not None
    with pytest.raises(AttributeError, match="module 'afkit' has no attribute 'nothing'"):
        afkit.nothing  # noqa: B018
    assert not {path.stem for path in PACKAGE.iterdir()} & {name for name in afkit.__all__ if not name.startswith("_")}


def test_the_room_of_data_offers_the_import_by_its_name():
    import afkit.data
    from afkit.data.importing import import_annotations

    assert afkit.data.import_annotations is import_annotations and "import_annotations" in dir(afkit.data)
    with pytest.raises(AttributeError, match=r"module 'afkit\.data' has no attribute 'nothing'"):
        afkit.data.nothing  # noqa: B018
    assert not loaded_after("import afkit.data") & {"numpy", "torch", "pydantic", "afkit.data.importing"}
