"""Lines of sections 6.1 and 6.2 that do not run as printed, or are not what they explain."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from freedive.catalog import erratum
from freedive.topics.building_blocks.blocks import FixedHiddenMLP
from freedive.topics.building_blocks.claims import complaint

Evidence = Iterator[tuple[Any, ...]]


@erratum(
    "6.1.3",
    "FixedHiddenMLP is no c·wᵀx: it is neither linear in its inputs nor unbounded",
    printed="f(x, w) = c·wᵀx stands for what the block computes",
    source="000 E33",
)
def more_than_a_product() -> Evidence:
    """What is linear doubles with its inputs; the block's sum stays between −1 and 1."""
    X, w = torch.rand(2, 20), torch.rand(20)
    yield 3 * (2 * X) @ w, 2 * (3 * X @ w)
    block = FixedHiddenMLP(20)
    with torch.inference_mode():
        found = [block(scale * X).item() for scale in (1.0, 2.0, 1000.0)]
    yield abs(found[1] - 2 * found[0]), (1e-3, 3.0)
    yield max(map(abs, found)), (0.0, 1.0)


@erratum(
    "6.2.1",
    "in Sequential(Linear, ReLU, Linear) the second dense layer is number 2",
    printed="net[1].weight and net[1].bias are read: that is the ReLU, which has neither",
    source="000 E8",
)
def second_dense_layer() -> Evidence:
    """What each number gives."""
    net: Any = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
    yield complaint(lambda: net[1].weight).split(":")[0], "AttributeError"
    yield list(net[2].weight.shape), [1, 8]


@erratum(
    "6.2.1",
    "the data of a parameter is an attribute",
    printed="bias.data() is called",
    source="000 E9",
)
def data_is_no_method() -> Evidence:
    """The call, and the attribute."""
    bias: Any = nn.Linear(4, 8).bias
    yield complaint(lambda: bias.data()).split(":")[0], "TypeError"
    yield bias.data, bias.detach(), 0.0
