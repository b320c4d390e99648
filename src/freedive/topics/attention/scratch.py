"""Attention from tensors up: scores, masked softmax, weighted means (sections 11.3 and 11.5)."""

import math
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.topics.attention.masks import Valid, visible
from freedive.topics.attention.multi_head import MultiHead
from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.rnn.scratch import Dropout


def masked_softmax(
    scores: Float[Tensor, "batch *heads queries keys"], valid_lens: Valid = None
) -> Float[Tensor, "batch *heads queries keys"]:
    """m_j exp(a_j − ā) / Σ_k m_k exp(a_k − ā) with ā the largest score (section 11.3.2.1).

    A row without a key that may be seen is zero: there is nothing to take a mean of. The scores
    are left as they are.

    Args:
        scores: a, one for each query and key.
        valid_lens: keys that each example or each query may see, or a mask m.
    """
    return weights_of(scores, visible(valid_lens, scores.shape))


def weights_of(scores: Tensor, mask: Tensor | None) -> Tensor:
    """`masked_softmax` of a mask that fits."""
    if scores.shape[-1] == 0:  # which has no largest
        return scores.clone()
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    # a row of nothing but −∞ has no largest that could be taken off: −∞ − (−∞) is no number
    largest = scores.detach().amax(dim=-1, keepdim=True).clamp(min=torch.finfo(scores.dtype).min)
    terms = torch.exp(scores - largest)
    # the largest term is 1: only where none may be seen is the sum less, and then it is 0
    return terms * terms.sum(dim=-1, keepdim=True).clamp(min=1).reciprocal()


class AttentionWeights(Dropout):
    """What weights pass on their way to the values: some are dropped in training.

    This is also where `freedive.insight.attention` looks at them.
    """

    passes_attention_weights = True


class DotProductAttention(nn.Module):
    r"""Scaled dot-product attention, softmax(QKᵀ/√d)V (section 11.3.3).

    Args:
        dropout: share of the weights that is dropped in training.
    """

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.weights = AttentionWeights(dropout)

    def forward(
        self,
        queries: Float[Tensor, "batch *heads queries d"],
        keys: Float[Tensor, "batch *heads keys d"],
        values: Float[Tensor, "batch *heads keys v"],
        valid_lens: Valid = None,
        causal: bool = False,
    ) -> Float[Tensor, "batch *heads queries v"]:
        """A weighted mean of the values for each query."""
        # √d divides the queries: fewer numbers than scores, and no half-precision score overflows
        scores = (queries / math.sqrt(queries.shape[-1])) @ keys.mT
        mask = visible(valid_lens, scores.shape, causal, scores.device)
        return self.weights(weights_of(scores, mask)) @ values


class AdditiveAttention(nn.Module):
    r"""Attention by a layer of its own, a(q, k) = w_vᵀ tanh(W_q q + W_k k) (section 11.3.4).

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
        self.W_q = Linear(query_size or num_hiddens, num_hiddens, bias=False)
        self.W_k = Linear(key_size or num_hiddens, num_hiddens, bias=False)
        self.w_v = Linear(num_hiddens, 1, bias=False)
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
        scores = self.w_v(hidden)[..., 0]
        return self.weights(masked_softmax(scores, valid_lens)) @ values


class BilinearAttention(nn.Module):
    r"""Attention between queries and keys of unlike sizes, a(q, k) = qᵀWk / √k.

    Args:
        query_size: numbers in a query.
        key_size: numbers in a key.
        dropout: share of the weights that is dropped in training.
    """

    def __init__(self, query_size: int, key_size: int, dropout: float = 0.0):
        super().__init__()
        self.W = Linear(query_size, key_size, bias=False)
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
    """Multi-head attention from tensors up (section 11.5)."""

    linear: ClassVar[Any] = Linear
    attends: ClassVar[Any] = DotProductAttention
