"""Which code a stage consists of, and how many threads it gets."""

import json
import sys
from types import SimpleNamespace

import pytest

from afkit.files import read_json, write_json
from afkit.workbench.runs import provenance
from afkit.workbench.runs.notebooks import STAGES, notebook_path, values_in_kernel
from afkit.workbench.runs.provenance import THREADS, changed_code, stage_code, thread_limits

FILES = {  # of the package, and the stages whose numbers come from it
    "segments.py": "1234",
    "data/items.py": "1234",
    "model/blocks.py": "23",
    "train/loop.py": "2",
    "detect/decode.py": "3",
    "workbench/view/style.py": "4",
}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A copy of some of the package's files in `tmp_path`/afkit, and the notebooks as they are."""
    for name in ("config.py", *FILES):
        path = tmp_path / "afkit" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n")
    monkeypatch.setattr(provenance.afkit, "__file__", str(tmp_path / "afkit" / "__init__.py"))
    provenance._room_digest.cache_clear()
    yield tmp_path / "afkit"
    provenance._room_digest.cache_clear()


@pytest.mark.parametrize(("file", "stages"), FILES.items())
def test_a_change_is_named_for_the_stages_whose_numbers_come_from_it(package, file, stages):
    before = {stage: stage_code(stage) for stage in STAGES}
    assert all(changed_code(before[stage], stage) == [] for stage in STAGES)
    (package / file).write_text("# changed\n")
    provenance._room_digest.cache_clear()
    named = f"afkit/{file.rpartition('/')[0] or file.removesuffix('.py')}"
    expected = {stage: [named] if stage[1] in stages else [] for stage in STAGES}
    assert {stage: changed_code(before[stage], stage) for stage in STAGES} == expected


def test_a_module_that_is_renamed_or_added_is_a_change(package):
    path, digests = package / "data" / "items.py", set()
    for change in (path.touch, lambda: path.rename(path.with_name("x.py")), path.with_name("empty.py").touch):
        change()
        provenance._room_digest.cache_clear()
        digests.add(stage_code("01_data")["data"])
    assert len(digests) == 3


def test_of_a_notebook_only_its_code_counts(tmp_path, monkeypatch):
    content = read_json(notebook_path("01_data"))
    path = tmp_path / "01_data.ipynb"
    monkeypatch.setattr(provenance, "notebook_path", lambda stage: path)
    write_json(path, content)
    before = stage_code("01_data")
    for cell in content["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "1"}]
        else:
            cell["source"] = "another text"
    write_json(path, content | {"metadata": {}})
    assert changed_code(before, "01_data") == [] == changed_code({}, "01_data")
    content["cells"][-1]["source"] = ["1 + 1"]
    write_json(path, content)
    assert changed_code(before, "01_data") == ["the notebook"]


def test_parameters_are_noted_as_they_are_where_the_notebook_is_executed(monkeypatch):
    assert values_in_kernel("03_eval") == {}
    own = {"recipe": "watch", "weights": "raw", "devices": 2, "scores": [1]}
    shell = SimpleNamespace(user_ns=own)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    assert values_in_kernel("03_eval") == {"weights": "raw", "devices": 2}, "of its own parameters"
    json.dumps(values_in_kernel("02_train"))
    own["resume"] = "False"
    with pytest.raises(ValueError, match=r"parameter 'resume' takes bool, e.g. True, not 'False'"):
        values_in_kernel("02_train")


def test_threads_that_the_user_has_set_stay(monkeypatch):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    assert {thread_limits(2)[name] for name in THREADS} == {"2"}
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_NUM_THREADS", "3")
    assert [thread_limits(2)[name] for name in THREADS] == ["7", "3", "7"]
