"""The smallest things that can be trained, and a plain loop to compare with."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from freedive.core.callbacks import Callback
from freedive.core.checkpoint import load_checkpoint
from freedive.core.data import DataModule
from freedive.core.module import Classifier
from freedive.core.trainer import Trainer


class TinyNet(Classifier):
    """67 parameters; ``optimizer`` makes what configure_optimizers gives."""

    def __init__(
        self, lr: float = 0.1, dropout: float = 0.0, optimizer: Callable[..., Any] | None = None
    ):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3))

    def configure_optimizers(self) -> Any:
        """SGD unless told otherwise."""
        if self.optimizer is None:
            return super().configure_optimizers()
        return self.optimizer(self.parameters())


def tiny_net(seed: int = 0, **arguments: Any) -> TinyNet:
    """A net whose initial weights depend on the seed alone."""
    torch.manual_seed(seed)
    return TinyNet(**arguments)


def quiet(**arguments: Any) -> Trainer:
    """A trainer on the CPU that prints nothing."""
    return Trainer(**{"device": "cpu", "progress": False, "seed": 0, **arguments})


class At(Callback):
    """Does something once, at one hook, when a number of batches has been trained on."""

    def __init__(self, hook: str, batches: int, action: Callable[[Trainer], Any]):
        self.hook, self.batches, self.action = hook, batches, action

    def _maybe(self, hook: str, trainer: Trainer) -> None:
        if hook == self.hook and trainer.train_batch_idx == self.batches:
            self.action(trainer)

    def on_epoch_start(self, trainer: Trainer) -> None:
        self._maybe("on_epoch_start", trainer)

    def on_step_end(self, trainer: Trainer) -> None:
        self._maybe("on_step_end", trainer)

    def on_update_start(self, trainer: Trainer) -> None:
        self._maybe("on_update_start", trainer)

    def on_validation_start(self, trainer: Trainer) -> None:
        self._maybe("on_validation_start", trainer)

    def on_epoch_end(self, trainer: Trainer) -> None:
        self._maybe("on_epoch_end", trainer)


class Record(Callback):
    """Notes what a function of the trainer gives after each step."""

    def __init__(self, look: Callable[[Trainer], Any]):
        self.look, self.seen = look, []

    def on_step_end(self, trainer: Trainer) -> None:
        self.seen.append(self.look(trainer))


def epoch_batches(data: DataModule, epoch: int, seed: int = 0) -> Iterable[Any]:
    """The training batches of one epoch, from a fresh loader."""
    loader = data.train_dataloader()
    loader.seed, loader.epoch = seed, epoch
    return loader


def plain_loop(
    net: nn.Module, batches: Iterable[Any], lr: float = 0.1, max_norm: float | None = None
) -> list[float]:
    """Minibatch SGD as anybody would write it; the loss of each step."""
    optim = torch.optim.SGD(net.parameters(), lr=lr)
    losses = []
    for X, y in batches:
        loss = nn.functional.cross_entropy(net(X), y)
        optim.zero_grad()
        loss.backward()
        if max_norm is not None:
            torch.nn.utils.clip_grad_norm_(net.parameters(), max_norm)
        optim.step()
        losses.append(loss.item())
    return losses


def weights(model: nn.Module) -> dict[str, Tensor]:
    """A copy of all parameters and buffers."""
    return {name: t.detach().clone() for name, t in model.state_dict().items()}


def equal_bits(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    """Whether two sets of weights are the same to the last bit."""
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


def last_checkpoint(run: Path) -> Any:
    """The state from which a run would go on."""
    return load_checkpoint(run / "checkpoints" / "last.safetensors")


def same(first: Any, second: Any) -> bool:
    """Equal in kind, value and bits, all the way down; NaN is equal to NaN."""
    if type(first) is not type(second):
        return False
    if isinstance(first, Tensor):
        alike = first.dtype == second.dtype and first.shape == second.shape
        return alike and bits(first) == bits(second)
    if isinstance(first, dict):
        return list(first) == list(second) and all(same(first[k], second[k]) for k in first)
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(same, first, second))
    return first == second or (first != first and second != second)


def bits(tensor: Tensor) -> list[int]:
    """The bytes of a tensor, whatever its dtype."""
    return tensor.contiguous().reshape(-1).view(torch.uint8).tolist()
