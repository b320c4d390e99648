"""Fashion-MNIST and classification, as both editions have them (chapters 3, 4, 6 and 7)."""

import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from freedive.core import loader, metrics
from freedive.d2l import fast
from freedive.d2l.plotting import Animator, show_images
from freedive.d2l.protocol import BATCHES, Classifier, DataModule, EachTime, Few
from freedive.d2l.timing import Accumulator, Timer
from freedive.data.garments import CLASSES
from freedive.data.images import LabelledImages, as_floats
from freedive.experiment import choose_data, data_class

Net = Any  # a module or a function


@cache
def clothes() -> LabelledImages:
    """Fashion-MNIST where it is or can be fetched; else garments, and that is said once."""
    from freedive.catalog import find_system

    name, why = choose_data(find_system("softmax-regression"))
    if why and name != "fashion-mnist":
        print(f"d2l: {why}: {name}, drawn by code, stand in", file=sys.stderr)
    found: LabelledImages = data_class(name)()  # type: ignore[assignment]
    return found


class Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """A split that is indexed example by example, as torchvision's was: floats in [0, 1]."""

    def __init__(self, train: bool, size: tuple[int, int]):
        self.images, self.targets = clothes().train if train else clothes().val
        self.size = size

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, target = self.images[index], int(self.targets[index])
        return resized(image[None], self.size)[0], target


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """Floats in [0, 1], of another height and width where these differ."""
    height, width = size
    if height == width:
        return as_floats(images, height)
    floats = as_floats(images)
    return nn.functional.interpolate(floats, size=size, mode="bilinear")


def batches_of(
    train: bool, batch_size: int, size: tuple[int, int], shuffle: bool
) -> loader.TensorLoader:
    """Batches of resident tensors: no worker processes, no picture at a time (R10)."""
    columns = clothes().train if train else clothes().val

    def floats(batch: loader.Batch) -> loader.Batch:
        return resized(batch[0], size), batch[1]

    return EachTime(columns, batch_size, shuffle=shuffle, transform=floats)


class FashionMNIST(DataModule):
    """Fashion-MNIST (section 4.2)."""

    def __init__(self, batch_size: int = 64, resize: tuple[int, int] = (28, 28)):
        super().__init__()
        resize = (resize, resize) if isinstance(resize, int) else resize
        self.save_hyperparameters()
        self.train, self.val = Pictures(True, resize), Pictures(False, resize)

    def text_labels(self, indices: Iterable[int]) -> list[str]:
        """The names of classes given by their numbers."""
        return [CLASSES[int(i)] for i in indices]

    def get_dataloader(self, train: bool) -> Any:
        """Batches of images and labels."""
        return batches_of(train, self.batch_size, self.resize, shuffle=train)

    def visualize(self, batch: Any, nrows: int = 1, ncols: int = 8, labels: Any = ()) -> None:
        """The first images of a batch with the names of their classes."""
        X, y = batch
        show_images(X.squeeze(1), nrows, ncols, titles=list(labels) or self.text_labels(y))


class SoftmaxRegression(Classifier):
    """Softmax regression (section 4.5)."""

    def __init__(self, num_outputs: int, lr: float):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.Flatten(), nn.LazyLinear(num_outputs))

    def forward(self, X: Tensor) -> Tensor:
        """The logits."""
        return self.net(X)


def get_fashion_mnist_labels(labels: Iterable[int]) -> list[str]:
    """The names of classes given by their numbers."""
    return [CLASSES[int(i)] for i in labels]


def get_dataloader_workers() -> int:
    """How many processes read: none is needed, for the tensors are resident (R10)."""
    return 0


def load_data_fashion_mnist(batch_size: int, resize: int | None = None) -> tuple[Any, Any]:
    """Batches of training and of test images."""
    size = (resize or 28, resize or 28)
    return tuple(batches_of(t, batch_size, size, shuffle=t) for t in (True, False))  # type: ignore


def accuracy(y_hat: Tensor, y: Tensor) -> float:
    """How many guesses are right; right also for a single column of outputs (R31)."""
    return float(metrics.accuracy(y_hat, y, averaged=False).sum())


def evaluate_accuracy(net: Net, data_iter: Iterable[Any]) -> float:
    """The share of right guesses over all batches."""
    return evaluate_accuracy_gpu(net, data_iter, None)


@torch.no_grad()
def evaluate_accuracy_gpu(net: Net, data_iter: Iterable[Any], device: Any = None) -> float:
    """The share of right guesses, computed on a device: the net's own, if none is given."""
    if isinstance(net, nn.Module):
        net.eval()
        device = device or device_of(net)
    metric = Accumulator(2)
    for X, y in shortened(data_iter):
        X, y = moved(X, device), moved(y, device)
        metric.add(accuracy(net(X), y), y.numel())
    return metric[0] / metric[1]


def device_of(net: nn.Module) -> Any:
    """Where a net's parameters are."""
    return next((p.device for p in net.parameters()), None)


