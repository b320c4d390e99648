"""The doctor's visit at the beginning of a training run."""

import logging
from typing import TYPE_CHECKING

from freedive.core.errors import UsageError
from freedive.core.hooks import Callback
from freedive.insight.doctor import Diagnosis, doctor

if TYPE_CHECKING:
    from freedive.core.trainer import Trainer


class DoctorCallback(Callback):
    """Examines model, data and optimizer before the first step, and leaves all as it was.

    What is found is told through the log ``freedive``, and is kept in `diagnosis`.

    Args:
        strict: end the run where something is found.

    Raises:
        UsageError: something is found, and it is strict.
    """

    strict: bool

    def __init__(self, strict: bool = False):
        self.save_hyperparameters()
        self.diagnosis: Diagnosis | None = None

    def on_fit_start(self, trainer: "Trainer") -> None:
        """Examine."""
        self.diagnosis = doctor(trainer.model, trainer.data, optimizer=trainer.optim)
        names = ", ".join(dict.fromkeys(f"{f.ailment} in {f.where}" for f in self.diagnosis))
        if self.diagnosis and self.strict:
            raise UsageError(f"the doctor found {names}: freedive.doctor(model, data) says more")
        for finding in self.diagnosis:
            logging.getLogger("freedive").warning("%s", finding)
