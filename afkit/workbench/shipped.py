"""What comes with the package and is no module: the notebooks, and the sources of the NMS operator."""

import os
import shutil
from pathlib import Path

NOTEBOOKS = "notebooks"
OPERATOR_SOURCES = "extensions/nms"


def shipped(name: str) -> Path:
    """The folder of `NOTEBOOKS` or `OPERATOR_SOURCES`: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "_shipped" / name  # put there by the wheel, see pyproject.toml
    return inside if inside.is_dir() else package.parent / name


def copy_notebooks(folder: str | Path) -> list[Path]:
    """Copy all notebooks into a folder, which is made; the copies.

    Raises:
        ValueError: a file of one of these names is there; nothing is copied then.
    """
    sources = sorted(shipped(NOTEBOOKS).glob("*.ipynb"))
    targets = [Path(folder) / source.name for source in sources]
    taken = next((target for target in targets if os.path.lexists(target)), None)
    if taken is not None:
        raise ValueError(f"{taken} exists, and may have been changed; give another folder")
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        for source, target in zip(sources, targets, strict=True):
            shutil.copyfile(source, target)
    except OSError as error:
        raise ValueError(f"{folder} cannot be written to ({error.strerror}); give another folder") from None
    return targets
