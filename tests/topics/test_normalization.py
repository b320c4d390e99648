"""Batch and layer norm against torch's, in value, gradient, state and edges."""

import jaxtyping
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.topics.normalizing import (
    LAYOUTS,
    agree,
    drawn,
    equal_states,
    laid_out,
    randomised,
    twins,
)
from torch import nn

from freedive.core.checkpoint import load_checkpoint, save_checkpoint
from freedive.core.errors import UsageError
from freedive.topics.modern_cnn import concise, scratch

SHAPES = {
    "BatchNorm1d": [(2, 1), (7, 5), (3, 5, 1), (2, 5, 4)],
    "BatchNorm2d": [(2, 1, 1, 1), (1, 5, 1, 2), (3, 5, 7, 4), (2, 6, 5, 5)],
}
BOTH = [(name, shape) for name, shapes in SHAPES.items() for shape in shapes]
every_shape = pytest.mark.parametrize(("name", "shape"), BOTH)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    of=st.sampled_from(BOTH),
    layout=st.sampled_from(LAYOUTS),
    eps=st.sampled_from([1e-5, 1e-3, 1.0]),
    momentum=st.sampled_from([0.1, 0.9, 1.0, 0.0, None]),
    affine=st.booleans(),
    bias=st.booleans(),
    tracked=st.booleans(),
)
def test_batch_norm_equals_torchs_in_training_and_in_prediction(
    of, layout, eps, momentum, affine, bias, tracked
):
    torch.manual_seed(0)
    name, shape = of
    ours, theirs = twins(
        name, shape[1], eps, momentum, affine, tracked, bias=bias, dtype=torch.float64
    )
    for _ in range(3):
        agree(ours, theirs, laid_out(drawn(shape), layout))
    agree(ours.eval(), theirs.eval(), laid_out(drawn(shape), layout))
    agree(ours.train(), theirs.train(), laid_out(drawn(shape), layout))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(
    shape=st.sampled_from([(0, 5), (1, 1), (7, 5), (2, 3, 4), (2, 3, 5, 4), (5,)]),
    num_axes=st.integers(1, 3),
    layout=st.sampled_from(LAYOUTS),
    eps=st.sampled_from([1e-5, 1.0]),
    affine=st.booleans(),
    bias=st.booleans(),
)
def test_layer_norm_equals_torchs(shape, num_axes, layout, eps, affine, bias):
    torch.manual_seed(0)
    normalized = shape[-num_axes:] if num_axes > 1 else shape[-1]
    X = drawn(shape) if len(shape) == 1 else laid_out(drawn(shape), layout)
    if X.numel():
        agree(*twins("LayerNorm", normalized, eps, affine, bias), X)
    else:
        ours, theirs = twins("LayerNorm", normalized, eps, affine, bias)
        assert torch.equal(ours(X), theirs(X))


def test_the_functions_are_the_same_in_both_forms():
    X, moving = drawn((4, 5, 3, 3)), [drawn(5) for _ in range(2)]
    gamma, beta, mean, var = drawn(5), drawn(5), moving[0], moving[1].square()
    for statistics in ((mean, var), (None, None)):
        for training in (True, False):
            outputs = [
                form.batch_norm(X, gamma, beta, *copied(statistics), training, 1e-3, 0.3)
                for form in (scratch, concise)
            ]
            assert torch.allclose(*outputs)
    for shape in ((3,), (3, 3), (5, 3, 3)):
        outputs = [
            form.layer_norm(X, torch.full(shape, 2.0).double(), None, len(shape), 1e-3)
            for form in (scratch, concise)
        ]
        assert torch.allclose(*outputs)


def copied(statistics):
    return [None if tensor is None else tensor.clone() for tensor in statistics]


def test_both_forms_offer_the_same_layers():
    assert scratch.__all__ == concise.__all__
    for name in scratch.__all__:
        assert getattr(concise, name) is getattr(nn, name, getattr(concise, name))


@every_shape
def test_a_state_moves_both_ways_and_through_a_file(name, shape, tmp_path):
    trained = {form: randomised(getattr(form, name)(shape[1]).double()) for form in (scratch, nn)}
    for layer in trained.values():
        layer(drawn(shape))
    X = drawn(shape)
    for layer in trained.values():
        save_checkpoint(tmp_path / "layer", layer.state_dict())
        for other in (scratch, nn):
            loaded = getattr(other, name)(shape[1]).double()
            loaded.load_state_dict(load_checkpoint(tmp_path / "layer"))
            assert torch.allclose(loaded.eval()(X), layer.eval()(X))
            equal_states(loaded, layer)
            assert loaded.num_batches_tracked == 1


