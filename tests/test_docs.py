"""The documentation is true: examples run, commands and messages exist, links lead somewhere, the site builds."""

import ast
import contextlib
import io
import json
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

import afkit
from afkit.config import parameter_names
from afkit.workbench import original
from afkit.workbench.commands.parser import COMMANDS, whole_parser

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
MARKDOWN = [
    *PAGES,
    *(path for pattern in ("*.md", "*/README.md", "results/gallery/*.md") for path in sorted(ROOT.glob(pattern))),
]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.M | re.S)
OTHER_COMMANDS = {"git", "cd", "source", "pip", "dask", "mkdir", "openssl"}  # of programs that are not ours
LEAST_MESSAGES = 25


def name_of(path):
    """A page's name in the list of tests."""
    return path.relative_to(ROOT).as_posix()


def blocks(path):
    """(language, text) of the blocks of code on a page."""
    return BLOCK.findall(path.read_text(encoding="utf-8"))


def prose(path):
    """A page without its blocks of code."""
    return BLOCK.sub("", path.read_text(encoding="utf-8"))


def tool(name):
    """What a script of docs/tools defines."""
    return runpy.run_path(str(DOCS / "tools" / f"{name}.py"))


# Examples


@pytest.mark.parametrize(
    "page", [page for page in PAGES if any(language == "python" for language, _ in blocks(page))], ids=name_of
)
def test_examples_print_what_the_page_says(page, tmp_path, monkeypatch):
    """A page's python blocks in order; where a text block follows, it is what was printed."""
    monkeypatch.chdir(tmp_path)
    found, names, shown = [*blocks(page), ("", "")], {}, []
    for (language, text), (after, expected) in pairwise(found):
        if language == "python":
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                exec(compile(text, "example", "exec"), names)
            shown.append(expected if after == "text" else "")
            assert printed.getvalue() == shown[-1], text
    assert any(shown)


# Commands


