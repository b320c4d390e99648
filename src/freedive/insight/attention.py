"""Which keys each query of a model looks at: the weights of every attention, caught as it runs."""

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from freedive.insight.features import InsightError

MARK = "passes_attention_weights"  # of a class: its first input are weights on their way to values
MULTI_HEAD = inspect.signature(F.multi_head_attention_forward)


@dataclass(frozen=True, eq=False)  # two tensors have no single answer to ==
class Attention:
    """The weights of one attention, softmax(q kᵀ/√d) or whatever the model makes of q and k.

    Attributes:
        name: path of the module that attended.
        weights: of each query, for each key: float32, on the CPU, without dropout. Rows of queries
            that see no key are zero, all others sum to one.
        queries, keys: the tokens that stand on the two axes, where they are known.
    """

    name: str
    weights: Float[Tensor, "batch heads queries keys"]
    queries: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()


@contextmanager
def attention_weights(model: nn.Module) -> Iterator[list[Attention]]:
    """Catches the weights of every attention of a model while it is active.

    What is caught: ``F.scaled_dot_product_attention``, also with heads that share keys;
    ``nn.MultiheadAttention`` and all that is built of it, with or without ``need_weights``; and
    what passes through a module whose class has ``passes_attention_weights = True``, of shape
    (batch, heads, queries, keys), or (batch, queries, keys) with one head. In training or not;
    what the model computes, and what it is, does not change. (torch's fused encoder layers are
    bypassed: they tell no weights. What they set to zero, outputs of padding, is computed then.)

    Yields:
        a list that grows with each call, in the order of the calls.

    Raises:
        InsightError: a compiled script, which cannot be looked into.
    """
    model = getattr(model, "_orig_mod", model)  # what torch.compile has wrapped
    if isinstance(model, torch.jit.ScriptModule):
        raise InsightError(
            f"{type(model).__name__} is a compiled script: pass the model it was made from"
        )
    caught: list[Attention] = []
    within = [""]  # the paths of the modules that are being executed
    with ExitStack() as stack:
        if "torch._dynamo" in sys.modules:  # something may be compiled, and would not be seen
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        for path, module in model.named_modules():
            if isinstance(module, torch.jit.ScriptModule):
                continue
            for handle in _watched(module, path.replace("_orig_mod.", ""), within, caught):
                stack.callback(handle.remove)
        stack.enter_context(_Catcher(within, caught))
        yield caught


def _watched(
    module: nn.Module, path: str, within: list[str], caught: list[Attention]
) -> Iterator[Any]:
    """Hooks that say where the model is, and that take what passes through a marked module."""
    if getattr(type(module), MARK, False):
        owner = path.rpartition(".")[0]
        yield module.register_forward_pre_hook(
            lambda m, args, kwargs: _note(caught, owner, [*args, *kwargs.values()][0]),
            with_kwargs=True,
        )
    yield module.register_forward_pre_hook(lambda m, i: within.append(path), prepend=True)
    yield module.register_forward_hook(lambda m, i, o: _leave(within), always_call=True)


def _leave(within: list[str]) -> None:
    del within[max(1, len(within) - 1) :]


def _note(caught: list[Attention], name: str, weights: Tensor) -> None:
    """Keep a copy of the weights, four axes whatever they had: one head, where none is told."""
    if weights.dim() < 4:
        weights = weights.unsqueeze(-3)
    *_, heads, queries, keys = weights.shape
    batch = weights.shape[:-3].numel()  # a product, so that nothing is guessed where one is 0
    weights = weights.detach().reshape(batch, heads, queries, keys)
    caught.append(Attention(name, weights.to("cpu", torch.float32, copy=True)))


class _Catcher(TorchFunctionMode):
    """Sees the two functions of torch that attend, and computes their weights beside them.

    While any such mode is active, ``nn.MultiheadAttention`` and ``nn.TransformerEncoderLayer``
    leave their fused paths: torch's own rule, on which this relies.
    """

    def __init__(self, within: list[str], caught: list[Attention]):
        super().__init__()
        self.within, self.caught = within, caught

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        output = func(*args, **(kwargs or {}))
        weights_of = WEIGHTS_OF.get(func)
        if weights_of is not None:
            with torch.no_grad():
                _note(self.caught, self.within[-1], weights_of(*args, **(kwargs or {})))
        return output


