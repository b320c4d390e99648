"""What a transformer is made of, from tensors up (section 11.7)."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.topics.attention.scratch import MultiHeadAttention
from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.mlp.scratch import relu
from freedive.topics.modern_cnn.scratch import LayerNorm
from freedive.topics.rnn.scratch import Dropout, Embedding
from freedive.topics.transformer.blocks import Parts


def gelu(X: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """x Φ(x), with Φ the distribution function of the standard normal distribution (5.1.2)."""
    return X / 2 * (1 + torch.erf(X / math.sqrt(2)))


PARTS = Parts(
    linear=Linear,
    embedding=Embedding,
    dropout=Dropout,
    layer_norm=LayerNorm,
    attention=MultiHeadAttention,
    activations={"relu": relu, "gelu": gelu},
)
