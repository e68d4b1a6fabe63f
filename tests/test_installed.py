"""A wheel, installed outside the checkout: notebooks, sources of the operator and the inspector's script come with it.

The packages that afkit needs are those of the running environment, so that nothing is downloaded.
"""

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from own_data import write_raw

import afkit
from afkit.detect.operator import unavailable
from afkit.files import read_json
from afkit.workbench.shipped import NOTEBOOKS, OPERATOR_SOURCES, copy_notebooks, shipped

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of this checkout."""
    pytest.importorskip("hatchling", reason="what builds the wheel")
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def build_wheel(source, folder):
    """The wheel of a checkout or an unpacked source distribution, in the folder."""
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source], check=True)
    (path,) = folder.glob("afkit-*.whl")
    return path


def names_in(wheel):
    """Files of a wheel, without what is said of the wheel itself."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_a_wheel_has_the_package_and_what_it_ships_and_the_source_distribution_makes_the_same(wheel, tmp_path):
    for folder in ("notebooks", "extensions/nms", "afkit"):
        place = "afkit" if folder == "afkit" else f"afkit/_shipped/{folder}"
        there = {f"{place}/{path.relative_to(ROOT / folder).as_posix()}" for path in tracked(folder)}
        assert there and there <= names_in(wheel)
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", tmp_path], cwd=ROOT, check=True)
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(tmp_path, filter="data")
    again = build_wheel(packed.with_name(packed.name.removesuffix(".tar.gz")), tmp_path)
    assert names_in(again) == names_in(wheel)


def tracked(folder):
    """Files of the checkout that belong to the project."""
    made = {"__pycache__", ".ipynb_checkpoints"}
    return [path for path in (ROOT / folder).rglob("*") if path.is_file() and not made.intersection(path.parts)]


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """A function that runs Python of a new environment with the wheel, in an empty folder, and gives what it prints."""
    pytest.importorskip("ipykernel", reason="an extra")
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder / "env", symlinks=True)
    python, (site,) = folder / "env" / "bin" / "python", (folder / "env" / "lib").glob("*/site-packages")
    outer = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "outer.pth").write_text("\n".join(outer))  # without what is editable there
    subprocess.run([*PIP, "--python", python, "install", "--no-deps", "--ignore-installed", wheel], check=True)
    (folder / "here").mkdir()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": "", "JUPYTER_PATH": ""}

    def run(*arguments, status=0):
        done = subprocess.run(
            [python, *arguments], cwd=folder / "here", env=environment, capture_output=True, text=True, timeout=600
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("-m", "ipykernel", "install", "--sys-prefix", "--name", "python3")
    run.folder = folder / "here"
    return run


def test_the_program_is_there_under_its_own_name(installed):
    code = "import subprocess, sys; print(subprocess.check_output([sys.argv[1], *sys.argv[2:]], text=True))"
    program = str(installed.folder.parent / "env" / "bin" / "afkit")
    assert installed("-c", code, program, "--version").strip() == f"afkit {afkit.__version__}"
    assert "afkit COMMAND --help" in installed("-c", code, program)


def test_the_notebooks_are_copied_once(installed):
    printed = installed("-m", "afkit", "notebooks", "notebooks")
    copies = sorted((installed.folder / "notebooks").iterdir())
    assert printed.split() == [str(path.relative_to(installed.folder)) for path in copies]
    assert [path.read_bytes() for path in copies] == [
        path.read_bytes() for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
    ]
    assert "may have been changed" in installed("-m", "afkit", "notebooks", "notebooks", status=2)


def test_the_operator_is_built_from_the_installed_sources(installed):
    if unavailable("cpp"):
        pytest.skip(unavailable("cpp"))
    code = "from afkit.detect import operator; print(operator.SOURCES, repr(operator.unavailable('cpp')))"
    printed = installed("-c", code).splitlines()[0]  # then what torch itself has to say
    assert "/env/" in printed and printed.endswith(f"{OPERATOR_SOURCES} ''")


@pytest.mark.slow
def test_a_run_works_in_an_empty_folder_and_is_written_as_a_page(installed):
    pytest.importorskip("seglearn", reason="the recordings are part of it")
    settings = ["-p", "epochs=1", "--set", "optim.warmup_epochs=1", "--name", "first", "--stages", "01,02,03"]
    printed = installed("-m", "afkit", "run", "watch", *settings)
    assert printed.splitlines()[-1].endswith("results/watch/first")
    facts = read_json(installed.folder / "results" / "watch" / "first" / "run.json")
    assert facts["overrides"] == {"optim.warmup_epochs": 1, "optim.epochs": 1}
    page = installed.folder / "page.html"
    installed("-m", "afkit", "view", "results/watch/first", "--html", page)
    assert all(
        path.read_text()[-100:].strip() in page.read_text()
        for path in (ROOT / "afkit/workbench/inspector/static").glob("*.js")
    )


@pytest.mark.slow
def test_recordings_of_ones_own_come_to_detections_in_an_empty_folder(installed):
    write_raw(installed.folder, recordings=6)
    said = installed("-m", "afkit", "start", "raw/labels.csv", "raw/acc@50", "raw/gyro@20")
    assert "python -m afkit run mine" in said.splitlines()
    settings = ["--set", "optim.epochs=2", "--set", "optim.warmup_epochs=1", "--name", "short", "--stages", "01,02,03"]
    assert "mAP [%] at tIoU" in installed("-m", "afkit", "run", "mine", *settings)
    new = ["new/acc", "new/gyro", "--signal", "--min-score", "0.01"]
    installed("-m", "afkit", "predict", "results/mine/short", *new)
    found = (installed.folder / "results" / "mine" / "short" / "predicted" / "day7.csv").read_text()
    assert found.startswith("video,start_sec,end_sec,label,name,score\nday7,")


def test_a_checkout_uses_its_own_files():
    assert shipped(NOTEBOOKS) == ROOT / "notebooks" and shipped(OPERATOR_SOURCES) == ROOT / "extensions" / "nms"


@pytest.mark.parametrize("linked", [False, True])
def test_notebooks_are_not_copied_over_others_nor_through_a_link(tmp_path, linked):
    (tmp_path / "notebooks").mkdir()
    if linked:
        (tmp_path / "notebooks" / "03_eval.ipynb").symlink_to(tmp_path / "elsewhere")
    else:
        (tmp_path / "notebooks" / "03_eval.ipynb").write_text("mine")
    with pytest.raises(ValueError, match=r"03_eval\.ipynb exists, and may have been changed; give another folder"):
        copy_notebooks(tmp_path / "notebooks")
    assert not (tmp_path / "elsewhere").exists()
    assert [path.name for path in (tmp_path / "notebooks").iterdir()] == ["03_eval.ipynb"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"file/notebooks cannot be written to \(.*\); give another folder"):
        copy_notebooks(tmp_path / "file" / "notebooks")
