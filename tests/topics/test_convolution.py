import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.topics import loops
from torch import nn
from torch.nn import functional as F

from freedive.topics.convolution import concise, scratch
from freedive.topics.convolution.sizes import pair

PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))
LAYOUTS = ["contiguous", "channels_last", "transposed", "strided"]


def laid_out(X, layout):
    """Equal numbers in another order of memory."""
    if layout == "channels_last":
        return X.contiguous(memory_format=torch.channels_last)
    if layout == "transposed":
        return X.transpose(2, 3).contiguous().transpose(2, 3)
    if layout == "strided":
        return X.repeat_interleave(2, dim=3)[..., ::2]
    return X


def agree(ours, theirs, inputs, atol=1e-10):
    """Equal values, and equal gradients of one random sum of them by every input."""
    assert ours.shape == theirs.shape
    assert torch.allclose(ours, theirs, atol=atol)
    weights = torch.randn_like(theirs)
    gradients = [
        torch.autograd.grad((Y * weights).sum(), inputs, materialize_grads=True)  # 0 where unseen
        for Y in (ours, theirs)
    ]
    for a, b in zip(*gradients, strict=True):
        assert torch.allclose(a, b, atol=atol)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    batch=st.integers(0, 3),
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    groups=st.integers(1, 2),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=PAIRS,
    stride=PAIRS,
    padding=st.tuples(st.integers(0, 3), st.integers(0, 3)),
    dilation=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    with_bias=st.booleans(),
    layout=st.sampled_from(LAYOUTS),
)
def test_conv2d_equals_torchs(
    batch, channels, groups, size, kernel, stride, padding, dilation, with_bias, layout
):
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    assume(all(n + 2 * p >= r for n, p, r in zip(size, padding, reach, strict=True)))
    torch.manual_seed(0)
    in_channels, out_channels = (groups * c for c in channels)
    X = torch.randn(batch, in_channels, *size, dtype=torch.float64)
    X = laid_out(X, layout).requires_grad_()
    weight = torch.randn(out_channels, channels[0], *kernel, dtype=torch.float64)
    weight = laid_out(weight, layout).requires_grad_()
    bias = torch.randn(out_channels, dtype=torch.float64).requires_grad_() if with_bias else None
    arguments = (X, weight, bias, stride, padding, dilation, groups)
    inputs = [X, weight, bias] if with_bias else [X, weight]
    agree(scratch.conv2d(*arguments), F.conv2d(*arguments), inputs)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 3),
    channels=st.integers(1, 3),
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=PAIRS,
    stride=st.none() | PAIRS,
    half=st.booleans(),
    mode=st.sampled_from(["max", "avg"]),
    layout=st.sampled_from(LAYOUTS),
    ties=st.booleans(),
)
def test_pool2d_equals_torchs(batch, channels, size, kernel, stride, half, mode, layout, ties):
    padding = tuple(k // 2 for k in kernel) if half else (0, 0)
    assume(all(n + 2 * p >= k for n, p, k in zip(size, padding, kernel, strict=True)))
    torch.manual_seed(0)
    X = torch.randn(batch, channels, *size, dtype=torch.float64)
    X = laid_out(X.round() if ties else X, layout).requires_grad_()
    pool = F.max_pool2d if mode == "max" else F.avg_pool2d
    agree(scratch.pool2d(X, kernel, mode, stride, padding), pool(X, kernel, stride, padding), [X])
    agree(
        concise.pool2d(X, kernel, mode, stride, padding),
        scratch.pool2d(X, kernel, mode, stride, padding),
        [X],
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_stays_half_and_near(dtype):
    torch.manual_seed(0)
    X, weight = torch.randn(2, 3, 7, 7), torch.randn(4, 3, 3, 3)
    Y = scratch.conv2d(X.to(dtype), weight.to(dtype), padding=1)
    assert Y.dtype == dtype
    assert torch.allclose(Y.float(), F.conv2d(X, weight, padding=1), atol=0.2)
    pooled = scratch.pool2d(X.to(dtype), 3, "max", padding=1)
    assert torch.equal(pooled, F.max_pool2d(X.to(dtype), 3, padding=1))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    groups=st.integers(1, 2),
    channels=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.integers(1, 3) | PAIRS,
    padding=st.integers(0, 2) | st.tuples(st.integers(0, 2), st.integers(0, 2)),
    dilation=st.integers(1, 2) | st.tuples(st.integers(1, 2), st.integers(1, 2)),
)
def test_conv2d_equals_the_books_loop(groups, channels, size, kernel, stride, padding, dilation):
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, pair(dilation), strict=True)]
    assume(all(n + 2 * p >= r for n, p, r in zip(size, pair(padding), reach, strict=True)))
    torch.manual_seed(0)
    X = torch.randn(2, groups * channels[0], *size, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(groups * channels[1], channels[0], *kernel, dtype=torch.float64)
    bias = torch.randn(len(weight), dtype=torch.float64, requires_grad=True)
    inputs = [X, weight.requires_grad_(), bias]
    settings = (stride, padding, dilation, groups)
    agree(scratch.conv2d(*inputs, *settings), loops.conv2d(*inputs, *settings), inputs)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    stride=st.none() | st.integers(1, 3) | PAIRS,
    half=st.booleans(),
    mode=st.sampled_from(["max", "avg"]),
)
def test_pool2d_equals_the_books_loop(size, kernel, stride, half, mode):
    padding = tuple(k // 2 for k in kernel) if half else 0
    assume(all(n + 2 * p >= k for n, p, k in zip(size, pair(padding), kernel, strict=True)))
    torch.manual_seed(0)
    X = torch.randn(*size, dtype=torch.float64, requires_grad=True)
    settings = (kernel, mode, stride, padding)
    agree(scratch.pool2d(X, *settings), loops.pool2d(X, *settings), [X])


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    channels=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    size=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    kernel=PAIRS,
)
def test_the_books_functions_are_the_same_in_both_forms_and_by_loops(channels, size, kernel):
    assume(all(n >= k for n, k in zip(size, kernel, strict=True)))
    torch.manual_seed(0)
    X = torch.randn(channels[0], *size, dtype=torch.float64, requires_grad=True)
    K = torch.randn(channels[1], channels[0], *kernel, dtype=torch.float64, requires_grad=True)
    cases = {
        "corr2d": ((X[0], K[0, 0]), lambda: loops.conv2d(X[None, :1], K[:1, :1])[0, 0]),
        "convolve2d": ((X[0], K[0, 0]), lambda: loops.convolve2d(X[0], K[0, 0])),
        "corr2d_multi_in": ((X, K[0]), lambda: loops.conv2d(X[None], K[:1])[0, 0]),
        "corr2d_multi_in_out": ((X, K), lambda: loops.conv2d(X[None], K)[0]),
        "corr2d_multi_in_out_1x1": (
            (X, K[..., :1, :1]),
            lambda: loops.conv2d(X[None], K[..., :1, :1])[0],
        ),
    }
    for name, (arguments, expected) in cases.items():
        for form in (scratch, concise):
            agree(getattr(form, name)(*arguments), expected(), [X, K])


