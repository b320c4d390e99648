"""The order of examples is a function of (seed, epoch), and of nothing else."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from freedive.core import distributed
from freedive.core.errors import DataError, UsageError
from freedive.core.loader import TensorLoader, epoch_order
from freedive.core.random import generator


def numbered(num_examples, batch_size, **arguments):
    """Two columns: each example's number, and a row made of it."""
    numbers = torch.arange(num_examples)
    return TensorLoader(
        [numbers, numbers[:, None] * torch.tensor([1, 10])], batch_size, **arguments
    )


def order(loader):
    """The numbers of all examples in the order in which the loader gives them."""
    batches = [numbers for numbers, _ in loader]
    return torch.cat(batches).tolist() if batches else []


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(0, 20), size=st.integers(1, 25), shuffle=st.booleans(), epoch=st.integers(0, 3)
)
def test_every_example_comes_once_and_its_columns_stay_together(n, size, shuffle, epoch):
    loader = numbered(n, size, shuffle=shuffle)
    loader.epoch = epoch
    batches = list(loader)
    assert sorted(i for numbers, _ in batches for i in numbers.tolist()) == list(range(n))
    assert all(torch.equal(rows, ns[:, None] * torch.tensor([1, 10])) for ns, rows in batches)
    assert [len(ns) for ns, _ in batches] == [min(size, n - i) for i in range(0, n, size)]
    assert len(loader) == len(batches)


def test_without_shuffling_the_order_is_that_of_the_data():
    assert order(numbered(7, 3)) == list(range(7))


@pytest.mark.parametrize(
    ("n", "size", "lengths"), [(0, 3, []), (1, 3, [1]), (3, 1, [1, 1, 1]), (2, 9, [2])]
)
def test_the_edges_of_sizes(n, size, lengths):
    for shuffle in (False, True):
        loader = numbered(n, size, shuffle=shuffle)
        assert [len(numbers) for numbers, _ in loader] == lengths
        assert len(loader) == len(lengths)


def test_the_order_depends_on_seed_and_epoch_alone():
    first = numbered(30, 7, shuffle=True, seed=3)
    once = order(first)
    torch.manual_seed(99)
    torch.rand(5)
    assert order(numbered(30, 11, shuffle=True, seed=3)) == once
    assert order(first) == once  # read again: nothing moved
    assert order(numbered(30, 7, shuffle=True, seed=4)) != once
    first.epoch = 1
    assert order(first) != once
    first.epoch = 0
    assert order(first) == once


def test_the_loader_leaves_the_global_generators_alone():
    before = torch.get_rng_state()
    order(numbered(30, 7, shuffle=True))
    assert torch.equal(torch.get_rng_state(), before)


def test_epochs_of_one_seed_are_unrelated_to_those_of_the_next():
    orders = [
        tuple(epoch_order(50, seed, epoch).tolist()) for seed in range(4) for epoch in range(4)
    ]
    assert len(set(orders)) == 16


