"""The lab of batch norm, its pictures and what it measures; and that the printed layer fails."""

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.figures import figure_bytes
from freedive.topics.modern_cnn.lenet_bn import BNLeNet
from freedive.topics.modern_cnn.normalization_errata import (
    PrintedBatchNorm,
    chain_length,
    loss_and_drift,
)
from freedive.topics.modern_cnn.normalization_lab import batch_norm_lab
from freedive.topics.modern_cnn.normalization_study import (
    SIDE,
    around_norms,
    batches_to_reach,
    drawn_images,
    in_company,
    in_copy,
    moved_by_a_call,
    nets,
    norms,
    trained,
    way_of_the_mean,
)


@pytest.fixture(scope="module")
def report():
    return batch_norm_lab(num_steps=40)


def fresh(**arguments):
    return BNLeNet(image_size=SIDE, padding=2, **arguments)


def test_with_batch_norm_a_net_learns_faster_at_every_rate(report):
    rows = report.tables["learning rates"]
    assert [row["lr"] for row in rows] == pytest.approx([0.01, 0.1, 1.0])
    for row in rows:
        assert row["with: last loss"] < row["without: last loss"]
        assert row["with: accuracy"] > row["without: accuracy"]


def test_prediction_depends_on_nothing_but_the_image(report):
    company, moved, one = report.tables["what changes from training to prediction"]
    assert company["training"] > 0.1
    assert company["prediction"] < 1e-5
    assert moved["training"] > 0
    assert moved["prediction"] == 0
    assert (one["training"], one["prediction"]) == ("is refused", "has its output")


def test_every_figure_can_be_drawn(report):
    assert list(report.figures) == ["axes", "activations", "modes", "rates"]
    for figure in report.figures.values():
        assert figure_bytes(figure, "png").startswith(b"\x89PNG")
    panels = {axes.get_title() for axes in report.figures["modes"].axes}
    assert len(panels) == 4


@pytest.mark.parametrize(
    "arguments",
    [{"momentum": 1.0}, {"momentum": 0.001}, {"batch_size": 2}, {"activation": "sigmoid"}],
)
def test_extreme_arguments_have_a_report(arguments):
    found = batch_norm_lab(num_steps=10, **arguments)
    assert all(figure_bytes(figure) for figure in found.figures.values())


def test_a_rate_that_ruins_even_batch_norm_is_refused():
    with pytest.raises(UsageError, match=r"with lr=1e\+30 the net no longer gives finite numbers"):
        batch_norm_lab(lr=1e30, num_steps=10)


def test_both_nets_start_equal_but_for_the_norms():
    plain, model = nets(0.1, "relu", momentum=0.2, seed=3)
    learned = [p for layer in model.net if layer not in norms(model) for p in layer.parameters()]
    for a, b in zip(plain.parameters(), learned, strict=True):
        assert torch.equal(a, b)
    assert [layer.momentum for layer in norms(model)] == [0.2] * 4


def test_looking_leaves_the_net_as_it_was():
    model, X = fresh(), torch.rand(16, 1, SIDE, SIDE)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    in_copy(model, X, training=True)
    in_company(model, X, (2, 4), times=3, seed=0)
    around_norms(model, X)
    assert moved_by_a_call(model, X, training=True) > 0
    assert moved_by_a_call(model, X, training=False) == 0
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_behind_a_fresh_norm_every_channel_has_mean_0_and_deviation_1():
    pairs = around_norms(fresh(), torch.rand(64, 1, SIDE, SIDE))
    assert [len(before) for before, _ in pairs] == [6, 16, 120, 84]
    for before, after in pairs:
        assert before.shape == after.shape
        spread = before.std(1, correction=0)
        assert torch.allclose(after.mean(1), torch.zeros(len(after)), atol=1e-4)
        expected = spread / (spread.square() + 1e-5).sqrt()
        assert torch.allclose(after.std(1, correction=0), expected, atol=1e-3)


def test_company_matters_less_in_a_larger_batch():
    train, _ = drawn_images(0, num_train=256, num_val=1)
    run = trained(fresh(lr=0.1), train, num_steps=20, batch_size=64, seed=0)
    found = in_company(run.model, train[0], (2, 128), times=20, seed=0)
    few, many = (torch.tensor(found[size]).std() for size in (2, 128))
    assert [len(logits) for logits in found.values()] == [20, 20]
    assert few > 3 * many


@pytest.mark.parametrize("momentum", [0.1, 0.3, 1.0])
def test_the_way_of_the_mean_follows_its_formula(momentum):
    enough = batches_to_reach(0.99, momentum)
    way = way_of_the_mean(momentum, enough)
    assert way == pytest.approx([1 - (1 - momentum) ** n for n in range(enough + 1)])
    assert way[-1] >= 0.99 > way[-2]


def test_a_watched_run_notes_the_means_before_each_step():
    train, val = drawn_images(0, num_train=64, num_val=16)
    run = trained(fresh(lr=0.1), train, num_steps=6, batch_size=8, seed=0, val=val)
    assert len(run.losses) == len(run.batch_means) == len(run.moving_means) == 6
    assert torch.equal(run.moving_means[0], torch.zeros(6))
    expected = 0.9 * run.moving_means[3] + 0.1 * run.batch_means[3]
    assert torch.allclose(run.moving_means[4], expected, atol=1e-6)
    assert [step for step, *_ in run.judged] == [0, 4]
    assert run.last_loss == pytest.approx(sum(run.losses) / 6)


def test_the_printed_layer_takes_its_mode_from_the_gradients_and_forgets_its_averages():
    printed, X = PrintedBatchNorm(3), torch.randn(8, 3).double()
    with torch.no_grad():
        assert torch.allclose(printed.train()(X), X, atol=1e-4)  # the moving ones, still 0 and 1
    Y = printed.eval()(X)
    assert torch.allclose(Y.mean(0), torch.zeros(3).double(), atol=1e-6)
    assert printed.moving_mean.any()
    assert list(printed.state_dict()) == ["gamma", "beta"]


def test_a_chain_is_as_long_as_its_operations():
    x = torch.ones((), requires_grad=True)
    assert chain_length(torch.ones(())) == 0
    assert chain_length(x.exp().sin()) == 3  # the last one gathers the gradient of x


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_batch_norm_helps_in_spite_of_more_drift(seed):
    plain, norm, jolts = (loss_and_drift(kind, seed) for kind in ("plain", "norm", "jolts"))
    assert max(norm[0], jolts[0]) < 0.8 < plain[0]
    assert norm[1] < plain[1] < jolts[1]
