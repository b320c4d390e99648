"""What every data set offers (section 3.2.3)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

from torch import Tensor

from freedive.core.hyperparameters import HyperParameters
from freedive.core.loader import Batch, TensorLoader


class DataModule(HyperParameters):
    """Base of all data sets: gives the loaders of training and validation batches.

    A subclass writes `get_dataloader`; a batch is a tuple whose last part is the target.
    """

    name: ClassVar[str] = ""  # what --data calls it
    synthetic: ClassVar[bool] = False  # made by code from a seed: said in every output and record
    task: ClassVar[str] = ""  # what kind of learning they serve: decides which systems take them
    batch_size: int

    @property
    def label(self) -> str:
        """The name as every output shows it; what was made by code says so."""
        name = self.name or type(self).__name__
        return f"{name} (synthetic)" if self.synthetic else name

    def get_dataloader(self, train: bool) -> Iterable[Any]:
        """The batches of the training or of the validation examples."""
        raise NotImplementedError(f"{type(self).__name__} wants a get_dataloader(train)")

    def train_dataloader(self) -> Iterable[Any]:
        """The batches to learn from."""
        return self.get_dataloader(train=True)

    def val_dataloader(self) -> Iterable[Any] | None:
        """The batches to judge by; None where there are none."""
        return self.get_dataloader(train=False)

    def get_tensorloader(
        self,
        tensors: Sequence[Tensor],
        train: bool,
        indices: slice = slice(0, None),
        transform: Callable[[Batch], Batch] | None = None,
    ) -> TensorLoader:
        """A loader over a slice of tensors; shuffled where it is for training."""
        columns = [t[indices] for t in tensors]
        return TensorLoader(columns, self.batch_size, shuffle=train, transform=transform)

    def model_arguments(self) -> dict[str, Any]:
        """What a model must know of these data to be built, as constructor arguments."""
        return {}

    def assets(self) -> dict[str, Any]:
        """What a run keeps so that its model can be used without these data: file name to JSON."""
        return {}

    def fingerprint(self) -> str:
        """A text that is equal for equal data; goes into a run's record."""
        return f"{self.name}:{self.hparams}"
