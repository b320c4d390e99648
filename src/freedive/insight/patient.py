"""A model under examination: copies of it, some of its data, its loss and its optimizer."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from freedive.insight.features import InsightError, call, twin_of
from freedive.insight.witness import tensors_in

Batch = tuple[Any, ...]
MOST_ROWS = 256  # of a batch; enough to tell dead from quiet, few enough to be quick


@dataclass
class Patient:
    """What is examined; the model itself is never called, only twins of it are.

    Attributes:
        model: the user's.
        train: the training batches, inputs first and the target last; None without data.
        val: the validation batches; None where there are none.
        batch: some training examples, or an input that was guessed and no target.
        loss: what the user passed.
        lr: what the user passed.
        optimizer: what the user passed.
    """

    model: nn.Module
    train: Iterable[Any] | None = None
    val: Iterable[Any] | None = None
    batch: Batch | None = None
    loss: Callable[..., Any] | None = None
    lr: float | None = None
    optimizer: Any = None

    def twin(self, training: bool = False) -> nn.Module:
        """A copy with tensors of its own, in one mode throughout."""
        twin = twin_of(self.model, copied)
        for module in twin.modules():  # train() never comes back from a cycle
            module.training = training
        if "trainer" in vars(twin):
            twin.trainer = None  # type: ignore[assignment]
        return twin

    @property
    def inputs(self) -> Batch:
        """The inputs of the examined batch."""
        assert self.batch is not None
        return self.batch[:-1] if self.train is not None else self.batch

    @property
    def has_loss(self) -> bool:
        """Whether what is to be minimised is known, and on which data."""
        known = self.loss is not None or callable(getattr(self.model, "loss", None))
        return known and self.train is not None

    def run(self, twin: nn.Module, inputs: Batch | None = None) -> Any:
        """A twin's outputs for copies of the inputs."""
        return call(twin, copied_batch(self.inputs if inputs is None else inputs), {})

    def loss_of(self, twin: nn.Module, outputs: Any, target: Any = None) -> Any:
        """The loss; a method of the model is called on the twin."""
        assert self.batch is not None
        target = self.batch[-1] if target is None else target
        loss: Any = self.loss or twin.loss
        if getattr(loss, "__self__", None) is self.model:
            loss = getattr(twin, loss.__name__)
        try:
            value = loss(outputs, target)
        except Exception as error:
            line = (str(error).strip().splitlines() or [""])[0]
            raise InsightError(f"the loss raised {type(error).__name__}: {line}") from error
        if not isinstance(value, Tensor) or value.numel() != 1:
            shape = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise InsightError(f"the loss wants to be one number, got {shape}: take its mean")
        return value

    def optimizer_of(self, twin: nn.Module, factor: float = 1.0) -> Any:
        """The model's optimizer for a twin, its rate times a factor; None where there is none."""
        configure = getattr(twin, "configure_optimizers", None)
        if self.optimizer is not None:
            pairs = zip(self.model.parameters(), twin.parameters(), strict=True)
            try:
                optim = copy.deepcopy(self.optimizer, {id(own): new for own, new in pairs})
            except Exception:  # whatever an optimizer holds: generators cannot be copied
                return None
        elif self.lr is not None:
            learning = [p for p in twin.parameters() if p.requires_grad]
            optim = torch.optim.SGD(learning, lr=self.lr) if learning else None
        elif callable(configure):
            optim = first_optimizer(configure())
        else:
            return None
        for group in rate_groups(optim):
            group["lr"] = group["lr"] * factor
        return optim if rate_groups(optim) else None


def admit(model: Any, data: Any, loss: Any, lr: float | None, optimizer: Any) -> Patient:
    """Look at what was passed, and take some examples from the data.

    Raises:
        InsightError: not a model, or data that give no batches.
    """
    if not isinstance(model, nn.Module):
        way_out = f"pass {model.__name__}()" if isinstance(model, type) else "pass a model"
        raise InsightError(f"doctor wants an nn.Module, got {type(model).__name__}: {way_out}")
    model = getattr(model, "_orig_mod", model)  # what torch.compile has wrapped
    if isinstance(model, torch.jit.ScriptModule):
        raise InsightError("the model is a compiled script: pass the model it was made from")
    if lr is not None and not 0 < lr < float("inf"):
        raise InsightError(f"lr wants a finite number above 0, got {lr!r}")
    train, val = loaders(data)
    patient = Patient(model, train, val, None, loss, lr, optimizer)
    if train is not None:
        first = next(rewinding(train), None)
        if first is None or (tensors_in(first) and not len(tensors_in(first)[0])):
            raise InsightError("the training data hold no examples: pass at least one batch")
        patient.batch = few(first)
    return patient


