"""What is wrong with the numbers of one step: units, gradients, loss and validation data."""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import GradientEdge
from torch.overrides import TorchFunctionMode

from freedive.insight.ailments import Finding, found
from freedive.insight.checks_flow import affine
from freedive.insight.patient import Patient, rewinding
from freedive.insight.witness import Witness, ancestors, carried, kind, tensors_in

MOSTLY = 0.6  # of a layer's units or outputs; a fresh ReLU layer may well have a third dead
ENOUGH = 8  # examples, below which a quiet unit is no dead one
FADED = 1e-5  # times the gradient of the last layer; LeNet with sigmoids has 1e-3 at the front
GROWN = 1e5
ROWS = 10_000  # of training and of validation data that are compared
WITH_LOGITS = ("binary_cross_entropy_with_logits", "sigmoid_focal_loss")
COMPARES = (
    *("sub", "rsub", "__sub__", "__rsub__", "mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"),
    *("binary_cross_entropy_with_logits", "binary_cross_entropy", "subtract", "dist", "mul"),
)


def values(patient: Patient) -> Iterator[Finding]:
    """Every finding that needs data, and no step of training."""
    if patient.train is None:
        return
    yield from units(patient)
    if patient.has_loss:
        for check in (loss_arguments, reduction, layers):
            yield from check(patient)
    yield from seen_in_validation(patient)


def units(patient: Patient) -> Iterator[Finding]:
    """Dead ReLUs, and sigmoids and tanhs on their flat ends."""
    twin = patient.twin()
    witness = Witness(twin)
    with torch.no_grad(), witness:
        outputs = tensors_in(patient.run(twin))
    if outputs and outputs[0].dim() and len(outputs[0]) >= ENOUGH:
        for path, share in witness.dead:
            if share > MOSTLY:
                yield found("dead-units", path, 100 * share, "% of its units are zero on all data")
    for path, share, output in witness.flat:
        # at the very end it is an answer, which may well be sure
        if share > MOSTLY and not any(output is o for o in outputs):
            yield found("saturated-units", path, 100 * share, "% of its outputs on the flat ends")


