"""A compiled run computes what the same run computes without."""

import pytest
import torch
from torch import nn

from freedive.core.module import Classifier
from freedive.core.trainer import Trainer


class Small(Classifier):
    """Two dense layers around a batch norm."""

    def __init__(self, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def test_a_compiled_run_ends_where_the_plain_one_does(make_data):
    losses = []
    for compiled in (False, True):
        torch.manual_seed(0)
        trainer = Trainer(max_epochs=2, compile=compiled, device="cpu", seed=0, progress=False)
        losses.append(trainer.fit(Small(), make_data()).last["val_loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
