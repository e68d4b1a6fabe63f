"""An import of a source that a test writes."""

import json
import shutil

import pytest

from afkit.data.annotations import read_annotations
from afkit.workbench.own_data.importing import import_annotations


@pytest.fixture
def bring(tmp_path):
    """Writes a source (text, JSON content, or {file name: text} for a folder), imports it, and reads the result."""

    def bring(content, name="source.csv", recordings="", **arguments):
        source, target = tmp_path / name, tmp_path / "out" / "mine.json"
        shutil.rmtree(target.parent, ignore_errors=True)
        if isinstance(content, dict) and name == "folder":
            source.mkdir(exist_ok=True)
            for file, text in content.items():
                (source / file).write_text(text, encoding="utf-8")
        else:
            source.write_text(content if isinstance(content, str) else json.dumps(content))
        if recordings:
            (tmp_path / "recordings.csv").write_text(recordings)
            arguments["recordings"] = tmp_path / "recordings.csv"
        bring.report = import_annotations(source, target, **arguments)
        return read_annotations(target)

    return bring