def test_each_place_is_equally_likely():
    """The mean place of an example over many epochs is the middle, within four standard errors."""
    places = torch.stack([epoch_order(10, 0, epoch) for epoch in range(400)]).double()
    standard_error = (99 / 12) ** 0.5 / 400**0.5
    assert (places.mean(dim=0) - 4.5).abs().max() < 4 * standard_error


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("start", [0, 1, 3, 4, 5, 9])
def test_an_epoch_can_be_entered_at_any_batch(shuffle, start):
    whole = [numbers.tolist() for numbers, _ in numbered(17, 4, shuffle=shuffle)]
    loader = numbered(17, 4, shuffle=shuffle)
    loader.start = start
    assert [numbers.tolist() for numbers, _ in loader] == whole[start:]
    assert [numbers.tolist() for numbers, _ in loader] == whole  # the start is used once


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize(("world", "n"), [(2, 10), (3, 10), (4, 3)])
def test_the_processes_of_a_world_share_the_examples_out(monkeypatch, shuffle, world, n):
    monkeypatch.setattr(distributed, "world_size", lambda: world)
    shares = []
    for rank in range(world):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        loader = numbered(n, 2, shuffle=shuffle)
        shares.append(order(loader))
        assert loader.num_examples == len(shares[-1])
        assert len(loader) == -(-len(shares[-1]) // 2)
    assert sorted(i for share in shares for i in share) == list(range(n))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_world_sees_the_order_that_one_process_sees(monkeypatch):
    alone = order(numbered(12, 3, shuffle=True))
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    assert order(numbered(12, 3, shuffle=True)) == alone[1::2]


def test_one_process_is_rank_zero_in_a_world_of_one():
    assert (distributed.rank(), distributed.world_size()) == (0, 1)


@pytest.mark.parametrize(
    "columns", [[], [torch.zeros(3), torch.zeros(4)], [torch.zeros(0), torch.zeros(1)]]
)
def test_columns_of_unequal_length_are_refused(columns):
    with pytest.raises(DataError, match="one length"):
        TensorLoader(columns, 2)


@pytest.mark.parametrize("batch_size", [0, -1, 2.5])
def test_a_senseless_batch_size_is_refused(batch_size):
    with pytest.raises(UsageError, match="batch_size"):
        numbered(3, batch_size)


def test_a_transform_makes_of_the_rows_what_the_model_gets():
    loader = TensorLoader([torch.arange(5)], 2, transform=lambda batch: (batch[0] * 2, batch[0]))
    assert [(x.tolist(), y.tolist()) for x, y in loader][1] == ([4, 6], [2, 3])


def drawing(batch, chance):
    """Puts a number of the generator that it is given beside each example."""
    return batch[0], torch.randint(2**60, (len(batch[0]),), generator=chance)


def draws(seed=3, epoch=1, start=0, size=4, **arguments):
    loader = TensorLoader([torch.arange(17)], size, seed=seed, augment=drawing, **arguments)
    loader.epoch, loader.start = epoch, start
    return [numbers.tolist() for _, numbers in loader]


@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("start", [0, 1, 3, 4, 5, 9])
def test_what_is_drawn_does_not_depend_on_where_an_epoch_is_entered(shuffle, start):
    whole = draws(shuffle=shuffle)
    torch.manual_seed(99)
    assert draws(start=start, shuffle=shuffle) == whole[start:]


def test_two_epochs_that_are_read_in_turns_draw_as_if_alone():
    loader = TensorLoader([torch.arange(17)], 4, seed=3, augment=drawing)
    loader.epoch = 1
    first = iter(loader)
    begun = [next(first)]
    loader.epoch = 2
    second = [numbers.tolist() for _, numbers in loader]
    assert [numbers.tolist() for _, numbers in [*begun, *first]] == draws(epoch=1)
    assert second == draws(epoch=2)


def test_every_batch_epoch_seed_and_process_draws_for_itself(monkeypatch):
    found = [draws(seed, epoch) for seed in (0, 1, 2**40) for epoch in (0, 1)]
    monkeypatch.setattr(distributed, "world_size", lambda: 2)
    for rank in (0, 1):
        monkeypatch.setattr(distributed, "rank", lambda rank=rank: rank)
        found.append(draws(7))
    firsts = [batch[0] for epoch in found for batch in epoch]
    assert len(set(firsts)) == len(firsts) == 6 * 5 + 3 + 2


@pytest.mark.parametrize("seed", [0, 3, 2**40])
def test_no_batch_draws_the_numbers_that_the_order_is_made_of(seed):
    of_order = torch.randint(2**60, (1,), generator=generator(seed, 0)).item()
    assert of_order not in [batch[0] for batch in draws(seed, epoch=0)]


def test_augmenting_comes_before_the_transform_and_leaves_the_order_alone():
    loader = TensorLoader(
        [torch.arange(9)],
        4,
        shuffle=True,
        augment=lambda batch, chance: (batch[0] + 100,),
        transform=lambda batch: (batch[0] * 2,),
    )
    found = torch.cat([numbers for (numbers,) in loader])
    assert torch.equal(found, (epoch_order(9, 0, 0) + 100) * 2)


def test_the_order_is_drawn_on_the_cpu_wherever_new_tensors_go():
    expected = epoch_order(9, 1, 2)
    with torch.device("meta"):
        assert torch.equal(epoch_order(9, 1, 2), expected)


def test_moving_the_loader_leaves_the_given_tensors_alone():
    column = torch.arange(3)
    loader = TensorLoader([column], 2).to(torch.device("meta"))
    assert (column.device.type, loader.tensors[0].device.type) == ("cpu", "meta")
