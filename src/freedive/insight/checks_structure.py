"""What is wrong with how a model is put together: seen without running it."""

from collections.abc import Iterator
from types import GeneratorType
from typing import Any

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from freedive.insight.ailments import Finding, found
from freedive.insight.patient import Patient, first_optimizer

Attribute = tuple[str, str, Any]  # path of the owner, name, value


def structure(patient: Patient) -> Iterator[Finding]:
    """Every finding that needs no data."""
    named = list(module_keys(patient.model))
    yield from named
    if named:  # even parameters() raises
        return
    for check in (cycles, hidden_parameters, no_parameters, lazy_layers, generators, forgotten):
        yield from check(patient)


def module_keys(model: nn.Module) -> Iterator[Finding]:
    """Children whose name is no text: torch's own walk over the modules ends at them."""
    seen, stack = {id(model)}, [model]
    while stack:
        module = stack.pop()
        odd = [key for key in dict(module._modules) if not isinstance(key, str)]
        if odd:
            where, unit = type(module).__name__, "child modules whose name is no text"
            yield found("module-as-key", where, len(odd), unit)
        new = [m for m in module._modules.values() if m is not None and id(m) not in seen]
        seen.update(map(id, new))
        stack += new


def cycles(patient: Patient) -> Iterator[Finding]:
    """Children that are their own ancestors."""

    def walk(module: nn.Module, above: tuple[nn.Module, ...], path: str) -> Iterator[Finding]:
        for name, child in module._modules.items():
            place = f"{path}.{name}".lstrip(".")
            if child is module or any(child is a for a in above):
                steps = len(above) + 1
                yield found(
                    "module-cycle", place, steps, "steps down it is above itself", name=name
                )
            elif child is not None and id(child) not in done:
                done.add(id(child))
                yield from walk(child, (*above, module), place)

    done: set[int] = set()
    yield from walk(patient.model, (), "")


def attributes(model: nn.Module) -> Iterator[Attribute]:
    """Every attribute of every registered module that is not registered itself."""
    internal = vars(nn.Module())
    for path, module in model.named_modules():
        for name, value in vars(module).items():
            if name not in internal:
                yield path, name, value


def contents(value: Any, depth: int = 4) -> Iterator[Any]:
    """A value, and what lists, tuples, sets and dicts hold."""
    yield value
    if depth and isinstance(value, (list, tuple, set, frozenset, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from contents(part, depth - 1)


def hidden(model: nn.Module) -> Iterator[tuple[Attribute, list[Tensor]]]:
    """Attributes that hold learning tensors which ``parameters()`` does not give."""
    seen = {id(p) for p in model.parameters()}
    for attribute in attributes(model):
        tensors: dict[int, Tensor] = {}
        for part in contents(attribute[2]):
            if isinstance(part, nn.Module):
                tensors.update((id(p), p) for p in part.parameters())
            elif isinstance(part, Tensor) and part.is_leaf:
                tensors[id(part)] = part
        new = [t for key, t in tensors.items() if t.requires_grad and key not in seen]
        if new:
            yield attribute, new


def hidden_parameters(patient: Patient) -> Iterator[Finding]:
    """Parameters in plain lists, dicts and attributes."""
    for (path, name, value), tensors in hidden(patient.model):
        numbers = sum(t.numel() for t in tensors if not is_lazy(t))
        has_modules = any(isinstance(part, nn.Module) for part in contents(value))
        kind = "Module" if has_modules else "Parameter"
        wrapped = "Dict" if isinstance(value, dict) else "List"
        right = f"nn.{kind}({name})" if isinstance(value, Tensor) else f"nn.{kind}{wrapped}({name})"
        where = f"{path}.{name}".lstrip(".")
        unit = "numbers that parameters() does not see"
        yield found("hidden-parameters", where, numbers, unit, write=f"self.{name} = {right}")


def no_parameters(patient: Patient) -> Iterator[Finding]:
    """A model that has nothing to learn."""
    if not list(patient.model.parameters()):
        yield found("no-parameters", "", 0, "parameters")


def lazy_layers(patient: Patient) -> Iterator[Finding]:
    """Layers whose weights have no shape yet."""
    for path, module in patient.model.named_modules():
        lazy = [p for p in module.parameters(recurse=False) if is_lazy(p)]
        if lazy:
            yield found("lazy-initialiser", path, len(lazy), "parameters without a shape")


def generators(patient: Patient) -> Iterator[Finding]:
    """Generators that are kept where a list of parameters is wanted."""
    owners = [*attributes(patient.model)]
    owners += [("optimizer", *item) for item in getattr(patient.optimizer, "__dict__", {}).items()]
    owners += [("", "optimizer", patient.optimizer)]
    for path, name, value in owners:
        if isinstance(value, (GeneratorType, filter, map)):
            frame = getattr(value, "gi_frame", value)
            left = "it is used up already" if frame is None else "it can be read once"
            where = f"{path}.{name}".lstrip(".")
            yield found("used-up-generator", where, frame is not None, f"readings left: {left}")


def forgotten(patient: Patient) -> Iterator[Finding]:
    """Parameters that the optimizer does not hold."""
    model, optim = patient.model, patient.optimizer
    if optim is None and patient.lr is None and callable(getattr(model, "configure_optimizers", 0)):
        model = patient.twin()
        try:
            optim = first_optimizer(model.configure_optimizers())  # type: ignore[operator]
        except Exception:  # an error is told where the model is run
            return
    held = held_parameters(optim)
    if held is None:
        return
    learning = {name: p for name, p in model.named_parameters() if p.requires_grad}
    missing = [name for name, p in learning.items() if id(p) not in held]
    if missing:
        unit = f"of {len(learning)} parameters that the optimizer does not hold"
        yield found("forgotten-parameters", ", ".join(missing[:3]), len(missing), unit)


def held_parameters(optim: Any) -> set[int] | None:
    """The identities of an optimizer's parameters; None where they cannot be seen."""
    if hasattr(optim, "param_groups"):
        return {id(p) for group in optim.param_groups for p in group["params"]}
    params = getattr(optim, "params", None)
    return {id(p) for p in params} if isinstance(params, (list, tuple)) else None
