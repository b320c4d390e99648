"""``freedive verify``: the book's claims, each with what was measured."""

import math
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Annotated, Any

import tyro

from freedive import catalog
from freedive.catalog import Claim
from freedive.cli.claims_page import COLUMNS, page
from freedive.cli.parsing import parse
from freedive.cli.screen import print_json, print_table
from freedive.core.hyperparameters import Count, Whole, check_arguments
from freedive.unchecked import UNCHECKED

FEW = 40  # claims that are checked before other processes have begun to


@dataclass
class Verify:
    """Which claims are to be checked."""

    where: Annotated[str | None, tyro.conf.Positional] = None
    """A topic, or a section and those below it; all if left out."""
    errata: bool = False
    """Only what the book has wrong."""
    seed: Whole = 0
    """Of each check."""
    workers: Count | None = None
    """Processes that check side by side; by default one for each core."""
    json: bool = False
    """One JSON object instead of a table."""
    markdown: bool = False
    """A page of the documentation instead of a table."""


def verify(args: list[str]) -> int:
    """Check claims; exit code 1 if one fails."""
    asked = parse(Verify, args, "freedive verify", "The book's claims, measured.")
    check_arguments(Verify.__init__, vars(asked))
    where = asked.where.replace("-", "_") if asked.where else None
    rows = check_all(where, asked.errata, asked.seed, asked.workers or os.cpu_count() or 1)
    failed = sum(not row["holds"] for row in rows)
    if asked.json:
        told = {"claims": rows, "checked": len(rows), "failed": failed}
        print_json({**told, "unchecked": UNCHECKED if where is None else {}})
        return int(failed > 0)
    cells = [_table_row(row) for row in rows]
    if asked.markdown:
        print(page(rows, cells))
        return int(failed > 0)
    print_table(COLUMNS, cells)
    print(f"{len(rows)} claims checked, {failed} failed")
    return int(failed > 0)


def check_all(where: str | None, errata: bool, seed: int, workers: int) -> list[dict[str, Any]]:
    """The rows of all claims that are asked for, in the book's order, whoever has checked them."""
    numbered = enumerate(catalog.claims(where))
    numbers = [i for i, claim in numbered if claim.printed is not None or not errata]
    if workers == 1 or len(numbers) < FEW:
        return [check_numbered(where, number, seed) for number in numbers]
    # a process of its own that has begun afresh: torch's threads do not survive a fork
    afresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, afresh, initializer=take_one_thread) as pool:
        return list(pool.map(check_numbered, repeat(where), numbers, repeat(seed)))


def take_one_thread() -> None:
    """Processes side by side that take several threads each would wait for each other."""
    import torch

    torch.set_num_threads(1)


def check_numbered(where: str | None, number: int, seed: int) -> dict[str, Any]:
    """The row of one claim, found by its number among those asked for."""
    return check(catalog.claims(where)[number], seed)


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
