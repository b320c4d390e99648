import pytest
import torch
from torch import nn

from freedive.core.errors import UsageError
from freedive.topics.mlp.concise import MLP, DropoutMLP
from freedive.topics.mlp.scratch import DropoutMLPScratch, MLPScratch, dropout_layer, relu

PAIRS = [(MLPScratch, MLP), (DropoutMLPScratch, DropoutMLP)]
FORMS = [form for pair in PAIRS for form in pair]


def twins(pair, **arguments):
    """Both forms with equal weights."""
    torch.manual_seed(0)
    scratch, concise = (form(num_inputs=12, num_outputs=4, **arguments) for form in pair)
    tensors = zip(concise.state_dict(), scratch.state_dict().values(), strict=True)
    concise.load_state_dict({name: turned(tensor) for name, tensor in tensors})
    return scratch, concise


def turned(tensor):
    """A scratch matrix maps rows, one of torch.nn columns."""
    return tensor.T if tensor.dim() == 2 else tensor


def step_of(model, X, y):
    optim = model.configure_optimizers()
    optim.zero_grad()
    loss = model.loss(model(X), y)
    loss.backward()
    optim.step()
    return loss.item()


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("n", [0, 1, 9])
def test_both_forms_agree_in_outputs_and_gradients(pair, n):
    scratch, concise = (model.eval() for model in twins(pair))
    X, y = torch.randn(n, 1, 3, 4), torch.randint(4, (n,))
    assert torch.allclose(scratch(X), concise(X), atol=1e-6)
    if n == 0:
        return
    for model in (scratch, concise):
        model.loss(model(X), y).backward()
    for ours, theirs in zip(scratch.parameters(), concise.parameters(), strict=True):
        assert torch.allclose(turned(ours.grad), theirs.grad, atol=1e-6)


@pytest.mark.parametrize("pair", PAIRS)
def test_both_forms_learn_along_one_curve(pair):
    dropouts = {} if pair[0] is MLPScratch else {"dropout_1": 0.0, "dropout_2": 0.0}
    models = twins(pair, lr=0.5, sigma=0.3, **dropouts)
    X, y = torch.randn(32, 12), torch.randint(4, (32,))
    curves = [[step_of(model, X, y) for _ in range(20)] for model in models]
    assert curves[0] == pytest.approx(curves[1], rel=1e-3)
    assert curves[0][-1] < curves[0][0] / 2


def test_relu_equals_torchs_off_zero_and_shares_the_gradient_at_zero():
    x = torch.tensor([-2.0, 0.0, 3.0], requires_grad=True)
    assert torch.equal(relu(x), nn.ReLU()(x))
    (gradient,) = torch.autograd.grad(relu(x).sum(), x)
    assert gradient.tolist() == [0.0, 0.5, 1.0]
    assert relu(torch.zeros(0)).shape == (0,)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("dropout", [0.0, 0.3, 0.5, 1.0])
def test_dropout_keeps_the_mean_in_any_dtype(dropout, dtype):
    torch.manual_seed(0)
    X = torch.full((100, 500), 2.0, dtype=dtype)
    thinned = dropout_layer(X, dropout)
    assert thinned.dtype == dtype
    assert (thinned == 0).float().mean().item() == pytest.approx(dropout, abs=0.01)
    if dropout < 1:
        assert thinned.double().mean().item() == pytest.approx(2, abs=0.03)
        survivor = thinned.max().item()
        assert survivor == pytest.approx(2 / (1 - dropout), rel=1e-3)


def test_dropout_at_the_edges():
    X = torch.tensor([1.0, float("inf"), -3.0])
    assert torch.equal(dropout_layer(X, 0.0), X)
    assert torch.equal(dropout_layer(X, 1.0), torch.zeros(3))
    assert not dropout_layer(X, 0.9).isnan().any()
    assert dropout_layer(torch.zeros(0, 3), 0.5).shape == (0, 3)
    for wrong in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="from 0 to 1"):
            dropout_layer(X, wrong)


@pytest.mark.parametrize("form", [DropoutMLPScratch, DropoutMLP])
def test_dropout_acts_in_training_only_and_in_the_same_way(form):
    torch.manual_seed(0)
    model, X = form(sigma=0.1), torch.rand(2000, 784)
    assert torch.equal(model.eval()(X), model.eval()(X))
    prediction = model(X)
    model.train()
    outputs = torch.stack([model(X) for _ in range(4)])
    assert not torch.equal(outputs[0], outputs[1])
    spread = (outputs - prediction).std() / prediction.std()
    assert 0.5 < spread < 5
    # one random mask for a whole batch would leave rows equal where inputs are
    same = model(X[:1].expand(8, -1))
    assert same.unique(dim=0).shape[0] == 8


@pytest.mark.parametrize(("pair", "count"), [(PAIRS[0], 203_530), (PAIRS[1], 269_322)])
def test_parameters_are_counted(pair, count):
    for form in pair:
        assert sum(p.numel() for p in form().parameters()) == count


@pytest.mark.parametrize("form", FORMS)
def test_r24_an_initialiser_takes_effect(form):
    torch.manual_seed(0)
    for tensor in form(sigma=0.2).state_dict().values():
        if tensor.dim() == 2:
            assert tensor.std().item() == pytest.approx(0.2, rel=0.1)
        else:
            assert not tensor.any()


@pytest.mark.parametrize("form", FORMS)
def test_r18_the_parameters_move(form):
    assert {p.device.type for p in form().to("meta").parameters()} == {"meta"}


def test_arguments_are_checked_at_the_door():
    with pytest.raises(UsageError, match="num_hiddens wants"):
        MLP(num_hiddens=0)
    with pytest.raises(UsageError, match="dropout_1 wants"):
        DropoutMLP(dropout_1=1.5)
