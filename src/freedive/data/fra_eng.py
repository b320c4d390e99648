"""English sentences with French ones: the published pairs, the phrasebook, and one's own (10.5)."""

import warnings
from pathlib import Path

from freedive.core.errors import DataError
from freedive.core.hyperparameters import Count, Whole
from freedive.data.phrase_grammar import phrases
from freedive.data.store import Collection, RemoteFile, Source, decoded, read_text
from freedive.data.translation import Pairs, Split, TranslationData

MIRRORS = ("http://d2l-data.s3-accelerate.amazonaws.com/",)
SHA256 = "0bb85dbaa1c896844649094d7eaf2e34bee34e84fe362b26ce7e8f2e12aae104"


class MTFraEng(TranslationData):
    """Tatoeba's English–French pairs as the book has them: 167,130, the shortest first."""

    name = "fra-eng"
    standin = "phrasebook"
    collection = Collection(name, (RemoteFile("fra.txt", SHA256, MIRRORS, archive="fra-eng.zip"),))

    @classmethod
    def availability(cls, download: bool = True) -> Source | None:
        """Where the file would come from, without loading it; None where from nowhere."""
        return cls.collection.source(download)

    def read(self) -> Pairs:
        """The pairs, from FREEDIVE_DATA, the cache or the network.

        Another edition that the user gave, such as a newer one with a column of attributions, is
        taken with a warning.
        """
        (file,) = self.collection.files
        path = self.collection.obtain(file)
        content = file.read(path)
        if not file.matches(content):
            warnings.warn(
                f"{path} is not the edition that the book has: expect other numbers than its",
                stacklevel=2,
            )
        return columns_of(decoded(content, path), path)


class Phrasebook(TranslationData):
    """Pairs made by one grammar of English and French: fra-eng's stand-in, needing no file.

    Args:
        data_seed: of the making.
        num_pairs: pairs that are made; twice as many as are to learn from and to judge by, where
            that is more, for some are too long.
    """

    name = "phrasebook"
    synthetic = True
    data_seed: int
    num_pairs: int

    def __init__(
        self,
        batch_size: Count = 128,
        num_steps: Count = 14,  # which all but the longest fit in
        num_train: Count | None = None,
        num_val: Count = 128,
        min_freq: Whole = 2,
        split: Split = "random",
        split_seed: Whole = 0,
        data_seed: Whole = 0,
        num_pairs: Count = 5_000,
    ):
        super().__init__(batch_size, num_steps, num_train, num_val, min_freq, split, split_seed)
        self.save_hyperparameters()

    def read(self) -> Pairs:
        """The pairs, made anew each time."""
        asked = (self.num_train or 0) + self.num_val
        return phrases(max(self.num_pairs, 2 * asked), self.data_seed)


class OwnPairs(TranslationData):
    """The pairs of any UTF-8 file: each line a sentence, a tab, its translation.

    A third column, such as an attribution, is passed over; blank lines are, too.

    Args:
        file: the text file.
    """

    name = "own-pairs"

    def __init__(
        self,
        file: str | Path,
        batch_size: Count = 128,
        num_steps: Count = 9,
        num_train: Count | None = None,
        num_val: Count = 128,
        min_freq: Whole = 2,
        split: Split = "random",
        split_seed: Whole = 0,
    ):
        super().__init__(batch_size, num_steps, num_train, num_val, min_freq, split, split_seed)
        file = str(file)  # a record of the settings holds plain values
        self.save_hyperparameters()

    def read(self) -> Pairs:
        """The file's pairs."""
        path = Path(self.file).expanduser()
        return columns_of(read_text(path), path)


def columns_of(text: str, path: Path) -> Pairs:
    """The first two of two or three tab-separated columns.

    Raises:
        DataError: a line has fewer or more, or a sentence is missing.
    """
    pairs = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        source, *rest = line.split("\t")
        if not (1 <= len(rest) <= 2 and source.strip() and rest[0].strip()):
            raise DataError(
                f"{path}, line {number}: a sentence, a tab and its translation are wanted, perhaps "
                f"with a third column behind a second tab, got {line[:40]!r}"
            )
        pairs.append((source, rest[0]))
    return pairs
