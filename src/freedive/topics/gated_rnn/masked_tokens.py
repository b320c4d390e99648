"""Hidden tokens of a text, told from both sides (sections 10.4 and 11.9.1).

Who has read what follows cannot learn to tell what comes next. Here some tokens of a text are
hidden, and a model tells what they were.
"""

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.core.files import write_whole
from freedive.core.hyperparameters import Count, Positive, Probability
from freedive.core.module import Classifier
from freedive.core.predicting import predicting
from freedive.data.codec import Codec
from freedive.data.text import TextData

EVERY = 5  # in validation, each fifth token is hidden: no chance in what is measured
SHOWN = 5  # windows in the sample of a run
MARK = "_"  # stands for a hidden token there


class MaskedTokens(Classifier):
    """Base of the models that tell hidden tokens: logits of the token at each place, hidden or not.

    A subclass writes `forward`; `vocab_size` itself is the number of what is hidden.

    Args:
        vocab_size: tokens that are told apart; one more number stands for what is hidden.
        masked: share of the tokens that are to be told in training.
        lr: the learning rate of Adam.
    """

    vocab_size: int
    masked: float

    def __init__(self, vocab_size: Count = 28, masked: Probability = 0.2, lr: Positive = 0.01):
        super().__init__()
        self.save_hyperparameters()

    def disguised(
        self, X: Int[Tensor, "batch steps"], told: Bool[Tensor, "batch steps"]
    ) -> Int[Tensor, "batch steps"]:
        """What is read in training: here all that is to be told is hidden."""
        return X.masked_fill(told, self.vocab_size)

    def masked_loss(
        self,
        X: Int[Tensor, "batch steps"],
        read: Int[Tensor, "batch steps"],
        told: Bool[Tensor, "batch steps"],
    ) -> tuple[Tensor, Tensor]:
        """Cross-entropy and accuracy where something is to be told; other places do not count.

        Args:
            X: what is true.
            read: what the model is given.
            told: the places to be told.
        """
        logits = self(read)
        wanted = torch.where(told, X, -100)  # what cross-entropy passes over
        right = ((logits.argmax(dim=-1) == X) & told).sum() / told.sum()
        return F.cross_entropy(logits.flatten(0, 1), wanted.flatten()), right

    def training_step(self, batch: Any) -> Tensor:
        """Tell tokens at random places; at least the first, so that there is something to tell."""
        X = batch[0]
        told = torch.rand(X.shape, device=X.device) < self.masked
        told[0, 0] = True
        loss, _ = self.masked_loss(X, self.disguised(X, told), told)
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Hide each fifth token; notes ``val_loss`` and ``val_acc``."""
        X = batch[0]
        told = each_fifth(X)
        loss, right = self.masked_loss(X, X.masked_fill(told, self.vocab_size), told)
        self.plot("loss", loss, train=False)
        self.plot("acc", right, train=False)

    def configure_optimizers(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)

    def fill(self, tokens: Int[Tensor, "batch steps"]) -> Int[Tensor, "batch steps"]:
        """The tokens with the likeliest one in each hidden place, all told at once.

        Args:
            tokens: rows of numbers; `vocab_size` marks a hidden place.

        Raises:
            UsageError: a number that neither a token nor a hidden place has.
        """
        if tokens.numel() and not 0 <= int(tokens.min()) <= int(tokens.max()) <= self.vocab_size:
            raise UsageError(
                f"tokens are numbers from 0 to {self.vocab_size - 1}, and {self.vocab_size} is a "
                f"hidden one, got {int(tokens.min())} to {int(tokens.max())}: encode the text with "
                "the vocabulary that the model was trained with"
            )
        with predicting(self):
            logits = self(tokens.to(next(self.parameters()).device))
        best = logits.argmax(dim=-1).to(tokens.device)
        return torch.where(tokens == self.vocab_size, best, tokens)

    def write_samples(self, data: Any, folder: Path) -> list[str]:
        """Some validation windows with their gaps, and what always the same guess would reach."""
        return write_filled(self, data, folder) if isinstance(data, TextData) else []


def each_fifth(X: Int[Tensor, "batch steps"]) -> Bool[Tensor, "batch steps"]:
    """Where validation hides tokens: the third of each five, or the last of fewer."""
    hidden = torch.zeros_like(X, dtype=torch.bool)
    hidden[:, min(EVERY // 2, X.shape[1] - 1) :: EVERY] = True
    return hidden


def write_filled(model: MaskedTokens, data: TextData, folder: Path) -> list[str]:
    """Write ``masked.txt``: windows with gaps, what the model says, and what was there.

    Returns:
        A line on the share of hidden tokens that is told, and on what the token that is most
        frequent in the training text would reach in their place.
    """
    training = torch.tensor(data.codec.tokenizer.encode(data.training_text))
    frequent = int(training.bincount().argmax())
    lines, right, baseline, count = [f"on {data.label}, {MARK} is hidden\n"], 0, 0, 0
    for X, _ in data.get_dataloader(train=False):
        hidden = each_fifth(X)
        given = X.masked_fill(hidden, model.vocab_size)
        told = model.fill(given)
        rows = zip(given[:SHOWN], told[:SHOWN], X[:SHOWN], strict=True) if not count else ()
        for parts in rows:
            names = ("hidden", "told", "was")
            lines += [f"{n:8}{spelt(data.codec, p)}" for n, p in zip(names, parts, strict=True)]
            lines.append("")
        right += int((told == X)[hidden].sum())
        baseline += int((X[hidden] == frequent).sum())
        count += int(hidden.sum())
    always = data.vocab.idx_to_token[frequent]
    note = (
        f"{right / count:.3f} of the hidden tokens are told, {baseline / count:.3f} would be by "
        f"always saying {always!r}"
    )
    write_whole(folder / "masked.txt", "\n".join([*lines, note, ""]))
    return [note]


def spelt(codec: Codec, tokens: Int[Tensor, " steps"]) -> str:
    """The text of numbers, with a mark for each that is no token's."""
    known = codec.vocab.idx_to_token
    pieces = [known[i] if i < len(known) else MARK for i in tokens.tolist()]
    return codec.tokenizer.join(pieces)
