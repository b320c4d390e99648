"""The blocks of every transformer, whatever their parts are written with (section 11.7)."""

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.core.hyperparameters import Count, Probability
from freedive.topics.attention.masks import Valid
from freedive.topics.attention.multi_head import Memory, MultiHead

Activation = Literal["relu", "gelu"]


class Parts(NamedTuple):
    """What blocks are made of: from tensors up, or from torch.nn."""

    linear: type[nn.Module]
    embedding: type[nn.Module]
    dropout: type[nn.Module]
    layer_norm: type[nn.Module]
    attention: type[MultiHead]
    activations: dict[str, Callable[[Tensor], Tensor]]


class Shape(NamedTuple):
    """What all blocks of a transformer have in common.

    Attributes:
        num_hiddens: numbers that stand for a token, from the first block to the last.
        ffn_num_hiddens: hidden units of the position-wise network.
        num_heads: heads of each attention.
        dropout: share of each layer's result that is dropped in training.
        norm_first: normalise what a layer reads (pre-norm) instead of the sum with its result
            (post-norm, as in the book).
        bias: whether the maps of the attentions have one.
        activation: of the position-wise network.
        num_kv_heads: heads of keys and values; None has as many as of queries.
        rotary_len: positions by which queries and keys are turned; None turns none.
        weights_dropout: share of the attention weights that is dropped in training; with any, torch
            has no fused kernel on the processor.
    """

    num_hiddens: int
    ffn_num_hiddens: int
    num_heads: int
    dropout: Probability = 0.0
    norm_first: bool = False
    bias: bool = False
    activation: Activation = "relu"
    num_kv_heads: int | None = None
    rotary_len: int | None = None
    weights_dropout: Probability = 0.0


class PositionWiseFFN(nn.Module):
    """W_2 σ(W_1 x + b_1) + b_2 at each position by itself (section 11.7.2).

    Args:
        parts: what it is made of.
        num_hiddens: numbers at each position.
        ffn_num_hiddens: hidden units.
        num_outputs: numbers that come out at each.
        activation: σ.
    """

    def __init__(
        self,
        parts: Parts,
        num_hiddens: Count,
        ffn_num_hiddens: Count,
        num_outputs: Count,
        activation: Activation = "relu",
    ):
        super().__init__()
        self.dense1 = parts.linear(num_hiddens, ffn_num_hiddens)
        self.dense2 = parts.linear(ffn_num_hiddens, num_outputs)
        self.activation = parts.activations[activation]

    def forward(self, X: Float[Tensor, "*batch h"]) -> Float[Tensor, "*batch outputs"]:
        """The same network for all positions."""
        return self.dense2(self.activation(self.dense1(X)))


class AddNorm(nn.Module):
    """A way around a layer, and the norm before or behind it (section 11.7.3).

    Post-norm is LN(x + layer(x)); pre-norm is x + layer(LN(x)), where the sum of all layers'
    results reaches the output without a norm in its way.
    """

    def __init__(self, parts: Parts, shape: Shape):
        super().__init__()
        self.norm_first = shape.norm_first
        self.norm = parts.layer_norm(shape.num_hiddens)
        self.drop = parts.dropout(shape.dropout)

    def before(self, X: Float[Tensor, "*batch h"]) -> Float[Tensor, "*batch h"]:
        """What the layer reads."""
        return self.norm(X) if self.norm_first else X

    def after(
        self, X: Float[Tensor, "*batch h"], Y: Float[Tensor, "*batch h"]
    ) -> Float[Tensor, "*batch h"]:
        """The inputs with the layer's results added."""
        total = X + self.drop(Y)
        return total if self.norm_first else self.norm(total)


class EncoderBlock(nn.Module):
    """Each position asks all of its sequence, then thinks by itself (section 11.7.4)."""

    def __init__(self, parts: Parts, shape: Shape):
        super().__init__()
        self.self_attention = attention(parts, shape, shape.rotary_len)
        self.addnorm1 = AddNorm(parts, shape)
        self.ffn = feed_forward(parts, shape)
        self.addnorm2 = AddNorm(parts, shape)

    def forward(
        self, X: Float[Tensor, "batch steps h"], valid_lens: Valid = None
    ) -> Float[Tensor, "batch steps h"]:
        """The sequences, each position with what it has found.

        Args:
            X: a vector for each position.
            valid_lens: positions of each sequence that may be seen, or a mask.
        """
        asked = self.addnorm1.before(X)
        X = self.addnorm1.after(X, self.self_attention(asked, asked, asked, valid_lens))
        return self.addnorm2.after(X, self.ffn(self.addnorm2.before(X)))


