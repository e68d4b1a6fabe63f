"""The page of what was shown: its claims stand in README, and what shows them is there."""

import csv
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
status = runpy.run_path(str(ROOT / "docs" / "tools" / "status.py"))
CLAIMS = status["read_claims"]()


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim["claim"])
def test_what_is_claimed_stands_in_readme_and_what_shows_it_is_there(claim):
    assert claim["says"] in " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert claim["shown"] if "shown" in claim else claim["missing"]
    for word in status["command"](claim).split():
        if word.startswith(("tests/", "sweeps/")):
            assert (ROOT / word).exists(), word
        elif word.startswith("benchmarks."):
            assert (ROOT / f"{word.replace('.', '/')}.py").exists(), word


def test_the_page_has_all_claims_and_the_ledger_no_other():
    page, claims = status["PAGE"].read_text(encoding="utf-8"), {claim["claim"] for claim in CLAIMS}
    assert all(f"| {claim} |" in page for claim in claims)
    with status["LEDGER"].open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["claim"] for row in rows} <= claims
    for row in rows:
        assert f"commit {row['commit']}, {row['minutes']} minutes" in page


def test_what_fails_leaves_the_ledger_as_it_was(tmp_path, monkeypatch, capsys):
    given = {"PAGE": tmp_path / "status.md", "LEDGER": tmp_path / "status.csv", "git": lambda *_: "1234567"}
    claims = [{"claim": name, "says": name, "shown": f"python -c 'print(1); exit({code})'"}
              for name, code in (("right", 0), ("wrong", 3))]  # fmt: skip
    main = status["main"]
    for name, value in (given | {"read_claims": lambda: claims}).items():
        monkeypatch.setitem(main.__globals__, name, value)
    main(["right"])
    before = given["LEDGER"].read_text(encoding="utf-8")
    assert "right" in before and "commit 1234567" in given["PAGE"].read_text(encoding="utf-8")
    with pytest.raises(SystemExit, match="ended with 3; the ledger is as it was"):
        main(["wrong"])
    with pytest.raises(SystemExit, match="0 claims with a command begin with 'other'"):
        main(["other"])
    assert given["LEDGER"].read_text(encoding="utf-8") == before
