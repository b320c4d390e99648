"""Attention and transformers of both editions (chapters 10 and 11): the house's, which remember."""

from typing import Any

from torch import Tensor, nn

from freedive.d2l.translation import Encoder
from freedive.topics.attention import scratch
from freedive.topics.attention.positions import SinusoidalPositions


def by_name(
    newer: tuple[str, ...], older: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, Any]:
    """Arguments by their names, in the edition's order that they tell: by how many they are, or by
    a name that only the older one has."""
    told = len(args) > len(newer) or set(kwargs) & {*older} - {*newer}
    return {**dict(zip(older if told else newer, args, strict=False)), **kwargs}


def masked_softmax(X: Tensor, valid_lens: Any) -> Tensor:
    """Softmax over keys that may be seen: any dtype, no side effect, empty rows are zero (R20)."""
    return scratch.masked_softmax(X, valid_lens)


class Remembering:
    """Keeps the weights that pass to the values, as ``attention_weights``."""

    attention_weights: Any = None

    def remember(self, weights: nn.Module) -> None:
        """Look at what passes through the house's `AttentionWeights`."""

        def keep(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            self.attention_weights = inputs[0].detach()

        weights.register_forward_pre_hook(keep)


class DotProductAttention(scratch.DotProductAttention, Remembering):
    """Scaled dot-product attention (section 11.3.3)."""

    def __init__(self, dropout: float = 0.0, num_heads: int | None = None, **kwargs: Any):
        super().__init__(dropout)
        self.num_heads = num_heads
        self.remember(self.weights)


class LateAdditive(scratch.AdditiveAttention, Remembering):
    """Additive attention whose sizes are known."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.remember(self.weights)


class AdditiveAttention(nn.Module, Remembering):
    """Additive attention: ``(num_hiddens, dropout)``, or ``(key_size, query_size, num_hiddens,
    dropout)`` as in the second edition."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        newer = ("num_hiddens", "dropout")
        self.given = by_name(newer, ("key_size", "query_size", *newer), args, kwargs)
        self.inner: LateAdditive | None = None  # until the sizes are known
        if "key_size" in self.given:
            self._build(self.given["query_size"], self.given["key_size"])
        else:
            self.pending = nn.parameter.UninitializedParameter()

    def _build(self, query_size: int, key_size: int) -> LateAdditive:
        sizes = self.given["num_hiddens"], self.given.get("dropout", 0.0)
        self.inner = LateAdditive(*sizes, query_size=query_size, key_size=key_size)
        return self.inner

    def forward(
        self, queries: Tensor, keys: Tensor, values: Tensor, valid_lens: Any = None
    ) -> Tensor:
        """A weighted mean of the values for each query."""
        inner = self.inner
        if inner is None:
            inner = self._build(queries.shape[-1], keys.shape[-1])
            inner.to(queries.device).train(self.training)
            del self.pending
        out: Tensor = inner(queries, keys, values, valid_lens)
        self.attention_weights = inner.attention_weights
        return out


class Heads(scratch.MultiHeadAttention):
    """The house's, with attention that remembers, a row for each head of each example."""

    attends = DotProductAttention

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        """The heads' findings, joined and mapped."""
        out = super().forward(*args, **kwargs)
        weights = self.attention.attention_weights
        self.attention.attention_weights = weights.flatten(0, 1)
        return out


class MultiHeadAttention(Heads):
    """Multi-head attention: ``(num_hiddens, num_heads, dropout, bias)``, or with ``key_size,
    query_size, value_size`` before, as in the second edition: any sizes."""

    SIZES = ("key_size", "query_size", "value_size")

    def __init__(self, *args: Any, **kwargs: Any):
        newer = ("num_hiddens", "num_heads", "dropout", "bias")
        given = by_name(newer, (*self.SIZES, *newer), args, kwargs)
        given.pop("use_bias", None)  # TensorFlow's word, which PyTorch's tabs passed on unread
        sizes = [given.pop(name, given["num_hiddens"]) for name in self.SIZES]
        super().__init__(**given)
        self.widths = dict(zip(("keys", "queries", "values"), sizes, strict=True))
        for name, width in self.widths.items():
            if width != self.num_hiddens:
                layer = self.linear(width, self.num_hiddens, bias=given.get("bias", False))
                setattr(self, f"W_{name[0]}", layer)

    def check(self, queries: Tensor, keys: Tensor, values: Tensor) -> None:
        """Refuse inputs of another width than was told."""
        for name, part in {"queries": queries, "keys": keys, "values": values}.items():
            if part.shape[-1] != self.widths[name]:
                raise ValueError(
                    f"MultiHeadAttention wants {name} of {self.widths[name]} features, got "
                    f"{part.shape[-1]}: MultiHeadAttention(key_size, query_size, value_size, "
                    "num_hiddens, num_heads, dropout) takes any sizes"
                )


def transpose_qkv(X: Tensor, num_heads: int) -> Tensor:
    """(batch, steps, h) as (batch · heads, steps, h / heads)."""
    return X.unflatten(2, (num_heads, -1)).transpose(1, 2).flatten(0, 1)


def transpose_output(X: Tensor, num_heads: int) -> Tensor:
    """What `transpose_qkv` does, undone."""
    return X.unflatten(0, (-1, num_heads)).transpose(1, 2).flatten(2)


class PositionalEncoding(nn.Module):
    """Sines and cosines added to a sequence (section 11.6.3): a buffer, any width (R17, R25)."""

    def __init__(self, num_hiddens: int, dropout: float, max_len: int = 1000):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.register_buffer("P", SinusoidalPositions(num_hiddens, max_len).table()[None])
        self.P: Tensor

    def forward(self, X: Tensor) -> Tensor:
        """X with its positions."""
        if X.shape[1] > self.P.shape[1]:
            raise ValueError(
                f"a sequence of {X.shape[1]} steps is longer than max_len={self.P.shape[1]}: "
                "pass a larger max_len"
            )
        return self.dropout(X + self.P[:, : X.shape[1], :])


class PositionWiseFFN(nn.Module):
    """Two dense layers on each position: ``(ffn_num_hiddens, ffn_num_outputs)``, or with
    ``ffn_num_input`` before, as in the second edition."""

    def __init__(self, *sizes: int, **kwargs: int):
        super().__init__()
        newer = ("ffn_num_hiddens", "ffn_num_outputs")
        given = by_name(newer, ("ffn_num_input", *newer), sizes, kwargs)
        hidden, outputs = given["ffn_num_hiddens"], given["ffn_num_outputs"]
        known = "ffn_num_input" in given
        self.dense1 = nn.Linear(given["ffn_num_input"], hidden) if known else nn.LazyLinear(hidden)
        self.relu = nn.ReLU()
        self.dense2 = nn.Linear(hidden, outputs)

    def forward(self, X: Tensor) -> Tensor:
        """The outputs, of the same steps."""
        return self.dense2(self.relu(self.dense1(X)))


class AddNorm(nn.Module):
    """The layer norm of a sum (section 11.7.3)."""

    def __init__(self, norm_shape: Any, dropout: float, **kwargs: Any):
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.ln = nn.LayerNorm(norm_shape)

    def forward(self, X: Tensor, Y: Tensor) -> Tensor:
        """LN(X + dropout(Y))."""
        return self.ln(self.dropout(Y) + X)


class TransformerEncoderBlock(nn.Module):
    """A block of the encoder (section 11.7.4)."""

    def __init__(
        self,
        num_hiddens: int,
        ffn_num_hiddens: int,
        num_heads: int,
        dropout: float,
        use_bias: bool = False,
    ):
        super().__init__()
        self.attention = MultiHeadAttention(num_hiddens, num_heads, dropout, use_bias)
        self.addnorm1 = AddNorm(num_hiddens, dropout)
        self.ffn = PositionWiseFFN(num_hiddens, ffn_num_hiddens, num_hiddens)
        self.addnorm2 = AddNorm(num_hiddens, dropout)

    def forward(self, X: Tensor, valid_lens: Any) -> Tensor:
        """The same shape again."""
        Y = self.addnorm1(X, self.attention(X, X, X, valid_lens))
        return self.addnorm2(Y, self.ffn(Y))


class EncoderBlock(TransformerEncoderBlock):
    """The block with the second edition's arguments."""

    def __init__(
        self,
        key_size: int,
        query_size: int,
        value_size: int,
        num_hiddens: int,
        norm_shape: Any,
        ffn_num_input: int,
        ffn_num_hiddens: int,
        num_heads: int,
        dropout: float,
        use_bias: bool = False,
        **kwargs: Any,
    ):
        super().__init__(num_hiddens, ffn_num_hiddens, num_heads, dropout, use_bias)
        self.addnorm1, self.addnorm2 = (AddNorm(norm_shape, dropout) for _ in range(2))


class TransformerEncoder(Encoder):
    """The encoder (section 11.7.4): seven arguments, or the second edition's twelve."""

    NEW = ("vocab_size", "num_hiddens", "ffn_num_hiddens", "num_heads", "num_blks", "dropout",
           "use_bias")  # fmt: skip
    OLD = ("vocab_size", "key_size", "query_size", "value_size", "num_hiddens", "norm_shape",
           "ffn_num_input", "ffn_num_hiddens", "num_heads", "num_layers", "dropout",
           "use_bias")  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__()
        given = by_name(self.NEW, self.OLD, args, kwargs)
        self.num_hiddens = width = given["num_hiddens"]
        self.embedding = nn.Embedding(given["vocab_size"], width)
        self.pos_encoding = PositionalEncoding(width, given["dropout"])
        self.blks = nn.Sequential()
        for i in range(given["num_layers" if "num_layers" in given else "num_blks"]):
            block = TransformerEncoderBlock(
                width,
                given["ffn_num_hiddens"],
                given["num_heads"],
                given["dropout"],
                given.get("use_bias", False),
            )
            self.blks.add_module(f"block{i}", block)

    def forward(self, X: Tensor, valid_lens: Any, *args: Any) -> Tensor:
        """A vector for each token; weights are kept as ``attention_weights``."""
        X = self.pos_encoding(self.embedding(X) * self.num_hiddens**0.5)
        self.attention_weights = []
        for blk in self.blks:
            X = blk(X, valid_lens)
            heads: Any = blk
            self.attention_weights.append(heads.attention.attention.attention_weights)
        return X
