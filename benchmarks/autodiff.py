"""An epoch of the book's MLP (784-256-10, batches of 256) in the scratch engine and in torch.

python -m benchmarks.autodiff [--examples 60000] [--repeats 3] [--threads 1]
"""

import argparse
import itertools
import platform
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from freedive.topics.calculus import operations as ops
from freedive.topics.calculus.autodiff import Variable

BATCH, LR, SIZES = 256, 0.1, (784, 256, 10)


def start() -> list[Tensor]:
    """Weights as the book draws them, and zero biases."""
    torch.manual_seed(0)
    return [part for m, n in itertools.pairwise(SIZES)
            for part in (0.01 * torch.randn(m, n), torch.zeros(n))]  # fmt: skip


def engine_epoch(X: Tensor, y: Tensor) -> float:
    """Forward, backward and update in the engine of section 2.5; gives the last loss."""
    parameters = [Variable(array) for array in start()]
    W1, b1, W2, b2 = parameters
    for inputs, labels in zip(X.split(BATCH), y.split(BATCH), strict=True):
        loss = ops.cross_entropy(ops.relu(inputs @ W1 + b1) @ W2 + b2, labels)
        loss.backward()
        for parameter in parameters:
            parameter.value -= LR * parameter.gradient
            parameter.zero_grad()
    return loss.item()


def torch_epoch(X: Tensor, y: Tensor) -> float:
    """The same with torch's autograd."""
    parameters = [array.requires_grad_() for array in start()]
    W1, b1, W2, b2 = parameters
    for inputs, labels in zip(X.split(BATCH), y.split(BATCH), strict=True):
        loss = F.cross_entropy(torch.relu(inputs @ W1 + b1) @ W2 + b2, labels)
        loss.backward()
        with torch.no_grad():
            for parameter in parameters:
                parameter -= LR * parameter.grad
                parameter.grad = None
    return loss.item()


def best(epoch: Callable[[Tensor, Tensor], float], X: Tensor, y: Tensor, repeats: int) -> float:
    """The shortest of some runs, in seconds."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        epoch(X, y)
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def main() -> None:
    """Print seconds an epoch of both, their ratio, and how far their last losses lie apart."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=60_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    X, y = torch.rand(asked.examples, SIZES[0]), torch.randint(SIZES[-1], (asked.examples,))
    apart = abs(engine_epoch(X, y) - torch_epoch(X, y))
    ours, theirs = (best(epoch, X, y, asked.repeats) for epoch in (engine_epoch, torch_epoch))
    print(f"{asked.examples} examples, {asked.threads} thread(s), torch {torch.__version__}, "
          f"Python {platform.python_version()}, {platform.machine()}")  # fmt: skip
    print(f"engine {ours:.3f} s   torch {theirs:.3f} s   ratio {ours / theirs:.2f}   "
          f"last losses apart by {apart:.1e}")  # fmt: skip


if __name__ == "__main__":
    main()
