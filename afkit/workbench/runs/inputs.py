"""Whether a stage's results are of the files that are there now: by digests of what it has read, not by clocks."""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

MADE_FROM = {"03_eval": "02_train", "04_visualize": "03_eval"}  # whose files a stage reads


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def up_to_date(folder: Path, stages: Mapping[str, Any], stage: str) -> bool:
    """Whether what a stage has read is as it was.

    A file that has gone since counts as what the stage that wrote it has noted. Runs of older versions have noted no
    digests; there the times decide: the stage must have begun after that one had ended.

    Args:
        folder: of the run.
        stages: its entries in run.json.
        stage: e.g. "03_eval", with the suffix of its split, if any.
    """
    own, before = (_entry(stages, name) for name in (stage, MADE_FROM.get(stage.partition("-")[0], "")))
    if told_by_time(stages, stage):
        began, ended = own.get("started"), before.get("finished")
        return not (began and ended) or str(began) >= str(ended)  # both UTC, in one format
    written = _entry(before, "sha256")
    return all(_digest_now(folder / name, written.get(name)) in (digest, None) for name, digest in _noted(own).items())


def told_by_time(stages: Mapping[str, Any], stage: str) -> bool:
    """Whether a stage has noted no digest of what it has read."""
    return not _noted(_entry(stages, stage))


def _noted(entry: Mapping[str, Any]) -> dict[str, Any]:
    return _entry(entry, "made_from")


def _entry(content: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = content.get(key)
    return found if isinstance(found, dict) else {}


def _digest_now(path: Path, otherwise: Any) -> Any:
    with suppress(OSError, ValueError):
        if path.is_file():
            return file_digest(path)
    return otherwise
