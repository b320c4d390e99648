"""The layers of a model as a table, found without running it on data."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.flop_counter import flop_registry
from torch.utils.weak import WeakTensorKeyDictionary

from freedive.insight.features import (
    InsightError,
    arguments,
    bytes_text,
    call,
    preserved_chance,
    shape_text,
    single_products,
    text_table,
    to_meta,
    twin_of,
    working_twin,
)

Shape = tuple[int, ...]
Field = tuple[tuple[int, int], ...]  # for each axis: pixels seen, pixels between neighbours

# the statistics of a norm are not counted as something that is seen
KEEPS = (
    *("cat", "split", "slice", "view", "_unsafe_view", "unsqueeze", "squeeze", "expand", "clone"),
    *("_to_copy", "detach", "alias", "constant_pad_nd", "native_dropout", "native_batch_norm"),
    *("_native_batch_norm_legit_no_training", "native_group_norm", "native_layer_norm"),
)
LOOKS = "looks at its data, and a shape has none: pass example tensors"
ALSO_MULTIPLY = {"mv": 0, "dot": 0, "vdot": 0, "addmv": 1}  # which argument has a product each


@dataclass(frozen=True)
class Layer:
    """One row: a module that computes something itself, or a block with all that is in it.

    Attributes:
        path: where it stands in the model; empty for the model itself.
        kind: its class.
        output_shape: of its last call, with the batch axis; the first one of several.
        parameters: how many numbers it learns; what is shared counts at its first owner.
        macs: multiply-adds of all its calls, as many as torch's FLOP counter halves.
        memory: bytes of its outputs; a view of something earlier needs none.
        receptive_field: height and width of the input that one output pixel sees, padding
            counted; None where an output has no place in an image.
        jump: pixels of the input between two neighbours of the output.
        calls: how often it is called; its parent may use its parameters without a call.
        output_shapes: of all tensors that its last call gave.
    """

    path: str
    kind: str
    output_shape: Shape
    parameters: int
    macs: int
    memory: int
    receptive_field: Shape | None
    jump: Shape | None
    calls: int
    output_shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Summary:
    """A model's layers in the order of their calls, and the blocks that they form.

    Attributes:
        layers: what computes something itself, with its own numbers; they add up to the totals.
        blocks: every module, with the sums of what is in it; the last one is the model itself.
    """

    layers: tuple[Layer, ...]
    blocks: tuple[Layer, ...]
    trainable: int
    parameters: int
    macs: int
    memory: int

    def rows(self) -> list[tuple[str, ...]]:
        """The table as text: a head, a row for each block, set in as it nests, and the total."""
        head = ("layer", "kind", "output", "parameters", "MACs", "memory", "sees", "step")
        return [head, *map(_cells, self.blocks)]

    def __str__(self) -> str:
        return text_table(self.rows(), left=3)


class Watch(TorchDispatchMode):
    """Counts each operation's multiply-adds for the module at work and follows what it sees."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = [""]
        self.calls: Counter[str] = Counter()
        self.macs: Counter[str] = Counter()
        self.memory: Counter[str] = Counter()
        self.shapes: dict[str, tuple[Shape, ...]] = {}
        self.sees: dict[str, Field | None] = {}
        self.held: dict[int, Any] = {}  # storages that cost nothing more
        self.fields = WeakTensorKeyDictionary()  # None for what depends on the input, but not where

    def hold(self, values: Any) -> int:
        """The bytes that these tensors need beyond what is held already."""
        tensors = [x for x in tree_leaves(values) if isinstance(x, Tensor) and not is_lazy(x)]
        storages = [x.untyped_storage() for x in tensors]
        new = {s._cdata: s for s in storages if s._cdata not in self.held}
        self.held.update(new)
        return sum(s.nbytes() for s in new.values())

    def enter(self, path: str) -> None:
        """A module begins to work."""
        self.calls[path] += 1
        self.stack.append(path)

    def leave(self, path: str, module: nn.Module, inputs: Any, output: Any) -> None:
        """A module has ended: note what it gives."""
        self.stack.pop()
        outputs = [x for x in tree_leaves(output) if isinstance(x, Tensor)]
        self.shapes[path] = tuple(tuple(x.shape) for x in outputs)
        self.memory[path] += self.hold(outputs)
        if outputs:
            if inputs and self.fields.get(outputs[0]) is None:
                self.fields[outputs[0]] = declared(module, inputs[0], outputs[0], self.fields)
            self.sees[path] = self.fields.get(outputs[0])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs, name = kwargs or {}, func._overloadpacket.__name__
        tensors = [x for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)]
        if any(x.is_meta for x in tensors):
            if {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & {*func.tags}:
                raise InsightError(f"{self.stack[-1] or 'forward'} {LOOKS} ({name})")
            args, kwargs = tree_map_only(Tensor, to_meta, (args, kwargs))
        if func._overloadpacket not in flop_registry and func is not torch.ops.prim.device.default:
            with self:  # within inference_mode operations arrive in one piece
                parts = func.decompose(*args, **kwargs)
            if parts is not NotImplemented:
                return parts
        out = func(*args, **kwargs)
        if func._overloadpacket in flop_registry:
            flops = flop_registry[func._overloadpacket](*args, **kwargs, out_val=out)
            self.macs[self.stack[-1]] += flops // 2
        elif name in ALSO_MULTIPLY:
            self.macs[self.stack[-1]] += args[ALSO_MULTIPLY[name]].numel()
        known = [(x, self.fields[x]) for x in tensors if x in self.fields]
        if known:
            lost = any(field is None for _, field in known)
            seen = None if lost else followed(func, args, out, known)
            self.fields.update({x: seen for x in tree_leaves(out) if isinstance(x, Tensor)})
        return out


def followed(func: Any, args: Any, out: Any, known: list[tuple[Tensor, Field]]) -> Field | None:
    """What the output of an operation sees, from what its inputs see; None where it is lost."""
    name, (x, field) = func._overloadpacket.__name__, known[0]
    if name == "convolution" and x is args[0] and not args[6]:
        return grown(field, args[1].shape[2:], args[3], args[5])
    if name.startswith(("max_pool", "avg_pool")):
        kernel, stride = args[1], args[2] if len(args) > 2 and args[2] else args[1]
        return grown(field, kernel, stride, args[4] if "max" in name and len(args) > 4 else 1)
    if field and name == "mean" and out.dim() == x.dim() and len(args) > 2:
        whole = {dim % x.dim() for dim in args[1]}
        axes = range(x.dim() - len(field), x.dim())
        kernel = [x.shape[axis] if axis in whole else 1 for axis in axes]
        return grown(field, kernel, kernel)
    if name in ("_adaptive_avg_pool2d", "adaptive_max_pool2d"):
        sizes = list(zip(x.shape[-2:], args[1], strict=True))
        reach = [max(-(-(i + 1) * n // m) - i * n // m for i in range(m)) for n, m in sizes]
        return grown(field, reach, [n // m for n, m in sizes])
    if torch.Tag.pointwise in func.tags or name in KEEPS:
        return merged(known, tree_leaves(out)[0], name == "constant_pad_nd")
    return () if name in ("permute", "transpose", "t", "embedding") and not field else None


def grown(field: Field, kernel: Any, stride: Any, dilation: Any = 1) -> Field:
    """What a window sees: (k − 1)·d more neighbours an axis, each a jump away."""
    axes = max(len(s) if isinstance(s, Sequence) else 1 for s in (kernel, stride, dilation))
    sizes = [[*s] * (axes // len(s)) if isinstance(s, Sequence) else [s] * axes
             for s in (kernel, stride, dilation)]  # fmt: skip
    axes = min(axes, len(field) or axes)
    last = zip((field or ((1, 1),) * axes)[-axes:], *(s[-axes:] for s in sizes), strict=True)
    return tuple((size + (k - 1) * d * jump, jump * s) for (size, jump), k, s, d in last)


def merged(known: list[tuple[Tensor, Field]], out: Tensor, padded: bool) -> Field | None:
    """What something made pixel by pixel sees: the largest of its inputs' fields."""
    n = max(len(field) for _, field in known)
    if n == 0:
        return ()
    n = min(n, out.dim() - 2)
    spatial = [(x.shape[-n:], field[-n:]) for x, field in known if field]
    for shape, field in spatial:
        fits = padded or all(a in (b, 1) for a, b in zip(shape, out.shape[-n:], strict=False))
        if len(field) != n or not fits:
            return None
    fields = zip(*(field for _, field in spatial), strict=True)
    return tuple((max(s for s, _ in axis), min(j for _, j in axis)) for axis in fields)


def declared(module: Any, x: Any, out: Tensor, fields: Any) -> Field | None:
    """What a module sees that says its window: one written from tensors up cannot be followed."""
    weight, stride = getattr(module, "weight", None), getattr(module, "stride", None)
    kernel = getattr(module, "kernel_size", None)
    if kernel is None and stride is not None and isinstance(weight, Tensor):
        kernel = tuple(weight.shape[2:])
    if getattr(module, "transposed", False) or "Unpool" in type(module).__name__:
        return None  # its window reads the other way round
    if not kernel or not isinstance(x, Tensor) or fields.get(x) is None or x.dim() != out.dim():
        return None
    kernel = kernel if isinstance(kernel, Sequence) else (kernel,) * (x.dim() - 2)
    return grown(fields[x], kernel, stride or kernel, getattr(module, "dilation", 1))


def summary(model: nn.Module, inputs: Any) -> Summary:
    """Every layer's shapes, parameters, multiply-adds, memory and receptive field.

    The model is left as it is and runs on meta tensors: no data, no memory. Only one that looks at
    its data runs on them, where ``inputs`` are example tensors.

    Args:
        model: any module; it is shown as it predicts.
        inputs: the shape of one batch, such as ``(1, 1, 28, 28)``, or an example tensor; a tuple
            of them for several arguments, or a dict by name. Whole numbers want a tensor.

    Raises:
        InsightError: the model fails, or looks at data and got only shapes.
    """
    bare = twin_of(model, to_meta)
    try:
        return _survey(bare, *arguments(bare, inputs, to_meta))
    except InsightError as error:
        if not all(isinstance(x, Tensor) for x in tree_leaves(inputs)):
            if "meta" in str(error):
                raise InsightError(f"{type(model).__name__} {LOOKS}") from error
            raise
    with single_products():
        twin = working_twin(model)
        return _survey(twin, *arguments(twin, inputs, lambda x: x.detach().clone()))


def _survey(twin: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Summary:
    modules, watch = dict(twin.eval().named_modules()), Watch()
    for path, module in modules.items():
        module.register_forward_pre_hook(lambda m, i, path=path: watch.enter(path))
        module.register_forward_hook(lambda m, i, o, path=path: watch.leave(path, m, i, o))
    watch.fields.update({x: () for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)})
    with torch.no_grad(), preserved_chance(), watch:
        watch.hold((args, kwargs, list(twin.parameters()), list(twin.buffers())))
        call(twin, args, kwargs)
    owned, seen = Counter[str](), set[int]()
    for path, module in modules.items():
        new = {id(p): p for p in module.parameters(recurse=False) if id(p) not in seen}
        seen.update(new)
        owned[path] = sum(p.numel() for p in new.values() if not is_lazy(p))
    return _tally(modules, watch, owned)


def _tally(modules: dict[str, nn.Module], watch: Watch, owned: Counter[str]) -> Summary:
    counts = (owned, watch.macs, watch.memory)
    own = sum(counts, watch.calls)  # whoever has nothing gets no row
    chains = {p: list(accumulate(p.split("."), "{}.{}".format)) for p in modules}
    within = {"": list(own)}
    for q in own:
        for p in filter(None, chains[q]):
            within.setdefault(p, []).append(q)
    order = {p: i for i, p in enumerate(dict.fromkeys([*watch.calls, *modules]))}
    first = {p: (min(order[q] for q in parts), order[p]) for p, parts in within.items() if parts}
    nested = sorted(first, key=lambda p: [first[q] for q in chains[p]])

    def row(path: str, parts: list[str]) -> Layer:
        shapes, field = watch.shapes.get(path, ()), watch.sees.get(path)
        sizes, jumps = zip(*field, strict=True) if field else (None, None)
        parameters, macs, memory = (sum(c[p] for p in parts) for c in counts)
        kind, shape, calls = type(modules[path]).__name__, (*shapes, ())[0], watch.calls[path]
        return Layer(path, kind, shape, parameters, macs, memory, sizes, jumps, calls, shapes)

    leaves = {p for p, module in modules.items() if not list(module.children())}
    layers = tuple(row(p, [p]) for p in nested if p in leaves or own[p] > watch.calls[p])
    blocks = tuple(row(p, within[p]) for p in (*filter(None, nested), ""))
    learning = [p for p in modules[""].parameters() if p.requires_grad and not is_lazy(p)]
    totals = (sum(c.values()) for c in counts)
    return Summary(layers, blocks, sum(p.numel() for p in learning), *totals)


def _cells(block: Layer) -> tuple[str, ...]:
    name = "  " * block.path.count(".") + block.path.rpartition(".")[2]
    return (
        name or "total", block.kind, " ".join(map(shape_text, block.output_shapes)) or "–",
        f"{block.parameters:,}", f"{block.macs:,}", bytes_text(block.memory),
        shape_text(block.receptive_field), shape_text(block.jump),
    )  # fmt: skip
