"""The tests' own checker: shapes in signatures hold at the first calls of every test."""

import pytest
import torch
from jaxtyping import TypeCheckError
from tests import shapes

from freedive.topics.convolution.scratch import corr2d
from freedive.topics.linear_regression.scratch import squared_loss


@pytest.mark.parametrize("turn", [1, 2])  # the second finds what the first has worn out anew
def test_a_wrong_shape_is_refused_until_a_function_has_been_called_often(turn):
    X, K = torch.ones(3, 3), torch.ones(2, 2)
    with pytest.raises(TypeCheckError):
        corr2d(X[0], K)
    for _ in range(2 * shapes.CALLS):
        corr2d(X, K)
    assert corr2d(X, K).shape == (2, 2)
    with pytest.raises(IndexError):
        corr2d(X[0], K)


def test_sizes_of_one_name_are_equal():
    with pytest.raises(TypeCheckError):
        squared_loss(torch.ones(3, 1), torch.ones(4, 1))
