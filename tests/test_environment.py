"""The lists of packages agree: pyproject.toml, constraints.txt, environment.yml; and the citation with them."""

import re
import tomllib
from pathlib import Path

import yaml

import afkit

ROOT = Path(__file__).parents[1]
CONDA_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}


def _pins(lines) -> dict[str, str]:
    pairs = (re.match(r"\s*([\w.-]+)==([\w.+]+)", line) for line in lines)
    return {pair[1].lower(): pair[2] for pair in pairs if pair}


def _conda_pins() -> dict[str, str]:
    dependencies = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    lines = [entry for entry in dependencies if isinstance(entry, str)]
    lines += [line for entry in dependencies if isinstance(entry, dict) for line in entry["pip"]]
    return {CONDA_NAMES.get(name, name): version for name, version in _pins(lines).items()}


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [project["dependencies"], *project["optional-dependencies"].values()]
    return {re.match(r"[\w.-]+", line)[0].lower() for lines in lists for line in lines}


def test_conda_and_pip_install_the_same_versions():
    pins, conda = _pins((ROOT / "constraints.txt").read_text().splitlines()), _conda_pins()
    assert conda == {name: pins[name] for name in conda}


def test_every_declared_dependency_is_pinned_in_both():
    assert _declared() <= _pins((ROOT / "constraints.txt").read_text().splitlines()).keys()
    assert _declared() == _conda_pins().keys()


def test_the_citation_is_of_this_version_and_licence():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (str(cited["version"]), cited["license"], cited["title"]) == (afkit.__version__, project["license"], "afkit")
    assert [work["title"].partition(":")[0] for work in cited["references"]] == [
        "ActionFormer",
        "TriDet",
        "TemporalMaxer",
    ]
