"""Convolution from tensors up against torch's: ``python -m benchmarks.convolution``.

Forward and backward of LeNet's layers, and LeNet's training step in both forms, on random images.
Both take turns in one process; medians are compared.
"""

import argparse
import platform
from collections.abc import Callable
from datetime import date

import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.training import seconds_of
from freedive.catalog import Form, find_system
from freedive.topics.convolution import scratch

BATCH = 256
FORMS: tuple[Form, Form] = ("scratch", "concise")
Pair = dict[str, Callable[[], object]]


def there_and_back(operation: Callable[..., Tensor], *arguments: object) -> Callable[[], None]:
    """An operation, and the gradients of all its inputs that want one."""

    def run() -> None:
        Y = operation(*arguments)
        Y.backward(torch.ones_like(Y))

    return run


def convolutions(channels: int, side: int, kernels: int, padding: int) -> Pair:
    """A 5×5 layer of LeNet; images themselves want no gradient."""
    X = torch.randn(BATCH, channels, side, side, requires_grad=channels > 1)
    weight = torch.randn(kernels, channels, 5, 5, requires_grad=True)
    bias = torch.randn(kernels, requires_grad=True)
    arguments = (X, weight, bias, 1, padding)
    layers = dict(zip(FORMS, (scratch.conv2d, F.conv2d), strict=True))
    return {form: there_and_back(layer, *arguments) for form, layer in layers.items()}


def poolings(channels: int, side: int, mode: str) -> Pair:
    """A 2×2 pooling of LeNet."""
    X = torch.randn(BATCH, channels, side, side, requires_grad=True)
    theirs = F.max_pool2d if mode == "max" else F.avg_pool2d
    ours = there_and_back(scratch.pool2d, X, 2, mode)
    return dict(zip(FORMS, (ours, there_and_back(theirs, X, 2)), strict=True))


def trainings(steps: int) -> Pair:
    """Steps of LeNet with the book's settings."""
    X, y = torch.rand(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))

    def training(form: Form) -> Callable[[], None]:
        model = find_system("lenet").model(form)()
        optim = torch.optim.SGD(model.parameters(), model.lr)

        def run() -> None:
            for _ in range(steps):
                optim.zero_grad()
                model.loss(model(X), y).backward()
                optim.step()

        return run

    return {form: training(form) for form in FORMS}


def main() -> None:
    """Print the table of ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    contests = {
        "5×5, 1 → 6 channels, 28×28": convolutions(1, 28, 6, padding=2),
        "5×5, 6 → 16 channels, 14×14": convolutions(6, 14, 16, padding=0),
        "average pooling, 6 × 28×28": poolings(6, 28, "avg"),
        "maximum pooling, 6 × 28×28": poolings(6, 28, "max"),
        f"LeNet, {asked.steps} training steps": trainings(asked.steps),
    }
    machine = f"{platform.processor() or platform.machine()}, {asked.threads} thread(s)"
    print(f"{date.today()} · {machine} · torch {torch.__version__} · batch {BATCH}\n")
    print("| forward and backward | scratch | torch | ratio |\n|---|---|---|---|")
    for name, contest in contests.items():
        ours, theirs = seconds_of(contest, asked.trials).values()
        print(f"| {name} | {1e3 * ours:.1f} ms | {1e3 * theirs:.1f} ms | {ours / theirs:.2f} |")


if __name__ == "__main__":
    main()