def dot_product_weights(
    query: Float[Tensor, "*batch queries d"],
    key: Float[Tensor, "*batch keys d"],
    value: Tensor | None = None,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Float[Tensor, "*batch queries keys"]:
    """The weights that ``F.scaled_dot_product_attention`` uses of the same arguments.

    softmax(scale · q kᵀ + mask) in float32 at least, without dropout; 1/√d where no scale is given.
    A query that sees no key has weights of zero.
    """
    if query.is_nested or key.is_nested:
        raise InsightError("attention of nested tensors is not shown: pass padded ones and a mask")
    exact = torch.promote_types(query.dtype, torch.float32)
    if enable_gqa:  # some heads of the queries share a head of the keys
        key = key.repeat_interleave(query.shape[-3] // key.shape[-3], dim=-3)
    scale = max(1, query.shape[-1]) ** -0.5 if scale is None else scale
    with torch.autocast(query.device.type, enabled=False):
        scores = scale * query.to(exact) @ key.to(exact).transpose(-2, -1)
    if is_causal:
        seen = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril()
        scores = scores.masked_fill(~seen, -torch.inf)
    if attn_mask is not None:
        if hasattr(attn_mask, "_materialize"):  # torch.nn.attention.bias: a mask without numbers
            attn_mask = attn_mask._materialize(scores.device)
        if attn_mask.dtype == torch.bool:
            scores = scores.masked_fill(~attn_mask, -torch.inf)
        else:
            scores = scores + attn_mask
    unseeing = (scores == -torch.inf).all(dim=-1, keepdim=True)
    return scores.softmax(dim=-1).masked_fill(unseeing, 0.0)


def multi_head_weights(*args: Any, **kwargs: Any) -> Float[Tensor, "batch heads queries keys"]:
    """The weights of each head that ``F.multi_head_attention_forward`` uses, without dropout.

    The function is asked for them itself, whatever its caller wanted to know.
    """

    def exact(value: Any) -> Any:
        is_number = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(torch.promote_types(value.dtype, torch.float32)) if is_number else value

    asked: dict[str, Any] = tree_map(exact, MULTI_HEAD.bind(*args, **kwargs).arguments)
    asked |= {"training": False, "need_weights": True, "average_attn_weights": False}
    with torch.autocast(asked["query"].device.type, enabled=False):
        _, weights = F.multi_head_attention_forward(**asked)
    assert weights is not None  # they were asked for
    if all(asked[name].isfinite().all() for name in ("query", "key")):
        weights = weights.nan_to_num(0.0)  # can only come of rows where every key is hidden
    return weights if weights.dim() == 4 else weights[None]  # there was no batch


WEIGHTS_OF: dict[Any, Callable[..., Tensor]] = {
    F.scaled_dot_product_attention: dot_product_weights,
    F.multi_head_attention_forward: multi_head_weights,
}


def stacked(caught: Iterable[Attention]) -> list[Attention]:
    """The calls of each module joined along the queries, where it was called step by step.

    A decoder attends with one query at a time, to the same keys or to one more each time. Its
    first call may have several queries: what it was begun with. Keys that were not there yet have
    weights of zero. A module whose calls do not fit together keeps all of them.
    """
    calls: dict[str, list[Attention]] = {}
    for attention in caught:
        calls.setdefault(attention.name, []).append(attention)
    return [joined for same in calls.values() for joined in _joined(same)]


def _joined(calls: list[Attention]) -> list[Attention]:
    shapes = [attention.weights.shape for attention in calls]
    numbers = [keys for *_, keys in shapes]
    one_by_one = all(queries == 1 for _, _, queries, _ in shapes[1:])
    alike = len({(batch, heads) for batch, heads, _, _ in shapes}) == 1
    if len(calls) == 1 or not (one_by_one and alike and numbers == sorted(numbers)):
        return calls
    rows = [F.pad(a.weights, (0, numbers[-1] - a.weights.shape[-1])) for a in calls]
    queries = tuple(token for a in calls for token in a.queries)
    return [replace(calls[-1], weights=torch.cat(rows, dim=2), queries=queries)]


def attended(
    model: nn.Module, inputs: Sequence[Tensor], axes: Mapping[str, Sequence[str]]
) -> list[Attention]:
    """Every attention of one call of a model, with the tokens that stand on its axes.

    Args:
        model: is called as it is, in training or not. One that reads several sequences says by
            ``attention_axes(name)`` which of them ask and which are asked in the attention of that
            name.
        inputs: the arguments of the call, for one row.
        axes: the tokens of each sequence, by its name.
    """
    with attention_weights(model) as caught:
        model(*inputs)
    found = []
    for attention in stacked(caught):
        sides = [tuple(axes.get(name, ())) for name in axes_of(model, attention.name, axes)]
        sizes = attention.weights.shape[2:]  # tokens are shown where there is one for each place
        queries, keys = (s if len(s) == n else () for s, n in zip(sides, sizes, strict=True))
        found.append(replace(attention, queries=queries, keys=keys))
    return found


def axes_of(model: nn.Module, attention: str, axes: Iterable[str]) -> tuple[str, str]:
    """Which of a model's sequences ask, and which are asked, in the attention of that name."""
    names = tuple(axes)
    if len(names) == 1:
        return names[0], names[0]
    says = getattr(model, "attention_axes", None)
    return says(attention) if says else ("", "")
