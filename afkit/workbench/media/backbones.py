"""What turns clips of a film into vectors: a grid without weights, a function of one's own, or a network.

A network of transformers is made in `afkit.workbench.media.pretrained`.
"""

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from afkit.workbench.media.clips import Backbone

CELLS = 8  # of the grid, along each side
CELL_PIXELS = 4  # along each side of a cell
GREY = np.array([0.299, 0.587, 0.114], dtype=np.float32)


def load_backbone(name: str, num_frames: int | None = None) -> Backbone:
    """A backbone by its name: `grid`, `module:function`, or a model's folder or id.

    ValueError with one sentence where it cannot be had, or takes another number of frames.
    """
    if name == "grid":
        side = CELLS * CELL_PIXELS
        found = Backbone("grid", "", None, False, lambda height, width: (side, side), grid_vectors)
    elif is_function(name):
        found = Backbone(name, "", None, False, lambda height, width: (height, width), _own_function(name))
    else:
        from afkit.workbench.media.pretrained import load_pretrained

        found = load_pretrained(name, num_frames)
    if found.num_frames is not None and num_frames not in (None, found.num_frames):
        raise ValueError(f"the model {name} takes clips of {found.num_frames} frames, not {num_frames}")
    return found


def is_function(name: str) -> bool:
    """Whether a backbone is `module:function`, rather than a model's folder or id."""
    return ":" in name and not Path(name).exists()


def grid_vectors(clips: np.ndarray) -> np.ndarray:
    """Clips (B, T, 32, 32, 3) uint8 -> (B, 128): of 8 x 8 cells the mean grey, and the mean change between frames.

    A yardstick that needs no network: it sees where it is bright and where something moves, and knows no objects.
    """
    grey = clips.astype(np.float32) @ (GREY / 255)  # (B, T, 32, 32)
    change = np.abs(np.diff(grey, axis=1)) if grey.shape[1] > 1 else np.zeros_like(grey)
    return np.concatenate([_cells(grey), 4 * _cells(change)], axis=1)


def _cells(pictures: np.ndarray) -> np.ndarray:
    """(B, T, 32, 32) -> (B, 64)."""
    cut = pictures.reshape(*pictures.shape[:2], CELLS, CELL_PIXELS, CELLS, CELL_PIXELS)
    return cut.mean(axis=(1, 3, 5)).reshape(len(pictures), -1)


def _own_function(name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The function `module:function`, whose answers are checked; the current folder is searched, too."""
    module_name, _, attribute = name.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        function = getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise ValueError(f"the backbone {name} cannot be imported ({error}); give MODULE:FUNCTION") from None
    if not callable(function):
        raise ValueError(f"the backbone {name} is no function of clips; give MODULE:FUNCTION")

    def checked(clips: np.ndarray) -> np.ndarray:
        try:
            vectors = np.asarray(function(clips), dtype=np.float32)
        except Exception as error:  # a stranger's code may raise anything
            raise ValueError(f"the backbone {name} failed on clips {clips.shape}: {error!r}") from error
        if vectors.ndim != 2 or len(vectors) != len(clips) or not vectors.shape[1]:
            raise ValueError(f"the backbone {name} gave {vectors.shape} for {len(clips)} clips; it must give (B, C)")
        return vectors

    return checked