def loaders(data: Any) -> tuple[Any, Any]:
    """The training and the validation batches of whatever holds them."""
    if data is None:
        return None, None
    if hasattr(data, "train_dataloader"):
        val = getattr(data, "val_dataloader", lambda: None)
        return data.train_dataloader(), val()
    if isinstance(data, Iterator):
        raise InsightError(f"a {type(data).__name__} can be read only once: pass a list of batches")
    if isinstance(data, (tuple, list)) and len(data) > 1:
        if isinstance(data[-1], Tensor):
            return [tuple(data)], None
        if isinstance(data, tuple) and len(data) == 2:  # training and validation
            return loaders(data[0])[0], loaders(data[1])[0]
    if isinstance(data, Iterable) and not isinstance(data, (Tensor, str, dict)):
        return data, None
    raise InsightError(
        f"data wants to be (inputs, targets), a loader or a DataModule, got {type(data).__name__}"
    )


def rewinding(loader: Iterable[Any]) -> Iterator[Batch]:
    """A loader's batches; afterwards it is where it was."""
    chance = getattr(loader, "generator", None)
    state = None if chance is None else chance.get_state()
    borrowed = copy.copy(loader) if hasattr(loader, "start") else loader
    try:
        for batch in borrowed:
            if not isinstance(batch, (tuple, list)) or len(batch) < 2:
                kind = type(batch).__name__
                raise InsightError(f"a batch wants to be (inputs, target), got a {kind}")
            yield tuple(batch)
    finally:
        if chance is not None:
            chance.set_state(state)


def few(batch: Batch) -> Batch:
    """The first rows of a batch."""
    return tuple(part[:MOST_ROWS] if isinstance(part, Tensor) else part for part in batch)


def on_device_of(model: nn.Module, batch: Batch) -> Batch:
    """The batch where the model's parameters are."""
    home = next((t.device for t in chain(model.parameters(), model.buffers())), None)
    return tuple(part.to(home) if isinstance(part, Tensor) else part for part in batch)


def copied(tensor: Tensor) -> Tensor:
    """A leaf with the same numbers; a parameter stays one."""
    if is_lazy(tensor):
        return type(tensor)(requires_grad=tensor.requires_grad)
    bare = tensor.detach().clone()
    if isinstance(tensor, nn.Parameter):
        return nn.Parameter(bare, tensor.requires_grad)
    return bare.requires_grad_(tensor.requires_grad)


def copied_batch(batch: Batch) -> Batch:
    """The same numbers in other tensors: a model may work in place."""
    return tuple(part.detach().clone() if isinstance(part, Tensor) else part for part in batch)


def first_optimizer(configured: Any) -> Any:
    """The optimizer in what ``configure_optimizers`` gives."""
    if isinstance(configured, dict):
        return configured["optimizer"]
    return configured[0] if isinstance(configured, (tuple, list)) else configured


def rate_groups(optim: Any) -> Sequence[dict[str, Any]]:
    """What holds the learning rates: torch's groups, or a hand-written optimizer's attributes."""
    groups = (
        optim.param_groups if hasattr(optim, "param_groups") else [getattr(optim, "__dict__", {})]
    )
    return [group for group in groups if isinstance(group.get("lr"), (int, float))]


def guessed_inputs(modules: Iterable[nn.Module]) -> Iterator[Batch]:
    """Inputs that a model might take, judged by its first layers with weights."""
    heavy = ((m, p) for m in modules for p in m.parameters(recurse=False) if p.dim() > 1)
    for module, weight in islice(heavy, 4):
        if isinstance(module, nn.Embedding):
            yield (torch.randint(module.num_embeddings, (4, 5)),)
        elif weight.dim() == 4:
            channels = weight.shape[1] * getattr(module, "groups", 1)
            yield from ((torch.randn(4, channels, side, side),) for side in (28, 32, 64, 96, 224))
        else:  # torch.nn has the inputs last, the book's own matrices have them first
            for size in dict.fromkeys([weight.shape[-1], *weight.shape]):
                yield from ((torch.randn(4, size),), (torch.randn(4, 5, size),))
    yield from ((torch.randn(shape),) for shape in ((4, 20), (4, 1, 28, 28)))
