"""The published table: these tests run where FREEDIVE_DATA names a folder that has it."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from freedive.catalog import find_system
from freedive.core.errors import DataError
from freedive.core.trainer import Trainer
from freedive.data.house_prices import TEST, TRAIN, HousePrices
from freedive.experiment import data_at_hand
from freedive.topics.mlp.house_prices import HousePriceMLP


def given():
    try:
        return HousePrices.availability(download=False) == "given"
    except DataError:
        return False


real = pytest.mark.skipif(not given(), reason="FREEDIVE_DATA has no house-prices")


@pytest.fixture(scope="module")
def houses():
    return HousePrices(batch_size=256)


@real
def test_the_published_tables_have_the_published_sizes(houses):
    assert houses.raw.shape == (1460, 81)
    assert houses.read_test().shape == (1459, 80)
    assert houses.raw["Id"].tolist() == [str(i) for i in range(1, 1461)]
    assert houses.read_test()["Id"].tolist() == [str(i) for i in range(1461, 2920)]
    assert [len(y) for _, y in houses.splits] == [1168, 292]


@real
def test_columns_are_what_they_are(houses):
    kinds = houses.kinds
    assert len(kinds) == 79
    assert sum(kind == "number" for kind in kinds.values()) == 35
    assert kinds["MSSubClass"] == "category"
    assert {"GrLivArea", "LotFrontage", "YearBuilt"} <= {k for k, v in kinds.items()
                                                         if v == "number"}  # fmt: skip
    assert {"MasVnrType=None", "Alley=missing", "LotFrontage=missing"} <= set(houses.codec.features)


@real
def test_features_equal_those_of_pandas(houses):
    path = HousePrices.collection.obtain(TRAIN)
    frame = pd.read_csv(path, keep_default_na=False, na_values=["NA"])
    part = frame.iloc[houses.rows[0].numpy()]
    X = pd.DataFrame(houses.splits[0][0].numpy(), columns=houses.codec.features)
    z = np.log1p(part["LotArea"].astype(float)).to_numpy()
    assert np.allclose(X["LotArea"], ((z - z.mean()) / z.std()).clip(-5, 5), atol=1e-5)
    year = part["YearBuilt"].astype(float).to_numpy()
    assert np.allclose(X["YearBuilt"], (year - year.mean()) / year.std(), atol=1e-5)
    for name in ("Neighborhood", "FireplaceQu"):
        dummies = pd.get_dummies(part[name], dummy_na=bool(part[name].isna().any()))
        own = X[[f for f in X.columns if f.startswith(f"{name}=")]]
        assert np.array_equal(own.to_numpy(), dummies.to_numpy(dtype=np.float32))
    target = np.log(part["SalePrice"].to_numpy(dtype=float))
    assert np.allclose(houses.splits[0][1][:, 0], target, atol=1e-5)


@real
def test_every_row_becomes_finite_numbers(houses):
    for table in (houses.raw, houses.read_test()):
        X = houses.codec.encode(table)
        assert X.isfinite().all()
        assert X.abs().max() <= 5


@real
def test_an_mlp_comes_below_fifteen_hundredths(houses):
    torch.manual_seed(0)
    model = HousePriceMLP(**houses.model_arguments())
    history = Trainer(max_epochs=25, seed=0, progress=False).fit(model, houses)
    assert history.last["val_log_rmse"] < 0.15


@real
def test_another_file_of_that_name_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "house-prices"
    folder.mkdir()
    for file in (TRAIN, TEST):
        shutil.copy(HousePrices.collection.obtain(file), folder / file.name)
    with (folder / TRAIN.name).open("a") as file:
        file.write("\n")
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=r"not the published table.*--data table:FILE"):
        HousePrices().raw  # noqa: B018
    assert len(HousePrices().read_test()) == 1459


def test_half_of_the_files_is_not_enough(tmp_path, monkeypatch):
    (tmp_path / "house-prices").mkdir()
    (tmp_path / "house-prices" / TRAIN.name).write_text("Id,SalePrice\n1,2\n")
    monkeypatch.setenv("FREEDIVE_DATA", str(tmp_path))
    with pytest.raises(DataError, match=f"lacks {TEST.name} of house-prices"):
        HousePrices.availability()


def test_without_the_files_the_houses_stand_in(monkeypatch):
    monkeypatch.delenv("FREEDIVE_DATA", raising=False)
    assert data_at_hand(find_system("house-prices")) == "houses"
