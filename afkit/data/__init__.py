"""Annotations and features on disk, items and batches."""

from typing import Any

import afkit

__all__ = ["import_annotations"]


def __getattr__(name: str) -> Any:
    if name != "import_annotations":
        raise AttributeError(f"module 'afkit.data' has no attribute '{name}'")
    return afkit.import_annotations  # on first use, as the names of afkit
