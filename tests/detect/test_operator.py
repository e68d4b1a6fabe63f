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
from other_users import give_away, needs_root

from afkit.detect import operator
from afkit.detect.operator import FILES, SOURCES, cache_folder, unavailable

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


def test_the_name_changes_with_torch_and_with_the_sources(tmp_path, monkeypatch):
    before = operator._stem("cpp")
    with monkeypatch.context() as patch:
        patch.setattr(operator.torch, "__version__", "1.0.0")
        assert operator._stem("cpp") != before
    shutil.copytree(SOURCES, tmp_path / "nms")
    monkeypatch.setattr(operator, "SOURCES", tmp_path / "nms")
    assert operator._stem("cpp") == before
    with (tmp_path / "nms" / FILES["cpp"]).open("a") as file:
        file.write("// another\n")
    assert operator._stem("cpp") != before
    (tmp_path / "nms" / FILES["cpp"]).unlink()
    with pytest.raises(operator.BuildError, match="its sources are not at"):
        operator._stem("cpp")


# ---- libraries that somebody else may have written


@needs_cpp
@pytest.mark.parametrize("whose", [pytest.param("another user's", marks=needs_root), 0o775, 0o757, "behind a link"])
def test_a_library_that_somebody_else_may_have_written_is_not_loaded(tmp_path, whose):
    """A line says why; without a compiler NMS then runs in plain torch."""
    path = tmp_path / library().name
    path.symlink_to(library()) if whose == "behind a link" else shutil.copy(library(), path)
    reason = f"others can write to {path} (chmod go-w forbids it)"
    if whose == "another user's":
        give_away(path)
        reason = f"{path} belongs to another user"
    elif whose == "behind a link":
        reason = f"{path} is a link"
    else:
        path.chmod(whose)
    backend, lines = outcome(start(tmp_path, CXX="/nowhere/c++"))
    assert backend == "torch" and len(lines) == 2, lines
    assert f"{path.name} is not loaded, since {reason}" in lines[0] and "no compiler" in lines[1], lines


@pytest.fixture
def temporary(tmp_path):
    """The environment of a process whose private folder, here with a library, lies in this one."""
    private = tmp_path / "temporary" / f"afkit-{os.getuid()}"
    private.mkdir(parents=True, mode=0o700)
    shutil.copy(library(), private)
    return {"TMPDIR": str(tmp_path / "temporary"), "CXX": "/nowhere/c++"}


def in_the_private_folder(cache, reason, environment, program=PROGRAM):
    """The library of the private folder is loaded, and one line says why."""
    backend, lines = outcome(start(cache, program, **environment))
    private = Path(environment["TMPDIR"]) / f"afkit-{os.getuid()}"
    message = f"afkit: {reason}, so built libraries are kept in {private}; AFKIT_CACHE names another folder"
    assert (backend, lines) == ("cpp", [message])


@needs_cpp
@pytest.mark.parametrize("whose", [pytest.param("another user's", marks=needs_root), 0o770, 0o707, 0o1777])
def test_a_folder_that_others_can_write_to_is_passed_over(tmp_path, whose, temporary):
    cache = tmp_path / "theirs" / "cache"
    cache.mkdir(parents=True)
    shutil.copy(library(), cache)
    if whose == "another user's":
        give_away(cache.parent)
        reason = f"{cache.parent} belongs to another user"
    else:
        cache.chmod(whose)
        reason = f"others can write to {cache} (chmod go-w forbids it)"
    in_the_private_folder(cache, reason, temporary)


WITHOUT_HOME = f"""
import os, pwd
for name in ("HOME", "AFKIT_CACHE", "XDG_CACHE_HOME"):
    os.environ.pop(name, None)
def unknown(uid):
    raise KeyError(uid)
pwd.getpwuid = unknown
{PROGRAM}"""


@needs_cpp
def test_a_user_without_a_home_folder_has_a_private_one(tmp_path, temporary):
    in_the_private_folder(tmp_path, "this user has no home folder", temporary, WITHOUT_HOME)


@needs_cpp
@needs_root
def test_a_private_folder_that_another_user_has_made_is_not_used(tmp_path, temporary):
    private = Path(temporary["TMPDIR"]) / f"afkit-{os.getuid()}"
    give_away(private)
    falls_back(
        tmp_path,
        f"this user has no home folder, and {private} belongs to another user; set AFKIT_CACHE to a folder of your own",
        program=WITHOUT_HOME,
        **temporary,
    )


def test_where_libraries_are_kept(monkeypatch):
    monkeypatch.delenv("AFKIT_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/x")
    assert cache_folder() == Path("/x/afkit")
    monkeypatch.setenv("AFKIT_CACHE", "/y/z")
    assert cache_folder() == Path("/y/z")


@needs_cpp
@pytest.mark.slow
def test_of_two_processes_that_need_it_at_once_one_builds_it_for_the_user_alone(tmp_path):
    """Whatever the user's mask."""
    (tmp_path / "new").mkdir(mode=0o755)
    cache, before = tmp_path / "new" / "cache", os.umask(0)
    try:
        both = [outcome(process) for process in [start(cache), start(cache)]]
    finally:
        os.umask(before)
    assert [backend for backend, _ in both] == ["cpp", "cpp"]
    lines = [line for _, said in both for line in said]
    for begin in ("afkit: building the cpp NMS operator, once", f"afkit: built {cache}"):
        assert len([line for line in lines if line.startswith(begin)]) == 1, lines
    (built,) = cache.iterdir()  # no scratch folder is left behind
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700 and stat.S_IMODE(built.stat().st_mode) == 0o755
    assert outcome(start(cache, CXX="/nowhere/c++")) == ("cpp", []), "found, nothing said"