@every_shape
def test_r22_equal_to_torch_in_training_in_prediction_and_after_loading(name, shape, tmp_path):
    ours, theirs = twins(name, shape[1])
    for _ in range(3):
        agree(ours, theirs, drawn(shape))
    agree(ours.eval(), theirs.eval(), drawn(shape))
    save_checkpoint(tmp_path / "layer", ours.state_dict())
    loaded = getattr(scratch, name)(shape[1]).double()
    loaded.load_state_dict(load_checkpoint(tmp_path / "layer"))
    agree(loaded.eval(), theirs, drawn(shape))


def test_r22_momentum_is_the_weight_of_the_new_value_and_the_variance_is_free_of_bias():
    layer, X = scratch.BatchNorm1d(1, momentum=0.25), torch.tensor([[1.0], [5.0]])
    layer(X)
    assert layer.running_mean.item() == pytest.approx(0.25 * 3)
    assert layer.running_var.item() == pytest.approx(0.75 * 1 + 0.25 * 8)  # 8 = (4 + 4)/(2 − 1)


@every_shape
def test_r31_eval_leaves_the_averages_alone_whatever_the_gradients_are(name, shape):
    layer = randomised(getattr(scratch, name)(shape[1]).double())
    before = {key: tensor.clone() for key, tensor in layer.state_dict().items()}
    with torch.enable_grad():
        layer.eval()(drawn(shape).requires_grad_()).sum().backward()
    assert all(torch.equal(before[key], tensor) for key, tensor in layer.state_dict().items())
    with torch.no_grad():
        layer.train()(drawn(shape))
    assert not torch.equal(before["running_mean"], layer.running_mean)
    assert layer.num_batches_tracked == 1


def test_the_averages_carry_no_graph_and_no_optimizer_sees_them():
    layer = scratch.BatchNorm2d(3)
    layer(drawn((2, 3, 4, 4), dtype=torch.float32).requires_grad_())
    assert not layer.running_mean.requires_grad
    assert layer.running_mean.grad_fn is None
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]


def test_a_constant_channel_gives_beta_and_finite_gradients():
    X = torch.full((4, 2, 3, 3), 7.0, requires_grad=True)
    layer = randomised(scratch.BatchNorm2d(2))
    Y = layer(X)
    assert torch.allclose(Y, layer.bias[:, None, None].expand_as(Y))
    Y.square().sum().backward()
    assert X.grad.isfinite().all()
    assert layer.weight.grad.isfinite().all()


@pytest.mark.parametrize("mean", [1e3, 1e6])
def test_a_large_mean_costs_no_more_than_the_rounding_of_the_inputs(mean):
    X = (mean + 8 * torch.randn(64, 3, 8, 8)).requires_grad_()
    weights, results = torch.randn_like(X), []
    for layer, x in (
        (scratch.BatchNorm2d(3), X),
        (nn.BatchNorm2d(3).double(), X.detach().double().requires_grad_()),
    ):
        Y = layer(x)
        (gradient,) = torch.autograd.grad((Y * weights).sum(), x)
        results.append((Y, gradient))
    (Y, gradient), (exact, exact_gradient) = results
    spacing = mean * torch.finfo(torch.float32).eps / 8  # of neighbouring inputs, in deviations
    assert (Y - exact).abs().max() < 2 * spacing
    assert (gradient - exact_gradient).abs().max() < 2 * spacing * exact_gradient.abs().max()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("parameters_too", [True, False])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["BatchNorm2d", "LayerNorm"])
def test_half_precision_is_computed_in_single_as_torch_does(name, dtype, parameters_too, training):
    ours, theirs = twins(name, 6, dtype=dtype if parameters_too else torch.float32)
    X = (50 + 3 * torch.randn(32, 6, 12, 6)).to(dtype)
    Y, expected = (layer.train(training)(X) for layer in (ours, theirs))
    assert Y.dtype == dtype
    scale = float(expected.detach().abs().max())
    assert (Y.float() - expected.float()).abs().max() <= 2 * torch.finfo(dtype).eps * scale
    for key, tensor in ours.state_dict().items():
        assert tensor.dtype == theirs.state_dict()[key].dtype
        assert torch.allclose(tensor, theirs.state_dict()[key], rtol=2 * torch.finfo(dtype).eps)