class CausalBlock(nn.Module):
    """The block of a decoder that reads nothing but its own text (section 11.9.3)."""

    def __init__(self, parts: Parts, shape: Shape):
        super().__init__()
        self.self_attention = attention(parts, shape, shape.rotary_len)
        self.addnorm1 = AddNorm(parts, shape)
        self.ffn = feed_forward(parts, shape)
        self.addnorm2 = AddNorm(parts, shape)

    def forward(
        self, X: Float[Tensor, "batch steps h"], before: Memory | None = None
    ) -> tuple[Float[Tensor, "batch steps h"], Memory]:
        """The steps, each with what it has found so far, and the memory for those that follow."""
        Y, memory = self.self_attention.go_on(self.addnorm1.before(X), before)
        X = self.addnorm1.after(X, Y)
        return self.addnorm2.after(X, self.ffn(self.addnorm2.before(X))), memory


class DecoderBlock(nn.Module):
    """What is written so far is asked, then what was read, then each step thinks (11.7.5)."""

    def __init__(self, parts: Parts, shape: Shape):
        super().__init__()
        self.self_attention = attention(parts, shape, shape.rotary_len)
        self.addnorm1 = AddNorm(parts, shape)
        self.cross_attention = attention(parts, shape)
        self.addnorm2 = AddNorm(parts, shape)
        self.ffn = feed_forward(parts, shape)
        self.addnorm3 = AddNorm(parts, shape)

    def forward(
        self,
        X: Float[Tensor, "batch steps h"],
        source: Memory,
        valid_lens: Valid = None,
        before: Memory | None = None,
    ) -> tuple[Float[Tensor, "batch steps h"], Memory]:
        """The steps, and the memory for those that follow.

        Args:
            X: a vector for each step that is written.
            source: keys and values of what was read.
            valid_lens: positions of it that may be seen, or a mask.
            before: keys and values of the steps before.
        """
        Y, memory = self.self_attention.go_on(self.addnorm1.before(X), before)
        X = self.addnorm1.after(X, Y)
        Y = self.cross_attention.attend(self.addnorm2.before(X), source, valid_lens)
        X = self.addnorm2.after(X, Y)
        return self.addnorm3.after(X, self.ffn(self.addnorm3.before(X))), memory


def attention(parts: Parts, shape: Shape, rotary_len: int | None = None) -> MultiHead:
    """A multi-head attention of that shape."""
    return parts.attention(
        shape.num_hiddens,
        shape.num_heads,
        shape.weights_dropout,
        shape.bias,
        shape.num_kv_heads,
        rotary_len,
    )


def feed_forward(parts: Parts, shape: Shape) -> PositionWiseFFN:
    """A position-wise network of that shape."""
    return PositionWiseFFN(
        parts, shape.num_hiddens, shape.ffn_num_hiddens, shape.num_hiddens, shape.activation
    )


def last_norm(parts: Parts, shape: Shape) -> Any:
    """What ends a stack of blocks: pre-norm blocks leave a sum that has not been normalised."""
    return parts.layer_norm(shape.num_hiddens) if shape.norm_first else nn.Identity()


@torch.no_grad()
def init_transformer(model: nn.Module) -> None:
    """Xavier's uniform weights for maps, biases of zero, and N(0, 1/h) for tokens' vectors.

    Vectors of tokens are multiplied by √h before a position is added (section 11.7.4), so that
    both have entries of about one.
    """
    for layer in model.modules():
        kind = type(layer).__name__
        for name, parameter in layer.named_parameters(recurse=False):
            if "Embedding" in kind:
                parameter.normal_(0, parameter.shape[-1] ** -0.5)
            elif kind == "Linear" and name == "bias":
                parameter.zero_()
            elif kind == "Linear":
                nn.init.xavier_uniform_(parameter)


@torch.no_grad()
def init_gpt(model: nn.Module, num_layers: int) -> None:
    """N(0, 0.02²) for all matrices, smaller for those whose results are added up (GPT-2).

    2L results are added on the way through L blocks; divided by √(2L), their sum keeps its size.
    """
    for name, parameter in model.named_parameters():
        if name.endswith(("W_o.weight", "dense2.weight")):
            parameter.normal_(0, 0.02 / (2 * num_layers) ** 0.5)
        elif parameter.dim() == 2:
            parameter.normal_(0, 0.02)
        elif name.endswith("bias"):
            parameter.zero_()
