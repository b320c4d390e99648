"""What is wrong with how numbers and gradients flow through a model: seen in two or three calls."""

import math
from collections.abc import Iterator
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn

from freedive.insight.ailments import Finding, found
from freedive.insight.checks_structure import attributes, contents, hidden
from freedive.insight.patient import Patient
from freedive.insight.witness import (
    Witness,
    ancestors,
    carried,
    graph_leaves,
    kind,
    leaf_of,
    storage,
    tensors_in,
)


def flow(patient: Patient) -> Iterator[Finding]:
    """Every finding that needs an input, real or guessed, and no loss."""
    for check in (built_in_forward, evaluation, gradients_that_stop, activations):
        yield from check(patient)


def built_in_forward(patient: Patient) -> Iterator[Finding]:
    """Parameters that appear while the model runs."""
    twin = patient.twin()
    before = {id(p): name for name, p in twin.named_parameters()}
    known = {*before, *(id(t) for _, tensors in hidden(twin) for t in tensors)}
    ends: list[tuple[str, list[Tensor]]] = []
    for path, module in twin.named_modules():
        module.register_forward_hook(lambda m, i, o, path=path: ends.append((path, tensors_in(o))))
    outputs = patient.run(twin)
    leaves = graph_leaves(tensors_in(outputs))  # held, so that no identity is given twice
    again = {id(leaf) for leaf in graph_leaves(tensors_in(patient.run(twin)))}
    registered = [name for name, p in twin.named_parameters() if id(p) not in before]
    new = [leaf for leaf in leaves if id(leaf) not in known]
    if not new and not registered:
        return
    of_new = set(map(id, new))
    where = next(
        p for p, o in [*ends, ("", [])] if not new or of_new & set(map(id, graph_leaves(o)))
    )
    if new and not registered and of_new <= again:  # in a closure, or a global variable
        numbers, unit = sum(t.numel() for t in new), "numbers that parameters() does not see"
        write = "assign the module to an attribute in __init__: self.layer = layer"
        yield found("hidden-parameters", where, numbers, unit, write=write)
        return
    place = registered[0].rpartition(".")[0] if registered else where
    count = len(registered) or len(new)
    yield found("built-in-forward", place, count, "parameters that were not there before the call")


def evaluation(patient: Patient) -> Iterator[Finding]:
    """State that is no buffer, and state that moves while the model predicts."""
    twin = patient.twin()
    plain = list(plain_tensors(twin))
    before = {name: buffer.clone() for name, buffer in twin.named_buffers()}
    witness = Witness(twin)
    with torch.no_grad(), witness:
        patient.run(twin)
        patient.run(twin)
    for path, name, tensor in plain:
        if storage(tensor) in witness.used:
            where, unit = f"{path}.{name}".lstrip("."), "numbers that state_dict() does not hold"
            yield found("plain-tensor", where, tensor.numel(), unit, name=name)
    for name, buffer in twin.named_buffers():
        moved = _distance(before.get(name), buffer)
        if moved:
            short, unit = name.rpartition(".")[2], "is how far it moved in two predictions"
            yield found("moves-in-evaluation", name, moved, unit, name=short)


def _distance(before: Tensor | None, after: Tensor) -> float:
    """The largest difference of two tensors; infinite for other shapes."""
    if before is None or before.shape != after.shape:
        return math.inf
    if before.equal(after) or not after.numel():
        return 0.0
    return float((after.double() - before.double()).abs().max())


def plain_tensors(model: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    """Tensors in attributes, lists and dicts that are neither parameters nor buffers."""
    known = {storage(t) for t in chain(model.parameters(), model.buffers())}
    for path, name, value in attributes(model):
        for part in contents(value):
            is_plain = isinstance(part, Tensor) and not part.requires_grad and part.dim() > 0
            if is_plain and part.numel() and storage(part) not in known:
                yield path, name, part


def gradients_that_stop(patient: Patient) -> Iterator[Finding]:
    """Parameters without a gradient: cut off, or never used."""
    twin = patient.twin(training=True)
    learning = {name: p for name, p in twin.named_parameters() if p.requires_grad}
    witness = Witness(twin)
    with torch.enable_grad(), witness:
        outputs = patient.run(twin)
        total = patient.loss_of(twin, outputs) if patient.has_loss else _some_number(outputs)
    if not learning:
        return
    grads: Any = [None] * len(learning)
    if isinstance(total, Tensor) and total.requires_grad:
        grads = torch.autograd.grad(total, list(learning.values()), allow_unused=True)
    without = [name for name, g in zip(learning, grads, strict=True) if g is None]
    used = {name for name in without if storage(learning[name]) in witness.used}
    for ailment, names, unit in (
        ("cut-gradient", [n for n in without if n in used], "are used and get no gradient"),
        ("unused-parameters", [n for n in without if n not in used], "are never used"),
    ):
        for owner in dict.fromkeys(name.rpartition(".")[0] for name in names):
            own = [name for name in names if name.rpartition(".")[0] == owner]
            short = own[0].rpartition(".")[2]
            what = f"of {len(learning)} parameters {unit}"
            where = owner if len(own) > 1 else own[0]
            yield found(ailment, where, len(own), what, name=short if used else own[0])


def _some_number(outputs: Any) -> Tensor | None:
    """A number on which every output has an influence of its own."""
    floats = [t for t in tensors_in(outputs) if t.requires_grad]
    return sum((t * torch.randn_like(t)).sum() for t in floats) if floats else None  # type: ignore[return-value]


def activations(patient: Patient) -> Iterator[Finding]:
    """Linear layers whose output another one takes as it is."""
    twin = patient.twin()
    names = {id(p): name for name, p in twin.named_parameters()}
    with torch.enable_grad():
        outputs = tensors_in(patient.run(twin))
    for node in ancestors(outputs):
        weight, source = affine(node)
        earlier, _ = affine(carried(source))
        if weight is None or earlier is None or weight is earlier:
            continue
        if _is_factored(earlier, weight, carried(source), node):
            continue
        first, second = (names.get(id(w), "").removesuffix(".weight") for w in (earlier, weight))
        if first and second:
            where, unit = f"{first} → {second}", "activations between two linear layers"
            yield found("missing-activation", where, 0, unit, name=first, second=second)


def affine(node: Any) -> tuple[Tensor | None, Any]:
    """The weight of a matrix product or convolution, and the node that made its input."""
    if node is None or kind(node) not in ("Addmm", "Mm", "Convolution"):
        return None, None
    parents = [parent for parent, _ in node.next_functions]
    leaves = [leaf_of(parent) for parent in parents]
    weights = [leaf for leaf in leaves if leaf is not None and leaf.dim() > 1]
    rest = [p for p, leaf in zip(parents, leaves, strict=True) if p is not None and leaf is None]
    return (weights[0] if len(weights) == 1 else None), (rest[0] if len(rest) == 1 else None)


def _is_factored(first: Tensor, second: Tensor, earlier: Any, later: Any) -> bool:
    """Whether two layers are one on purpose: through a narrow middle, or channel by channel."""
    if kind(earlier) == kind(later) == "Convolution":
        if earlier._saved_groups > 1 or later._saved_groups > 1:
            return True
        return len(first) < min(first.shape[1], len(second))
    if "Convolution" in (kind(earlier), kind(later)):
        return False
    (rows, middle), (_, columns) = (_sizes(node) for node in (earlier, later))
    return middle < min(rows, columns)


def _sizes(node: Any) -> tuple[int, int]:
    rows, columns = node._saved_mat2_sym_sizes
    return int(rows), int(columns)
