"""The graph of a tensor from its `grad_fn`, and of a model or function from what it calls."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import (
    keystr,
    tree_flatten_with_path,
    tree_leaves,
    tree_map_only,
)
from torch.utils.weak import WeakTensorKeyDictionary

from freedive.insight.features import (
    InsightError,
    arguments,
    call,
    preserved_chance,
    to_meta,
    twin_of,
    working_twin,
)
from freedive.insight.graph import Graph, Node

DUNDER = re.compile(r"__[ri]?(add|sub|mul|(?:true|floor)?div|matmul|mod|pow|and|or|xor)__")
WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z][a-z])|(?<=[A-Z])(?=[A-Z][a-z])")


@dataclass(eq=False)
class Step:
    """A call: of an operation or of a module."""

    label: str
    inputs: list["Value"] = field(default_factory=list)


@dataclass(eq=False)
class Value:
    """What a tensor holds from one call that writes it to the next."""

    shape: tuple[int, ...]
    maker: Step | None = None
    label: str = ""
    shaded: bool = False
    value: Any = None
    gradient: Any = None

    def show(self, tensor: Tensor) -> None:
        """Keep the numbers as they are now, and the gradient that a backward pass has left."""
        if not tensor.is_meta:
            self.value = tensor.detach().clone()
            has = tensor.is_leaf or tensor.retains_grad
            self.gradient = tensor.grad.detach().clone() if has and tensor.grad is not None else None


def graph(
    thing: Tensor | nn.Module | Callable[..., Any],
    inputs: Any = None,
    *,
    names: Mapping[str, Tensor] | None = None,
    values: bool = False,
    level: str = "module",
) -> Graph:
    """The computational graph of a tensor expression, a model or a function.

    A tensor is followed back through autograd, which knows what needs a gradient, and other
    tensors only where they have a name and are kept for the backward pass. A model or a function
    is run and watched, and shows everything; it is left as it was. A dict of tensors that it
    returns names what it holds.

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
        model = type(name, (nn.Module,), {"forward": staticmethod(thing)})()
        return watched(model, inputs, names or {}, values, "operation")
    raise InsightError(f"graph wants a tensor, a model or a function, got {type(thing).__name__}")


def drawn(results: Iterable[Value], inputs: Iterable[Value], title: str) -> Graph:
    """Squares for what has a label, circles for calls, arrows for what goes into what."""
    nodes: list[Node] = []
    edges: list[tuple[str, str]] = []
    known: dict[Value | Step, str] = {}

    def add(label: str, kind: str, of: Value, *more: Any) -> str:
        nodes.append(Node(f"n{len(nodes)}", label, kind, of.shape, *more))
        return nodes[-1].id

    def draw(value: Value) -> None:
        step = value.maker
        if step and step not in known:
            known[step] = add(step.label, "operation", value)
            edges.extend((known[x], known[step]) for x in step.inputs)
        if not step or value.label:
            told = (value.value, value.gradient, value.shaded)
            known[value] = add(value.label or "constant", "variable", value, *told)
            edges.extend([(known[step], known[value])] if step else [])
        elif step:
            known[value] = known[step]

    stack = [*reversed([*inputs, *results])]
    while stack:  # no recursion: a graph may be thousands of calls deep
        value = stack[-1]
        missing = [x for x in (value.maker.inputs if value.maker else ()) if x not in known]
        stack.extend(reversed(missing))
        if not missing:
            stack.pop()
            if value not in known:
                draw(value)
    return Graph(nodes, edges, title)


def followed(result: Tensor, names: Mapping[str, Tensor], values: bool) -> Graph:
    """The graph of a tensor, from what autograd keeps for the backward pass."""
    if result.grad_fn is None:
        why = "a leaf" if result.requires_grad else "detached, or made of what needs no gradient"
        raise InsightError(
            f"the tensor of shape {tuple(result.shape)} has no grad_fn, it is {why}: pass what is "
            "computed from tensors with requires_grad=True, or the function that computes it"
        )
    steps: dict[Any, Step] = {}
    made: dict[tuple[Any, int], Value] = {}
    called = {edge_of(t): (name, t) for name, t in names.items() if t.requires_grad}
    kept = {memory_of(t): (name, t) for name, t in names.items() if not t.requires_grad}
    constants: dict[str, Value] = {}

    def value_of(fn: Any, number: int) -> Value:
        leaf = getattr(fn, "variable", None)
        name, tensor = called.get((fn, number), ("", leaf))
        if (fn, number) not in made:
            shape = fn._input_metadata[number].shape if leaf is None else leaf.shape
            step = None if leaf is not None else steps.setdefault(fn, Step(autograd_label(fn)))
            shaded = isinstance(leaf, nn.Parameter)
            label = name or ("" if leaf is None else "parameter" if shaded else "leaf")
            value = made[fn, number] = Value(tuple(shape), step, label, shaded)
            if values and tensor is not None:
                value.show(tensor)
        return made[fn, number]

    final = value_of(*edge_of(result))
    if not final.label:
        final.label = "result"
        if values:
            final.show(result)
    todo, seen = [result.grad_fn], {result.grad_fn}
    while todo:
        fn = todo.pop()
        for source, number in fn.next_functions:
            if source is not None:
                steps[fn].inputs.append(value_of(source, number))
                if source not in seen and not hasattr(source, "variable"):
                    todo.append(source)
                seen.add(source)
        for name, tensor in constants_of(fn, kept):
            constant = constants.setdefault(name, Value(tuple(tensor.shape), label=name))
            steps[fn].inputs.append(constant)
            if values:
                constant.show(tensor)
    return drawn([final], [], "computational graph")


