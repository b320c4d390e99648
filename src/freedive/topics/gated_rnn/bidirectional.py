"""Bidirectional networks, with a task that may see the future (section 10.4).

Next tokens cannot be its task: the backward direction has read them. Here some tokens of a text
are hidden, and the network tells what they were from both sides.
"""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, Positive, Probability
from freedive.core.module import Classifier
from freedive.data.time_machine import TimeMachine
from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.gated_rnn import scratch

EVERY = 5  # in validation, each fifth token is hidden: no chance in what is measured


class MaskedTokens(Classifier):
    """Base of the bidirectional models: logits of the token at each place, hidden or not.

    Args:
        vocab_size: tokens that are told apart; one more number stands for what is hidden.
        num_hiddens: hidden units of each direction.
        num_layers: layers of both directions.
        masked: share of the tokens that are hidden in training.
        bidirectional: read from the end as well; without it, only what came before is known.
        lr: the learning rate of Adam.
    """

    cell: ClassVar[Any]  # what takes the place of torch.nn.GRU
    linear: ClassVar[Any] = nn.Linear
    reads_tokens: ClassVar[bool] = False  # whether the cells take token numbers
    vocab_size: int
    masked: float

    def __init__(
        self,
        vocab_size: Count = 28,
        num_hiddens: Count = 32,
        num_layers: Count = 1,
        masked: Probability = 0.2,
        bidirectional: bool = True,
        lr: Positive = 0.01,
    ):
        super().__init__()
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

    def masked_loss(self, X: Tensor, hidden: Bool[Tensor, "batch steps"]) -> tuple[Tensor, Tensor]:
        """Cross-entropy and accuracy at the hidden places."""
        logits = self(X.masked_fill(hidden, self.vocab_size))
        unseen = torch.where(hidden, X, -100)  # what cross-entropy passes over
        right = ((logits.argmax(dim=-1) == X) & hidden).sum() / hidden.sum()
        return F.cross_entropy(logits.flatten(0, 1), unseen.flatten()), right

    def training_step(self, batch: Any) -> Tensor:
        """Hide tokens at random; at least the first, so that there is something to tell."""
        X = batch[0]
        hidden = torch.rand(X.shape, device=X.device) < self.masked
        hidden[0, 0] = True
        loss, _ = self.masked_loss(X, hidden)
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Hide each fifth token; notes ``val_loss`` and ``val_acc``."""
        X = batch[0]
        hidden = torch.zeros_like(X, dtype=torch.bool)
        hidden[:, min(EVERY // 2, X.shape[1] - 1) :: EVERY] = True
        loss, right = self.masked_loss(X, hidden)
        self.plot("loss", loss, train=False)
        self.plot("acc", right, train=False)

    def configure_optimizers(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)

    def write_samples(self, data: Any, folder: Any) -> list[str]:
        """Nothing: there is no text that it writes."""
        return []


@system(
    "bidirectional-rnn",
    section="10.4",
    data=TimeMachine,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
)
class BiRNN(MaskedTokens):
    """A bidirectional network that tells hidden characters from both sides (section 10.4)."""

    cell: ClassVar[Any] = nn.GRU


@system("bidirectional-rnn", form="scratch")
class BiRNNScratch(MaskedTokens):
    """The bidirectional network from tensors up (section 10.4)."""

    cell: ClassVar[Any] = scratch.GRU
    linear: ClassVar[Any] = Linear
    reads_tokens = True
