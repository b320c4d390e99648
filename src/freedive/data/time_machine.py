"""The Time Machine (section 9.2), the tales that stand in for it, and any text of one's own."""

from pathlib import Path

from freedive.core.errors import DataError
from freedive.core.hyperparameters import Count, Whole
from freedive.data.store import Collection, RemoteFile, Source, decoded, read_text
from freedive.data.text import Order, TextData
from freedive.data.tokenizers import Kind

MIRRORS = ("http://d2l-data.s3-accelerate.amazonaws.com/",)
SHA256 = "8424dbd9532ac81f7e5f0b6add90e6952baea29158309d7d1bf3884f4e12c516"


class TimeMachine(TextData):
    """H. G. Wells, The Time Machine: 173,428 letters and spaces."""

    name = "time-machine"
    standin = "tales"
    cleaning = "letters"
    collection = Collection(name, (RemoteFile("timemachine.txt", SHA256, MIRRORS, suffix=""),))

    @classmethod
    def availability(cls, download: bool = True) -> Source | None:
        """Where the file would come from, without loading it; None where from nowhere."""
        return cls.collection.source(download)

    def read(self) -> str:
        """The book, from FREEDIVE_DATA, the cache or the network; its hash is verified."""
        (file,) = self.collection.files
        path = self.collection.obtain(file)
        content = file.read(path)
        if not file.matches(content):
            raise DataError(
                f"{path} is not the published text (its SHA-256 is another): "
                "train on a text of your own with --data text:FILE"
            )
        return decoded(content, path)


class Tales(TextData):
    """Tales told by a grammar, endlessly: the Time Machine's stand-in, needing no file.

    Args:
        data_seed: of the telling.
        num_chars: length of the text.
    """

    name = "tales"
    synthetic = True
    cleaning = "letters"
    data_seed: int
    num_chars: int

    def __init__(
        self,
        batch_size: Count = 1024,
        num_steps: Count = 32,
        num_train: Count | None = 10_000,
        num_val: Count | None = None,
        tokenizer: Kind = "char",
        vocab_size: Count = 2_000,
        min_freq: Whole = 0,
        order: Order = "random",
        data_seed: Whole = 0,
        num_chars: Count = 200_000,
    ):
        super().__init__(
            batch_size, num_steps, num_train, num_val, tokenizer, vocab_size, min_freq, order
        )
        self.save_hyperparameters()

    def read(self) -> str:
        """The text, told anew each time."""
        from freedive.data.tale_grammar import tell_tale

        return tell_tale(self.num_chars, self.data_seed)


class OwnText(TextData):
    """The text of any UTF-8 file, as it is.

    Args:
        file: the text file.
    """

    name = "own-text"

    def __init__(
        self,
        file: str | Path,
        batch_size: Count = 1024,
        num_steps: Count = 32,
        num_train: Count | None = None,
        num_val: Count | None = None,
        tokenizer: Kind = "char",
        vocab_size: Count = 2_000,
        min_freq: Whole = 0,
        order: Order = "random",
    ):
        super().__init__(
            batch_size, num_steps, num_train, num_val, tokenizer, vocab_size, min_freq, order
        )
        file = str(file)  # a record of the settings holds plain values
        self.save_hyperparameters()

    def read(self) -> str:
        """The file's text."""
        return read_text(Path(self.file).expanduser())
