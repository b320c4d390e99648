"""Every old name is there, with the parameters that it had."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tests.d2l import signatures

import freedive.d2l
from freedive.d2l import lookup, porting, zh
from freedive.d2l import torch as d2l
from freedive.d2l.names import BOTH, CHINESE, ENGLISH

LINES = [
    (module, line)
    for module, table in ((d2l, signatures.BOTH), (d2l, signatures.ENGLISH),
                          (zh, signatures.BOTH), (zh, signatures.CHINESE))
    for line in table.strip().splitlines()
]  # fmt: skip


@pytest.mark.parametrize("module", [d2l, zh], ids=["en", "zh"])
def test_every_name_is_there(module):
    assert [name for name in lookup.ALL if getattr(module, name, None) is None] == []
    assert set(lookup.ALL) <= set(dir(module))


@pytest.mark.parametrize(("module", "line"), LINES)
def test_a_name_takes_the_parameters_that_it_took(module, line):
    name, _, _ = line.partition("(")
    # a parameter without a default behind one with: a default that is a list or a tuple of words
    written = ast.parse(f"def f({_with_defaults(line)}): ...").body[0].args
    defaults = [None] * (len(written.args) - len(written.defaults)) + written.defaults
    parameters = inspect.signature(getattr(module, name)).parameters.values()
    kept = [p for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD]
    assert len(kept) >= len(written.args)
    for ours, theirs, default in zip(kept, written.args, defaults, strict=False):
        assert ours.name == theirs.arg
        if default is not None and not isinstance(default, ast.Name):
            assert ours.default == ast.literal_eval(default)
    assert all(p.default is not p.empty for p in kept[len(written.args) :])  # what was added


def _with_defaults(line):
    words, seen = line[line.index("(") + 1 : -1], False
    parts = []
    for part in _split(words):
        seen = seen or "=" in part
        parts.append(part if "=" in part or not seen else f"{part}=some")
    return ", ".join(parts)


def _split(words):
    depth, parts = 0, [""]
    for sign in words:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            parts.append("")
        else:
            parts[-1] += sign
    return [part.strip() for part in parts if part.strip()]


def test_the_arguments_decide_where_the_editions_disagree():
    X = torch.ones(2, 4, 8)
    for heads in (d2l.MultiHeadAttention(8, 2, 0.0), d2l.MultiHeadAttention(8, 8, 8, 8, 2, 0.0)):
        assert heads(X, X, X, None).shape == X.shape
    images = torch.randn(2, 3, 6, 6)
    for block in (d2l.Residual(6, True, 2), d2l.Residual(3, 6, use_1x1conv=True, strides=2)):
        assert block(images).shape == (2, 6, 3, 3)
    for network in (d2l.PositionWiseFFN(4, 8), d2l.PositionWiseFFN(8, 4, 8)):
        assert network(X).shape == X.shape
    tokens = torch.ones(2, 5, dtype=torch.long)
    new = d2l.TransformerEncoder(20, 8, 16, 2, 1, 0.0)
    old = d2l.TransformerEncoder(20, 8, 8, 8, 8, [5, 8], 8, 16, 2, 1, 0.0)
    for encoder in (new, old):
        assert encoder(tokens, torch.tensor([3, 2])).shape == (2, 5, 8)


def test_where_they_cannot_the_newer_wins_and_the_older_is_in_zh():
    words = ["b", "a", "b"]
    assert d2l.Vocab(words).idx_to_token == ["<unk>", "a", "b"]
    assert zh.Vocab(words).idx_to_token == ["<unk>", "b", "a"]
    assert zh.Vocab(words).to_tokens([1]) == ["b"]
    assert d2l.EncoderDecoder is not zh.EncoderDecoder


def test_a_name_that_never_was_is_answered_with_the_nearest():
    with pytest.raises(AttributeError, match=r"no 'load_data_fashion_mnits'.*'load_data_fashion"):
        d2l.load_data_fashion_mnits  # noqa: B018
    with pytest.raises(AttributeError, match=r"docs/d2l\.md"):
        d2l.qqqqqq  # noqa: B018


@pytest.mark.parametrize("flavour", freedive.d2l.FLAVOURS)
def test_another_flavour_is_told_what_freedive_speaks(flavour):
    with pytest.raises(ImportError, match=f"d2l.{flavour} is the book's {flavour} code"):
        getattr(freedive.d2l, flavour)


def test_names_of_ones_own_stay():
    d2l.my_function = len
    assert d2l.my_function is len
    del d2l.my_function


OUTSIDE = """
import sys
assert "d2l" not in sys.modules
import freedive.d2l
assert "torch" not in sys.modules and "matplotlib" not in sys.modules
freedive.d2l.activate()
from d2l import torch as d2l
import d2l.torch, d2l as package
from d2l.torch import Timer
assert "matplotlib" not in sys.modules and package.torch is sys.modules["d2l.torch"]
assert Timer is package.torch.Timer
from d2l.torch import *
assert corr2d is package.torch.corr2d
"""


def test_r02_one_process_has_d2l_and_nothing_heavy_before_it_is_used():
    subprocess.run([sys.executable, "-c", OUTSIDE], check=True, timeout=120)


def test_every_name_has_a_modern_spelling_and_the_page_is_current():
    tables = (BOTH, ENGLISH, CHINESE)
    names = {name for table in tables for words in table.values() for name in words.split()}
    assert not [n for n in names if "no old name" in porting.modern(n)[0]]
    page = Path(__file__).parents[2] / "docs" / "d2l.md"
    assert porting.names_page() in page.read_text(encoding="utf-8")
