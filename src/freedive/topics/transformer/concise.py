"""What a transformer is made of, with torch.nn (section 11.7)."""

import torch.nn.functional as F
from torch import nn

from freedive.topics.attention.concise import MultiHeadAttention
from freedive.topics.transformer.blocks import Parts

PARTS = Parts(
    linear=nn.Linear,
    embedding=nn.Embedding,
    dropout=nn.Dropout,
    layer_norm=nn.LayerNorm,
    attention=MultiHeadAttention,
    activations={"relu": F.relu, "gelu": F.gelu},
)
