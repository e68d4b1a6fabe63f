"""What `mkdocs build` does beside its own work: files from outside docs/, and tables made from the code.

Pages link to other files of the repository as they lie there, so that the links also work where Markdown is read in the
repository. In the site, what lies outside docs/ is below project/.
"""

import argparse
import inspect
import json
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
OUTSIDE = ("*.md", "sweeps/*", "recipes/*.md", "data/README.md", "results/README.md", "results/gallery/*")
MARKER = re.compile(r"<!-- made by the build: (.+?) -->")
BOOSTS = (  # of what a search finds, by the beginning of the page's place; the first counts
    ("how-to/", 4.0),
    ("own-data", 3.0),
    ("index", 2.0),
    ("concepts/", 1.5),
    ("reference/settings", 4.0),
    ("reference/commands", 1.0),
    ("reference/", 0.03),
    ("project/", 0.03),
    ("reliability", 0.1),
)
MOST_VALUES = 6  # of a setting that the table of settings lists by recipe
FAMILIES = (
    "tridet_",
    "temporalmaxer_",
    "anet_",
    "epic_",
    "ego4d_",
    "tridet_epic_",
    "tridet_hacs_",
    "temporalmaxer_epic_",
)
TRANSLATED = {  # keys of the original that are no plain copy of a setting
    "`dataset.json_file`": "`data.annotations`, below the data root",
    "`dataset.feat_folder`": "`data.features`, a list",
    "`dataset.input_dim`": "`data.input_dims`, a list",
    "`dataset.downsample_rate`": "`data.downsample`",
    "`dataset.force_upsampling`": "`data.resize`",
    "`train_split`": "`data.train_subsets`",
    "`val_split`": "`data.test_subsets`",
    "`model.backbone_type`": "`model.backbone`: `transformer`, `conv`, `sgp` or `maxpool`",
    "`model.backbone_arch`": "`model.embed_layers`, `model.stem_layers`, `model.branch_layers`",
    "`model.embd_dim`": "`model.embed_dim`; of several streams, `model.stream_dims`",
    "`model.use_trident_head`": "`model.head`: `trident`",
    "`model.fpn_norm`": "`model.neck_norm`: `groupnorm` is `group`, `layernorm` `shared`",
    "`model.assigner`": "`loss.offset_target`: `cheapest`, and `loss.cost_...`",
    "`train_cfg.cls_prior_prob`": "`model.class_prior`",
    "`test_cfg.ext_score_file`": "`decode.score_file`",
    "`test_cfg.min_score`": "`decode.min_score`",
    "`test_cfg.voting_thresh`": "`decode.voting_threshold`",
    "`opt.type`": "`optim.optimizer`",
    "`opt.warmup`, `opt.warmup_epochs`": "`optim.warmup_epochs`, 0 for none",
    "`opt.early_stop_epochs`": "`optim.extra_epochs`, below 0",
    "`init_rand_seed`": "`--seed`",
    "`devices`": "`-p devices=2`",
    "`loader.num_workers`": "`-p workers=4`",
    "`output_folder`": "`--results`",
}
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
    boost = next((boost for place, boost in BOOSTS if own.startswith(place)), 1.0)
    page.meta |= {"search": {"boost": boost}, "hide": ["toc"] if own == "reference/settings.md" else []}
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
    """Every parameter of a recipe: what the comment beside it says, its default, and which recipes change it."""
    from afkit.config import SECTIONS, Recipe
    from afkit.recipes import recipe, recipe_names

    recipes = {name: recipe(name) for name in recipe_names()}
    rows = ["| setting | what it does | type | default | recipes that change it |", "|---|---|---|---|---|"]
    for section in SECTIONS:
        cls = Recipe.model_fields[section].annotation
        lines = inspect.getsource(cls).splitlines()
        for name, field in cls.model_fields.items():
            code, what = described(lines, name)
            kind = code.partition(": ")[2].partition(" = ")[0]
            kind = re.sub(r"Literal\[(.*?)\]", r"\1", re.sub(r"\b(Width|Window)\b", "int", kind))
            kind = re.sub(r"Annotated\[(.*?), \w+\]$", r"\1", kind).replace(" | ", " or ")
            default = None if field.is_required() else as_set(field.get_default(call_default_factory=True))
            values = {own: as_set(getattr(getattr(one, section), name)) for own, one in recipes.items()}
            changed = {own: value for own, value in values.items() if value != default}
            shown = "needed" if default is None else f"`{default}`"
            rows.append(f"| `{section}.{name}` | {what} | `{kind}` | {shown} | {by_value(changed)} |")
    return "\n".join(rows)


def described(lines: list[str], name: str) -> tuple[str, str]:
    """The code of a field in the source of its class, and the comment behind it, or else in the lines above it."""
    place = next(i for i, line in enumerate(lines) if line.startswith(f"    {name}: "))
    code, _, what = lines[place].partition("  # ")
    above = place
    while not what and lines[above - 1].startswith("    # "):
        above -= 1
    return code, what or " ".join(line.removeprefix("    # ") for line in lines[above:place])


def as_set(value: object) -> str:
    """A value as it is written after `--set NAME=`, in quotes where a shell would take it apart."""
    text = value if isinstance(value, str) else re.sub(r"(?<=\d)\.0\b", "", json.dumps(value))
    return f"'{text}'" if " " in text or not text else text


def by_value(changed: dict[str, str]) -> str:
    """{recipe: value} as words: each value with its recipes, of a whole family as `tridet_*`; long ones are cut."""
    from afkit.recipes import recipe_names

    names: dict[str, list[str]] = {}
    for name, value in changed.items():
        names.setdefault(value, []).append(name)
    if len(names) > MOST_VALUES:
        return f"{len(changed)} recipes, each its own"
    parts = []
    for value, own in names.items():
        for family in FAMILIES:
            members = [name for name in recipe_names() if name.startswith(family)]
            if set(members) <= set(own):
                own = [f"{family}*", *(name for name in own if name not in members)]
        listed = "all" if own == recipe_names() else ", ".join(own)
        pieces = value.split(", ")
        short = value if len(pieces) < 7 else ", ".join([*pieces[:4], "...", *pieces[-2:]])
        parts.append(f"`{short}`: " + re.sub(r"[_*]", r"\\\g<0>", listed))
    return "; ".join(parts)


def table_of_original() -> str:
    """What each key of the original's configuration files is called here."""
    from afkit.workbench.original import _RENAMED, _RENAMED_MORE

    told = {
        f"`{theirs}`": f"`{ours}`"
        for rules in (_RENAMED, *_RENAMED_MORE.values())
        for theirs, (ours, _) in rules.items()
    }
    rows = [f"| {theirs} | {ours} |" for theirs, ours in sorted((told | TRANSLATED).items())]
    return "\n".join(["| original | here |", "|---|---|", *rows])


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
    "original": table_of_original,
    "settings": table_of_settings,
    "rooms": table_of_rooms,
    "modules": modules_of_room,
}