class Recorder(TorchFunctionMode):
    """Notes what is called, on which tensors, and which tensors it writes."""

    def __init__(self, values: bool) -> None:
        super().__init__()
        self.values = values
        self.holds = WeakTensorKeyDictionary()  # what each tensor holds now
        self.inside = 0  # modules that are one circle
        self.given: dict[int, tuple[Tensor, int]] = {}

    def name(self, tensor: Tensor, label: str, step: Step | None = None) -> Value:
        """From here on the tensor holds something new."""
        shaded = isinstance(tensor, nn.Parameter) and step is None
        value = self.holds[tensor] = Value(tuple(tensor.shape), step, label, shaded)
        if self.values:
            value.show(tensor)
        return value

    def value(self, tensor: Tensor) -> Value:
        """What a tensor holds; what nobody has named is a constant."""
        return self.holds[tensor] if tensor in self.holds else self.name(tensor, "constant")

    def note(self, label: str, given: dict[int, tuple[Tensor, int]], out: Any) -> None:
        """A call has ended: what it wrote, and what shares memory with that, holds its result."""
        written = [t for t, version in given.values() if version_of(t) != version]
        fresh = [t for t in tensors(out) if id(t) not in given]
        if written or fresh:
            stores = {store_of(t) for t in written}
            shared = [t for t in list(self.holds) if stores and store_of(t) in stores]
            read = {id(t): t for t in (*(t for t, _ in given.values()), *shared)}
            step = Step(label, [self.value(t) for t in read.values()])
            for tensor in {id(t): t for t in (*written, *shared, *fresh)}.values():
                self.name(tensor, "", step)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = versions((args, kwargs))
        out = func(*args, **(kwargs or {}))
        rows = list(out) if func is Tensor.__iter__ else out
        if not self.inside:
            self.note(call_label(func), given, rows)
        return iter(rows) if func is Tensor.__iter__ else out

    def watch(self, path: str, module: nn.Module) -> None:
        """Make one circle of a module."""
        kernel, dims = getattr(module, "kernel_size", None), type(module).__name__[-2:-1]
        kernel = (kernel,) * int(dims) if isinstance(kernel, int) and dims.isdigit() else kernel
        window = f"{shape_text(kernel)} " if isinstance(kernel, tuple) else ""

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            self.inside += 1
            if self.inside == 1:
                self.given = versions((args, kwargs))

        def after(module: nn.Module, args: Any, out: Any) -> Any:
            if self.inside == 1:
                same = {k for k, (t, version) in self.given.items() if version_of(t) == version}
                out = tree_map_only(Tensor, lambda t: t.view_as(t) if id(t) in same else t, out)
                self.note(f"{window}{type(module).__name__}\n{path}", self.given, out)
            self.inside -= 1
            return out

        module.register_forward_pre_hook(before, prepend=True, with_kwargs=True)
        module.register_forward_hook(after)


def watched(
    model: nn.Module, inputs: Any, names: Mapping[str, Tensor], values: bool, level: str
) -> Graph:
    """The graph of a model, from a twin of it that runs: without numbers, where that will do."""
    if inputs is None and any(p.default is p.empty for p in parameters_of(model)):
        wanted = ", ".join(p.name for p in parameters_of(model))
        raise InsightError(
            f"the graph of {type(model).__name__} wants inputs for ({wanted}): pass a shape such "
            "as inputs=(1, 1, 28, 28), an example tensor, a tuple of them or a dict by name"
        )
    if not values and next(model.parameters(), None) is not None:
        try:
            return recorded(twin_of(model, to_meta), inputs, to_meta, {}, False, level)
        except InsightError:
            pass  # it may look at its data
    home = next((p.device for p in model.parameters()), torch.device("cpu"))
    twin = twin_of(working_twin(model), copied)
    return recorded(twin, inputs, lambda t: copied(t, home), names, values, level)


