"""The data sets: fetched, checked and cached, or made by code from a seed."""

from importlib import import_module
from typing import TYPE_CHECKING

from freedive.core.errors import unknown

if TYPE_CHECKING:
    from freedive.core.data import DataModule

DATASETS: dict[str, str] = {
    "fashion-mnist": "freedive.data.fashion_mnist:FashionMNIST",
    "garments": "freedive.data.fashion_mnist:Garments",
    "fra-eng": "freedive.data.fra_eng:MTFraEng",
    "phrasebook": "freedive.data.fra_eng:Phrasebook",
    "time-machine": "freedive.data.time_machine:TimeMachine",
    "tales": "freedive.data.time_machine:Tales",
    "misspelt": "freedive.data.misspelt:Misspelt",
    "misspelt-tales": "freedive.data.misspelt:MisspeltTales",
    "house-prices": "freedive.data.house_prices:HousePrices",
    "houses": "freedive.data.houses:Houses",
    "synthetic-regression": "freedive.data.synthetic:SyntheticRegressionData",
}


def find_dataset(name: str) -> "type[DataModule]":
    """The class of a data set by its name; nothing but its own module is imported."""
    if name not in DATASETS:
        raise unknown("data set", name, DATASETS)
    module, _, attribute = DATASETS[name].partition(":")
    found: type[DataModule] = getattr(import_module(module), attribute)
    return found
