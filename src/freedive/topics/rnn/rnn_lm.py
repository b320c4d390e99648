"""The recurrent language model in both forms (sections 9.5 and 9.6)."""

from typing import Any, ClassVar

from torch import nn

from freedive.catalog import system
from freedive.data.time_machine import TimeMachine
from freedive.topics.building_blocks.custom_layers import Linear
from freedive.topics.rnn import scratch
from freedive.topics.rnn.language_model import RecurrentLM

BOOK = {"max_epochs": 100, "gradient_clip_val": 1.0}


class FromTensors(RecurrentLM):
    """The parts of a recurrent language model that are written from tensors up."""

    linear: ClassVar[Any] = Linear
    table: ClassVar[Any] = scratch.Embedding
    dropping: ClassVar[Any] = scratch.Dropout
    reads_tokens = True


@system("rnn-lm", section="9.5", data=TimeMachine, trainer=BOOK)
class RNNLM(RecurrentLM):
    """A recurrent network that learns which character comes next (sections 9.5 and 9.6)."""

    cell: ClassVar[Any] = nn.RNN


@system("rnn-lm", form="scratch")
class RNNLMScratch(FromTensors):
    """The recurrent language model from tensors up (section 9.5)."""

    cell: ClassVar[Any] = scratch.RNN