def recorded(
    twin: nn.Module,
    inputs: Any,
    convert: Callable[[Tensor], Tensor],
    names: Mapping[str, Tensor],
    values: bool,
    level: str,
) -> Graph:
    """Run a twin once and draw what it called on the way from its inputs to its outputs."""
    args, kwargs = ((), {}) if inputs is None else arguments(twin, inputs, convert)
    recorder = Recorder(values)
    named = [*twin.named_parameters(), *twin.named_buffers(), *names.items()]
    for name, tensor in named:
        recorder.name(tensor, name)
    bound = inspect.signature(twin.forward).bind(*args, **kwargs).arguments
    given = [recorder.name(tensor, name) for name, tensor in labelled(dict(bound))]
    for path, module in twin.named_modules():
        if level == "module" and path and not list(module.children()):
            recorder.watch(path, module)
    with preserved_chance(), recorder:
        out = call(twin, args, kwargs)
    results = labelled(out if isinstance(out, Mapping) else {"output": out})
    if not results:
        raise InsightError(
            f"{type(twin).__name__} returned no tensor, but {type(out).__name__}: return a "
            "tensor, or a tuple or dict of tensors"
        )
    ends = [recorder.value(tensor) for _, tensor in results]
    for (name, _), value in zip(results, ends, strict=True):
        value.label = value.label or name
    return drawn(ends, given, type(twin).__name__)


def edge_of(tensor: Tensor) -> tuple[Any, int]:
    """The function of autograd that made a tensor, or takes its gradient, and which output."""
    edge = torch.autograd.graph.get_gradient_edge(tensor)
    return edge.node, edge.output_nr


def memory_of(tensor: Tensor) -> tuple[int, int]:
    """Where a tensor's numbers are: the same for a view of all of them."""
    return (tensor.data_ptr(), tensor.numel()) if tensor.layout == torch.strided else (0, 0)


def constants_of(fn: Any, kept: Mapping[Any, Any]) -> list[tuple[str, Tensor]]:
    """The named tensors without gradient that a function keeps for its backward pass."""
    found: dict[str, Tensor] = {}
    if kept and any(source is None for source, _ in fn.next_functions):
        for name in dir(fn):
            if name.startswith("_saved_"):
                try:
                    saved = getattr(fn, name)
                except RuntimeError:  # a backward pass has freed it
                    continue
                if isinstance(saved, Tensor) and saved.numel() and memory_of(saved) in kept:
                    found.update([kept[memory_of(saved)]])
    return list(found.items())


def autograd_label(fn: Any) -> str:
    """What a function of autograd is called: `log_softmax` for LogSoftmaxBackward0."""
    name, backward, number = re.fullmatch(r"(.*?)(Backward)?(\d*)", fn.name().split("::")[-1]).groups()
    return name if backward and not number else WORDS.sub("_", name).lower()


def call_label(func: Any) -> str:
    """What a function of torch is called; a property by its name, an operator by its word."""
    name = getattr(func, "__name__", type(func).__name__)
    name = func.__self__.__name__ if name in ("__get__", "__set__") else name
    operator = DUNDER.fullmatch(name)
    word = operator[1].removeprefix("true") if operator else name.removeprefix("__")
    return {"iter__": "unbind"}.get(word, word.removesuffix("__"))


def labelled(given: Any) -> list[tuple[str, Tensor]]:
    """The tensors in nested tuples and dicts with the words that lead there: `state[0]`."""
    found = []
    for path, leaf in tree_flatten_with_path(given)[0]:
        if isinstance(leaf, Tensor):
            keys = [getattr(part, "key", getattr(part, "name", None)) for part in path]
            name = "".join(
                f"[{part.idx}]" if key is None else f".{key}"
                for part, key in zip(path, keys, strict=True)
            )
            found.append((name.removeprefix("."), leaf))
    return found


def tensors(given: Any) -> list[Tensor]:
    """The tensors in nested tuples and dicts."""
    return [x for x in tree_leaves(given) if isinstance(x, Tensor)]


def versions(given: Any) -> dict[int, tuple[Tensor, int]]:
    """The tensors by identity, each with how often it has been written."""
    return {id(t): (t, version_of(t)) for t in tensors(given)}


def version_of(tensor: Tensor) -> int:
    """How often a tensor has been written."""
    return 0 if tensor.is_inference() else tensor._version


def store_of(tensor: Tensor) -> int:
    """What a tensor shares with its views."""
    strided = tensor.layout == torch.strided
    return tensor.untyped_storage()._cdata if strided else id(tensor)


def copied(tensor: Tensor, device: torch.device | None = None) -> Tensor:
    """A tensor of its own with the same numbers and the same gradient."""
    copy = tensor.detach().clone().to(device or tensor.device)
    if isinstance(tensor, nn.Parameter):
        copy = nn.Parameter(copy, tensor.requires_grad)
    copy.requires_grad_(tensor.requires_grad)
    if tensor.is_leaf or tensor.retains_grad:
        copy.grad = tensor.grad
    return copy


def parameters_of(model: nn.Module) -> list[inspect.Parameter]:
    """What `forward` takes by name."""
    many = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [p for p in inspect.signature(model.forward).parameters.values() if p.kind not in many]
