"""What is wrong in a source: kinds, what `fix` does about them, and how much it may do without being told the kind."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from afkit.workbench.own_data.import_rows import Row

MOST_SHOWN = 20
MOST_REPAIRED = 0.05  # of all rows, by `fix` without a kind; more is mostly a wrong column or unit
FEW_REPAIRED = 3  # may be repaired in files of few rows, up to half of them

KINDS = {  # of what `fix` can repair, each with what it does
    "unlisted": "rows of recordings that are not listed are left out",
    "unnamed": "rows of recordings without a name are left out",
    "empty": "rows without a label are left out",
    "spelling": "labels that differ in case, blanks, hyphens or underscores get one spelling",
    "times": "rows with a time that is missing or not finite are left out",
    "reversed": "start and end are turned",
    "outside": "times beyond the recording are cut, or the row is left out",
    "short": "segments under 1 ms are left out",
    "repeats": "repetitions are left out",
    "overlaps": "overlaps of one label are joined",
    "unlabelled": "recordings without annotation are left out",
    "ids": "labels with several ids are numbered anew",
}


class Problem(NamedTuple):
    """Something wrong in a source."""

    where: str  # file and row
    what: str  # one sentence for the user
    repair: str  # what `fix` makes of it; "" where a person has to decide
    kind: str = ""  # of `KINDS` where there is a repair


def raise_problems(source: Path, problems: list[Problem], kinds: Collection[str], rows: list[Row], number: int) -> None:
    """Raise a ValueError that lists the problems which `fix` may not repair, or if no row is left.

    Args:
        source: for the message.
        problems: all that were found.
        kinds: to repair, "" for those that are few.
        rows: after all repairs.
        number: rows before them.
    """
    counts = Counter(problem.kind for problem in problems if problem.repair)
    most = max(MOST_REPAIRED * number, min(FEW_REPAIRED, number // 2))
    few = {kind for kind, count in counts.items() if count <= most or kind in ("unlabelled", "ids")}
    repaired = {kind for kind in counts if kind in kinds or ("" in kinds and kind in few)}
    left = [problem for problem in problems if not (problem.repair and problem.kind in repaired)]
    if not left and not rows:
        raise ValueError(f"{source} has no annotation left; correct it")
    if not left:
        return
    counted = Counter(problem.kind or "for a person to decide" for problem in left)
    kinds_of = ", ".join(f"{count} {kind}" for kind, count in counted.most_common())
    shown = _spread(left)
    lines = [f"{problem.where}: {problem.what}" for problem in shown]
    if len(left) > len(shown):
        lines.append(f"... and {len(left) - len(shown)} more")
    many = sorted(kind for kind in counts if kind and kind not in few and kind not in repaired)
    remedy = _remedy(Counter(problem.kind for problem in left if problem.repair), many, number, "" in kinds)
    problem_s = "problem" if len(left) == 1 else "problems"
    raise ValueError(f"{len(left)} {problem_s} in {source} ({kinds_of}); {remedy}:\n" + "\n".join(lines))


def _spread(problems: list[Problem]) -> list[Problem]:
    """The first problems, but of each kind as many."""
    rank: Counter[str] = Counter()
    ranked = []
    for place, problem in enumerate(problems):
        rank[problem.kind] += 1
        ranked.append((rank[problem.kind], place))
    return [problems[place] for place in sorted(place for _, place in sorted(ranked)[:MOST_SHOWN])]


def _remedy(counts: Mapping[str, int], many: Sequence[str], number: int, asked: bool) -> str:
    """What a user can do about problems of some kinds, that which changes least first."""
    remedies = []
    if counts.keys() & {"overlaps", "repeats"}:
        remedies.append(
            "accept overlaps of a label with --allow-overlaps, if they are meant (several people or sources)"
        )
    remedies.append("correct" if counts else "correct it")
    few = sum(count for kind, count in counts.items() if kind not in many)
    if not many and few:
        remedies.append(f"repair {few} with --fix (fix=True)")
    elif many:
        shares = ", ".join(f"{counts[kind]} of {number} rows are of the kind {kind}" for kind in many)
        named = " ".join(["--fix"] * (len(counts) > len(many)) + [f"--fix={kind}" for kind in many])
        why = "more than --fix alone repairs; look whether columns and unit are right"
        remedies.append(f"repair {sum(counts.values())} with {named} ({shares}, {why})")
    return ", or ".join(remedies)
