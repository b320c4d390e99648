"""BERT with another head, which sorts whole texts (section 11.9.1)."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from freedive.catalog import system
from freedive.core.hyperparameters import Count, Positive, Probability
from freedive.core.module import Classifier
from freedive.core.schedules import Schedule, scheduled
from freedive.data.misspelt import Misspelt
from freedive.topics.transformer.bert import SMALL, BERTEncoder, bert_shape, init_bert
from freedive.topics.transformer.concise import PARTS


@system(
    "bert-classifier",
    section="11.9.1",
    data=Misspelt,
    trainer={"max_epochs": 30, "gradient_clip_val": 1.0},
    presets={"small": {**SMALL, "max_epochs": 20}},
)
class BERTClassifier(Classifier):
    """An encoder that sorts texts, from scratch or from BERT's weights (section 11.9.1).

    Each place is looked at by itself, $\\mathbf{g}_t = \\mathrm{gelu}(\\mathbf{W}\\mathbf{h}_t)$,
    and the mean over all places decides: what is wrong with a text stands in few of them.

    Args:
        vocab_size: tokens that are told apart; one more number stands for what is hidden.
        num_steps: the most tokens of a text.
        num_classes: kinds of texts.
        num_hiddens: numbers that stand for a token, from the first block to the last.
        num_layers: blocks.
        num_heads: heads of each attention.
        dropout: share of each layer's result that is dropped in training.
        lr: the learning rate of Adam, or its peak where there is a schedule.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
    """

    schedule: str

    def __init__(
        self,
        vocab_size: Count = 28,
        num_steps: Count = 64,
        num_classes: Count = 2,
        num_hiddens: Count = 256,
        num_layers: Count = 4,
        num_heads: Count = 4,
        dropout: Probability = 0.1,
        lr: Positive = 5e-4,
        schedule: Schedule = "cosine",
    ):
        super().__init__()
        self.save_hyperparameters()
        shape = bert_shape(num_hiddens, num_heads, dropout)
        self.encoder = BERTEncoder(PARTS, shape, num_layers, vocab_size, num_steps)
        self.look = PARTS.linear(num_hiddens, num_hiddens)
        self.drop = PARTS.dropout(dropout)
        self.decide = PARTS.linear(num_hiddens, num_classes)
        init_bert(self)

    def forward(self, X: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch classes"]:
        """Logits of the kinds."""
        found = F.gelu(self.look(self.encoder(X))).mean(dim=1)
        return self.decide(self.drop(found))

    def configure_optimizers(self) -> Any:
        """Adam, with a constant rate or a schedule over all steps."""
        optim = torch.optim.Adam(self.parameters(), lr=self.lr)
        return scheduled(optim, self.trainer, self.schedule)
