"""What each channel of a layer answers to an image, and how a model is run without a trace."""

import difflib
import inspect
import random
import sys
import traceback
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.parameter import is_lazy
from torch.utils._pytree import tree_map
from torch.utils.hooks import RemovableHandle

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WATCHERS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_backward_hooks",
    "_backward_pre_hooks",
)


class InsightError(ValueError):
    """A model or an input that cannot be looked into; its message is one line."""


def twin_of(model: nn.Module, convert: Callable[[Tensor], Tensor]) -> nn.Module:
    """A model of the same structure with converted tensors: the first never notices a call of it.

    Modules and tensors are followed through attributes and plain lists, tuples and dicts. Hooks
    that only watch are left out; those that come before a forward may compute weights and stay.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile has wrapped
    if isinstance(model, torch.jit.ScriptModule):
        raise InsightError(f"{_kind(model)} is a compiled script: pass the model it was made from")
    made: dict[int, Any] = {}

    def twin(value: Any) -> Any:
        if not isinstance(value, (nn.Module, Tensor)):
            return value
        if id(value) not in made:  # what is shared stays shared
            made[id(value)] = convert(value) if isinstance(value, Tensor) else twin_module(value)
        return made[id(value)]

    def twin_module(module: nn.Module) -> nn.Module:
        other: nn.Module = object.__new__(type(module))
        made[id(module)] = other
        state = other.__dict__
        state.update({name: tree_map(twin, value) for name, value in vars(module).items()})
        state.update({name: OrderedDict() for name in WATCHERS})
        state.pop("_compiled_call_impl", None)
        for name in {"_initialize_hook", "_load_hook"} & set(state):  # of lazy layers
            handle = RemovableHandle(state["_forward_pre_hooks"])
            handle.id, state[name] = state[name].id, handle
        return other

    return twin_module(model)


def to_meta(tensor: Tensor) -> Tensor:
    """The tensor's shape and type without its numbers."""
    if is_lazy(tensor):
        return type(tensor)(requires_grad=tensor.requires_grad, device="meta")  # type: ignore[call-arg]
    bare = tensor if tensor.is_meta else torch.empty_like(tensor, device="meta")
    is_parameter = isinstance(tensor, nn.Parameter) and bare is not tensor
    return nn.Parameter(bare, tensor.requires_grad) if is_parameter else bare


def working_twin(model: nn.Module) -> nn.Module:
    """A twin that computes with the model's own parameters and with copies of its buffers."""
    lazy = [name for name, p in model.named_parameters() if is_lazy(p)]
    if lazy:
        raise InsightError(f"{lazy[0]} has no shape yet: call the model once on a batch first")
    return twin_of(model, lambda t: t if isinstance(t, nn.Parameter) else t.detach().clone())


@contextmanager
def preserved_chance() -> Iterator[None]:
    """Whatever is drawn inside leaves every global generator where it was."""
    numpy: Any = sys.modules.get("numpy")
    state, numpy_state = random.getstate(), numpy and numpy.random.get_state()
    gpus = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    try:
        with torch.random.fork_rng(devices=gpus):
            yield
    finally:
        random.setstate(state)
        if numpy:
            numpy.random.set_state(numpy_state)


@contextmanager
def single_products() -> Iterator[None]:
    """Keeps kernels away that fuse several products to one operation, which no counter knows."""
    with warnings.catch_warnings(), sdpa_kernel(SDPBackend.MATH):
        warnings.simplefilter("ignore")  # a switch of oneDNN that does not matter here warns
        with torch.backends.mkldnn.flags(enabled=False):
            yield


def is_shape(value: Any) -> bool:
    """Whether this is a sequence of sizes."""
    return isinstance(value, (tuple, list)) and all(type(n) is int and n >= 0 for n in value)