def moved(X: Any, device: Any) -> Any:
    """A batch on a device; a list is moved part by part."""
    if device is None:
        return X
    return [x.to(device) for x in X] if isinstance(X, (list, tuple)) else X.to(device)


def shortened(data_iter: Iterable[Any]) -> Iterable[Any]:
    """All batches, or in fast mode the first ones."""
    return Few(data_iter, BATCHES) if fast() else data_iter


def epochs(num_epochs: int) -> int:
    """All epochs, or in fast mode one."""
    return 1 if fast() else num_epochs


def train_epoch_ch3(
    net: Net, train_iter: Iterable[Any], loss: Any, updater: Any
) -> tuple[float, float]:
    """One epoch; gives the mean loss and the share of right guesses of all examples.

    Args:
        updater: a torch optimizer, or a function of the batch size such as the book's.
    """
    if isinstance(net, nn.Module):
        net.train()
    metric = Accumulator(3)
    for X, y in shortened(train_iter):
        y_hat = net(X)
        each = loss(y_hat, y)
        if isinstance(updater, torch.optim.Optimizer):
            updater.zero_grad()
            each.mean().backward()
            updater.step()
        else:
            each.sum().backward()
            updater(X.shape[0])
        # a loss that is a mean already counts for each of its examples
        total = each.detach().sum() if each.dim() else each.detach() * y.numel()
        metric.add(total, accuracy(y_hat, y), y.numel())
    return metric[0] / metric[2], metric[1] / metric[2]


def train_ch3(
    net: Net,
    train_iter: Iterable[Any],
    test_iter: Iterable[Any],
    loss: Any,
    num_epochs: int,
    updater: Any,
) -> None:
    """Train a classifier and draw how it goes (section 3.6 of the second edition).

    The assertions that ended it are gone: they stopped short runs and passed wrong losses.
    """
    animator = Animator(
        xlabel="epoch",
        xlim=[1, num_epochs],
        ylim=[0.3, 0.9],
        legend=["train loss", "train acc", "test acc"],
    )
    for epoch in range(epochs(num_epochs)):
        metrics_ = train_epoch_ch3(net, train_iter, loss, updater)
        animator.add(epoch + 1, (*metrics_, evaluate_accuracy(net, test_iter)))


def predict_ch3(net: Net, test_iter: Iterable[Any], n: int = 6) -> None:
    """The first n test images, each with its class and the guess."""
    X, y = next(iter(test_iter))
    guesses = get_fashion_mnist_labels(net(X).argmax(dim=1))
    titles = [f"{t}\n{g}" for t, g in zip(get_fashion_mnist_labels(y), guesses, strict=True)]
    show_images(X[:n].reshape(n, *X.shape[-2:]), 1, n, titles=titles[:n])


def train_ch6(
    net: nn.Module,
    train_iter: Iterable[Any],
    test_iter: Iterable[Any],
    num_epochs: int,
    lr: float,
    device: Any,
) -> None:
    """Train a net on one device with SGD from Xavier's weights (section 6.6, second edition)."""
    initialise(net, train_iter)
    net.to(device)
    print("training on", device)
    optimizer, loss = torch.optim.SGD(net.parameters(), lr=lr), nn.CrossEntropyLoss()
    animator = Animator(
        xlabel="epoch", xlim=[1, num_epochs], legend=["train loss", "train acc", "test acc"]
    )
    timer, test_acc, metric, seen = Timer(), 0.0, Accumulator(3), 0.0
    for epoch in range(epochs(num_epochs)):
        metric = Accumulator(3)
        net.train()
        for X, y in shortened(train_iter):
            timer.start()
            optimizer.zero_grad()
            X, y = X.to(device), y.to(device)
            y_hat = net(X)
            cost = loss(y_hat, y)
            cost.backward()
            optimizer.step()
            with torch.no_grad():
                metric.add(cost * len(y), accuracy(y_hat, y), len(y))
            timer.stop()
        seen += metric[2]
        test_acc = evaluate_accuracy_gpu(net, test_iter)
        animator.add(epoch + 1, (metric[0] / metric[2], metric[1] / metric[2], test_acc))
    print(
        f"loss {metric[0] / metric[2]:.3f}, train acc {metric[1] / metric[2]:.3f}, "
        f"test acc {test_acc:.3f}"
    )
    print(f"{seen / timer.sum():.1f} examples/sec on {device}")


def initialise(net: nn.Module, train_iter: Iterable[Any]) -> None:
    """Xavier's weights for dense layers and convolutions, lazy ones included (R24)."""
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in net.parameters()):
        with torch.no_grad():
            net(next(iter(train_iter))[0])

    def xavier(m: nn.Module) -> None:
        if isinstance(m, (nn.Linear, nn.Conv2d)):
            nn.init.xavier_uniform_(m.weight)

    net.apply(xavier)
