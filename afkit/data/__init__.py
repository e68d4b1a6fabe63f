"""Annotations and features on disk, items and batches, sample data: the room of 01_data."""

from typing import Any

__all__ = ["import_annotations"]


def __getattr__(name: str) -> Any:
    if name != "import_annotations":
        raise AttributeError(f"module 'afkit.data' has no attribute '{name}'")
    from afkit.data.importing import import_annotations  # on first use, as the names of afkit

    return import_annotations


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
