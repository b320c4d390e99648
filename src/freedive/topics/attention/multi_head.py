"""Several attentions side by side, each with its own view of queries, keys and values (11.5)."""

from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, Probability, check_arguments
from freedive.topics.attention.masks import Valid
from freedive.topics.attention.positions import RotaryPositions

# keys and values of each head, rotated where positions are: what later queries may use again
Memory = tuple[
    Float[Tensor, "batch kv_heads steps size"], Float[Tensor, "batch kv_heads steps size"]
]


class MultiHead(nn.Module):
    r"""Multi-head attention, whatever its parts are written with.

    $\mathbf{W}_o[\mathbf{h}_1; \ldots; \mathbf{h}_h]$ with $\mathbf{h}_i = f(\mathbf{W}_i^{(q)}
    \mathbf{q}, \mathbf{W}_i^{(k)}\mathbf{k}, \mathbf{W}_i^{(v)}\mathbf{v})$, each an h-th of
    the width.

    Args:
        num_hiddens: width of queries, keys, values and outputs.
        num_heads: h; divides the width.
        dropout: share of the weights that is dropped in training.
        bias: whether the four maps have one.
        num_kv_heads: heads of keys and values, each shared by a group of query heads; None has one
            for each (grouped-query attention).
        max_len: positions of a table that rotates queries and keys; None rotates nothing.

    Raises:
        UsageError: heads that do not divide the width, or key–value heads that do not divide them.
    """

    linear: ClassVar[Any]
    attends: ClassVar[Any]  # what takes the place of scaled dot-product attention

    def __init__(
        self,
        num_hiddens: Count,
        num_heads: Count,
        dropout: Probability = 0.0,
        bias: bool = False,
        num_kv_heads: Count | None = None,
        max_len: Count | None = None,
    ):
        super().__init__()
        given = {"num_hiddens": num_hiddens, "num_heads": num_heads, "dropout": dropout}
        check_arguments(MultiHead.__init__, {**given, "num_kv_heads": num_kv_heads})
        num_kv_heads = num_heads if num_kv_heads is None else num_kv_heads
        check_heads(num_hiddens, num_heads, num_kv_heads)
        self.num_hiddens, self.num_heads, self.num_kv_heads = num_hiddens, num_heads, num_kv_heads
        self.head_size = num_hiddens // num_heads
        shared = num_kv_heads * self.head_size
        self.W_q = self.linear(num_hiddens, num_hiddens, bias=bias)
        self.W_k = self.linear(num_hiddens, shared, bias=bias)
        self.W_v = self.linear(num_hiddens, shared, bias=bias)
        self.W_o = self.linear(num_hiddens, num_hiddens, bias=bias)
        self.attention = self.attends(dropout)
        self.rotary = None if max_len is None else RotaryPositions(self.head_size, max_len)

    def forward(
        self,
        queries: Float[Tensor, "batch queries h"],
        keys: Float[Tensor, "batch keys h"],
        values: Float[Tensor, "batch keys h"],
        valid_lens: Valid = None,
        causal: bool = False,
    ) -> Float[Tensor, "batch queries h"]:
        """What each query finds.

        Args:
            queries, keys, values: rows of the width.
            valid_lens: keys that each example or each query may see, or a mask.
            causal: whether each query sees only its own step and those before it.
        """
        self.check(queries, keys, values)
        return self.attend(queries, self.remember(keys, values), valid_lens, causal)

    def remember(
        self,
        keys: Float[Tensor, "batch keys h"],
        values: Float[Tensor, "batch keys h"],
        start: int = 0,
    ) -> Memory:
        """Keys and values as the heads see them, the first at position ``start``."""
        k, v = self.split(self.W_k(keys)), self.split(self.W_v(values))
        return (k if self.rotary is None else self.rotary(k, start)), v

    def attend(
        self,
        queries: Float[Tensor, "batch queries h"],
        memory: Memory,
        valid_lens: Valid = None,
        causal: bool = False,
        start: int = 0,
    ) -> Float[Tensor, "batch queries h"]:
        """What each query finds in what is remembered, the first query at position ``start``."""
        q = self.split(self.W_q(queries))
        if self.rotary is not None:
            q = self.rotary(q, start)
        k, v = (self.for_each_head(part) for part in memory)
        return self.W_o(self.join(self.attention(q, k, v, valid_lens, causal)))

    def go_on(
        self, X: Float[Tensor, "batch steps h"], before: Memory | None = None
    ) -> tuple[Float[Tensor, "batch steps h"], Memory]:
        """Causal self-attention of steps that follow what is remembered, and the memory after them.

        This is how a text is written without reading it anew for each token: a key–value cache.
        """
        start = 0 if before is None else before[0].shape[2]
        keys, values = self.remember(X, X, start)
        if before is not None:
            keys = torch.cat([before[0], keys], dim=2)
            values = torch.cat([before[1], values], dim=2)
        return self.attend(X, (keys, values), causal=True, start=start), (keys, values)

    def split(self, X: Float[Tensor, "batch steps h"]) -> Float[Tensor, "batch heads steps size"]:
        """Rows cut into the parts of the heads."""
        return X.unflatten(2, (-1, self.head_size)).transpose(1, 2)

    def join(self, X: Float[Tensor, "batch heads steps size"]) -> Float[Tensor, "batch steps h"]:
        """The parts put together again: undoes `split`."""
        return X.transpose(1, 2).flatten(2)

    def for_each_head(
        self, X: Float[Tensor, "batch kv_heads steps size"]
    ) -> Float[Tensor, "batch heads steps size"]:
        """Keys or values for each query head: those of its group."""
        group = self.num_heads // self.num_kv_heads
        return X if group == 1 else X.repeat_interleave(group, dim=1)

    def check(self, queries: Tensor, keys: Tensor, values: Tensor) -> None:
        """Refuse inputs of another width, and keys without values."""
        for name, given in {"queries": queries, "keys": keys, "values": values}.items():
            if given.dim() != 3 or given.shape[-1] != self.num_hiddens:
                raise UsageError(
                    f"{type(self).__name__} wants {name} of shape (batch, steps, "
                    f"{self.num_hiddens}), got {tuple(given.shape)}: pass num_hiddens="
                    f"{given.shape[-1]}"
                )
        if keys.shape[1] != values.shape[1]:
            raise UsageError(
                f"each key wants a value, got {keys.shape[1]} keys and {values.shape[1]} values"
            )


def check_heads(num_hiddens: int, num_heads: int, num_kv_heads: int) -> None:
    """Raise `UsageError` for heads that do not divide what they share."""
    if num_hiddens % num_heads:
        raise UsageError(
            f"num_hiddens={num_hiddens} cannot be shared by num_heads={num_heads}: pass a multiple "
            f"of {num_heads}, such as {-(-num_hiddens // num_heads) * num_heads}"
        )
    if num_heads % num_kv_heads:
        raise UsageError(
            f"num_heads={num_heads} query heads cannot share num_kv_heads={num_kv_heads} heads of "
            "keys and values: pass a divisor of num_heads"
        )
