"""The page of the documentation that ``freedive verify --markdown`` prints."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from freedive.unchecked import UNCHECKED

HEAD = """\
# What the book says, measured

Made by `freedive verify --markdown > docs/claims.md`. Each statement is a check in the room of its
topic: it computes something, and this is the figure that lies furthest from what is expected.
Where a statement is marked **erratum**, what is printed fails, and the corrected form holds.
"""
COLUMNS = ("section", "statement", "measured", "expected", "difference", "verdict")


def page(rows: list[dict[str, Any]], cells: Iterable[tuple[Any, ...]]) -> str:
    """All claims as Markdown, a table for each room.

    Args:
        rows: one for each claim, in the book's order.
        cells: what stands in the table for each.
    """
    failed = sum(not row["holds"] for row in rows)
    parts = [HEAD, f"{len(rows)} statements checked, {failed} failed.\n"]
    both = zip(rows, cells, strict=True)
    for topic, group in groupby(both, key=lambda pair: pair[0]["topic"]):
        parts.append(f"## {topic.replace('_', ' ')}\n")
        parts.append(f"{table_row(COLUMNS)}\n{'|---' * len(COLUMNS)}|")
        parts += [table_row(with_mark(row, shown)) for row, shown in group]
        parts.append("")
    parts.append("## Not checked\n")
    parts.append("What no program can show, or what only another section's check shows.\n")
    parts.append(f"{table_row(('statement', 'why not'))}\n|---|---|")
    parts += [table_row((source, reason)) for source, reason in UNCHECKED.items()]
    return "\n".join(parts)


def with_mark(row: dict[str, Any], shown: tuple[Any, ...]) -> tuple[Any, ...]:
    """The cells of a claim; what the book has wrong is marked."""
    section, statement, *rest = shown
    return (section, f"**erratum** {statement}" if row["erratum"] else statement, *rest)


def table_row(cells: Iterable[Any]) -> str:
    """A line of a Markdown table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"
