import numpy as np
import pandas as pd
import pytest
import torch

from freedive.core.errors import UsageError
from freedive.data.houses import DISTRICTS, KITCHENS, Houses, draw_houses, law, with_gaps
from freedive.data.tables import OwnTable


def test_the_same_seed_draws_the_same_houses():
    a, b, other = (Houses(num_train=30, num_val=10, data_seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(a.raw, b.raw)
    assert not a.raw.equals(other.raw)
    assert a.fingerprint() == b.fingerprint() != other.fingerprint()
    assert a.synthetic
    assert a.label == "houses (synthetic)"


def test_houses_to_learn_from_to_judge_by_and_to_predict_are_apart():
    data = Houses(num_train=30, num_val=10, num_test=7)
    assert [len(part[1]) for part in data.splits] == [30, 10]
    assert data.raw["Id"].tolist() == list(range(1, 41))
    test = data.read_test()
    assert test["Id"].tolist() == list(range(41, 48))
    assert "SalePrice" not in test.columns
    assert data.answers()["SalePrice"].gt(0).all()
    assert set(data.raw["LivingArea"][:7]) != set(test["LivingArea"])


def test_the_smallest_tables_are_tables():
    data = Houses(num_train=2, num_val=1, num_test=1)
    assert data.splits[0][0].shape == (2, len(data.codec.features))
    assert data.splits[1][0].isfinite().all()
    with pytest.raises(UsageError, match="num_train wants"):
        Houses(num_train=0)


def test_without_noise_prices_follow_their_law():
    """Prices are rounded to hundreds; of the law's inputs some are gaps in the table."""
    chance = np.random.default_rng(0)
    houses = draw_houses(500, chance)
    spread = law(houses).std()
    assert 0.3 < spread < 0.6
    quiet, noisy = Houses(noise=0.0), Houses()
    ratio = np.log(noisy.raw["SalePrice"].astype(float) / quiet.raw["SalePrice"].astype(float))
    assert ratio.std() == pytest.approx(0.1, rel=0.1)
    assert ratio.mean() == pytest.approx(0.0, abs=0.01)


def test_the_law_has_the_products_that_no_sum_of_columns_has():
    house = {name: column[:1].copy() for name, column in
             draw_houses(1, np.random.default_rng(0)).items()}  # fmt: skip

    def log_price(**changes):
        return float(law({**house, **{k: np.array([v]) for k, v in changes.items()}})[0])

    def gain(area):
        return log_price(LivingArea=area, Quality=9) - log_price(LivingArea=area, Quality=6)

    assert gain(2_700) - gain(1_350) == pytest.approx(0.15 * 3 * np.log(2))
    renewed = log_price(YearBuilt=1910, YearRenewed=2010)
    assert renewed - log_price(YearBuilt=1910, YearRenewed=1910) == pytest.approx(0.8)
    dearest = max(DISTRICTS, key=DISTRICTS.get)
    assert log_price(District=dearest) - log_price(District="Meadows") == pytest.approx(0.30)
    assert log_price(Roof="Flat") == log_price(Roof="Hip")


def test_gaps_are_where_they_are_said_to_be():
    houses = draw_houses(4_000, np.random.default_rng(0))
    noted = pd.DataFrame(with_gaps(houses, np.random.default_rng(1)))
    shares = noted.isna().mean()
    for name, share in (("LotArea", 0.15), ("Kitchen", 0.03), ("YearRenewed", 0.02)):
        assert shares[name] == pytest.approx(share, abs=0.02)
    assert (noted["Garage"].isna() == noted["GarageYear"].isna()).all()
    assert 0.02 < shares["Garage"] < 0.5
    assert not shares[["District", "LivingArea", "Quality", "YearBuilt"]].any()
    assert set(noted["Kitchen"].dropna()) == set(KITCHENS)
    assert (noted["YearBuilt"] <= 2010).all()
    assert (houses["YearRenewed"] >= houses["YearBuilt"]).all()


def test_a_code_is_a_category_and_not_a_number():
    data = Houses(num_train=200, num_val=10)
    assert data.kinds["HouseType"] == "category"
    assert data.kinds["Quality"] == "number"
    assert {"HouseType=20", "HouseType=190"} <= set(data.codec.features)
    assert "LotArea=missing" in data.codec.features
    assert "Id" not in data.kinds


def test_the_same_houses_from_a_file_give_the_same_features(tmp_path):
    data = Houses(num_train=60, num_val=20)
    path = tmp_path / "houses.csv"
    data.raw.to_csv(path, index=False)
    own = OwnTable(path, "SalePrice", "Id", ("HouseType",)).with_rows(*data.rows)
    assert own.codec == data.codec
    for a, b in zip(own.splits, data.splits, strict=True):
        assert torch.equal(a[0], b[0])
        assert torch.equal(a[1], b[1])
