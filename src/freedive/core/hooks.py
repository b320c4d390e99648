"""The moments of a training run at which a callback is called."""

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from freedive.core.hyperparameters import HyperParameters

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer


class Callback(HyperParameters):
    """Base of all callbacks: each method is called by the trainer at its moment.

    Whatever a start does its end undoes: ends are called in the opposite order of starts.
    """

    outermost = False  # its starts come before, its ends after those of all others

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Everything is in place; the first batch comes next."""

    def on_epoch_start(self, trainer: "Trainer") -> None:
        """An epoch begins."""

    def on_update_start(self, trainer: "Trainer") -> None:
        """The gradients are there; the optimizer has not used them yet."""

    def on_step_end(self, trainer: "Trainer") -> None:
        """The parameters have moved."""

    def on_read(self, trainer: "Trainer") -> None:
        """Fresh numbers have come to the host, a few times a second at most."""

    def on_validation_start(self, trainer: "Trainer") -> None:
        """The training batches of an epoch are done."""

    def on_measured(self, trainer: "Trainer") -> None:
        """The epoch's means stand in ``trainer.history``; the weights are those measured."""

    def on_validation_end(self, trainer: "Trainer") -> None:
        """The validation is over, finished or not."""

    def on_epoch_end(self, trainer: "Trainer") -> None:
        """The epoch is counted: what is saved now goes on with the next."""

    def on_fit_end(self, trainer: "Trainer") -> None:
        """The run is over, however it ended."""

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run must know of this callback."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`."""


class Hooks:
    """Callbacks in their order, called moment by moment.

    Only methods that a callback really has are called: an unused moment costs a step nothing.
    """

    def __init__(self, callbacks: Iterable[Callback], trainer: "Trainer"):
        self.callbacks = sorted(callbacks, key=lambda callback: not callback.outermost)
        self.trainer = trainer
        self._used: dict[str, list[Any]] = {}

    def start(self, moment: str) -> None:
        """Call every callback that has something to do."""
        for method in self._methods(moment):
            method(self.trainer)

    def end(self, moment: str) -> None:
        """The same in the opposite order; one that fails keeps none of the others from theirs."""
        with contextlib.ExitStack() as ends:
            for method in self._methods(moment):
                ends.callback(method, self.trainer)

    def _methods(self, moment: str) -> list[Any]:
        if moment not in self._used:
            empty = getattr(Callback, moment)
            used = [c for c in self.callbacks if getattr(type(c), moment) is not empty]
            self._used[moment] = [getattr(c, moment) for c in used]
        return self._used[moment]
