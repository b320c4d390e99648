"""Attention as the book writes it, one number at a time; and torch's layers in our order."""

import math

import torch
from torch import nn

from freedive.topics.building_blocks.custom_layers import Linear


def seen(valid_lens, shape):
    """The mask of the same shape as the scores, true where a query may see a key."""
    if valid_lens is None:
        return torch.ones(shape, dtype=torch.bool)
    if valid_lens.dtype == torch.bool:
        return valid_lens.expand(shape)
    mask = torch.zeros(shape, dtype=torch.bool)
    for i in range(shape[0]):
        for q in range(shape[-2]):
            length = valid_lens[i] if valid_lens.dim() == 1 else valid_lens[i, q]
            mask[i, ..., q, : int(length)] = True
    return mask


def softmax_loop(scores, mask):
    """exp(a_j)/Σ exp(a_k) over the keys that may be seen, in Python's numbers; 0 where none is."""
    weights = torch.zeros(scores.shape, dtype=torch.float64)
    rows = zip(*(t.reshape(-1, t.shape[-1]) for t in (weights, scores, mask)), strict=True)
    for weight, row, visible in rows:
        keys = [j for j, may in enumerate(visible.tolist()) if may]
        top = max((float(row[j]) for j in keys), default=0.0)
        terms = {j: math.exp(float(row[j]) - top) for j in keys}
        for j, term in terms.items():
            weight[j] = term / math.fsum(terms.values())
    return weights


def attention_loop(score, queries, keys, values, valid_lens=None):
    """Σ_j α(q, k_j) v_j, a pair of rows at a time; ``score`` gives a(q, k) of two rows."""
    batch = queries.shape[:-2]
    shape = (*batch, queries.shape[-2], keys.shape[-2])
    scores = torch.zeros(shape, dtype=queries.dtype)
    flat = [t.reshape(-1, *t.shape[-2:]) for t in (queries, keys)]
    for n, table in enumerate(scores.view(-1, *shape[-2:])):
        for i, q in enumerate(flat[0][n]):
            for j, k in enumerate(flat[1][n]):
                table[i, j] = score(q, k)
    weights = softmax_loop(scores.detach(), seen(valid_lens, shape)).to(values.dtype)
    return torch.einsum("...qk,...kv->...qv", weights, values)


def attention_tensors(layer, pick):
    """What `pick` takes of the parameters of torch's attention, in the order of ours."""
    maps = zip(*(_thirds(p, pick) for p in (layer.in_proj_weight, layer.in_proj_bias)), strict=True)
    parts = [*maps, (pick(layer.out_proj.weight), _some(layer.out_proj.bias, pick))]
    return [part for pair in parts for part in pair if part is not None]


def _some(parameter, pick):
    return None if parameter is None else pick(parameter)


def _thirds(parameter, pick):
    return [None] * 3 if parameter is None else pick(parameter).chunk(3)


def encoder_tensors(layer, pick):
    """The same of a `nn.TransformerEncoderLayer`."""
    return [
        *attention_tensors(layer.self_attn, pick),
        *map(pick, layer.norm1.parameters()),
        *map(pick, layer.linear1.parameters()),
        *map(pick, layer.linear2.parameters()),
        *map(pick, layer.norm2.parameters()),
    ]


def decoder_tensors(layer, pick):
    """The same of a `nn.TransformerDecoderLayer`."""
    return [
        *attention_tensors(layer.self_attn, pick),
        *map(pick, layer.norm1.parameters()),
        *attention_tensors(layer.multihead_attn, pick),
        *map(pick, layer.norm2.parameters()),
        *map(pick, layer.linear1.parameters()),
        *map(pick, layer.linear2.parameters()),
        *map(pick, layer.norm3.parameters()),
    ]


def tensors_of(model, pick):
    """What `pick` takes of our parameters, matrices as torch keeps them."""
    return [
        pick(p).T if isinstance(module, Linear) and p.dim() == 2 else pick(p)
        for module in model.modules()
        for p in module.parameters(recurse=False)
    ]


@torch.no_grad()
def load(model, tensors):
    """Give ours the weights of torch's."""
    for ours, theirs in zip(tensors_of(model, lambda p: p.data), tensors, strict=True):
        assert ours.shape == theirs.shape
        ours.copy_(theirs)


def stirred(model):
    """The same model with every parameter at random: no bias of 0 and no scale of 1."""
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.4)
    return model
