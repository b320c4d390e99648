"""From logits to the next token (sections 9.5 and 10.8)."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.topics.rnn.sampling import next_token_probabilities, sample_token


def slowly(logits, temperature, top_k, top_p):
    """The same, token by token."""
    p = (logits / temperature).softmax(dim=0)
    order = sorted(range(len(p)), key=lambda i: -float(p[i]))
    kept, total = [], 0.0
    for rank, i in enumerate(order):
        if (rank and total >= top_p) or (top_k and rank >= top_k):
            break
        kept.append(i)
        total += float(p[i])
    q = torch.zeros_like(p)
    q[kept] = p[kept]
    return q / q.sum()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.integers(1, 12),
    temperature=st.sampled_from([0.3, 1.0, 2.5]),
    top_k=st.integers(0, 14),
    top_p=st.sampled_from([0.05, 0.33, 0.71, 1.0]),
)
def test_it_equals_a_loop_and_sums_to_one(seed, size, temperature, top_k, top_p):
    logits = torch.randn(size, generator=generator(seed), dtype=torch.double)
    found = next_token_probabilities(logits, temperature, top_k, top_p)
    assert found.sum().item() == pytest.approx(1)
    assert torch.allclose(found.double(), slowly(logits, temperature, top_k, top_p), atol=1e-5)


def test_temperature_zero_leaves_the_likeliest():
    assert next_token_probabilities(torch.tensor([[0.1, 0.3, 0.2]]), 0.0).tolist() == [[0, 1, 0]]


def test_a_tiny_temperature_and_half_precision_do_not_overflow():
    logits = torch.tensor([60_000.0, -60_000.0, 59_000.0]).half()
    found = next_token_probabilities(logits, 1e-6)
    assert found.isfinite().all()
    assert found.argmax() == 0


def test_rows_are_independent():
    logits = torch.randn(3, 4, 5)
    found = next_token_probabilities(logits, 0.7, 3, 0.9)
    for i in range(3):
        for j in range(4):
            alone = next_token_probabilities(logits[i, j], 0.7, 3, 0.9)
            assert torch.allclose(found[i, j], alone)


def test_what_is_drawn_follows_the_probabilities_and_the_seed():
    p = torch.tensor([0.2, 0.0, 0.8])
    drawn = torch.cat([sample_token(p.expand(2000, 3), generator(seed)) for seed in (1, 2)])
    share = (drawn == 2).float().mean().item()
    assert share == pytest.approx(0.8, abs=5 * (0.8 * 0.2 / 4000) ** 0.5)
    assert not (drawn == 1).any()
    assert torch.equal(sample_token(p[None], generator(3)), sample_token(p[None], generator(3)))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"temperature": -0.1}, "temperature wants a number of at least 0, got -0.1"),
        ({"temperature": float("nan")}, "temperature wants"),
        ({"top_k": -1}, "top_k wants a whole number of at least 0"),
        ({"top_p": 0.0}, "top_p wants a number above 0 to 1, got 0.0"),
        ({"top_p": 1.5}, "top_p wants"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(UsageError, match=message):
        next_token_probabilities(torch.zeros(3), **setting)
