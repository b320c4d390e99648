"""A model of what comes next in a text (sections 9.3 to 9.5), whatever is inside of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.files import write_whole
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability, Whole
from freedive.core.metrics import perplexity
from freedive.core.module import Classifier
from freedive.core.muon import Muon
from freedive.core.predicting import predicting
from freedive.core.random import generator
from freedive.core.schedules import Schedule, scheduled
from freedive.data.text import TextData
from freedive.topics.rnn.looking import write_attention
from freedive.topics.rnn.sampling import check_sampling, next_token_probabilities, sample_token

Optimizer = Literal["sgd", "adam", "muon"]
SAMPLE = 200  # tokens of each text that a run leaves


class LanguageModel(Classifier):
    """Base of the language models: logits of the next token at every place of a text.

    A subclass writes `read`. Where the data are in sequential order, the state after a batch is
    where the next batch begins, without its gradients: truncated backpropagation (section 9.7).

    Args:
        vocab_size: tokens that are told apart.
        lr: the learning rate, or its peak where there is a schedule.
        optimizer: minibatch SGD, as in the book, Adam, or Muon (Adam, and steps of equal length in
            all directions for the matrices of hidden layers).
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
        weight_decay: λ of the decay, decoupled for Adam.
    """

    vocab_size: int
    optimizer: str
    schedule: str
    weight_decay: float
    context: int | None = None  # the most tokens that it looks back on; None: all
    carried: Any = None  # the state after the last batch

    def __init__(
        self,
        vocab_size: Count = 28,
        lr: Positive = 1.0,
        optimizer: Optimizer = "sgd",
        schedule: Schedule = "constant",
        weight_decay: NonNegative = 0.0,
    ):
        super().__init__()
        self.save_hyperparameters()

    def read(
        self, tokens: Int[Tensor, "steps batch"], state: Any = None
    ) -> tuple[Float[Tensor, "steps batch vocab"], Any]:
        """Logits of the token after each, and the state after the last.

        Args:
            tokens: by time, then by text.
            state: after the tokens before; None at the beginning of a text.
        """
        raise NotImplementedError(f"{type(self).__name__} wants a read(tokens, state)")

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile what all others call."""
        self.read = torch.compile(self.read, *args, **kwargs)  # type: ignore[method-assign]

    def forward(self, X: Int[Tensor, "batch steps"]) -> Float[Tensor, "batch steps vocab"]:
        """Logits of the token after each."""
        return self.read(X.T)[0].transpose(0, 1)

    def training_step(self, batch: Any) -> Tensor:
        """The mean cross-entropy of the next tokens; noted as ``train_loss``."""
        X, Y = batch
        logits, state = self.read(X.T, self._state_before(X))
        if self._goes_on:
            self.carried = detached(state)
        loss = self.loss(logits, Y.T)
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Notes ``val_loss``; each window begins without a memory."""
        X, Y = batch
        self.plot("loss", self.loss(self.read(X.T)[0], Y.T), train=False)

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        """The perplexities: exp of the mean losses (section 9.3.2)."""
        losses = {"train_ppl": "train_loss", "val_ppl": "val_loss"}
        return {ppl: perplexity(means[loss]) for ppl, loss in losses.items() if loss in means}

    def configure_optimizers(self) -> Any:
        """SGD, Adam or Muon, with a constant rate or a schedule over all steps."""
        how: dict[str, Any] = {"lr": self.lr, "weight_decay": self.weight_decay}
        optim: torch.optim.Optimizer
        if self.optimizer == "muon":
            optim = Muon(*self.inner_and_outer(), **how)
        else:
            kind: Any = {"sgd": torch.optim.SGD, "adam": torch.optim.AdamW}[self.optimizer]
            optim = kind(self.parameters(), **how)
        return scheduled(optim, self.trainer, self.schedule)

    def inner_and_outer(self) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
        """The matrices of hidden layers; and the rest, such as the tables and the last layer."""
        outer = ("embedding", "place", "head")
        parts: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for name, parameter in self.named_parameters():
            parts[parameter.dim() != 2 or name.startswith(outer)].append(parameter)
        return parts

    def generate(
        self,
        prompt: Sequence[int],
        num_tokens: int = SAMPLE,
        temperature: float = 1.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> Iterator[int]:
        """The tokens that follow a prompt, one by one (section 9.5.4).

        Args:
            prompt: numbers of at least one token, which warm the state up.
            num_tokens: how many to add.
            temperature, top_k, top_p: as in `next_token_probabilities`; temperature 0 is greedy.
            seed: of the drawing.

        Raises:
            UsageError: a prompt that is empty or longer than the model looks back, a number that is
                no token, a setting out of its range.
        """
        check_sampling(temperature, top_k, top_p)
        if not prompt:
            raise UsageError("a prompt wants at least one token, got none")
        if self.context is not None and len(prompt) > self.context:
            raise UsageError(
                f"a prompt of {len(prompt)} tokens is longer than the {self.context} that this "
                "model looks back on: give the end of it"
            )
        if not 0 <= min(prompt) <= max(prompt) < self.vocab_size:
            raise UsageError(
                f"tokens are numbers from 0 to {self.vocab_size - 1}, got {min(prompt)} to "
                f"{max(prompt)}: encode the prompt with the vocabulary that the model was "
                "trained with"
            )
        return self._generated(prompt, num_tokens, (temperature, top_k, top_p), seed)

    def _generated(
        self, prompt: Sequence[int], num_tokens: int, how: tuple[float, int, float], seed: int
    ) -> Iterator[int]:
        device, chance, state = next(self.parameters()).device, generator(seed), None
        text, begin, read = list(prompt), 0, 0  # the state is that of text[begin:read]
        for _ in range(num_tokens):
            if self.context is not None and len(text) - begin > self.context:
                # no room for another token: read the later half anew, which makes room for many
                begin = read = len(text) - (self.context + 1) // 2
                state = None
            tokens = torch.tensor(text[read:], device=device)[:, None]
            with predicting(self):  # not around the yield: between tokens the caller goes on
                logits, state = self.read(tokens, state)
            read = len(text)
            text.append(int(sample_token(next_token_probabilities(logits[-1], *how), chance)))
            yield text[-1]

    def write_samples(self, data: Any, folder: Path) -> list[str]:
        """What the model writes after the first words of the validation text, and looks at."""
        if not isinstance(data, TextData):
            return []
        tokens = data.windows[1][0].tolist()
        prompt = tokens[: min(len(tokens), 16)]
        texts = []
        for temperature in (0.0, 0.5, 1.0):
            written = list(self.generate(prompt, temperature=temperature))
            head = f"temperature {temperature:g}, on {data.label}"
            texts.append(f"{head}:\n{data.codec.decode(prompt + written)}\n")
        write_whole(folder / "text.txt", "\n".join(texts))
        mean = data.codec.decode(prompt + written)[:100]
        device = next(self.parameters()).device
        letters = {"text": [data.codec.decode([token]) for token in prompt]}
        looks = write_attention(self, [torch.tensor([prompt], device=device)], letters, folder)
        return [f"it writes: {' '.join(mean.split())} …", *looks]

    def carried_state(self) -> dict[str, Any]:
        """The state after the last batch, where the next one begins with it."""
        return {} if self.carried is None else {"state": self.carried}

    def load_carried_state(self, state: dict[str, Any]) -> None:
        """Go on from that state."""
        self.carried = state.get("state")

    @property
    def _goes_on(self) -> bool:
        """Whether each batch goes on where the last one ended."""
        data = getattr(self.trainer, "data", None)
        return self.context is None and getattr(data, "order", "random") == "sequential"

    def _state_before(self, X: Tensor) -> Any:
        """The state that this training batch begins with."""
        if not self._goes_on or self.trainer is None or self.trainer.position == 0:
            return None
        return moved(self.carried, X.device)


def detached(state: Any) -> Any:
    """A state without its history: what a gradient cannot pass."""
    return tuple(part.detach() for part in state) if isinstance(state, tuple) else state.detach()


def moved(state: Any, device: torch.device) -> Any:
    """A state on a device."""
    if isinstance(state, (tuple, list)):
        return tuple(part.to(device) for part in state)
    return None if state is None else state.to(device)


class RecurrentLM(LanguageModel):
    """Base of the recurrent language models: cells that read, and a layer that tells.

    Args:
        num_hiddens: hidden units of each layer.
        num_layers: layers of cells.
        dropout: share that is dropped in training, between layers and before the last one.
        embed_size: numbers in a token's vector; 0 reads one-hot vectors, as the book does.
    """

    cell: ClassVar[Any]  # what takes the place of torch.nn.RNN
    linear: ClassVar[Any] = nn.Linear
    table: ClassVar[Any] = nn.Embedding
    dropping: ClassVar[Any] = nn.Dropout
    reads_tokens: ClassVar[bool] = False  # whether the cells take token numbers
    num_hiddens: int
    num_layers: int
    embed_size: int

    def __init__(
        self,
        vocab_size: Count = 28,
        num_hiddens: Count = 32,
        num_layers: Count = 1,
        dropout: Probability = 0.0,
        embed_size: Whole = 0,
        lr: Positive = 1.0,
        optimizer: Optimizer = "sgd",
        schedule: Schedule = "constant",
        weight_decay: NonNegative = 0.0,
    ):
        super().__init__(vocab_size, lr, optimizer, schedule, weight_decay)
        self.save_hyperparameters()
        self.embedding = self.table(vocab_size, embed_size) if embed_size else None
        between = dropout if num_layers > 1 else 0.0  # torch warns where there is nothing between
        self.rnn = self.cell(embed_size or vocab_size, num_hiddens, num_layers, dropout=between)
        self.drop = self.dropping(dropout)
        self.head = self.linear(num_hiddens, vocab_size)

    def read(
        self, tokens: Int[Tensor, "steps batch"], state: Any = None
    ) -> tuple[Float[Tensor, "steps batch vocab"], Any]:
        """Embed, run the cells through time, and map each output to logits."""
        outputs, state = self.rnn(self.vectors(tokens), state)
        return self.head(self.drop(outputs)), state

    def vectors(self, tokens: Int[Tensor, "steps batch"]) -> Tensor:
        """What the cells read of each token."""
        if self.embedding is not None:
            return self.embedding(tokens)
        if self.reads_tokens:
            return tokens
        return F.one_hot(tokens, self.vocab_size).to(self.head.weight.dtype)
