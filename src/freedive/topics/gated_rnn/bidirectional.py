"""Bidirectional networks, with a task that may see the future (section 10.4).

Next tokens cannot be its task: the backward direction has read them. Here some tokens of a text
are hidden, and the network tells what they were from both sides.
"""

from typing import Any, ClassVar

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, Positive, Probability
from freedive.data.time_machine import TimeMachine
from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.gated_rnn import scratch
from freedive.topics.gated_rnn.masked_tokens import MaskedTokens


class BidirectionalTokens(MaskedTokens):
    """Base of the bidirectional models: recurrent cells that read a text from both ends.

    Args:
        num_hiddens: hidden units of each direction.
        num_layers: layers of both directions.
        bidirectional: read from the end as well; without it, only what came before is known.
    """

    cell: ClassVar[Any]  # what takes the place of torch.nn.GRU
    linear: ClassVar[Any] = nn.Linear
    reads_tokens: ClassVar[bool] = False  # whether the cells take token numbers

    def __init__(
        self,
        vocab_size: Count = 28,
        num_hiddens: Count = 32,
        num_layers: Count = 1,
        masked: Probability = 0.2,
        bidirectional: bool = True,
        lr: Positive = 0.01,
    ):
        super().__init__(vocab_size, masked, lr)
        self.save_hyperparameters()
        self.rnn = self.cell(
            vocab_size + 1, num_hiddens, num_layers, dropout=0.0, bidirectional=bidirectional
        )
        self.head = self.linear(num_hiddens * (2 if bidirectional else 1), vocab_size)

    def forward(self, X: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps vocab"]:
        """Logits of the token at each place; `vocab_size` itself marks a hidden one."""
        tokens = X.T
        if not self.reads_tokens:
            tokens = F.one_hot(tokens, self.vocab_size + 1).to(self.head.weight.dtype)
        return self.head(self.rnn(tokens)[0]).transpose(0, 1)


@system(
    "bidirectional-rnn",
    section="10.4",
    data=TimeMachine,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
)
class BiRNN(BidirectionalTokens):
    """A bidirectional network that tells hidden characters from both sides (section 10.4)."""

    cell: ClassVar[Any] = nn.GRU


@system("bidirectional-rnn", form="scratch")
class BiRNNScratch(BidirectionalTokens):
    """The bidirectional network from tensors up (section 10.4)."""

    cell: ClassVar[Any] = scratch.GRU
    linear: ClassVar[Any] = Linear
    reads_tokens = True
