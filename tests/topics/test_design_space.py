from itertools import islice

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.data.fashion_mnist import Garments
from freedive.insight.summary import summary
from freedive.topics.modern_cnn import design_space
from freedive.topics.modern_cnn.design_lab import cnn_design
from freedive.topics.modern_cnn.design_space import (
    SPACES,
    affordable,
    build,
    chance_of_gap,
    cost,
)

DATA = Garments(resize=14, num_train=100, num_val=50, batch_size=50)
FAST = {"num_networks": 2, "num_stages": 2, "num_train": 60, "max_epochs": 1, "budget": 0.3}


@pytest.mark.parametrize("num_stages", [1, 3])
def test_the_cost_is_what_the_flop_counter_of_torch_finds(num_stages):
    for seed in range(3):
        stages = SPACES["any"](num_stages, generator(seed))
        model = build(stages, DATA, lr=0.1)
        found = summary(model, (1, 1, 14, 14)).macs
        assert cost(stages, DATA) == found


def test_the_spaces_keep_their_rule():
    for seed in range(20):
        for space, sign in (("rising", 1), ("falling", -1)):
            for numbers in SPACES[space](4, generator(seed)):
                assert list(numbers) == sorted(numbers)[::sign]
        depths, channels = SPACES["any"](4, generator(seed))
        assert len(depths) == len(channels) == 4
        assert min(depths) >= 1
        assert all(c % 4 == 0 for c in channels)


def test_what_is_drawn_stays_within_the_budget_and_repeats_from_the_seed():
    first, again = (list(islice(affordable("any", 3, 5e5, DATA, 7), 5)) for _ in range(2))
    assert first == again
    assert first != list(islice(affordable("any", 3, 5e5, DATA, 8), 5))
    for stages, macs in first:
        assert 2.5e5 <= macs <= 5e5
        assert macs == cost(stages, DATA)


def test_a_budget_that_no_network_meets_is_refused(monkeypatch):
    monkeypatch.setattr(design_space, "TRIES", 10)
    with pytest.raises(UsageError, match="costs 5 to 10 multiply-adds: pass another budget"):
        next(affordable("any", 3, 10, DATA, 0))
    with pytest.raises(UsageError, match="'any' twice"):
        cnn_design(first="any", second="any")


def test_the_chance_of_a_gap_is_that_of_all_divisions():
    a, b = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([7.0, 8.0, 9.0])
    assert chance_of_gap(a, b) == pytest.approx(2 / 20, abs=0.01)  # of (6 over 3) divisions
    assert chance_of_gap(a, a) == 1.0


def test_the_lab_is_deterministic_and_tells_of_every_network():
    first, again = (cnn_design(**FAST) for _ in range(2))
    assert first.numbers == again.numbers
    assert first.tables == again.tables
    assert "synthetic" in first.figures["distributions"].axes[0].get_title()
    assert len(first.figures["distributions"].axes[1].collections[0].get_offsets()) == 2
