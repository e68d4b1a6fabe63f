"""Which code a stage consists of: its notebook, and the rooms of the package that its numbers come from."""

import ast
import hashlib
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import afkit
from afkit.files import read_json
from afkit.workbench.shipped import NOTEBOOKS, shipped
from afkit.workbench.trust import check_trusted, project_root

COMMON = (
    "recipe",
    "seed",
    "overrides",
    "data_root",
    "run_dir",
)  # set by the arguments of `afkit.workbench.runs.pipeline.run`
BASE = ("config", "segments")
ROOMS = {  # of each stage; how runs are carried out, and pictures of numbers, change no number
    "01_data": (*BASE, "data", "workbench/survey"),
    "02_train": (*BASE, "data", "model", "train"),
    "03_eval": (*BASE, "data", "model", "detect", "evaluation", "workbench/analysis"),
    "04_visualize": (*BASE, "data", "evaluation", "workbench/analysis", "workbench/view"),
}
DIGITS = 12  # of a digest


def stage_code(stage: str) -> dict[str, str]:
    """Digests of what a stage is made of: {"notebook": ..., "config": ..., "data": ..., ...}, by room or module.

    Of the notebook the code cells count, not its texts and outputs. The package's modules are read once in a process,
    since what it has loaded stays, too.
    """
    path = notebook_path(stage)
    state = path.stat()
    digest = _notebook_digest(path, (state.st_mtime_ns, state.st_ino, state.st_size))
    return {"notebook": digest} | {room: _room_digest(room) for room in ROOMS[stage]}


def changed_code(before: Mapping[str, str], stage: str) -> list[str]:
    """What has changed since `stage_code` gave `before`, e.g. ["the notebook", "afkit/train"]; [] if that is empty."""
    if not before:
        return []
    now = stage_code(stage)
    changed = [part for part in now if before.get(part) != now[part]]
    return ["the notebook" if part == "notebook" else f"afkit/{part}" for part in changed]


def notebook_parameters(stage: str) -> dict[str, Any]:
    """Names and defaults of a notebook's parameters, from its cell tagged 'parameters'."""
    cells = read_json(notebook_path(stage))["cells"]
    (cell,) = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", ()))
    body = ast.parse("".join(cell["source"])).body
    declared = [(node.target, node.value) for node in body if isinstance(node, ast.AnnAssign)]  # name: type = default
    assigned = [(node.targets[0], node.value) for node in body if isinstance(node, ast.Assign)]
    return {
        target.id: ast.literal_eval(value)
        for target, value in (*declared, *assigned)
        if isinstance(target, ast.Name) and value is not None
    }


def values_in_kernel(stage: str) -> dict[str, Any]:
    """What a stage's own parameters are where its notebook is being executed, by hand or not; {} elsewhere."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    names = shell.user_ns if shell else {}
    defaults = {name: value for name, value in notebook_parameters(stage).items() if name not in COMMON}
    return {name: names[name] for name, value in defaults.items() if type(names.get(name)) is type(value)}


def notebook_path(stage: str) -> Path:
    """Where a stage's notebook lies: in the project, where it may have been changed, else as it was installed.

    Raises:
        ValueError: it is not there, or another user can change it, see `afkit.workbench.trust.check_trusted`.
    """
    project, name = project_root(), f"{stage}.ipynb"
    own = project / NOTEBOOKS / name
    if own.is_file():
        check_trusted(project, project, own.parent, own)
        return own
    path = shipped(NOTEBOOKS) / name
    if not path.is_file():
        raise ValueError(f"{own} does not exist; install afkit again")
    return path


@cache
def _notebook_digest(path: Path, state: tuple[int, ...]) -> str:
    cells = read_json(path)["cells"]
    return _digest("".join(cell["source"]).encode() for cell in cells if cell["cell_type"] == "code")


@cache
def _room_digest(room: str) -> str:
    package = Path(afkit.__file__).parent
    files = [package / f"{room}.py"] if room in BASE else sorted((package / room).rglob("*.py"))
    return _digest(part for file in files for part in (file.name.encode(), file.read_bytes()))


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()[:DIGITS]
