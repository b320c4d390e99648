"""Houses that were never built: a table with gaps, drawn by code from a known law of prices (5.7).

The logarithm of a price is a sum of what the parts of a house are worth, with two products in it
that no sum of columns has: quality is worth more in a large house, and an old house keeps its
value only where it was renewed. On top lies noise of a known size, which no model can predict.
"""

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from freedive.core.hyperparameters import Count, NonNegative, Whole
from freedive.core.random import derived_seed
from freedive.data.tables import TableData

if TYPE_CHECKING:
    import pandas as pd

VERSION = "1"  # of the law and of the drawing
# what a district adds to the log price
DISTRICTS = {"Harbour": 0.30, "Hillside": 0.22, "Oldtown": 0.05, "Station": -0.04,
             "Meadows": 0.0, "Mill": -0.12, "Quarry": -0.25}  # fmt: skip
KITCHENS = {"Ex": 0.12, "Gd": 0.06, "TA": 0.0, "Fa": -0.10}
GARAGES = {"Attached": 0.08, "Detached": 0.04, None: 0.0}
ROOFS = ("Flat", "Gable", "Hip")  # worth nothing: a model has to find out
TYPES = {20: 0.0, 60: 0.03, 120: -0.05, 190: -0.10}  # a code: its size means nothing
YEAR = 2010  # of all sales
BASE = 11.9  # log price of a usual house


class Houses(TableData):
    """Houses drawn by code, with gaps and a known law of prices: house-prices' stand-in.

    Args:
        num_train: houses to learn from.
        num_val: houses to judge by.
        num_test: houses whose price is to be predicted.
        noise: standard deviation of the log price around its law: the best that a model can do.
    """

    name = "houses"
    synthetic = True
    target = "SalePrice"
    id_column = "Id"
    categories = ("HouseType",)
    num_train: int
    num_val: int
    num_test: int
    noise: float

    def __init__(
        self,
        batch_size: Count = 64,
        num_train: Count = 1_168,
        num_val: Count = 292,
        num_test: Count = 1_459,
        noise: NonNegative = 0.1,
        data_seed: Whole = 0,
    ):
        super().__init__(batch_size, num_val, data_seed)
        self.save_hyperparameters()

    @cached_property
    def rows(self) -> tuple[Int[Tensor, " train"], Int[Tensor, " val"]]:
        """The first houses to learn from, the next to judge by: any are as good as others."""
        numbers = torch.arange(self.num_train + self.num_val)
        return numbers[: self.num_train], numbers[self.num_train :]

    def read(self) -> "pd.DataFrame":
        """The houses with their prices, drawn anew each time."""
        return self._drawn("SalePrice", 0, self.num_train + self.num_val, first=1)

    def read_test(self) -> "pd.DataFrame":
        """Other houses, without their prices."""
        return self.answers().drop(columns=self.target)

    def answers(self) -> "pd.DataFrame":
        """The houses of `read_test` with their prices, which only a stand-in can tell."""
        first = self.num_train + self.num_val + 1
        return self._drawn("SalePrice", 1, self.num_test, first)

    def fingerprint(self) -> str:
        """The name with the version of the drawing and all that it depends on."""
        settings = {k: v for k, v in self.hparams.items() if k != "batch_size"}
        return f"{self.name}:{VERSION}:{settings}"

    def _drawn(self, price: str, stream: int, number: int, first: int) -> "pd.DataFrame":
        """So many houses, numbered from the first, as a file would have them."""
        import pandas as pd

        chance = np.random.default_rng(derived_seed(self.data_seed, stream))
        houses = draw_houses(number, chance)
        log_price = law(houses) + self.noise * chance.standard_normal(number)
        table = pd.DataFrame(with_gaps(houses, chance), dtype=object)
        table.insert(0, "Id", np.arange(first, first + number))
        table[price] = np.exp(log_price).round(-2)
        table.index = pd.RangeIndex(1, number + 1)
        return table


def draw_houses(number: int, chance: np.random.Generator) -> dict[str, Any]:
    """Columns of houses, whole: size and quality go together, new houses have garages."""
    quality = np.clip(np.round(chance.normal(5.8, 1.5, number)), 1, 10)
    area = np.exp(chance.normal(7.2 + 0.06 * (quality - 6), 0.28, number)).round()
    built = np.round(YEAR - chance.gamma(2.0, 18.0, number).clip(0, 130))
    renewed = np.where(chance.random(number) < 0.45, chance.uniform(built, YEAR).round(), built)
    garage = np.where(chance.random(number) < 0.06 + 0.006 * (YEAR - built), 2, 0)
    garage = np.where((garage == 0) & (chance.random(number) < 0.3), 1, garage)
    return {
        "HouseType": chance.choice(list(TYPES), number),
        "District": chance.choice(list(DISTRICTS), number),
        "LivingArea": area,
        "LotArea": np.exp(chance.normal(9.1, 0.5, number)).round(),
        "Quality": quality,
        "Baths": np.clip(np.round(area / 900 + chance.normal(0, 0.5, number)), 1, 4),
        "YearBuilt": built,
        "YearRenewed": renewed,
        "Kitchen": chance.choice(list(KITCHENS), number, p=[0.08, 0.40, 0.47, 0.05]),
        "Garage": np.array(list(GARAGES), dtype=object)[garage],
        "GarageYear": np.where(garage == 2, np.nan, built),
        "PoolArea": np.where(chance.random(number) < 0.02, chance.uniform(200, 700, number), 0.0),
        "Roof": chance.choice(ROOFS, number, p=[0.02, 0.78, 0.20]),
        "MonthSold": chance.integers(1, 13, number),
    }


def law(houses: dict[str, Any]) -> np.ndarray:
    """The log price of whole houses, without noise."""
    size = np.log(houses["LivingArea"] / 1_350)
    quality, age = houses["Quality"] - 6, (YEAR - houses["YearBuilt"]) / 100
    worn = (YEAR - houses["YearRenewed"]) / 100
    return (
        BASE
        + 0.65 * size
        + 0.08 * quality
        + 0.15 * size * quality
        + 0.10 * np.log(houses["LotArea"] / 9_000)
        + 0.05 * (houses["Baths"] - 1)
        - 0.15 * age
        - 0.80 * age * worn
        + 0.10 * (houses["PoolArea"] > 0)
        + worth(houses["District"], DISTRICTS)
        + worth(houses["Kitchen"], KITCHENS)
        + worth(houses["Garage"], GARAGES)
        + worth(houses["HouseType"], TYPES)
    )


def worth(column: np.ndarray, prices: dict[Any, float]) -> np.ndarray:
    """What each category of a column adds to the log price."""
    return np.array([prices[category] for category in column.tolist()])


def with_gaps(houses: dict[str, Any], chance: np.random.Generator) -> dict[str, Any]:
    """The columns as somebody noted them: some lots were not measured, some kitchens not seen.

    No garage, and no year of it, is a gap too, and one that means something.
    """
    noted = {name: column.astype(object) for name, column in houses.items()}
    for name, share in (("LotArea", 0.15), ("Kitchen", 0.03), ("YearRenewed", 0.02)):
        noted[name][chance.random(len(noted[name])) < share] = None
    return noted
