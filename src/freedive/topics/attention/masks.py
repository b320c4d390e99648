"""Which keys a query may see: by valid lengths, by order, or as a mask says (11.3.2, 11.7).

A mask is true where a query may see a key, as for torch's `scaled_dot_product_attention`.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from freedive.core.errors import UsageError

# how many keys each example (1-D) or each query (2-D) may see, or a mask
Valid = Int[Tensor, " batch"] | Int[Tensor, "batch queries"] | Bool[Tensor, "*shape"] | None


def length_mask(
    valid_lens: Int[Tensor, "*shape"], num_keys: int
) -> Bool[Tensor, "*shape num_keys"]:
    """m_j = [j < l]: the first l of the keys may be seen.

    >>> length_mask(torch.tensor([1, 3]), 3)
    tensor([[ True, False, False],
            [ True,  True,  True]])
    """
    return torch.arange(num_keys, device=valid_lens.device) < valid_lens[..., None]


def causal_mask(
    num_queries: int, num_keys: int, device: torch.device | None = None
) -> Bool[Tensor, "num_queries num_keys"]:
    """m_ij = [j ≤ i + keys − queries]: each query sees its own step and those before it.

    The queries are the last of the steps that the keys belong to.

    >>> causal_mask(2, 3)
    tensor([[ True,  True, False],
            [ True,  True,  True]])
    """
    every = torch.ones(num_queries, num_keys, dtype=torch.bool, device=device)
    return every.tril(num_keys - num_queries)


def visible(
    valid_lens: Valid,
    shape: Sequence[int],
    causal: bool = False,
    device: torch.device | None = None,
) -> Bool[Tensor, "*mask"] | None:
    """The mask for scores of a shape (batch, …, queries, keys); None where all may be seen.

    Args:
        valid_lens: lengths of each example or of each query, a mask, or None.
        shape: of the scores; heads stand between the batch and the queries.
        causal: whether later steps are hidden besides.
        device: of the scores.

    Raises:
        UsageError: lengths of another batch or beyond the keys, or a mask of another shape.
    """
    mask = None if valid_lens is None else _mask_from(valid_lens, shape)
    if not causal or shape[-2] == 1:  # the last step sees all that came before
        return mask
    before = causal_mask(shape[-2], shape[-1], device)
    return before if mask is None else mask & before


def _mask_from(valid_lens: Tensor, shape: Sequence[int]) -> Tensor:
    """A mask with as many axes as the scores, which broadcasts to them."""
    if valid_lens.dtype == torch.bool:
        _check_mask(valid_lens, shape)
        return valid_lens[(None,) * (len(shape) - valid_lens.dim())]  # torch's own wants two axes
    _check_lengths(valid_lens, shape)
    per_query = valid_lens if valid_lens.dim() == 2 else valid_lens[:, None]
    mask = length_mask(per_query, shape[-1])
    return mask.reshape(len(mask), *(1,) * (len(shape) - 3), *mask.shape[1:])


def _check_mask(mask: Tensor, shape: Sequence[int]) -> None:
    padded = (1,) * (len(shape) - mask.dim()) + tuple(mask.shape)
    if len(padded) != len(shape) or any(
        size not in (1, wanted) for size, wanted in zip(padded, shape, strict=True)
    ):
        raise UsageError(
            f"a mask for scores of shape {tuple(shape)} wants a shape that broadcasts to it, got "
            f"{tuple(mask.shape)}: its last axes are queries and keys"
        )


def _check_lengths(valid_lens: Tensor, shape: Sequence[int]) -> None:
    batch, queries, keys = shape[0], shape[-2], shape[-1]
    if tuple(valid_lens.shape) not in ((batch,), (batch, queries)):
        raise UsageError(
            f"valid_lens wants one length for each of the {batch} examples or for each of their "
            f"{queries} queries, got a shape of {tuple(valid_lens.shape)}: pass ({batch},) or "
            f"({batch}, {queries})"
        )
    # reading a number from another device would wait for it, and a traced one has no value
    if valid_lens.device.type == "cpu" and valid_lens.numel() and not torch.compiler.is_compiling():
        shortest, longest = int(valid_lens.min()), int(valid_lens.max())
        if shortest < 0 or longest > keys:
            raise UsageError(
                f"valid lengths are numbers from 0 to {keys}, the number of keys, got "
                f"{shortest if shortest < 0 else longest}: count the keys that are no padding"
            )
