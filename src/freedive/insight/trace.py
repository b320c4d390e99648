"""The graph of a tensor from its `grad_fn`, and of a model or function from what it calls."""

import inspect
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge
from torch.nn.parameter import is_lazy
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten_with_path, tree_leaves, tree_map_only
from torch.utils.weak import WeakTensorKeyDictionary

from freedive.insight.features import (
    InsightError,
    arguments,
    call,
    preserved_chance,
    shape_text,
    to_meta,
    twin_of,
    working_twin,
)
from freedive.insight.graph import Graph, Step, Value, connected

Names = Mapping[str, Tensor]
Convert = Callable[[Tensor], Tensor]
Versions = dict[int, tuple[Tensor, int]]  # tensors by identity, and how often each was written

DUNDER = re.compile(r"__[ri]?(add|sub|mul|(?:true|floor)?div|matmul|mod|pow|and|or|xor)__")
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])")


def graph(
    thing: Tensor | nn.Module | Callable[..., Any],
    inputs: Any = None,
    *,
    names: Names | None = None,
    values: bool = False,
    level: str = "module",
) -> Graph:
    """The computational graph of a tensor expression, a model or a function.

    A tensor is followed back through autograd, which knows what needs a gradient, and what needs
    none only where it has a name and is kept for the backward pass. A model or a function is run
    and watched, and shows everything; it is left as it was. A dict that it returns names tensors.

    Args:
        thing: a tensor with a `grad_fn`; or a model, or a function of tensors.
        inputs: of a model or function: the shape of one batch, such as ``(1, 1, 28, 28)``, or an
            example tensor; a tuple of them for several arguments, or a dict by name.
        names: what tensors of the expression are called; they become squares.
        values: keep the numbers of all variables, and the gradients that stand in ``grad``.
        level: of a model: ``"module"`` shows a layer as one circle, ``"operation"`` what it calls.

    Raises:
        InsightError: nothing to follow, or a model that fails.

    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> print(graph(w * w, names={"w": w}))
    [w]
    (mul)     ← w, w
    [result]  ← mul
    """
    if level not in ("module", "operation"):
        raise InsightError(f"a graph has the level 'module' or 'operation', got level={level!r}")
    if isinstance(thing, Tensor):
        return followed(thing, names or {}, values)
    if isinstance(thing, nn.Module):
        return watched(thing, inputs, {}, values, level)
    if callable(thing):
        name = getattr(thing, "__name__", type(thing).__name__)
        bare = getattr(thing, "func", thing)  # a builtin does not tell its arguments
        forward = (lambda *x: thing(*x)) if inspect.isbuiltin(bare) else thing
        model = type(name, (nn.Module,), {"forward": staticmethod(forward)})()
        return watched(model, inputs, names or {}, values, "operation")
    raise InsightError(f"graph wants a tensor, a model or a function, got {type(thing).__name__}")


def followed(result: Tensor, names: Names, values: bool) -> Graph:
    """The graph of a tensor, from what autograd keeps for the backward pass."""
    if result.grad_fn is None:
        why = "a leaf" if result.requires_grad else "detached, or made of what needs no gradient"
        raise InsightError(
            f"the tensor of shape {tuple(result.shape)} has no grad_fn, it is {why}: pass what is "
            "computed from tensors with requires_grad=True, or the function that computes it"
        )
    learning = {"result": result, **{name: t for name, t in names.items() if t.requires_grad}}
    called = {get_gradient_edge(t)[:2]: (name, t) for name, t in learning.items()}
    constants = [(name, t) for name, t in names.items() if not t.requires_grad]
    kept = {memory_of(t): Value.of(t, name, None, values) for name, t in constants}
    steps: dict[Any, Step] = {}
    made: dict[tuple[Any, int], Value] = {}

    def value_of(edge: tuple[Any, int]) -> Value:
        fn, number = edge
        step = None if is_leaf(fn) else steps.setdefault(fn, Step(autograd_label(fn)))
        if edge in called:
            name, tensor = called[edge]
            return Value.of(tensor, name, step, values)
        if step is None:
            kind = "parameter" if isinstance(fn.variable, nn.Parameter) else "leaf"
            return Value.of(fn.variable, kind, None, values)
        return Value(tuple(fn._input_metadata[number].shape), step)

    end = (result.grad_fn, result.output_nr)
    made[end], todo = value_of(end), [result.grad_fn]
    while todo:
        fn = todo.pop()
        spare = saved_values(fn, kept)
        for edge in fn.next_functions:
            if edge[0] is None:  # what needs no gradient
                steps[fn].inputs += spare[:1]
                spare = spare[1:]
                continue
            todo += [] if edge[0] in steps or is_leaf(edge[0]) else [edge[0]]
            made[edge] = made.get(edge) or value_of(edge)
            steps[fn].inputs.append(made[edge])
    return connected([made[end]], [], "computational graph")


