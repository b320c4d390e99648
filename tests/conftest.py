"""What every test stands on: a seed, few threads, a cache of its own."""

import gc
import os
from collections.abc import Callable, Iterator

import pytest
import tests.shapes
import torch
from jaxtyping import install_import_hook
from torch import Tensor

# before freedive is imported: from here on, the shapes in signatures are checked
SHAPED = ["freedive.core.metrics", "freedive.core.module", "freedive.core.samples",
          "freedive.core.figures", "freedive.data.images", "freedive.data.own_images",
          "freedive.data.synthetic", "freedive.data.text", "freedive.data.translation",
          "freedive.topics"]  # fmt: skip
install_import_hook(SHAPED, f"{tests.shapes.__name__}.check")

# torch and its company are a million objects: to go through them again and again takes a fifth of
# the time of all tests
gc.set_threshold(50_000, 20, 20)

from freedive.core.data import DataModule  # noqa: E402
from freedive.core.hyperparameters import Count, Whole  # noqa: E402
from freedive.core.loader import TensorLoader  # noqa: E402
from freedive.core.random import seed_everything  # noqa: E402


class TinyData(DataModule):
    """Points in four dimensions, in three classes that a linear map tells apart."""

    def __init__(self, num_train: Whole = 50, num_val: Whole = 20, batch_size: Count = 8):
        self.save_hyperparameters()
        chance = torch.Generator().manual_seed(7)
        self.X = torch.randn(num_train + num_val, 4, generator=chance)
        self.y = (self.X @ torch.randn(4, 3, generator=chance)).argmax(dim=1)

    def get_dataloader(self, train: bool) -> TensorLoader:
        """The first examples are for training."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader([self.X, self.y], train, rows)

    def training_tensors(self) -> tuple[Tensor, Tensor]:
        """All training examples in their order."""
        return self.X[: self.num_train], self.y[: self.num_train]


def pytest_collection_finish() -> None:
    """What has been imported stays: the collector need not look at it."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test touches the user's cache, and none takes all cores."""
    torch.set_num_threads(1)  # on a busy machine, threads that wait for each other cost most
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # nor do the commands that a test starts
    before = os.environ.get("FREEDIVE_CACHE")
    os.environ["FREEDIVE_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    if before is None:
        del os.environ["FREEDIVE_CACHE"]
    else:
        os.environ["FREEDIVE_CACHE"] = before


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test draws the same numbers, whatever ran before it."""
    seed_everything(0)
    tests.shapes.check_anew()


@pytest.fixture
def tiny_data() -> TinyData:
    """Fifty training and twenty validation examples in batches of eight, the last one of two."""
    return TinyData()


@pytest.fixture
def make_data() -> Callable[..., TinyData]:
    """`TinyData` of other sizes."""
    return TinyData
