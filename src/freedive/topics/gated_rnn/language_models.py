"""Language models with gates, and with several layers (sections 10.1 to 10.3)."""

from typing import Any, ClassVar

from torch import nn

from freedive.catalog import system
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability, Whole
from freedive.core.schedules import Schedule
from freedive.data.time_machine import TimeMachine
from freedive.topics.gated_rnn import scratch
from freedive.topics.rnn.language_model import Optimizer, RecurrentLM
from freedive.topics.rnn.rnn_lm import FromTensors

BOOK = {"max_epochs": 50, "gradient_clip_val": 1.0}
LARGE = {
    "num_hiddens": 256,
    "num_layers": 2,
    "dropout": 0.4,
    "optimizer": "adam",
    "lr": 6e-3,
    "weight_decay": 0.1,
    "schedule": "cosine",
    "num_train": None,
    "num_steps": 64,
    "batch_size": 64,
    "order": "sequential",
    "max_epochs": 16,
}


class GatedLM(RecurrentLM):
    """The recurrent language model with the book's learning rate for gated cells."""

    def __init__(
        self,
        vocab_size: Count = 28,
        num_hiddens: Count = 32,
        num_layers: Count = 1,
        dropout: Probability = 0.0,
        embed_size: Whole = 0,
        lr: Positive = 4.0,
        optimizer: Optimizer = "sgd",
        schedule: Schedule = "constant",
        weight_decay: NonNegative = 0.0,
    ):
        super().__init__(
            vocab_size, num_hiddens, num_layers, dropout, embed_size, lr, optimizer, schedule,
            weight_decay,
        )  # fmt: skip


@system("lstm-lm", section="10.1", data=TimeMachine, trainer=BOOK, presets={"large": LARGE})
class LSTMLM(GatedLM):
    """A language model with long short-term memory (section 10.1)."""

    cell: ClassVar[Any] = nn.LSTM


@system("lstm-lm", form="scratch")
class LSTMLMScratch(FromTensors, GatedLM):
    """The language model with long short-term memory, from tensors up (section 10.1)."""

    cell: ClassVar[Any] = scratch.LSTM


@system("gru-lm", section="10.2", data=TimeMachine, trainer=BOOK)
class GRULM(GatedLM):
    """A language model with gated recurrent units (section 10.2)."""

    cell: ClassVar[Any] = nn.GRU


@system("gru-lm", form="scratch")
class GRULMScratch(FromTensors, GatedLM):
    """The language model with gated recurrent units, from tensors up (section 10.2)."""

    cell: ClassVar[Any] = scratch.GRU


class DeepLM(RecurrentLM):
    """The recurrent language model with two layers, and the book's learning rate for them."""

    def __init__(
        self,
        vocab_size: Count = 28,
        num_hiddens: Count = 32,
        num_layers: Count = 2,
        dropout: Probability = 0.0,
        embed_size: Whole = 0,
        lr: Positive = 2.0,
        optimizer: Optimizer = "sgd",
        schedule: Schedule = "constant",
        weight_decay: NonNegative = 0.0,
    ):
        super().__init__(
            vocab_size, num_hiddens, num_layers, dropout, embed_size, lr, optimizer, schedule,
            weight_decay,
        )  # fmt: skip


@system(
    "deep-rnn",
    section="10.3",
    data=TimeMachine,
    trainer={"max_epochs": 100, "gradient_clip_val": 1.0},
)
class DeepRNNLM(DeepLM):
    """A language model with two layers of gated recurrent units (section 10.3)."""

    cell: ClassVar[Any] = nn.GRU


@system("deep-rnn", form="scratch")
class DeepRNNLMScratch(FromTensors, DeepLM):
    """The language model with two layers of gated units, from tensors up (section 10.3)."""

    cell: ClassVar[Any] = scratch.GRU
