"""An epoch of other libraries, each as its documentation has it, where it is installed."""

import copy
import importlib.util
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch.utils.data import DataLoader, TensorDataset

from freedive.catalog import find_system
from freedive.core.data import DataModule

Epoch = Callable[[], None]


def epochs(system: str, data: DataModule, batch_size: int) -> dict[str, Epoch]:
    """An epoch (training and validation) of every library that is installed."""
    makers = {"lightning": _lightning, "keras": _keras, "skorch": _skorch, "fastai": _fastai}
    return {
        name: make(system, data, batch_size)
        for name, make in makers.items()
        if importlib.util.find_spec(name) is not None
    }


def _network(system: str) -> tuple[torch.nn.Module, float]:
    model = find_system(system).model()()
    return copy.deepcopy(model.net), model.lr


def _floats(data: DataModule) -> list[torch.Tensor]:
    return [part for images, labels in (data.train, data.val) for part in (images / 255, labels)]


def _loaders(data: DataModule, batch_size: int) -> tuple[DataLoader, DataLoader]:
    X, y, X_val, y_val = _floats(data)
    train = DataLoader(TensorDataset(X, y), batch_size, shuffle=True)
    return train, DataLoader(TensorDataset(X_val, y_val), batch_size)


def _lightning(system: str, data: DataModule, batch_size: int) -> Epoch:
    import lightning

    net, lr = _network(system)

    class Lit(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def training_step(self, batch, _):
            return F.cross_entropy(self.net(batch[0]), batch[1])

        def validation_step(self, batch, _):
            logits = self.net(batch[0])
            self.log("val_loss", F.cross_entropy(logits, batch[1]))
            self.log("val_acc", (logits.argmax(1) == batch[1]).float().mean())

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr)

    model, loaders = Lit(), _loaders(data, batch_size)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}

    def epoch() -> None:
        trainer = lightning.Trainer(max_epochs=1, accelerator="cpu", num_sanity_val_steps=0,
                                    enable_model_summary=False, **quiet)  # fmt: skip
        trainer.fit(model, *loaders)

    return epoch


def _keras(system: str, data: DataModule, batch_size: int) -> Epoch:
    import os

    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    _, lr = _network(system)
    sigmoid = {"activation": "sigmoid"}
    layers = {
        "softmax-regression": [keras.layers.Flatten(), keras.layers.Dense(10)],
        "mlp": [
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dense(10),
        ],
        "lenet": [
            keras.layers.Conv2D(6, 5, padding="same", **sigmoid),
            keras.layers.AveragePooling2D(2),
            keras.layers.Conv2D(16, 5, **sigmoid),
            keras.layers.AveragePooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dense(120, **sigmoid),
            keras.layers.Dense(84, **sigmoid),
            keras.layers.Dense(10),
        ],
    }[system]
    model = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    model.compile(
        keras.optimizers.SGD(lr),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    X, y, X_val, y_val = (np.moveaxis(p.numpy(), 1, -1) if p.dim() == 4 else p.numpy()
                          for p in _floats(data))  # fmt: skip
    return lambda: model.fit(
        X, y, batch_size=batch_size, verbose=0, validation_data=(X_val, y_val),
        validation_batch_size=batch_size,
    )  # fmt: skip


def _skorch(system: str, data: DataModule, batch_size: int) -> Epoch:
    from skorch import NeuralNetClassifier
    from skorch.dataset import Dataset
    from skorch.helper import predefined_split

    net, lr = _network(system)
    X, y, X_val, y_val = _floats(data)
    model = NeuralNetClassifier(
        net, criterion=torch.nn.CrossEntropyLoss, lr=lr, batch_size=batch_size, verbose=0,
        optimizer=torch.optim.SGD, iterator_train__shuffle=True,
        train_split=predefined_split(Dataset(X_val, y_val)), classes=list(range(10)),
    ).initialize()  # fmt: skip
    return lambda: model.partial_fit(X, y.numpy(), epochs=1)


def _fastai(system: str, data: DataModule, batch_size: int) -> Epoch:
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from fastai.optimizer import SGD

    net, lr = _network(system)
    train, val = _loaders(data, batch_size)
    learner = Learner(DataLoaders(train, val, device="cpu"), net, F.cross_entropy, SGD, lr,
                      metrics=accuracy)  # fmt: skip

    def epoch() -> None:
        with learner.no_bar(), learner.no_logging():
            learner.fit(1)

    return epoch
