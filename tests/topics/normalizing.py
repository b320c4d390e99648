"""Our norm layers and torch's in one state, and what it means that they agree."""

import torch
from torch import nn

from freedive.topics.modern_cnn import scratch

LAYOUTS = ["contiguous", "channels_last", "transposed", "strided"]


def laid_out(X, layout):
    """Equal numbers in another order of memory."""
    if layout == "channels_last" and X.dim() == 4:
        return X.contiguous(memory_format=torch.channels_last)
    if layout == "transposed":
        return X.transpose(-1, -2).contiguous().transpose(-1, -2)
    if layout == "strided":
        return X.repeat_interleave(2, dim=-1)[..., ::2]
    return X


def drawn(shape, mean=3.0, dtype=torch.float64):
    return mean + 2 * torch.randn(shape, dtype=dtype)


def randomised(layer):
    """Parameters and moving statistics that are none of the defaults."""
    with torch.no_grad():
        for tensor in (*layer.parameters(), *layer.buffers()):
            if tensor.is_floating_point():
                tensor.uniform_(0.5, 1.5)
    return layer


def twins(name, *arguments, dtype=torch.float64, **settings):
    """Our layer and torch's, in the same state."""
    ours, theirs = (getattr(m, name)(*arguments, **settings).to(dtype) for m in (scratch, nn))
    theirs.load_state_dict(randomised(ours).state_dict())
    return ours, theirs


def agree(ours, theirs, X, tolerance=1e-10):
    """Equal outputs, and equal gradients of one random sum of them; then equal states."""
    weights = torch.randn_like(X)
    outputs, gradients = [], []
    for layer in (ours, theirs):
        x = X.detach().clone().requires_grad_()
        outputs.append(layer(x))
        inputs = [x, *layer.parameters()]
        gradients.append(torch.autograd.grad((outputs[-1] * weights).sum(), inputs))
    assert torch.allclose(*outputs, atol=tolerance, rtol=tolerance)
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=tolerance, rtol=tolerance)
    equal_states(ours, theirs, tolerance)


def equal_states(ours, theirs, tolerance=1e-10):
    states = [layer.state_dict() for layer in (ours, theirs)]
    assert list(states[0]) == list(states[1])
    for key, tensor in states[0].items():
        assert tensor.dtype == states[1][key].dtype
        assert torch.allclose(tensor, states[1][key], atol=tolerance, rtol=tolerance), key
