"""Attention with torch: scores, masked softmax, weighted means (sections 11.3 and 11.5)."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from freedive.topics.attention.masks import Valid, visible
from freedive.topics.attention.multi_head import MultiHead


def masked_softmax(
    scores: Float[Tensor, "batch *heads queries keys"], valid_lens: Valid = None
) -> Float[Tensor, "batch *heads queries keys"]:
    """The softmax of the scores that may be seen; zero elsewhere, also in empty rows (11.3.2.1).

    Args:
        scores: one for each query and key.
        valid_lens: keys that each example or each query may see, or a mask.
    """
    mask = visible(valid_lens, scores.shape)
    if mask is None:
        return scores.softmax(dim=-1)
    hidden = ~mask
    lowest = torch.finfo(scores.dtype).min
    return scores.masked_fill(hidden, lowest).softmax(dim=-1).masked_fill(hidden, 0)


class AttentionWeights(nn.Dropout):
    """What weights pass on their way to the values: some are dropped in training.

    This is also where `freedive.insight.attention` looks at them.
    """

    passes_attention_weights = True


class DotProductAttention(nn.Module):
    """Scaled dot-product attention by whatever kernel torch has for the machine (section 11.3.3).

    Args:
        dropout: share of the weights that is dropped in training.
    """

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.dropout = dropout

    def forward(
        self,
        queries: Float[Tensor, "batch *heads queries d"],
        keys: Float[Tensor, "batch *heads keys d"],
        values: Float[Tensor, "batch *heads keys v"],
        valid_lens: Valid = None,
        causal: bool = False,
    ) -> Float[Tensor, "batch *heads queries v"]:
        """A weighted mean of the values for each query."""
        dropout = self.dropout if self.training else 0.0
        shape = (*queries.shape[:-1], keys.shape[-2])
        if valid_lens is None and causal and shape[-2] == shape[-1]:  # which kernels know
            return F.scaled_dot_product_attention(
                queries, keys, values, dropout_p=dropout, is_causal=True
            )
        mask = visible(valid_lens, shape, causal, queries.device)
        return F.scaled_dot_product_attention(queries, keys, values, mask, dropout)


class AdditiveAttention(nn.Module):
    """Attention by a layer of its own, a(q, k) = w_vᵀ tanh(W_q q + W_k k) (section 11.3.4).

    Args:
        num_hiddens: hidden units of the layer.
        dropout: share of the weights that is dropped in training.
        query_size: numbers in a query; None has ``num_hiddens``.
        key_size: numbers in a key; None has ``num_hiddens``.
    """

    def __init__(
        self,
        num_hiddens: int,
        dropout: float = 0.0,
        query_size: int | None = None,
        key_size: int | None = None,
    ):
        super().__init__()
        self.W_q = nn.Linear(query_size or num_hiddens, num_hiddens, bias=False)
        self.W_k = nn.Linear(key_size or num_hiddens, num_hiddens, bias=False)
        self.w_v = nn.Linear(num_hiddens, 1, bias=False)
        self.weights = AttentionWeights(dropout)

    def forward(
        self,
        queries: Float[Tensor, "batch queries q"],
        keys: Float[Tensor, "batch keys k"],
        values: Float[Tensor, "batch keys v"],
        valid_lens: Valid = None,
    ) -> Float[Tensor, "batch queries v"]:
        """A weighted mean of the values for each query."""
        return self.attend(queries, self.W_k(keys), values, valid_lens)

    def attend(
        self,
        queries: Float[Tensor, "batch queries q"],
        mapped_keys: Float[Tensor, "batch keys h"],
        values: Float[Tensor, "batch keys v"],
        valid_lens: Valid = None,
    ) -> Float[Tensor, "batch queries v"]:
        """The same with W_k k, for those who ask the same keys again and again."""
        hidden = torch.tanh(self.W_q(queries)[:, :, None] + mapped_keys[:, None])
        weights = self.weights(masked_softmax(self.w_v(hidden).squeeze(-1), valid_lens))
        return torch.bmm(weights, values)


class BilinearAttention(nn.Module):
    """Attention between queries and keys of unlike sizes, a(q, k) = qᵀWk / √k.

    Args:
        query_size: numbers in a query.
        key_size: numbers in a key.
        dropout: share of the weights that is dropped in training.
    """

    def __init__(self, query_size: int, key_size: int, dropout: float = 0.0):
        super().__init__()
        self.W = nn.Linear(query_size, key_size, bias=False)
        self.attention = DotProductAttention(dropout)

    def forward(
        self,
        queries: Float[Tensor, "batch queries q"],
        keys: Float[Tensor, "batch keys k"],
        values: Float[Tensor, "batch keys v"],
        valid_lens: Valid = None,
    ) -> Float[Tensor, "batch queries v"]:
        """A weighted mean of the values for each query."""
        return self.attention(self.W(queries), keys, values, valid_lens)


class MultiHeadAttention(MultiHead):
    """Multi-head attention with torch (section 11.5)."""

    linear: ClassVar[Any] = nn.Linear
    attends: ClassVar[Any] = DotProductAttention