class LossWitness(TorchFunctionMode):
    """Sees what is compared with what in a loss."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, list[Tensor]]] = []

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        self.calls.append((getattr(func, "__name__", ""), tensors_in((args, kwargs))))
        return func(*args, **(kwargs or {}))


def loss_arguments(patient: Patient) -> Iterator[Finding]:
    """Probabilities where logits are wanted; shapes that broadcast."""
    twin = patient.twin()
    watch = LossWitness()
    with torch.enable_grad():
        outputs = patient.run(twin)
        with watch:
            patient.loss_of(twin, outputs)
    for name, tensors in watch.calls:
        first = tensors[0] if tensors else None
        if first is None:
            continue
        from_one = _distance_from_one(first) if name == "cross_entropy" else None
        if from_one is not None and from_one < 1e-3:
            unit = "is the farthest that the outputs' sums are from 1"
            yield found("softmax-before-cross-entropy", "", from_one, unit, name="softmax")
        elif name in ("cross_entropy", *WITH_LOGITS) and _made_by(first, "Sigmoid"):
            low, unit = float(first.min()), "is the lowest output: all are the sigmoid's"
            yield found("softmax-before-cross-entropy", "", low, unit, name="sigmoid")
        if name in COMPARES and len(tensors) > 1 and _broadcast(*tensors[:2]):
            n = first.numel()
            yield found("broadcast-loss", "the loss", n * n, f"differences for {n} targets")


def _distance_from_one(outputs: Tensor) -> float | None:
    """How far the sums over classes are from 1; None for what cannot be probabilities."""
    if outputs.dim() < 2 or outputs.shape[1] < 2 or bool((outputs < 0).any()):
        return None
    return float((outputs.sum(dim=1) - 1).abs().max())


def _made_by(tensor: Tensor, operation: str) -> bool:
    node = carried(tensor.grad_fn)
    return node is not None and kind(node) == operation


def _broadcast(a: Tensor, b: Tensor) -> bool:
    """Whether (n, 1) meets (n,), one of them an output and the other a target."""
    if a.numel() != b.numel() or a.numel() < 2 or {a.dim(), b.dim()} != {1, 2}:
        return False
    column = a if a.dim() == 2 else b
    return column.shape[1] == 1 and a.requires_grad != b.requires_grad


def reduction(patient: Patient) -> Iterator[Finding]:
    """A loss that grows with the batch."""
    assert patient.batch is not None
    twin, target = patient.twin(), patient.batch[-1]
    if not all(isinstance(part, Tensor) and part.dim() for part in patient.batch):
        return
    twice = tuple(torch.cat([x, x]) for x in patient.inputs)
    with torch.no_grad():
        once = float(patient.loss_of(twin, patient.run(twin)))
        double = float(patient.loss_of(twin, patient.run(twin, twice), torch.cat([target, target])))
    if once and abs(double / once - 2) < 0.05:
        n, lr = len(target), patient.lr
        implied = "the same lr takes steps as many times larger as there are examples"
        if lr is not None:
            implied = f"lr={lr:g} on {n} examples acts as {lr * n:g} does on their mean"
        unit = "times the loss for twice the same batch"
        yield found("sum-reduction", "the loss", double / once, unit, implied=implied)


def layers(patient: Patient) -> Iterator[Finding]:
    """Layers at the front to which a gradient comes that is of another order than at the end."""
    twin = patient.twin(training=True)
    names = {id(p): name for name, p in twin.named_parameters()}
    with torch.enable_grad():
        loss = patient.loss_of(twin, patient.run(twin))
        nodes = sorted(ancestors([loss]), key=lambda node: node._sequence_nr())  # as called
        weights = [(affine(node)[0], node) for node in nodes]
        called = [(names[id(weight)], node) for weight, node in weights if id(weight) in names]
        edges = [GradientEdge(node, 0) for _, node in called]
        grads = torch.autograd.grad(loss, edges, allow_unused=True) if edges else ()
    norms: dict[str, float] = {}
    for (name, _), grad in zip(called, grads, strict=True):
        if grad is not None and bool(grad.any()):  # zeros have reasons of their own
            norms[name] = max(norms.get(name, 0.0), float(grad.double().norm()))
    if len(norms) < 2:
        return
    (first, front), *_, (last, back) = norms.items()
    unit = f"times the gradient behind {last} arrives behind {first}"
    if front / back < FADED:
        yield found("vanishing-gradient", first, front / back, unit)
    elif not front / back < GROWN:  # not a number counts as exploded
        yield found("exploding-gradient", first, front / back, unit)


def seen_in_validation(patient: Patient) -> Iterator[Finding]:
    """Validation examples that are in the training data too."""
    if patient.train is None or patient.val is None:
        return
    train, val = keys_of(patient.train), keys_of(patient.val)
    if not len(train) or not len(val):
        return
    seen = float(torch.isin(val, train).float().mean())
    repeated = 1 - len(train.unique()) / len(train)  # few different rows exist: no leak
    if seen > 0.01 and seen > 2 * repeated:
        unit = f"% of {len(val)} validation examples are training examples"
        yield found("seen-in-validation", "the data", 100 * seen, unit)


def keys_of(loader: Iterable[Any]) -> Tensor:
    """A number for each row of inputs, equal for equal rows, and in practice only for those."""
    keys: list[Tensor] = []
    for batch in rewinding(loader):
        rows = batch[0]
        if not isinstance(rows, Tensor) or rows.dim() < 2:
            return torch.empty(0, dtype=torch.int64)
        words = rows.detach().flatten(1).cpu().contiguous().view(torch.uint8).to(torch.int64) + 1
        chance = torch.Generator().manual_seed(0)
        factors = torch.randint(2**62, words.shape[1:], generator=chance)
        keys.append((words * factors).sum(dim=1))  # overflow wraps round, alike for like rows
        if sum(map(len, keys)) >= ROWS:
            break
    return torch.cat(keys) if keys else torch.empty(0, dtype=torch.int64)
