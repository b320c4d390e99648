"""The house prices of Ames, Iowa, from 2006 to 2010, as Kaggle has them (section 5.7)."""

from typing import TYPE_CHECKING

from freedive.core.errors import DataError
from freedive.data.store import Collection, RemoteFile, Source
from freedive.data.tables import TableData
from freedive.data.tabular import read_table

if TYPE_CHECKING:
    import pandas as pd


MIRRORS = ("http://d2l-data.s3-accelerate.amazonaws.com/",)
TRAIN = RemoteFile(
    "kaggle_house_pred_train.csv",
    "1e18addf81e5e4d347cc17ee6075bbe4a42b7fa26b9e5b063e8f692a5f929d41",
    MIRRORS,
    suffix="",
)
TEST = RemoteFile(
    "kaggle_house_pred_test.csv",
    "8fdd3d829d4d986b58f845c9553b225e67dd8383624d90fb6ca1d4bed5798c1e",
    MIRRORS,
    suffix="",
)


class HousePrices(TableData):
    """1,460 houses sold in Ames with 79 columns and their price, and 1,459 without it."""

    name = "house-prices"
    standin = "houses"
    target = "SalePrice"
    id_column = "Id"
    categories = ("MSSubClass",)  # a code of the building's type
    collection = Collection(name, (TRAIN, TEST))

    @classmethod
    def availability(cls, download: bool = True) -> Source | None:
        """Where the files would come from, without loading them; None where from nowhere."""
        return cls.collection.source(download)

    def read(self) -> "pd.DataFrame":
        """The houses with their prices; the file is verified."""
        return _published(TRAIN)

    def read_test(self) -> "pd.DataFrame":
        """The houses whose prices only Kaggle knows; the file is verified."""
        return _published(TEST)

    def fingerprint(self) -> str:
        """The name with the SHA-256 of each file's content, and what decides the rows."""
        digests = "+".join(file.sha256 for file in self.collection.files)
        return f"{self.name}:{digests}:{self.hparams}"


def _published(file: RemoteFile) -> "pd.DataFrame":
    path = HousePrices.collection.obtain(file)
    if not file.matches(file.read(path)):
        raise DataError(
            f"{path} is not the published table (its SHA-256 is another): "
            "train on a table of your own with --data table:FILE"
        )
    return read_table(path)
