"""Every numbered statement of the reference texts is checked, or there is a reason why not."""

import re

import pytest

from freedive import catalog
from freedive.unchecked import UNCHECKED

COUNTS = {  # claims and errata of each text
    "000": (68, 38),
    "001_003_004": (78, 46),
    "002a": (138, 60),
    "002b": (100, 60),
}


def named() -> set[str]:
    """The sources of all checks, ranges written out."""
    found = set()
    for source in {source for claim in catalog.claims() for source in claim.sources}:
        text, _, rest = source.partition(" ")
        for kind, first, last in re.findall(r"\b([CE])(\d+)(?:[–-][CE]?(\d+))?", rest):
            found |= {f"{text} {kind}{n}" for n in range(int(first), int(last or first) + 1)}
    return found


@pytest.mark.parametrize("text", COUNTS)
def test_no_statement_is_forgotten_and_none_is_both_checked_and_not(text):
    claims, errata = COUNTS[text]
    asked = {f"{text} C{n}" for n in range(1, claims + 1)}
    asked |= {f"{text} E{n}" for n in range(1, errata + 1)}
    checked = {source for source in named() if source.startswith(f"{text} ")}
    unchecked = {source for source in UNCHECKED if source.startswith(f"{text} ")}
    assert asked - checked - unchecked == set()
    assert checked & unchecked == set()
    assert unchecked <= asked


def test_there_are_more_than_three_hundred_checks_and_each_has_a_section():
    claims = catalog.claims()
    assert len(claims) >= 300
    assert all(re.fullmatch(r"\d+(\.\d+)*", claim.section) for claim in claims)
