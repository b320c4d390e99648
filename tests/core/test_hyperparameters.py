"""Arguments that become attributes, and that are checked at the door."""

import math
from typing import Annotated

import pytest
from hypothesis import given
from hypothesis import strategies as st

from freedive.core.errors import FreediveError, UsageError
from freedive.core.hyperparameters import (
    Bounds,
    Count,
    HyperParameters,
    NonNegative,
    Positive,
    Probability,
    Whole,
    bounds_of,
    check_arguments,
)


class Settings(HyperParameters):
    def __init__(
        self,
        count: Count = 1,
        whole: Whole = 0,
        positive: Positive = 1.0,
        share: Probability = 0.5,
        limit: Count | None = None,
        other: str = "x",
    ):
        self.save_hyperparameters()


BAD = {
    "count": [0, -1, math.nan, math.inf, 2.5, "abc", True, [1]],
    "whole": [-1, math.nan, -math.inf, 0.5, "1", False],
    "positive": [0, 0.0, -1e-9, math.nan, math.inf, "0.1", True],
    "share": [-0.01, 1.01, math.nan, "half"],
    "limit": [0, 1.5, "none"],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in BAD.items() for v in vs])
def test_a_value_out_of_bounds_is_refused_in_one_line(name, value):
    with pytest.raises(UsageError) as caught:
        Settings(**{name: value})
    message = str(caught.value)
    assert message.startswith(f"{name} wants a ")
    assert repr(value) in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [("count", 1), ("whole", 0), ("positive", 5e-324), ("share", 0), ("share", 1), ("limit", None)],
)
def test_a_value_on_the_edge_is_taken(name, value):
    assert getattr(Settings(**{name: value}), name) == value


@given(st.floats(allow_nan=True) | st.integers(-3, 3) | st.booleans() | st.text(max_size=2))
def test_bounds_agree_with_their_definition(value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    finite = number and math.isfinite(value)
    assert (value in Bounds(0, 1)) == (finite and 0 <= value <= 1)
    assert (value in Bounds(0, above=True)) == (finite and value > 0)
    whole = finite and isinstance(value, int)  # 2.0 would break a range
    assert (value in Bounds(1, whole=True)) == (whole and value >= 1)


def test_bounds_say_what_they_want():
    assert str(Bounds(1, whole=True)) == "a whole number of at least 1"
    assert str(Bounds(0, above=True)) == "a number above 0"
    assert str(Bounds(0, 1)) == "a number from 0 to 1"


def test_a_usage_error_is_a_value_error_with_an_exit_code():
    assert issubclass(UsageError, ValueError)
    assert issubclass(UsageError, FreediveError)
    assert UsageError.exit_code == 2


class Parent(HyperParameters):
    def __init__(self, width: Count = 3, lr: Positive = 0.1):
        self.save_hyperparameters()


class Child(Parent):
    def __init__(self, depth: Count = 2, *, lr: Positive = 0.5):
        super().__init__(lr=lr)
        self.save_hyperparameters()


def test_each_level_of_a_chain_saves_its_own():
    child = Child(depth=7)
    assert child.hparams == {"width": 3, "lr": 0.5, "depth": 7}
    assert (child.width, child.depth, child.lr) == (3, 7, 0.5)


@pytest.mark.parametrize("arguments", [{"depth": 0}, {"lr": 0.0}])
def test_each_level_of_a_chain_is_checked(arguments):
    with pytest.raises(UsageError, match=next(iter(arguments))):
        Child(**arguments)


def test_instances_do_not_share_their_hyperparameters():
    first, second = Parent(1), Parent(2)
    assert (first.hparams["width"], second.hparams["width"]) == (1, 2)


def test_ignored_and_private_arguments_are_not_saved():
    class Some(HyperParameters):
        def __init__(self, kept, dropped, _private=1):
            local = 5  # no argument
            self.save_hyperparameters(ignore=["dropped"])
            assert local == 5

    some = Some(1, 2)
    assert some.hparams == {"kept": 1}
    assert not hasattr(some, "dropped")
    assert not hasattr(some, "_private")


def test_without_arguments_there_is_nothing_to_save():
    class Bare(HyperParameters):
        def __init__(self):
            self.save_hyperparameters()

    assert Bare().hparams == {}


def test_an_annotation_that_cannot_be_resolved_does_not_stop_the_others():
    class Local:
        pass

    class Some(HyperParameters):
        def __init__(self, thing: "Local", count: Count = 1):  # unknown outside this function
            self.save_hyperparameters()

    assert Some(Local()).count == 1


def test_numpy_numbers_are_numbers():
    import numpy as np

    assert Settings(count=np.int64(3), positive=np.float32(0.5)).count == 3


def test_bounds_are_found_within_optional_and_nowhere_else():
    def function(a: Count | None, b: Annotated[int, "a note"], c: int, d: NonNegative = 0): ...

    assert bounds_of(function) == {"a": Bounds(1, whole=True), "d": Bounds(0)}
    check_arguments(function, {"a": None, "b": -1, "c": -1})
    with pytest.raises(UsageError, match="d wants a number of at least 0, got -1"):
        check_arguments(function, {"d": -1})