class Recorder(TorchFunctionMode):
    """Notes what is called, on which tensors, and which tensors it writes."""

    def __init__(self, values: bool) -> None:
        super().__init__()
        self.values = values
        self.holds = WeakTensorKeyDictionary()  # what each tensor holds now
        self.inside = 0  # modules that are one circle
        self.given: Versions = {}

    def name(self, tensor: Tensor, label: str, step: Step | None = None) -> Value:
        """From here on the tensor holds something new."""
        value = self.holds[tensor] = Value.of(tensor, label, step, self.values)
        return value

    def value(self, tensor: Tensor) -> Value:
        """What a tensor holds; what nobody has named is a constant."""
        return self.holds[tensor] if tensor in self.holds else self.name(tensor, "constant")

    def note(self, label: str, given: Versions, out: Any) -> None:
        """A call has ended: what it wrote, and what shares memory with that, holds its result."""
        written = [t for t, version in given.values() if version_of(t) != version]
        fresh = [t for key, (t, _) in versions(out).items() if key not in given]
        if written or fresh:
            stores = {store_of(t) for t in written}
            shared = [t for t in list(self.holds) if stores and store_of(t) in stores]
            read = {id(t): t for t in (*(t for t, _ in given.values()), *shared)}
            step = Step(label, [self.value(t) for t in read.values()])
            for tensor in {id(t): t for t in (*written, *shared, *fresh)}.values():
                self.name(tensor, "", step)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is Tensor.__iter__:
            return iter(self.__torch_function__(Tensor.unbind, types, args))
        given = versions((args, kwargs))
        out = func(*args, **(kwargs or {}))
        if not self.inside:
            self.note(call_label(func), given, out)
        return out

    def watch(self, path: str, module: nn.Module) -> None:
        """Make one circle of a module."""
        kernel, name = getattr(module, "kernel_size", ()), type(module).__name__
        dims = int(name[-2]) if name[-2:-1].isdigit() else 1
        kernel = (kernel,) * dims if isinstance(kernel, int) else kernel
        label = f"{shape_text(kernel)} {name}".strip() + f"\n{path}"

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.inside += 1
            self.given = versions((args, kwargs)) if self.inside == 1 else self.given

        def after(module: nn.Module, args: Any, out: Any) -> Any:
            if self.inside == 1:
                same = {k for k, (t, version) in self.given.items() if version_of(t) == version}
                out = tree_map_only(Tensor, lambda t: t.view_as(t) if id(t) in same else t, out)
                self.note(label, self.given, out)
            self.inside -= 1
            return out

        module.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        module.register_forward_hook(after)


def watched(model: nn.Module, inputs: Any, names: Names, values: bool, level: str) -> Graph:
    """The graph of a model, from a twin of it that runs: without numbers, where that will do."""
    if not values and next(model.parameters(), None) is not None:
        with suppress(InsightError):  # it may look at its data
            return recorded(twin_of(model, to_meta), inputs, to_meta, names, values, level)
    home = next((p.device for p in model.parameters()), None)
    try:
        twin = twin_of(working_twin(model), copied)
        return recorded(twin, inputs, lambda t: copied(t, home), names, values, level)
    except (MemoryError, RuntimeError) as error:
        told = f"{type(model).__name__} and its inputs cannot be copied: {error}".splitlines()[0]
        raise InsightError(f"{told}: pass smaller inputs") from error


