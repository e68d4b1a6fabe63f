"""The notebooks of a run: where they lie, which parameters each takes, and what may be done about them elsewhere."""

import ast
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from afkit.config import nearest
from afkit.files import read_json
from afkit.workbench.shipped import NOTEBOOKS, shipped
from afkit.workbench.trust import check_trusted, project_root

STAGES = ("01_data", "02_train", "03_eval", "04_visualize")
COMMON = ("recipe", "seed", "overrides", "data_root", "run_dir")  # set by the arguments of `pipeline.run`
DEFAULT_SEED = 1234567891
_BEGINS = re.compile(r"^recipe\b.*=|\bstart_stage\(", re.MULTILINE)


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


def notebook_parameters(stage: str) -> dict[str, Any]:
    """Names and defaults of a notebook's parameters, from its cell tagged 'parameters'."""
    cells = read_json(notebook_path(stage))["cells"]
    (cell,) = (cell for cell in cells if "parameters" in cell["metadata"].get("tags", ()))
    found: dict[str, Any] = {}
    for node in ast.parse("".join(cell["source"])).body:  # name = default, or name: type = default
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            found |= {target.id: ast.literal_eval(node.value)} if isinstance(target, ast.Name) else {}
    return found


def values_in_kernel(stage: str) -> dict[str, Any]:
    """A stage's own parameters where its notebook is being executed, by hand or not; ValueErrors as of their types."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    names = shell.user_ns if shell else {}
    given = {name: names[name] for name in notebook_parameters(stage) if name in names and name not in COMMON}
    return parameters_by_stage([stage], given)[stage]


def with_epochs(overrides: Mapping[str, Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides of a run: all stages must agree on the recipe, so the parameter `epochs` becomes one.

    Examples:
        >>> with_epochs({"model.heads": 2}, {"epochs": 5, "tiou": 0.5})
        {'model.heads': 2, 'optim.epochs': 5}
    """
    epochs = parameters.get("epochs")
    if epochs and overrides.get("optim.epochs", epochs) != epochs:
        raise ValueError(f"the parameter epochs is {epochs}, but optim.epochs {overrides['optim.epochs']}; give one")
    return dict(overrides) | ({"optim.epochs": epochs} if epochs else {})


def choose_stages(stages: Sequence[str]) -> list[str]:
    """Full names of stages given in full or by number ('03'), in their order; a ValueError names an unknown one."""
    for wanted in stages:
        if not any(wanted in (stage, stage[:2]) for stage in STAGES):
            raise ValueError(f"there is no stage '{wanted}'; {nearest(wanted, list(STAGES))}")
    return [stage for stage in STAGES if stage in stages or stage[:2] in stages]


def parameters_by_stage(
    stages: Sequence[str], parameters: Mapping[str, Any], common: Sequence[str] = COMMON
) -> dict[str, dict[str, Any]]:
    """Which notebook takes which of the given parameters, checked against their defaults' types.

    Raises:
        ValueError: a parameter that no chosen notebook has (papermill itself would only warn), one that has an
            option of its own, or a value of another type.
    """
    declared = {stage: notebook_parameters(stage) for stage in stages}
    known = sorted({name for names in declared.values() for name in names} - set(common))
    for name, value in parameters.items():
        if name in common:
            raise ValueError(f"'{name}' is not set as a notebook parameter; use the option or argument of that name")
        if name not in known:
            raise ValueError(f"no notebook of {', '.join(stages)} has the parameter '{name}'; {nearest(name, known)}")
        for default in (names[name] for names in declared.values() if name in names):
            wanted, given = type(default), type(value)
            if given is not wanted and (wanted, given) != (float, int):
                raise ValueError(f"parameter '{name}' takes {wanted.__name__}, e.g. {default!r}, not {value!r}")
    return {stage: {k: v for k, v in parameters.items() if k in names} for stage, names in declared.items()}


def skip_remaining_cells(reason: str) -> None:
    """Print why the rest of a notebook has nothing to do, and let the cells after this one do nothing.

    Under papermill the notebook then ends without an error. By hand, the cell of the parameters (which sets `recipe`),
    or the one that calls `start_stage`, ends it: from that cell on, all do their work again.
    """
    from IPython import get_ipython  # afkit itself needs no notebook library

    shell = get_ipython()
    print(reason)

    def nothing(lines: list[str]) -> list[str]:
        if not _BEGINS.search("".join(lines)):
            return []
        others = [transform for transform in shell.input_transformers_post if transform is not nothing]
        shell.input_transformers_post = others
        return lines

    shell.input_transformers_post.append(nothing)