def test_mixed_precision_gives_the_type_that_torchs_layer_gives():
    X, layer = torch.randn(2, 3, 7, 7), scratch.Conv2d(3, 4, 3)
    theirs = nn.Conv2d(3, 4, 3)
    theirs.load_state_dict(layer.state_dict())
    with torch.autocast("cpu", torch.bfloat16):
        outputs = layer(X), theirs(X)
    assert [Y.dtype for Y in outputs] == [torch.bfloat16] * 2
    assert torch.allclose(*outputs, atol=0.05)


def test_windows_are_views_and_integers_stay_integers():
    X = torch.arange(16).reshape(4, 4)
    views = scratch.windows(X, (2, 3), stride=2)
    assert views.shape == (2, 1, 2, 3)
    assert views.untyped_storage().data_ptr() == X.untyped_storage().data_ptr()
    assert scratch.corr2d(X, torch.ones(2, 2, dtype=torch.int64))[0, 0] == 0 + 1 + 4 + 5
    assert scratch.pool2d(X, 2).tolist() == [[5, 7], [13, 15]]


@pytest.mark.parametrize("settings", [{}, {"stride": 2, "padding": (2, 1)}, {"bias": False}])
def test_layers_draw_and_hold_the_parameters_that_torchs_do(settings):
    layers = []
    for family in (scratch, nn):
        torch.manual_seed(0)
        layers.append(family.Conv2d(6, 16, (5, 3), **settings))
    ours, theirs = layers
    assert ours.state_dict().keys() == theirs.state_dict().keys()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(a, b)
    theirs.load_state_dict(ours.state_dict())
    X = torch.randn(2, 6, 9, 9)
    assert torch.allclose(ours(X), theirs(X), atol=1e-5)
    assert concise.Conv2d is nn.Conv2d


def test_pooling_layers_equal_torchs():
    X = torch.randn(2, 3, 7, 7)
    for arguments in ((2,), (3, 2, 1), ((2, 3), (2, 3), (0, 1))):
        for name in ("MaxPool2d", "AvgPool2d"):
            ours, theirs = (getattr(family, name)(*arguments) for family in (scratch, concise))
            assert torch.allclose(ours(X), theirs(X), atol=1e-6)


def test_layers_export_and_run_on_meta_tensors():
    net = nn.Sequential(
        scratch.Conv2d(2, 4, 3, 2, 1, 2, 2), scratch.MaxPool2d(2), scratch.AvgPool2d(2)
    )
    X = torch.randn(2, 2, 18, 17)
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(net, (X,), dynamic_shapes=({0: batch},), strict=False)
    wider = torch.randn(5, 2, 18, 17)
    assert torch.allclose(exported.module()(wider), net(wider), atol=1e-6)
    assert net.to("meta")(X.to("meta")).shape == exported.module()(X).shape
