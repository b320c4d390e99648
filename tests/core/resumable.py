"""A run that can be killed: ``python resumable.py FOLDER`` goes on until it is finished."""

import sys
from pathlib import Path

import torch
from tiny import At
from torch import nn
from torch.utils.data import DataLoader, Dataset

from freedive.core.callbacks import CosineSchedule, EarlyStopping, WeightAveraging
from freedive.core.data import DataModule
from freedive.core.history import History
from freedive.core.loader import TensorLoader
from freedive.core.module import Classifier
from freedive.core.random import seed_everything
from freedive.core.trainer import Trainer


class Everything(Classifier):
    """Dropout, batch norm, Adam: whatever has a state of its own."""

    def __init__(self, stop_in_validation: int | None = None):
        super().__init__()
        self.stop_in_validation = stop_in_validation
        self.net = nn.Sequential(
            nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3)
        )

    def validation_step(self, batch):
        """Stops the run at one validation batch, if it is told to."""
        super().validation_step(batch)
        if self.trainer.val_batch_idx == self.stop_in_validation:
            self.trainer.stop("interrupted")

    def configure_optimizers(self):
        """Adam, decayed after each step."""
        adam = torch.optim.Adam(self.parameters(), lr=0.02)
        schedule = torch.optim.lr_scheduler.ExponentialLR(adam, 0.99)
        return {"optimizer": adam, "scheduler": schedule, "interval": "step"}


class Noisy(Dataset):
    """Examples that are moved a little each time, as augmented images are."""

    def __init__(self, X, y):
        self.X, self.y = X, y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, i):
        return self.X[i] + 0.1 * torch.randn(4), self.y[i]


class Points(DataModule):
    """Forty examples to learn from and twenty to judge by, through one of three loaders."""

    def __init__(self, kind: str = "tensors"):
        self.kind = kind
        chance = torch.Generator().manual_seed(1)
        self.X = torch.randn(60, 4, generator=chance)
        self.y = self.X[:, :3].argmax(dim=1)

    def get_dataloader(self, train):
        """Batches of six: the last one is short."""
        rows = slice(0, 40) if train else slice(40, 60)
        X, y = self.X[rows], self.y[rows]
        if self.kind == "tensors":
            return TensorLoader([X, y], 6, shuffle=train)
        pairs = Noisy(X, y) if self.kind == "noisy" else list(zip(X, y, strict=True))
        return DataLoader(pairs, batch_size=6, shuffle=train)


def fit(
    folder: Path,
    stop: At | None = None,
    in_validation: int | None = None,
    resume: bool = False,
    kind: str = "tensors",
    **arguments,
) -> tuple[Everything, History]:
    """One run, or a part of one."""
    seed_everything(3)
    model = Everything(in_validation)
    callbacks = [
        WeightAveraging(0.9),
        EarlyStopping(patience=10**6),
        CosineSchedule(arguments.get("max_epochs", 4), warmup_epochs=1),
        stop or At("on_step_end", -1, print),
    ]
    settings = {"max_epochs": 4, "seed": 3, "accumulate": 2, "gradient_clip_val": 1.0}
    trainer = Trainer(
        **{**settings, **arguments},
        device="cpu",
        progress=False,
        run=folder,
        callbacks=callbacks,
    )
    return model, trainer.fit(model, Points(kind), resume=resume)


if __name__ == "__main__":
    torch.set_num_threads(1)
    fit(Path(sys.argv[1]), resume=True, max_epochs=int(sys.argv[2]))