def arguments(
    model: nn.Module, inputs: Any, convert: Callable[[Tensor], Tensor]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call: a shape becomes zeros, a tensor is converted.

    Args:
        model: is asked which arguments it takes and of what type its numbers are.
        inputs: a shape or a tensor; a tuple of them, one for each argument; or a dict of
            arguments by name, which goes in as it is where ``forward`` takes a dict.
        convert: what becomes of each tensor.
    """
    dtypes = [p.dtype for p in model.parameters() if p.is_floating_point()]

    def example(value: Any) -> Any:
        if isinstance(value, Tensor):
            return convert(value)
        if is_shape(value):
            zeros = torch.zeros((), dtype=dtypes[0] if dtypes else None).expand(tuple(value))
            return convert(zeros)
        if isinstance(value, Mapping):
            return {name: example(part) for name, part in value.items()}
        if isinstance(value, (tuple, list)) and not any(type(n) in (int, float) for n in value):
            return tuple(map(example, value))
        raise InsightError(
            f"an input wants to be a shape such as (1, 1, 28, 28) or a tensor, got {value!r:.80}"
        )

    given, signature = example(inputs), inspect.signature(model.forward)
    one = isinstance(given, (Tensor, Mapping))
    ways: list[Any] = [((given,) if one else given, {})]
    if isinstance(given, dict):
        ways.insert(0, ((), given))
    for args, kwargs in ways:
        with suppress(TypeError):
            signature.bind(*args, **kwargs)
            return args, kwargs
    got = f"the names {', '.join(given)}" if isinstance(given, dict) else len(ways[0][0])
    raise InsightError(
        f"{_kind(model)}.forward wants ({', '.join(map(str, signature.parameters.values()))}), got "
        f"{got}: pass a tuple with a shape or tensor for each, or a dict by name"
    )


def call(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The outputs of a model; what it raises becomes one line that says where."""
    try:
        return model(*args, **kwargs)
    except InsightError:
        raise
    except Exception as error:
        paths = {id(module): path for path, module in model.named_modules() if path}
        frames = [frame.f_locals.get("self") for frame, _ in traceback.walk_tb(error.__traceback__)]
        where = [paths[id(frame)] for frame in frames if id(frame) in paths]
        told = (str(error).strip().splitlines() or [""])[0]
        raise InsightError(
            f"{_kind(model)} raised {type(error).__name__} in {'.'.join(where[-1:]) or 'forward'}: "
            f"{told}: pass inputs that it takes, whole numbers as example tensors"
        ) from error


def text_table(rows: Sequence[Sequence[str]], left: int) -> str:
    """Rows in columns: the first ones begin on the left, the others are numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = (
        "  ".join(c.ljust(w) if i < left else c.rjust(w) for i, (c, w) in enumerate(cells))
        for cells in (zip(row, widths, strict=True) for row in rows)
    )
    return "\n".join(line.rstrip() for line in lines)


def shape_text(shape: Sequence[int] | None) -> str:
    """A shape as people write it: 1×6×28×28."""
    return "–" if shape is None else "×".join(map(str, shape))


def bytes_text(size: int) -> str:
    """A number of bytes as people say it."""
    power = (len(str(size)) - 1) // 3
    return f"{size / 1000**power:.1f} {'kMGTP'[power - 1]}B" if power else f"{size} B"


class Features(dict[str, Float[Tensor, "channels height width"]]):
    """The maps of an image by the path of the layer that made them."""

    def figure(self, num_channels: int = 8) -> "Figure":
        """The first channels of each layer, a row a layer; bright is a strong answer."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(1.3 * num_channels, 1.4 * len(self)), layout="constrained")
        rows = figure.subplots(len(self), num_channels, squeeze=False)
        for (path, maps), row in zip(self.items(), rows, strict=True):
            low, high = float(maps.min()), float(maps.max())  # one scale, to compare channels
            row[0].set_title(path, fontsize=8, loc="left")
            for axes in row:
                axes.axis("off")
            for axes, channel in zip(row, maps.float().cpu().numpy(), strict=False):
                axes.imshow(channel, cmap="gray", vmin=low, vmax=high)
        return figure


def features(
    model: nn.Module,
    image: Num[Tensor, "*batch channels height width"],
    layer: str | Sequence[str] | None = None,
) -> Features:
    """What each channel of a layer answers to an image; the model predicts and is left as it was.

    Args:
        model: any module.
        image: one image, with or without a batch axis.
        layer: the path of a layer, or several; None takes all that give maps.

    Raises:
        InsightError: more than one image, a layer that is not there, or one that gives no maps.
    """
    if image.dim() not in (3, 4) or (image.dim() == 4 and len(image) != 1):
        raise InsightError(
            f"features wants one image of shape (channels, height, width), got "
            f"{tuple(image.shape)}: pass images[0]"
        )
    twin, answers = working_twin(model).eval(), Features()
    known = dict(twin.named_modules())
    leaves = [path for path, module in known.items() if not list(module.children())]
    wanted = [layer] if isinstance(layer, str) else layer
    for path in wanted or ():
        if path not in known:
            near = difflib.get_close_matches(path, known, n=1) or [", ".join(filter(None, known))]
            raise InsightError(f"{_kind(model)} has no layer {path!r}: did you mean {near[0]}?")
    for path, module in known.items():
        module.register_forward_hook(_noting(answers, path))
    home = next(twin.parameters(), image).device
    with torch.no_grad(), preserved_chance():
        call(twin, (image.reshape(1, *image.shape[-3:]).to(home, copy=True),), {})
    missing = [path for path in wanted or () if path not in answers]
    if missing or not answers:
        raise InsightError(
            f"{missing[0] if missing else _kind(model)} gives no maps of shape (1, channels, "
            f"height, width): choose from {', '.join(filter(None, answers)) or 'another model'}"
        )
    return Features({path: answers[path] for path in wanted or leaves if path in answers})


def _noting(answers: Features, path: str) -> Callable[..., None]:
    def hook(module: nn.Module, inputs: Any, output: Any) -> None:
        if isinstance(output, Tensor) and output.dim() == 4 and len(output) == 1:
            answers[path] = output[0].clone()  # the next layer may work in place

    return hook


def _kind(model: nn.Module) -> str:
    return type(model).__name__
