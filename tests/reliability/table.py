"""docs/reliability.md from the counts of tests and `make fuzz`: python tests/reliability/table.py FOLDER CSV FILE."""

import csv
import json
import sys
from pathlib import Path

FUZZED = "Fuzzed readers"
HEAD = """# What was tried to break it

Written by `make reliability` from what the tests counted while they ran; a test that meets a crash, a lost file or code
that ran fails, and then this page is not written. Each table names the command that repeats it. `make fuzz MINUTES=60`
adds to the inputs and processor hours of the fuzzed readers (`results/published/fuzz.csv`).
"""


def collect(folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """{section: {row: {column: sum}}} of all count files, and the test files of each section under the row ""."""
    sections: dict[str, dict] = {}
    for path in sorted(folder.rglob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["exit"] != 0:
            raise SystemExit(f"{path} is of tests that failed; mend them, delete it, and run the tests again")
        for entry in content["rows"]:
            section = sections.setdefault(entry["section"], {"": {}})
            section[""][entry["file"]] = 1
            row = section.setdefault(entry["row"], {})
            for column, count in entry["counts"].items():
                row[column] = row.get(column, 0) + count
    return sections


def add_fuzzed(sections: dict[str, dict[str, dict[str, float]]], table: Path) -> None:
    """Add what `make fuzz` has counted to the rows of the readers that there are."""
    with table.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            counts = sections[FUZZED].get(row.pop("reader"), {})
            for column, count in row.items():
                counts[column] += float(count) if column == "hours" else int(count)


def render(sections: dict[str, dict[str, dict[str, float]]]) -> str:
    """The page: a table for each section, rows and columns in the order in which they were counted."""
    text = HEAD
    for section, rows in sections.items():
        files = " ".join(sorted(rows[""]))
        rows = {name: counts for name, counts in rows.items() if name}
        columns = list(dict.fromkeys(column for counts in rows.values() for column in counts))
        text += f"\n## {section}\n\n`python -m pytest {files}`\n\n"
        text += "| | " + " | ".join(column.replace("_", " ") for column in columns) + " |\n"
        text += "|---" * (len(columns) + 1) + "|\n"
        sums = {column: sum(counts.get(column, 0) for counts in rows.values()) for column in columns}
        for name, counts in (rows | {"**all**": sums}).items():
            text += f"| {name} | " + " | ".join(_shown(counts.get(column)) for column in columns) + " |\n"
    return text


def _shown(count: float | None) -> str:
    return "" if count is None else f"{count:,}".replace(",", " ") if isinstance(count, int) else f"{count:.3f}"


if __name__ == "__main__":
    source, fuzzed, target = map(Path, sys.argv[1:])
    sections = collect(source)
    add_fuzzed(sections, fuzzed)
    target.write_text(render(sections), encoding="utf-8")
    print(target)
