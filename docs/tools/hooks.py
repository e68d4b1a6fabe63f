"""What `mkdocs build` does beside its own work: files from outside docs/, and tables made from the code.

Pages link to other files of the repository as they lie there, so that the links also work where Markdown is read in the
repository. In the site, what lies outside docs/ is below project/.
"""

import argparse
import inspect
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = ("*.md", "sweeps/*", "recipes/*.md", "data/README.md", "results/README.md", "results/gallery/*")
MARKER = re.compile(r"<!-- made by the build: (.+?) -->")
LINK = re.compile(r"(?<=\]\()[^()\s#:]+(?=[#)])")  # the target of [text](target), without its anchor


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files outside docs/ that pages may link to."""
    for pattern in OUTSIDE:
        for path in sorted(ROOT.glob(pattern)):
            uri = site_uri(path.relative_to(ROOT).as_posix())
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at where their files are in the site, and fill in the tables."""
    own = page.file.src_uri
    markdown = LINK.sub(lambda found: moved_link(found[0], own), markdown)
    return MARKER.sub(lambda found: made(found[1]), markdown)


def made(what: str) -> str:
    """What stands in the site in the place of `<!-- made by the build: what -->`."""
    kind, _, room = what.partition(" of ")
    return MADE[kind](room) if room else MADE[kind]()


def site_uri(path: str) -> str:
    """Where a file of the repository is in the site; both relative, with forward slashes."""
    return path.removeprefix("docs/") if path.startswith("docs/") else f"project/{path}"


def repository_path(uri: str) -> str:
    """Where a file of the site is in the repository; the inverse of `site_uri`."""
    return uri.removeprefix("project/") if uri.startswith("project/") else f"docs/{uri}"


def moved_link(target: str, own_uri: str) -> str:
    """A link of the page `own_uri`, written for the repository, as it must be in the site."""
    path = posixpath.normpath(posixpath.join(posixpath.dirname(repository_path(own_uri)), target))
    return posixpath.relpath(site_uri(path), posixpath.dirname(own_uri) or ".")


def table_of_commands() -> str:
    """Every command with its arguments, from the parser that reads them."""
    from afkit.workbench.commands.parser import whole_parser

    subparsers = next(action for action in whole_parser()._actions if isinstance(action, argparse._SubParsersAction))
    parts = []
    for choice in subparsers._choices_actions:
        rows = [row_of_argument(action) for action in subparsers.choices[choice.dest]._actions if action.dest != "help"]
        parts += [f"## {choice.dest}", sentence(choice.help), "| argument | what |\n|---|---|\n" + "\n".join(rows)]
    return "\n\n".join(parts)


def row_of_argument(action: argparse.Action) -> str:
    """A row of Markdown for one argument."""
    value = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    several = " ..." if action.nargs in ("+", "*") else ""
    name = " ".join(filter(None, [*action.option_strings, value])) + several
    default = f"default: {action.default}" if type(action.default) is int and action.nargs != 0 else ""
    text = action.help or default or "see above"
    return f"| `{name}` | {text.replace('|', ' or ')} |"


def sentence(text: str) -> str:
    """A text with a capital and a full stop."""
    return f"{text[0].upper()}{text[1:]}."


def table_of_settings() -> str:
    """Every parameter of a recipe: type, default, and the comment behind it."""
    from afkit.config import SECTIONS, Recipe

    parts = []
    for section in SECTIONS:
        cls = Recipe.model_fields[section].annotation
        rows = ["| parameter | type | default | what |", "|---|---|---|---|"]
        lines = inspect.getsource(cls).splitlines()
        for name, field in cls.model_fields.items():
            line = next(line for line in lines if line.startswith(f"    {name}: "))
            kind = line.partition("  # ")[0].partition(": ")[2].partition(" = ")[0]
            kind = re.sub(r"Literal\[(.*?)\]", r"\1", re.sub(r"\b(Width|Window)\b", "int", kind))
            default = "needed" if field.is_required() else f"`{field.get_default(call_default_factory=True)!r}`"
            what = line.partition("  # ")[2]
            rows.append(f"| `{section}.{name}` | `{kind}` | {default} | {what} |".replace(" | None`", " or None`"))
        parts += [f"### {section}", sentence(cls.__doc__.rstrip(".")), "\n".join(rows)]
    return "\n\n".join(parts)


def table_of_rooms() -> str:
    """Modules and lines of each room, counted."""
    counts: dict[str, list[int]] = {}
    for path in sorted((ROOT / "afkit").rglob("*.py")):
        room = path.parent.relative_to(ROOT).as_posix()
        counts.setdefault(room, []).append(len(path.read_text(encoding="utf-8").splitlines()))
    rows = [f"| {room} | {len(lines)} | {sum(lines)} | {max(lines)} |" for room, lines in counts.items()]
    total = [number for lines in counts.values() for number in lines]
    rows.append(f"| all | {len(total)} | {sum(total)} | {max(total)} |")
    return "\n".join(["| room | modules | lines | lines of the longest |", "|---|---|---|---|", *rows])


def modules_of_room(room: str) -> str:
    """What mkdocstrings replaces by the public names of each module of a room, e.g. "model", "workbench/view"."""
    names = sorted(path.stem for path in (ROOT / "afkit" / room).glob("*.py") if path.stem != "__init__")
    return "\n\n".join(f"::: afkit.{room.replace('/', '.')}.{name}" for name in names)


MADE = {
    "commands": table_of_commands,
    "settings": table_of_settings,
    "rooms": table_of_rooms,
    "modules": modules_of_room,
}
