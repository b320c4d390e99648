"""Synthetic regression data against the law they are drawn from."""

import json

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.data.synthetic import SyntheticRegressionData


def test_without_noise_the_law_holds_exactly() -> None:
    data = SyntheticRegressionData(w=[1.0, -2.0, 0.5], b=3.0, noise=0.0, num_train=7, num_val=5)
    assert data.X.shape == (12, 3)
    expected = [[x[0] - 2 * x[1] + 0.5 * x[2] + 3] for x in data.X.tolist()]
    torch.testing.assert_close(data.y, torch.tensor(expected))


def test_least_squares_finds_the_law_and_the_noise() -> None:
    data = SyntheticRegressionData(noise=0.5, num_train=20_000, data_seed=0)
    columns = torch.cat([data.X, torch.ones(len(data.X), 1)], dim=1).double()
    found = torch.linalg.lstsq(columns, data.y.double()).solution
    torch.testing.assert_close(
        found[:, 0], torch.tensor([2, -3.4, 4.2]).double(), atol=0.02, rtol=0
    )
    assert (columns @ found - data.y).std() == pytest.approx(0.5, rel=0.02)
    torch.testing.assert_close(data.X.T.cov(), torch.eye(2), atol=0.04, rtol=0)


@pytest.mark.parametrize("w", [(2.0, -3.4), [2, -3.4], torch.tensor([2.0, -3.4])])
def test_weights_come_as_tuple_list_or_tensor(w: object) -> None:
    data = SyntheticRegressionData(w=w, num_train=1, num_val=1)  # type: ignore[arg-type]
    torch.testing.assert_close(data.w, torch.tensor([2, -3.4]))
    assert data.model_arguments() == {"num_inputs": 2}
    assert json.loads(json.dumps(data.hparams))["w"] == pytest.approx([2, -3.4])


def test_the_global_seed_or_an_own_one_decides() -> None:
    def X(data_seed: int | None, global_seed: int) -> torch.Tensor:
        torch.manual_seed(global_seed)
        return SyntheticRegressionData(num_train=3, num_val=1, data_seed=data_seed).X

    assert torch.equal(X(None, 1), X(None, 1))
    assert not torch.equal(X(None, 1), X(None, 2))
    assert torch.equal(X(5, 1), X(5, 2))
    assert not torch.equal(X(5, 1), X(6, 1))


def test_an_own_seed_leaves_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    SyntheticRegressionData(data_seed=1)
    assert torch.equal(torch.get_rng_state(), before)


def test_training_and_validation_share_no_example() -> None:
    data = SyntheticRegressionData(num_train=50, num_val=9, batch_size=8)
    train = torch.cat([X for X, _ in data.train_dataloader()])
    val = torch.cat([X for X, _ in data.val_dataloader()])
    assert train.shape == (50, 2)
    assert torch.equal(val, data.X[50:])
    assert torch.equal(train.sort(dim=0).values, data.X[:50].sort(dim=0).values)
    assert not torch.equal(train, data.X[:50])


def test_equal_data_have_equal_fingerprints() -> None:
    prints = [SyntheticRegressionData(data_seed=s).fingerprint() for s in (1, 1, 2)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    "wrong",
    [{"w": ()}, {"w": (float("nan"),)}, {"noise": -1.0}, {"num_train": 0}, {"batch_size": 0}],
)
def test_arguments_are_checked_at_the_door(wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        SyntheticRegressionData(**wrong)  # type: ignore[arg-type]