def recorded(
    twin: nn.Module, inputs: Any, convert: Convert, names: Names, values: bool, level: str
) -> Graph:
    """Run a twin once and draw what it called on the way from its inputs to its outputs."""
    kind, signature = type(twin).__name__, inspect.signature(twin.forward)
    if inputs is None and any(p.default is p.empty for p in signature.parameters.values()):
        raise InsightError(
            f"the graph of {kind} wants inputs for {signature}: pass a shape "
            "such as inputs=(1, 1, 28, 28), an example tensor, a tuple or a dict by name"
        )
    args, kwargs = ((), {}) if inputs is None else arguments(twin, inputs, convert)
    recorder = Recorder(values)
    for name, tensor in (*twin.named_parameters(), *twin.named_buffers(), *names.items()):
        if not is_lazy(tensor):
            recorder.name(tensor, name)
    bound = signature.bind(*args, **kwargs).arguments
    given = [recorder.name(tensor, name) for name, tensor in labelled(dict(bound))]
    for path, module in twin.named_modules():
        if level == "module" and path and not list(module.children()):
            recorder.watch(path, module)
    with preserved_chance(), recorder:
        out = call(twin, args, kwargs)
    results = labelled(out if isinstance(out, Mapping) else {"output": out})
    if not results:
        raise InsightError(f"{kind} returned no tensor, but {type(out).__name__}: return tensors")
    ends = [recorder.value(tensor) for _, tensor in results]
    for (name, _), end in zip(results, ends, strict=True):
        end.label = end.label or name
    return connected(ends, given, kind)


def is_leaf(fn: Any) -> bool:
    """Whether a function of autograd only gathers the gradient of a leaf."""
    return fn.name().endswith("AccumulateGrad")


def memory_of(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor's numbers are: the same for a view of all of them."""
    return (tensor.data_ptr(), tensor.numel()) if tensor.layout == torch.strided else (0, 0)


def saved_values(fn: Any, kept: Mapping[Any, Value]) -> list[Value]:
    """The named tensors without gradient that a function keeps for its backward pass."""
    found: list[Any] = []
    for name in (name for name in dir(fn) if kept and name.startswith("_saved_")):
        with suppress(RuntimeError):  # a backward pass has freed it
            found.append(getattr(fn, name))
    constants = [x for x in found if isinstance(x, Tensor) and not x.requires_grad and x.numel()]
    return [kept[memory_of(x)] for x in constants if memory_of(x) in kept]


def autograd_label(fn: Any) -> str:
    """What a function of autograd is called: `log_softmax` for LogSoftmaxBackward0."""
    bare, own = re.subn(r"Backward$", "", fn.name().split("::")[-1])
    return bare if own else WORDS.sub("_", re.sub(r"Backward\d*$", "", bare)).lower()


def call_label(func: Any) -> str:
    """What a function of torch is called; a property by its name, an operator by its word."""
    name = getattr(func, "__name__", type(func).__name__)
    name = func.__self__.__name__ if name in ("__get__", "__set__") else name
    operator = DUNDER.fullmatch(name)
    return operator[1].removeprefix("true") if operator else re.sub("^__|__$", "", name)


def labelled(given: Any) -> list[tuple[str, Tensor]]:
    """The tensors in nested tuples and dicts with the words that lead there: `state[0]`."""
    found = []
    for path, leaf in tree_flatten_with_path(given)[0]:
        keys = [getattr(part, "key", getattr(part, "name", None)) for part in path]
        steps = zip(path, keys, strict=True)
        name = "".join(f"{part}" if key is None else f".{key}" for part, key in steps)
        found += [(name.removeprefix("."), leaf)] if isinstance(leaf, Tensor) else []
    return found


def versions(given: Any) -> Versions:
    """The tensors by identity, each with how often it has been written."""
    return {id(t): (t, version_of(t)) for t in tree_leaves(given) if isinstance(t, Tensor)}


def version_of(tensor: Tensor) -> int:
    """How often a tensor has been written."""
    return 0 if tensor.is_inference() else tensor._version


def store_of(tensor: Tensor) -> int:
    """What a tensor shares with its views."""
    return tensor.untyped_storage()._cdata if tensor.layout == torch.strided else id(tensor)


def copied(tensor: Tensor, device: torch.device | None = None) -> Tensor:
    """A tensor of its own with the same numbers and the same gradient."""
    kind = nn.Parameter if isinstance(tensor, nn.Parameter) else Tensor.requires_grad_
    copy = kind(tensor.detach().clone().to(device or tensor.device), tensor.requires_grad)
    copy.grad = tensor.grad if tensor.is_leaf or tensor.retains_grad else None
    return copy
