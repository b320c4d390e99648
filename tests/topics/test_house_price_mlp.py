import math

import pytest
import torch

from freedive.catalog import LABS
from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.data.houses import Houses
from freedive.topics.mlp.house_price_figures import REACH, predictions_figure, residuals_figure
from freedive.topics.mlp.house_prices import LINEAR, HousePriceMLP, log_prices, log_rmse
from freedive.topics.mlp.house_prices_lab import house_prices

QUICK = {"num_rows": 200, "max_epochs": 4, "folds": 2}


@pytest.fixture(scope="module")
def houses():
    return Houses(num_train=400, num_val=200, batch_size=100)


def trained(data, epochs=25, **arguments):
    torch.manual_seed(0)
    model = HousePriceMLP(**data.model_arguments(), **arguments)
    return model, Trainer(max_epochs=epochs, seed=0, progress=False, device="cpu").fit(model, data)


def test_the_noted_log_rmse_is_that_of_all_validation_rows_together():
    """Also where the last batch is smaller than the others."""
    data = Houses(num_train=50, num_val=37, batch_size=10)
    model, history = trained(data, epochs=1)
    true, predicted = log_prices(model, data)
    direct = math.sqrt(sum((p - t) ** 2 for p, t in zip(predicted, true, strict=True)) / 37)
    assert history.last["val_log_rmse"] == pytest.approx(direct, rel=1e-5)
    assert log_rmse(predicted, true) == pytest.approx(direct, rel=1e-5)
    assert model.derived({"train_loss": 1.0}) == {}


def test_an_untrained_linear_model_says_the_mean_of_the_training_rows(houses):
    torch.manual_seed(0)
    model = HousePriceMLP(**houses.model_arguments(), num_hiddens=0)
    outputs = model(houses.splits[0][0])
    assert torch.allclose(outputs, houses.splits[0][1].mean().expand_as(outputs))
    assert [tuple(p.shape) for p in model.parameters()] == [(1, len(houses.codec.features)), (1,)]


def test_the_linear_model_comes_to_the_least_squares_solution():
    data = Houses(num_train=400, num_val=200, batch_size=400)
    model, _ = trained(data, 300, num_hiddens=0, weight_decay=0.0, lr=0.05)
    X, y = (part.double() for part in data.splits[0])
    ones = torch.ones(len(X), 1, dtype=torch.float64)
    solution = torch.linalg.lstsq(torch.cat([X, ones], 1), y, driver="gelsd").solution
    best = torch.cat([X, ones], 1) @ solution
    with torch.no_grad():
        ours = model(X.float()).double()
    assert log_rmse(best[:, 0], y[:, 0]) <= log_rmse(ours[:, 0], y[:, 0]) + 1e-9
    assert log_rmse(ours[:, 0], best[:, 0]) < 0.01


def test_the_mlp_beats_the_linear_model_which_beats_the_mean(houses):
    scores = {}
    for name, arguments in {"mlp": {}, "linear": LINEAR}.items():
        scores[name] = trained(houses, **arguments)[1].last["val_log_rmse"]
    y = houses.splits[1][1]
    assert 0.1 < scores["mlp"] < 0.95 * scores["linear"]
    assert scores["linear"] < 0.5 * float(y.std())


def test_weight_decay_pulls_towards_the_mean_and_not_towards_a_price_of_one(houses):
    model, _ = trained(houses, 40, num_hiddens=0, weight_decay=100.0, lr=0.01)
    with torch.no_grad():
        outputs = model(houses.splits[1][0])
    assert float(outputs.mean()) == pytest.approx(houses.codec.target_mean, abs=0.05)


def test_dropout_is_off_in_prediction(houses):
    torch.manual_seed(0)
    model = HousePriceMLP(**houses.model_arguments(), dropout=0.5)
    X = houses.splits[1][0]
    assert not torch.equal(model(X), model(X))
    first = log_prices(model, houses)[1]
    assert torch.equal(first, log_prices(model, houses)[1])
    assert model.training


def test_a_run_leaves_its_two_figures(houses, tmp_path):
    model = HousePriceMLP(**houses.model_arguments())
    (line,) = model.write_samples(houses, tmp_path)
    assert "on 200 validation rows" in line
    assert {p.name for p in tmp_path.iterdir()} == {"predictions.svg", "residuals.svg"}


@pytest.fixture(scope="module")
def report():
    return house_prices(**QUICK)


def test_every_row_is_judged_once_in_the_lab(report):
    (rows,) = report.tables.values()
    assert [row["fold"] for row in rows] == [1, 2]
    assert sum(row["judged"] for row in rows) == 200
    for name in ("mlp", "linear"):
        errors = torch.tensor([row[f"{name} log-RMSE"] for row in rows], dtype=torch.float64)
        assert report.numbers[f"{name}: mean log-RMSE of the folds"] == float(errors.mean())
        assert report.numbers[f"{name}: spread over the folds"] == float(errors.std())
        pooled = float(errors.square().mean().sqrt())  # folds of equal size
        assert report.numbers[f"{name}: log-RMSE of all rows"] == pytest.approx(pooled, abs=1e-4)
    assert set(report.figures) == {"predictions", "residuals"}
    assert any("houses (synthetic)" in note for note in report.notes)


def test_the_lab_is_the_same_each_time_and_leaves_no_trace_in_the_random_state(report):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    again = house_prices(**QUICK)
    assert torch.equal(torch.get_rng_state(), before)
    assert again.numbers == report.numbers
    assert house_prices(**QUICK, seed=1).numbers != report.numbers


@pytest.mark.parametrize("model", ["mlp", "linear"])
def test_the_lab_takes_one_model_alone(report, model):
    alone = house_prices(**QUICK, model=model)
    name = f"{model}: log-RMSE of all rows"
    assert alone.numbers[name] == report.numbers[name]
    assert len([key for key in alone.numbers if key.endswith("of all rows")]) == 1


def test_more_folds_than_houses_is_one_line():
    with pytest.raises(UsageError, match="201 folds want at least 201 examples, got 200") as error:
        house_prices(folds=201, num_rows=200)
    assert "\n" not in str(error.value)
    assert LABS["house-prices"].section == "5.7"


def test_two_houses_in_two_folds_teach_nothing_and_say_so():
    with pytest.raises(Exception, match=r"none of the columns .* holds two different values"):
        house_prices(folds=2, num_rows=2)


def test_figures_show_every_house_even_those_far_out():
    true = torch.tensor([12.0, 12.1, 11.0])
    far = torch.tensor([12.0, 14.0, 9.0])
    figure = residuals_figure(true, {"mlp": far})
    drawn = [(x, y) for line in figure.axes[0].lines for x, y in line.get_xydata()
             if line.get_marker() in (".", "^", "v")]  # fmt: skip
    assert len(drawn) == 3
    assert {round(y, 4) for _, y in drawn} == {0.0, REACH, -REACH}
    panels = predictions_figure(true, {"a": far, "b": true}).axes
    assert [axes.get_title() for axes in panels] == ["a", "b"]
    assert all(axes.get_xlim() == axes.get_ylim() for axes in panels)
