"""GPT: a decoder alone, which learns what comes next in a text (section 11.9.3)."""

from typing import Any, ClassVar, Literal

from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability, Whole
from freedive.core.schedules import Schedule
from freedive.data.time_machine import TimeMachine
from freedive.topics.attention.positions import LearntPositions, SinusoidalPositions
from freedive.topics.rnn.language_model import LanguageModel, Optimizer
from freedive.topics.transformer import concise, scratch
from freedive.topics.transformer.blocks import CausalBlock, Parts, Shape, init_gpt, last_norm

TRAINER = {"max_epochs": 3, "gradient_clip_val": 1.0}
DATA = {"num_steps": 128, "batch_size": 16}
LARGE = {  # for a GPU
    "num_hiddens": 384,
    "num_layers": 6,
    "num_heads": 6,
    "dropout": 0.2,
    "lr": 3e-3,
    "num_steps": 256,
    "batch_size": 64,
    "num_train": 100_000,
}


@system(
    "gpt",
    section="11.9.3",
    data=TimeMachine,
    trainer=TRAINER,
    data_settings=DATA,
    presets={"small": {}, "large": LARGE},
)
class GPT(LanguageModel):
    """A stack of causal blocks that writes on with any text (section 11.9.3).

    Args:
        num_steps: the most tokens that it looks back on.
        num_hiddens: numbers that stand for a token, from the first block to the last.
        num_layers: blocks.
        num_heads: heads of each attention.
        num_kv_heads: heads of keys and values, each shared by a group of the others; 0 has as many.
        positions: how a token knows where it stands: by a learnt vector, by sines and cosines, or
            by a rotation of queries and keys.
        dropout: share of each layer's result that is dropped in training.
    """

    parts: ClassVar[Parts] = concise.PARTS
    num_steps: int

    def __init__(
        self,
        vocab_size: Count = 28,
        num_steps: Count = 128,
        num_hiddens: Count = 128,
        num_layers: Count = 4,
        num_heads: Count = 4,
        num_kv_heads: Whole = 0,
        positions: Literal["learnt", "sinusoidal", "rotary"] = "rotary",
        dropout: Probability = 0.1,
        lr: Positive = 0.01,
        optimizer: Optimizer = "muon",
        schedule: Schedule = "cosine",
        weight_decay: NonNegative = 0.1,
    ):
        super().__init__(vocab_size, lr, optimizer, schedule, weight_decay)
        self.save_hyperparameters()
        self.context = num_steps
        shape = Shape(
            num_hiddens,
            4 * num_hiddens,
            num_heads,
            dropout,
            norm_first=True,
            bias=True,
            activation="gelu",
            num_kv_heads=num_kv_heads or None,
            rotary_len=num_steps if positions == "rotary" else None,
        )
        added = {"learnt": LearntPositions, "sinusoidal": SinusoidalPositions}
        self.embedding = self.parts.embedding(vocab_size, num_hiddens)
        self.place = added[positions](num_hiddens, num_steps) if positions in added else None
        self.drop = self.parts.dropout(dropout)
        self.blocks = nn.ModuleList(CausalBlock(self.parts, shape) for _ in range(num_layers))
        self.norm = last_norm(self.parts, shape)
        self.head = self.parts.linear(num_hiddens, vocab_size)
        init_gpt(self, num_layers)

    def read(
        self, tokens: Int[Tensor, "steps batch"], state: Any = None
    ) -> tuple[Float[Tensor, "steps batch vocab"], tuple[Tensor, ...]]:
        """Logits of the token after each, and the keys and values of all that was read.

        Args:
            tokens: by time, then by text.
            state: keys and values of the tokens before, a pair for each block.

        Raises:
            UsageError: all tokens together are more than the model looks back on.
        """
        state, after = state or (), []
        start = state[0].shape[2] if state else 0
        if start + len(tokens) > self.num_steps:
            raise UsageError(
                f"{start + len(tokens)} tokens are more than the num_steps={self.num_steps} that "
                f"this {type(self).__name__} looks back on: pass fewer, or train with a larger one"
            )
        X = self.embedding(tokens.T)
        X = self.drop(X if self.place is None else self.place(X, start))
        for number, block in enumerate(self.blocks):
            X, memory = block(X, state[2 * number : 2 * number + 2] or None)
            after += memory
        return self.head(self.norm(X)).transpose(0, 1), tuple(after)


@system("gpt", form="scratch")
class GPTScratch(GPT):
    """GPT from tensors up (section 11.9.3)."""

    parts: ClassVar[Parts] = scratch.PARTS
