"""What the runs of a sweep lack, as far as it can be known before the first one starts: data, or room on the disk."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from afkit.config import Recipe
from afkit.workbench.datasets.prepare import can_prepare
from afkit.workbench.runs.folder import project_root
from afkit.workbench.sweeps.sweep_file import Cell, Sweep, resolved

WEIGHT_BYTES = 4 * (2 + 2 * 4)  # of each weight on the disk: two files, and two states with averages and moments


def missing_data(plan: Sweep, cells: Sequence[Cell]) -> str:
    """What is said where runs have no data and nothing to prepare it from, with the line of the file; "" if they do."""
    settings, given = plan.settings, plan.settings.parameters
    for cell in cells if settings.data == "real" else ():
        made, root = resolved(cell), project_root() / settings.data_root
        if not can_prepare(made, root, given.get("source", ""), given.get("download", False)):
            return (
                f"{plan.path}, line {cell.line}: the data of '{cell.recipe}' is not at {root / made.data.annotations}; "
                f"give its folder as 'data_root', or prepare it with: python -m afkit prepare {cell.recipe} SRC"
            )
    return ""


def missing_space(plan: Sweep, cells: Sequence[Cell]) -> str:
    """What is said where the weights and checkpoints of all runs do not fit on the disk; "" where they do."""
    import torch  # takes seconds; a sweep that is done goes without

    from afkit.model.actionformer import ActionFormer, count_parameters

    networks = Counter(resolved(cell).model_copy(update={"name": "any"}).model_dump_json() for cell in cells)
    needed = 0
    for settings, number in networks.items():
        with torch.device("meta"):  # shapes without numbers
            network = ActionFormer(Recipe.model_validate_json(settings))
        needed += number * WEIGHT_BYTES * count_parameters(network)["all"]
    folder = _existing(project_root() / plan.results)
    free = shutil.disk_usage(folder).free
    if needed <= free:
        return ""
    return (
        f"the {len(cells)} runs need about {needed / 1e9:.1f} GB for checkpoints, and {folder} has {free / 1e9:.1f} GB "
        f"left; make room, or give another folder as 'results' in {plan.path}"
    )


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that exists."""
    return next(path for path in (folder, *folder.parents) if path.is_dir())