def make_targets():
    """Targets that the Makefile declares."""
    declared = re.search(r"^\.PHONY: (.+)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    return set(declared[1].split())


def shell_lines():
    """(page, line) of every command in a block marked sh."""
    return [
        (name_of(page), line)
        for page in MARKDOWN
        for language, text in blocks(page)
        if language == "sh"
        for line in text.splitlines()
    ]


@pytest.mark.parametrize(("page", "line"), shell_lines())
def test_every_command_exists(page, line):
    words = shlex.split(line)
    if words[:3] == ["python", "-m", "afkit"]:
        whole_parser().parse_args(words[3:])
    elif words[0] == "make":
        assert set(words[1:]) <= make_targets()
    else:
        assert words[0] in OTHER_COMMANDS or words[:2] == ["python", "-m"]


def test_every_target_of_make_that_is_named_exists():
    named = {(name_of(page), target) for page in MARKDOWN for target in re.findall(r"`make ([a-z-]+)", prose(page))}
    assert len(named) > 10
    assert {target for _, target in named} <= make_targets()


def test_recipe_parameters_in_commands_are_accepted():
    settings = [re.findall(r"--set (\S+)=", line) for _, line in shell_lines()]
    assert {name for names in settings for name in names} <= set(parameter_names())


# Commands of the page about sweeps, each in a process of its own, which has imported nothing yet

SWEEPS = DOCS / "how-to" / "sweeps.md"
CONNECT = """
import sys
from afkit.workbench.sweeps.clusters import needs, open_client
from afkit.workbench.sweeps.sweep_file import SweepFile
settings = SweepFile(recipes=["watch"], gpus=1)
with open_client(settings, scheduler=sys.argv[1]) as client:
    print(client.submit(sum, [1, 2], resources=needs(client, settings)).result())
"""


def commands_with(word):
    """The words of the commands on the page that have a word among them, by this Python."""
    lines = [shlex.split(line) for page, line in shell_lines() if page == name_of(SWEEPS)]
    programs = {"python": [sys.executable], "dask": [sys.executable, "-m", "dask"]}
    return [programs.get(words[0], words[:1]) + words[1:] for words in lines if word in words]


@pytest.mark.slow
@pytest.mark.parametrize("words", commands_with("--dry-run"), ids=lambda words: " ".join(words[3:]))
def test_a_dry_run_of_the_page_about_sweeps_lists_runs(tmp_path, words):
    pytest.importorskip("dask_jobqueue", reason="an extra")
    (tmp_path / "slurm.yaml").write_text(next(text for language, text in blocks(SWEEPS) if language == "yaml"))
    words = [str(tmp_path / word) if word == "slurm.yaml" else word for word in words]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    assert "waiting" in done.stdout and ("#SBATCH -t 24:00:00\n" in done.stdout) == ("--cluster" in words)


@pytest.mark.slow
def test_the_scheduler_of_the_page_about_sweeps_lets_in_who_has_its_key(tmp_path):
    pytest.importorskip("distributed", reason="sweeps are made by dask")
    if not shutil.which("openssl"):
        pytest.skip("no openssl to make a certificate")
    (configuration,) = (text for language, text in blocks(SWEEPS) if "temporary-directory" in text)
    (tmp_path / "dask.yaml").write_text(configuration.replace("/home/you", str(tmp_path)))
    for words in (*commands_with("dask-tls"), *commands_with("openssl")):
        subprocess.run(words, check=True, cwd=tmp_path, capture_output=True)
    facts = tmp_path / "facts.json"
    (scheduler,), (worker,) = commands_with("scheduler"), commands_with("worker")
    scheduler = ["127.0.0.1" if word == "host" else word for word in scheduler] + ["--port", "0"]
    worker = [word for word in worker if word != "tls://host:8786"] + ["--host", "127.0.0.1"]
    plain = os.environ | {"PYTHONPATH": str(ROOT), "DASK_CONFIG": str(tmp_path / "none")}
    configured = plain | {"DASK_CONFIG": str(tmp_path / "dask.yaml")}
    quiet = {"cwd": tmp_path, "env": configured, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with ExitStack() as stack:
        for command in (scheduler, worker):
            process = subprocess.Popen([*command, "--scheduler-file", str(facts)], **quiet)
            stack.callback(process.wait)
            stack.callback(process.terminate)
            while not facts.is_file():
                assert process.poll() is None
                time.sleep(0.05)
        address = json.loads(facts.read_text())["address"]
        connect = [sys.executable, "-c", CONNECT, address]

        def answer(environment):
            return subprocess.run(connect, capture_output=True, text=True, cwd=tmp_path, env=environment)

        while "has no workers" in (own := answer(configured)).stderr:
            time.sleep(0.2)
        assert (own.stdout, own.stderr) == ("3\n", "")
        assert (tmp_path / "dask-tls" / "dask-scratch-space").is_dir()
        assert address.startswith("tls://127.0.0.1:") and "no dask scheduler answers at" in answer(plain).stderr


# Links


def anchors(path):
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", MARKDOWN, ids=name_of)
def test_links_between_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if not urlsplit(target).scheme:  # those into the web are left alone
            file, _, anchor = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            assert there.is_file() and (not anchor or anchor in anchors(there)), target


# Messages

TROUBLE = DOCS / "how-to" / "troubleshooting.md"


def fixed_text(message):
    """A message in which every part that differs is `<>`."""
    return re.sub(r"(<>)+", "<>", re.sub(r"<[^<>]*>", "<>", message)).strip()


def messages_of_the_source():
    """Every text in the package, what is filled in as `<>`."""
    for path in Path(afkit.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = [part.value if isinstance(part, ast.Constant) else "<>" for part in node.values]
                yield fixed_text("".join(parts))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_every_message_that_is_explained_is_one_of_the_source():
    quoted = re.findall(r"^> `(.+)`$", prose(TROUBLE), re.M)
    assert len(set(quoted)) >= LEAST_MESSAGES
    source = set(messages_of_the_source())
    source |= {f"afkit: {text}" for text in source}  # what is printed bears the program's name
    assert {message for message in quoted if fixed_text(message) not in source} == set()


# What the build makes


def test_every_command_and_argument_is_in_the_table(capsys):
    table = tool("hooks")["table_of_commands"]()
    with pytest.raises(SystemExit):
        whole_parser().parse_args(["predict", "--help"])
    options = set(re.findall(r"--[a-z-]+", capsys.readouterr().out)) - {"--help"}
    own = table.partition("## predict\n")[2].partition("\n## ")[0]
    assert len(options) >= 7 and all(f"`{option}" in own for option in options)
    assert "`RUN`" in own and "`FEATURES ...`" in own and "`--signal`" in own
    assert set(re.findall(r"^## (\S+)$", table, re.M)) == set(COMMANDS)


def test_every_parameter_of_a_recipe_is_in_the_table():
    table = tool("hooks")["table_of_settings"]()
    assert re.findall(r"^\| `(\w+\.\w+)` \|", table, re.M) == parameter_names()
    assert (
        "each feature folder, or one number for all together | `list[int]` | needed | 25 recipes, each its own |"
        in table
    )
    assert (
        "sgp: TriDet's blocks" in table
        and "`transformer` | `sgp`: tridet\\_\\*; `maxpool`: temporalmaxer\\_\\* |" in table
    )
    assert "| `float or None` | `null` | `15`: anet\\_tsp, tridet\\_anet," in table
    assert "| `'[0.9, 1]'` | `'[0.5, 1]'`: watch |" in table


def test_every_key_of_the_original_that_is_read_has_its_name_here():
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", tool("hooks")["table_of_original"](), re.M)[1:]
    theirs = {key for keys, _ in rows for key in re.findall(r"`(\S+?)`", keys)}
    known = {*original._RENAMED, *original._TRANSLATED, *original._WITHOUT_DEFAULT} - {"dataset_name"}
    assert known <= theirs
    ours = {name for _, here in rows for name in re.findall(r"`((?:data|model|loss|decode|optim)\.\w+[a-z])`", here)}
    assert len(ours) > 60 and ours <= set(parameter_names())


def test_what_is_to_be_cited_is_that_of_the_citation_file():
    titles = re.findall(r'^ *(?:- )?title: "?(.+?)"?$', (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    page = (DOCS / "cite.md").read_text(encoding="utf-8")
    assert len(titles) == 4 and all(f"title={{{title}}}" in page for title in titles)


def test_the_table_of_rooms_counts_all_modules_and_each_is_explained():
    rows = [re.findall(r"[\w/]+", row) for row in tool("hooks")["table_of_rooms"]().splitlines()[2:]]
    numbers = np.array([row[1:] for row in rows], int)  # (rooms and their sum, [modules, lines, of the longest])
    assert numbers[-1, 0] == len(list((ROOT / "afkit").rglob("*.py"))) and numbers[-1, 2] <= 400
    assert (numbers[:-1, :2].sum(axis=0) == numbers[-1, :2]).all()
    text = (DOCS / "architecture.md").read_text(encoding="utf-8").partition("## Where a new")[0]
    rooms = {row[0].removeprefix("afkit").removeprefix("/") for row in rows[:-1]}
    assert rooms - {"workbench", ""} == set(re.findall(r"^\| `([\w/]+)` \|", text, re.M))


# Pictures


def skeleton_and_numbers(svg):
    """What an SVG is made of without names that follow from its numbers, and the numbers."""
    plain = re.sub(r'(id="|url\(#|href="#)[^")]*', r"\1", svg)
    number = r"-?\d+(?:\.\d+)?"
    return re.sub(number, "0", plain), [float(found) for found in re.findall(number, plain)]


PICTURES = ["time-grid", "levels", "targets", "decoding", "suppression", "labelling-effort"]


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_those_that_the_code_draws(name, tmp_path):
    pytest.importorskip("matplotlib")
    pictures = tool("pictures")
    pictures["use_style"]()
    pictures["save_figure"](pictures["PICTURES"][name](), tmp_path / "drawn.svg")
    drawn, kept = (
        path.read_text(encoding="utf-8") for path in (tmp_path / "drawn.svg", DOCS / "images" / f"{name}.svg")
    )
    (drawn, numbers), (kept, kept_numbers) = skeleton_and_numbers(drawn), skeleton_and_numbers(kept)
    assert drawn == kept, "make docs draws it again"
    assert numbers == pytest.approx(kept_numbers, abs=0.01)


def test_every_picture_is_shown():
    shown = {name for page in PAGES for name in re.findall(r"images/([\w-]+)\.svg\)", page.read_text(encoding="utf-8"))}
    assert shown == set(PICTURES) == {path.stem for path in (DOCS / "images").iterdir()}


# The site


class Assets(HTMLParser):
    """What a page loads when it is opened, and the anchors that it has."""

    def __init__(self):
        super().__init__()
        self.loaded, self.ids = [], set()

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.ids.add(own.get("id"))
        if tag in ("script", "img", "iframe", "source", "video"):
            self.loaded.append(own.get("src") or "")
        elif tag == "link" and own.get("rel") not in ("canonical", "next", "prev"):
            self.loaded.append(own.get("href") or "")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site; a warning of mkdocs is an error."""
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_the_site_is_complete_and_needs_no_network(site):
    pages, names = sorted(site.rglob("*.html")), set()
    assert len(pages) > 25
    for page in pages:
        text, found = page.read_text(encoding="utf-8"), Assets()
        found.feed(text)
        assert [asset for asset in found.loaded if urlsplit(asset).netloc] == [], page
        assert "made by the build" not in text, page
        names |= found.ids if page.parent == site / "reference" else set()
    for style in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style
    assert {f"{home}.{name}" for name, home in afkit._HOME.items()} <= names
    assert "afkit.segments.grid_to_sec" in names and "afkit.model.actionformer.Output.logits" in names
    assert not {name for name in names if name and re.search(r"^afkit\..*\._[a-z]", name)}


@pytest.mark.slow
def test_the_search_answers_questions_without_a_server_or_a_network(site):
    sync_api = pytest.importorskip("playwright.sync_api", reason="it drives a browser")
    search = tool("search")
    try:
        found = search["first_hits"](site, search["ANSWERS"])
    except sync_api.Error as error:
        pytest.skip(f"there is no chromium ({error.message.splitlines()[0]})")
    assert {query: page for query, (_, page) in found.items()} == search["ANSWERS"]


@pytest.mark.slow
def test_what_lies_outside_docs_is_in_the_site(site):
    for name in ("index", "CONTRIBUTING", "CHANGELOG", "sweeps/index", "recipes/index", "results/gallery/index"):
        assert (site / "project" / f"{name}.html").is_file()
    text = (site / "how-to" / "sweeps.html").read_text(encoding="utf-8")
    assert 'href="../project/sweeps/index.html"' in text  # mkdocs calls a README the index of its folder
    assert not (site / "tools").exists()
