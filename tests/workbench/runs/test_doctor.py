"""The doctor says what is broken and what to do, also where half of everything is."""

import sys
import tempfile

import pytest

from afkit.__main__ import main
from afkit.workbench.runs import doctor
from afkit.workbench.runs.doctor import BAD, NOTE, OK, examine, table


def states(tmp_path) -> dict[str, str]:
    return {what: check.state for what, check in examine(tmp_path / "data", tmp_path / "results").items()}


def test_a_whole_installation_is_said_to_be_whole(tmp_path, capsys):
    pytest.importorskip("jupyter_client", reason="notebooks are an extra")
    assert main(["doctor", "--data-root", str(tmp_path / "data"), "--results", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "Python", ".".join(map(str, sys.version_info[:3]))]
    assert any(line.startswith("note  data sets") for line in lines) and "prepare RECIPE SRC" in lines[-1]
    assert list(tmp_path.iterdir()) == [], "nothing is left behind"


def test_without_torch_the_other_rows_are_still_there(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in [name for name in sys.modules if name.startswith("afkit.detect")]:
        monkeypatch.delitem(sys.modules, name)
    found = states(tmp_path)
    assert found["torch"] == found["compiled NMS"] == BAD
    assert found["Python"] == found["results"] == found["data"] == OK
    assert main(["doctor", "--data-root", str(tmp_path), "--results", str(tmp_path)]) == 1
    assert "pip install torch" in capsys.readouterr().out


def test_missing_compilers_and_packages_are_notes(tmp_path, monkeypatch):
    find = doctor.importlib.util.find_spec
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None if name == "voila" else find(name))
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = examine(tmp_path, tmp_path)
    assert checks["C++ compiler"].state == checks["the inspector"].state == NOTE
    assert checks["the inspector"].text == "without voila" and "-> pip install 'afkit[inspect]'" in table(checks)


def test_a_kernel_of_another_python_is_bad(tmp_path, monkeypatch):
    kernelspec = pytest.importorskip("jupyter_client.kernelspec", reason="notebooks are an extra")
    (tmp_path / "python").write_text("#!/bin/sh")
    (tmp_path / "python").chmod(0o755)
    for path in (tmp_path / "python", "/nowhere/python"):
        spec = kernelspec.KernelSpec(argv=[str(path)])
        monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", lambda self, name, spec=spec: spec)
        check = examine(tmp_path, tmp_path)["kernel python3"]
        assert check.state == BAD and "another Python" in check.text and "ipykernel install" in check.remedy

    def none(self, name):
        raise kernelspec.NoSuchKernel(name)

    monkeypatch.setattr(kernelspec.KernelSpecManager, "get_kernel_spec", none)
    assert states(tmp_path)["kernel python3"] == BAD


def test_folders_that_cannot_be_written_to_or_are_full_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "LEAST_GB", 1e9)
    assert states(tmp_path)["results"] == NOTE

    def refuse(dir):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    checks = examine(tmp_path / "data", tmp_path / "results")
    assert checks["data"].state == checks["results"].state == BAD
    assert checks["data"].text == f"{tmp_path / 'data'} cannot be written to (Read-only file system)"