def test_sums_in_half_precision_do_not_overflow():
    X = (200 * torch.randn(256, 2, 8, 8)).half()  # squares reach 65,504, the largest float16
    assert scratch.BatchNorm2d(2)(X).float().std(correction=0).item() == pytest.approx(1, abs=1e-2)
    with torch.autocast("cpu", torch.bfloat16):
        assert scratch.BatchNorm2d(2)(X.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize("training", [True, False])
def test_layout_of_memory_and_meta_tensors_are_kept(training):
    X = torch.randn(4, 5, 6, 6).contiguous(memory_format=torch.channels_last)
    layer = scratch.BatchNorm2d(5).train(training)
    assert layer(X).is_contiguous(memory_format=torch.channels_last)
    assert layer.to("meta")(X.to("meta")).shape == X.shape
    assert scratch.LayerNorm(6).to("meta")(X.to("meta")).shape == X.shape


@pytest.mark.parametrize("training", [True, False])
def test_it_exports_with_any_number_of_images(training):
    ours, theirs = twins("BatchNorm2d", 5, dtype=torch.float32)
    batch = {0: torch.export.Dim("batch", min=2)}
    exported = torch.export.export(
        ours.train(training),
        (torch.randn(4, 5, 6, 6),),
        strict=False,
        dynamic_shapes=(batch,),
    ).module()
    X = torch.randn(9, 5, 6, 6)
    assert torch.allclose(exported(X), theirs.train(training)(X), atol=1e-5)
    equal_states(exported, theirs, 1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_it_compiles_into_one_graph(training, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # no graph holds its checks
    ours, theirs = twins("BatchNorm2d", 5, dtype=torch.float32)
    compiled = torch.compile(ours.train(training), backend="aot_eager", fullgraph=True)
    X = drawn((4, 5, 6, 6), dtype=torch.float32)
    Y, expected = compiled(X), theirs.train(training)(X)
    assert torch.allclose(Y, expected, atol=1e-5)
    (Y**3).sum().backward()
    (expected**3).sum().backward()
    assert torch.allclose(ours.weight.grad, theirs.weight.grad, rtol=1e-3)
    equal_states(ours, theirs, 1e-5)


def test_an_empty_batch_can_be_predicted():
    for layer, X in (
        (scratch.BatchNorm1d(3), torch.empty(0, 3)),
        (scratch.BatchNorm2d(3), torch.empty(0, 3, 4, 4)),
    ):
        assert layer.eval()(X).shape == X.shape
        with pytest.raises(UsageError, match="at least 2 values a channel"):
            layer.train()(X)


def test_one_value_a_channel_is_refused_in_training_alone():
    layer = scratch.BatchNorm2d(6)
    one = torch.ones(1, 6, 1, 1)
    message = (
        "batch norm wants at least 2 values a channel in training, got images of 1×6×1×1: "
        r"pass a larger batch, or call eval\(\) to predict"
    )
    with pytest.raises(UsageError, match=message):
        layer(one)
    assert torch.equal(layer.running_mean, torch.zeros(6))
    assert layer.eval()(one).shape == one.shape
    with pytest.raises(UsageError, match="got a batch of 1×6"):
        scratch.BatchNorm1d(6)(torch.ones(1, 6))


def test_wrong_channels_and_wrong_axes_are_refused():
    with pytest.raises(UsageError, match="wants 6 channels, got images of 4×5×8×8: make num_feat"):
        scratch.BatchNorm2d(6)(torch.ones(4, 5, 8, 8))
    with pytest.raises(UsageError, match="wants 6 channels, got images of 4×1×8×8"):
        scratch.BatchNorm2d(6).eval()(torch.ones(4, 1, 8, 8))
    with pytest.raises(UsageError, match=r"wants \(batch, channels, height, width\), got 4×6: "):
        scratch.BatchNorm2d(6)(torch.ones(4, 6))
    with pytest.raises(UsageError, match=r"\(batch, channels\) or .*, got 4×6×2×2: BatchNorm1d is"):
        scratch.BatchNorm1d(6)(torch.ones(4, 6, 2, 2))
    with pytest.raises(UsageError, match="last axes of 3×4, got 2×4×3: make normalized_shape fit"):
        scratch.LayerNorm((3, 4))(torch.ones(2, 4, 3))
    with pytest.raises(UsageError, match="last axes of 3×4, got 4"):
        scratch.LayerNorm((3, 4))(torch.ones(4))
