"""Training on several devices, as far as there are any (chapter 13; 12 and 13 in the second)."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from freedive.d2l.devices import try_all_gpus
from freedive.d2l.images import accuracy, epochs, evaluate_accuracy_gpu, moved, shortened
from freedive.d2l.plotting import Animator
from freedive.d2l.timing import Accumulator, Timer


def split_batch(X: Tensor, y: Tensor, devices: Sequence[Any]) -> tuple[Any, Any]:
    """A batch cut into a part for each device."""
    assert X.shape[0] == y.shape[0]
    return tuple(
        [
            part.to(device)
            for part, device in zip(Z.tensor_split(len(devices)), devices, strict=True)
        ]
        for Z in (X, y)
    )  # type: ignore[return-value]


def train_batch_ch13(
    net: nn.Module, X: Any, y: Tensor, loss: Any, trainer: Any, devices: Sequence[Any]
) -> tuple[Any, float]:
    """One step; gives the sum of the losses and how many guesses are right."""
    X, y = moved(X, devices[0]), y.to(devices[0])
    net.train()
    trainer.zero_grad()
    pred = net(X)
    each = loss(pred, y)
    each.sum().backward()
    trainer.step()
    return each.detach().sum(), accuracy(pred, y)


def train_ch13(
    net: nn.Module,
    train_iter: Any,
    test_iter: Any,
    loss: Any,
    trainer: Any,
    num_epochs: int,
    devices: Any = None,
) -> None:
    """Train a net on one device or on several."""
    devices = devices or try_all_gpus()
    where = [torch.device(d) for d in devices]
    cuda = all(d.type == "cuda" for d in where) and len(where) > 1
    net = (nn.DataParallel(net, device_ids=where) if cuda else net).to(where[0])
    animator = Animator(
        xlabel="epoch",
        xlim=[1, num_epochs],
        ylim=[0, 1],
        legend=["train loss", "train acc", "test acc"],
    )
    timer, metric, test_acc, seen = Timer(), Accumulator(3), 0.0, 0.0
    for epoch in range(epochs(num_epochs)):
        metric = Accumulator(3)
        for features, labels in shortened(train_iter):
            timer.start()
            step = train_batch_ch13(net, features, labels, loss, trainer, where)
            metric.add(*step, labels.numel())
            timer.stop()
        seen += metric[2]
        test_acc = evaluate_accuracy_gpu(net, test_iter)
        animator.add(epoch + 1, (metric[0] / metric[2], metric[1] / metric[2], test_acc))
    print(
        f"loss {metric[0] / metric[2]:.3f}, train acc {metric[1] / metric[2]:.3f}, "
        f"test acc {test_acc:.3f}"
    )
    print(f"{seen / timer.sum():.1f} examples/sec on {where!s}")
