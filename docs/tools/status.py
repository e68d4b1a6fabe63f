"""What README claims, what shows it and when that was last run: `python docs/tools/status.py [CLAIM ...]`.

The claims stand in claims.yaml. Each argument is the beginning of one: what shows it is run here, and its date, commit,
machine and last line go into docs/status.csv. Without arguments nothing is run. In the end docs/status.md is written: a
claim that was not run by this command has the date of the commit that brought its words into README.
"""

import argparse
import csv
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
README, LEDGER, PAGE = ROOT / "README.md", ROOT / "docs" / "status.csv", ROOT / "docs" / "status.md"
RUNNERS = ("python ", "make ")
INTRODUCTION = """# What was shown, and when

What README claims, and what shows it. The date is that of the last time when it was run for this page, on the machine
beside it, with the last line that it printed; where there is no machine, it is the day on which the words came into
README, from a run of which this page knows no more. **Missing** is what was not there.

```text
python docs/tools/status.py "CLAIM"    run what shows it, and write this page
python docs/tools/status.py            write this page
```

| claim | shown by | last | where, and what it ended with |
|---|---|---|---|
"""


def read_claims() -> list[dict[str, str]]:
    """Those of claims.yaml: `claim`, `says`, and `shown` or `missing` or both."""
    return yaml.safe_load((Path(__file__).parent / "claims.yaml").read_text(encoding="utf-8"))


def command(claim: dict[str, str]) -> str:
    """What a shell runs for a claim; "" where nothing here shows it in one command."""
    shown = claim.get("shown", "")
    if shown.startswith("tests/"):
        return f"python -m pytest -p no:cacheprovider {shown}"
    return shown if shown.startswith(RUNNERS) else ""


def chosen(claims: Sequence[dict[str, str]], words: str) -> dict[str, str]:
    """The claim that begins with these words."""
    found = [claim for claim in claims if claim["claim"].startswith(words) and command(claim)]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} claims with a command begin with {words!r}; claims.yaml has all of them")
    return found[0]


def show(claim: dict[str, str], commit: str) -> dict[str, str]:
    """Run what shows a claim, of the code of a commit; a line of the ledger, or the end where it fails."""
    from benchmarks.timing import machine

    began, line = time.monotonic(), command(claim)
    own = os.environ | {"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}
    print(f"$ {line}", flush=True)
    done = subprocess.run(line, shell=True, cwd=ROOT, env=own, text=True, stdout=subprocess.PIPE)
    print(done.stdout)
    if done.returncode:
        raise SystemExit(f"{line} ended with {done.returncode}; the ledger is as it was")
    said = [" ".join(text.split()) for text in done.stdout.splitlines() if text.strip() and str(ROOT) not in text]
    facts = machine()
    where = f"{facts['processor']}, {facts['cores']} cores"
    row = {
        "claim": claim["claim"],
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "commit": commit,
    }
    minutes = f"{(time.monotonic() - began) / 60:.1f}"
    return row | {"machine": where, "minutes": minutes, "ended": said[-1][:120] if said else ""}


def git(*arguments: str) -> str:
    """What git says, in one line."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def in_readme_since(words: str) -> str:
    """The day on which words came into README."""
    return git("log", "-1", "--format=%ad", "--date=short", f"-S{words}", "--", "README.md") or "not committed yet"


def table_row(claim: dict[str, str], ledger: dict[str, dict[str, str]]) -> str:
    """A line of the page."""
    shown = claim.get("shown", "")
    cell = f"`{command(claim)}`" if command(claim) else shown
    if run := ledger.get(claim["claim"]):
        ended = run["ended"].replace("|", "\\|").strip("= ")
        last, where = run["date"], f"{run['machine']}, commit {run['commit']}, {run['minutes']} minutes: `{ended}`"
    else:
        last, where = in_readme_since(claim["says"]) if shown else "never", ""
    if missing := claim.get("missing", ""):
        where = f"{where}; **missing:** {missing}" if where else f"**missing:** {missing}"
    return f"| {claim['claim']} | {cell or 'nothing here'} | {last} | {where} |\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for, and write ledger and page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="the beginning of one whose command is to be run")
    options = parser.parse_args(arguments)
    claims = read_claims()
    wanted = [chosen(claims, words) for words in options.claims]
    rows = list(csv.DictReader(LEDGER.open(encoding="utf-8"))) if LEDGER.exists() else []
    ledger = {row["claim"]: row for row in rows}
    commit = git("describe", "--always", "--exclude=*", "--dirty= with changes") if wanted else ""
    for claim in wanted:
        ledger[claim["claim"]] = show(claim, commit)
        with LEDGER.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(ledger[claim["claim"]]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(ledger[one["claim"]] for one in claims if one["claim"] in ledger)
    lines = [table_row(claim, ledger) for claim in claims]
    PAGE.write_text(INTRODUCTION + "".join(lines), encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
