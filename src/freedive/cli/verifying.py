"""``freedive verify``: the book's claims, each with what was measured."""

import math
from dataclasses import dataclass
from typing import Annotated, Any

import tyro

from freedive import catalog
from freedive.catalog import Claim
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json, print_table


@dataclass
class Verify:
    """Which claims are to be checked."""

    where: Annotated[str | None, tyro.conf.Positional] = None
    """A topic, or a section and those below it; all if left out."""
    errata: bool = False
    """Only what the book has wrong."""
    seed: int = 0
    """Of each check."""
    json: bool = False
    """One JSON object instead of a table."""


def verify(args: list[str]) -> int:
    """Check claims; exit code 1 if one fails."""
    asked = parse(Verify, args, "freedive verify", "The book's claims, measured.")
    where = asked.where.replace("-", "_") if asked.where else None
    claims = [c for c in catalog.claims(where) if c.printed is not None or not asked.errata]
    rows = [check(claim, asked.seed) for claim in claims]
    failed = sum(not row["holds"] for row in rows)
    if asked.json:
        print_json({"claims": rows, "checked": len(rows), "failed": failed})
        return int(failed > 0)
    columns = ("section", "statement", "measured", "expected", "difference", "verdict")
    print_table(columns, [_table_row(row) for row in rows])
    print(f"{len(rows)} claims checked, {failed} failed")
    return int(failed > 0)


def check(claim: Claim, seed: int) -> dict[str, Any]:
    """One claim's row: the evidence that lies furthest off."""
    row: dict[str, Any] = {
        "section": claim.section,
        "topic": claim.topic,
        "statement": claim.statement,
        "sources": list(claim.sources),
        "erratum": claim.printed,
    }
    try:
        verdicts = claim.verify(seed)
    except (
        Exception,
        SystemExit,
    ) as error:  # a check that breaks is a claim that fails, not the end
        return {**row, "holds": False, "error": f"{type(error).__name__}: {error}"}
    worst = max(verdicts, key=lambda v: (not v.holds, v.difference, not math.isnan(v.difference)))
    return {
        **row,
        "holds": all(v.holds for v in verdicts),
        "figures": len(verdicts),
        "measured": short(worst.measured),
        "expected": short(worst.expected),
        "difference": worst.difference,
        "tolerance": worst.tolerance,
    }


def short(value: Any) -> Any:
    """A figure that fits in a table."""
    if hasattr(value, "tolist"):
        value = (value.flatten() if value.ndim > 2 else value).tolist()
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, (list, tuple)):
        parts = [short(v) for v in value[:4]]
        return [*parts, "…"] if len(value) > 4 else parts
    return value


def _table_row(row: dict[str, Any]) -> tuple[Any, ...]:
    statement = row["statement"]
    if row["erratum"]:
        statement += f" (printed: {row['erratum']})"
    verdict = "holds" if row["holds"] else "FAILS"
    if "error" in row:
        return row["section"], statement, row["error"], "", "", verdict
    difference = f"{row['difference']:.1e}"
    return row["section"], statement, row["measured"], row["expected"], difference, verdict
