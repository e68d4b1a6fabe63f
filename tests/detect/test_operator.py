"""Building and loading the compiled operator: whatever is missing, NMS works, and one line says why it is slower.

Each case runs in a process of its own, since a loaded operator stays.
"""

import math
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from afkit.detect import operator
from afkit.detect.cache import cache_folder
from afkit.detect.operator import FILES, SOURCES, unavailable

WITHOUT_CPP = unavailable("cpp")
needs_cpp = pytest.mark.skipif(bool(WITHOUT_CPP), reason=WITHOUT_CPP)

PROGRAM = """
import torch, afkit
from afkit.detect.suppression import choose_backend
for _ in range(2):
    candidates = torch.tensor([[0.0, 4], [2, 6]]), torch.tensor([0.5, 0.75]), torch.tensor([0, 0])
    segments, scores, labels = afkit.nms(*candidates)
print(choose_backend("auto", "cpu"), scores[1].item())
"""


def start(cache, program=PROGRAM, **environment):
    """NMS in a fresh process with this cache folder."""
    settings = os.environ | {"AFKIT_CACHE": str(cache), "OMP_NUM_THREADS": "1"} | environment
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", program], env=settings, cwd=SOURCES.parents[1], **pipes)


def outcome(process):
    """The live backend, and the lines that the user saw."""
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    backend, score = out.split()
    assert float(score) == pytest.approx(0.5 * math.exp(-((1 / 3) ** 2) / 0.5), rel=1e-5)
    # a torch with CUDA on a machine without a GPU has something to say of its own
    return backend, [line for line in err.splitlines() if "torch/utils/cpp_extension.py" not in line]


def falls_back(cache, reason, **arguments):
    """NMS then runs in plain torch, and one line, beside the one before a build, gives this reason."""
    backend, lines = outcome(start(cache, **arguments))
    lines = [line for line in lines if "building the cpp NMS operator" not in line]
    assert backend == "torch"
    assert len(lines) == 1, lines
    assert lines[0].startswith("afkit: NMS runs in 'torch' (same results, slower), because 'cpp' does not work: ")
    assert reason in lines[0]


@pytest.fixture
def compiler(tmp_path):
    """A compiler that answers with its version, else does what the test says; of a name that torch accepts."""

    def make(commands):
        path = tmp_path / "g++"
        path.write_text(f'#!/bin/sh\ncase "$1" in --version|-dump*) echo 12.2.0; exit 0;; esac\n{commands}\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return str(path)

    return make


def library():
    """The one that was built for this machine."""
    return operator._cached("cpp")


def test_no_compiler(tmp_path):
    falls_back(tmp_path, "no compiler: '/nowhere/c++ --version' does not run", CXX="/nowhere/c++")
    assert list(tmp_path.iterdir()) == []


@needs_cpp
def test_without_a_compiler_a_library_that_is_there_is_used(tmp_path):
    shutil.copy(library(), tmp_path)
    assert outcome(start(tmp_path, CXX="/nowhere/c++")) == ("cpp", [])


def test_sources_that_do_not_compile(tmp_path, compiler):
    falls_back(
        tmp_path, "nms.cpp:1:1: error: no such luck", CXX=compiler("echo 'nms.cpp:1:1: error: no such luck'; exit 1")
    )
    assert [path.name for path in tmp_path.iterdir()] == ["g++"], "the scratch folder is left behind"


def test_no_build_tool(tmp_path, compiler):
    failing = tmp_path / "ninja"
    failing.write_text("#!/bin/sh\nexit 1\n")
    failing.chmod(0o755)
    # a build looks for ninja beside the interpreter first
    program = f"import sys; sys.executable = {str(tmp_path / 'python')!r}\n{PROGRAM}"
    falls_back(tmp_path / "cache", "Ninja is required", program=program, CXX=compiler("exit 1"))


def test_a_cache_folder_that_cannot_be_written_to(tmp_path, compiler):
    (tmp_path / "file").touch()
    cache = tmp_path / "file" / "cache"  # also the super-user cannot make it
    falls_back(cache, f"{cache} cannot be written to (Not a directory); set AFKIT_CACHE", CXX=compiler("exit 1"))


@needs_cpp
def test_a_damaged_library_is_not_loaded_but_built_again(tmp_path, compiler):
    (tmp_path / library().name).write_bytes(library().read_bytes()[:5000])
    falls_back(tmp_path, "error: not today", CXX=compiler("echo 'error: not today'; exit 1"))
    falls_back(tmp_path, "no compiler", CXX="/nowhere/c++")


@needs_cpp
def test_a_library_that_needs_what_is_not_there(tmp_path):
    """Of the right name and content, but not loadable here."""
    strange = b"\x7fELF no library"
    stem = library().stem.rsplit("-", 1)[0]
    path = tmp_path / f"{stem}-{operator._digest(strange)}.so"
    path.write_bytes(strange)
    falls_back(tmp_path, f"{path} cannot be loaded")


@needs_cpp
@pytest.mark.parametrize("part, other", [("torch", "torch1.0.0"), ("x86_64", "sparc"), ("cpu", "cuda9.9")])
def test_a_library_of_another_torch_or_machine_is_not_touched(tmp_path, part, other, compiler):
    fields = library().name.split("-")
    position = next(i for i, field in enumerate(fields) if field.startswith(part) or field == part)
    stale = tmp_path / "-".join([*fields[:position], other, *fields[position + 1 :]])
    stale.write_bytes(b"loading this would fail")
    falls_back(tmp_path, "error: not today", CXX=compiler("echo 'error: not today'; exit 1"))
    assert stale.exists()


def test_the_name_changes_with_the_sources(tmp_path, monkeypatch):
    before = operator._stem("cpp")
    shutil.copytree(SOURCES, tmp_path / "nms")
    monkeypatch.setattr(operator, "SOURCES", tmp_path / "nms")
    assert operator._stem("cpp") == before
    with (tmp_path / "nms" / FILES["cpp"]).open("a") as file:
        file.write("// another\n")
    assert operator._stem("cpp") != before
    (tmp_path / "nms" / FILES["cpp"]).unlink()
    with pytest.raises(operator.BuildError, match="its sources are not at"):
        operator._stem("cpp")


def test_the_name_changes_with_the_version_of_torch(monkeypatch):
    """A library of another torch may crash."""
    before = operator._stem("cpp")
    monkeypatch.setattr(operator.torch, "__version__", "1.0.0")
    assert operator._stem("cpp") != before


def test_where_libraries_are_kept(monkeypatch):
    monkeypatch.delenv("AFKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/afkit")
    monkeypatch.setenv("AFKIT_CACHE", "/y/z")
    assert cache_folder() == Path("/y/z")


@needs_cpp
@pytest.mark.slow
def test_two_processes_that_build_at_once_both_work(tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    for backend, lines in map(outcome, both):
        assert backend == "cpp"
        assert len(lines) == 2, lines
        assert lines[0].startswith("afkit: building the cpp NMS operator, once")
        assert lines[1].startswith(f"afkit: built {tmp_path}")
    assert {path.suffix for path in tmp_path.iterdir()} == {".so"}, "a scratch folder is left behind"
    assert outcome(start(tmp_path)) == ("cpp", [])  # found, nothing said
