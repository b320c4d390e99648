"""Images a second of ResNet-18 at 96×96: ``python -m benchmarks.resnet``.

freedive's trainer beside a hand-written loop that does the same: 32 bits eager; bf16; bf16 with
channels last and torch.compile. Both train one network on one set of bytes that lies on the
device; they take turns, and medians are given.
"""

import argparse
import statistics
from collections.abc import Callable
from datetime import date

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks.timing import seconds, training_half
from freedive.catalog import find_system
from freedive.core.device import describe_device, try_gpu
from freedive.data.fashion_mnist import Garments

WAYS = {
    "32 bits": {"precision": "32", "compile": False},
    "bf16": {"precision": "bf16", "compile": False},
    "bf16, compiled": {"precision": "bf16", "compile": True},
}


def by_hand(
    net: nn.Module, data: Garments, device: torch.device, precision: str, compile: bool
) -> Callable[[], None]:
    """The loop that one would write: resize on the device, forward, backward, SGD."""
    images, labels = (column.to(device) for column in data.train)
    net = net.to(device, memory_format=torch.channels_last)
    forward = torch.compile(net) if compile else net
    optim = torch.optim.SGD(net.parameters(), lr=0.01)
    half = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")

    def epoch() -> None:
        net.train()
        for rows in torch.randperm(len(images), device=device).split(data.batch_size):
            X = images[rows].float().div(255)
            X = F.interpolate(X, size=(data.resize, data.resize), mode="bilinear")
            with half:
                loss = F.cross_entropy(forward(X), labels[rows])
            optim.zero_grad()
            loss.backward()
            optim.step()

    return epoch


def main() -> None:
    """Print the table for ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12_800, help="of one epoch")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--size", type=int, default=96)
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=list(WAYS))
    asked = parser.parse_args()
    device = try_gpu()
    data = Garments(asked.batch_size, resize=asked.size, num_train=asked.images, num_val=256)
    print(f"{date.today()} · {describe_device(device)} · torch {torch.__version__} · ", end="")
    print(f"ResNet-18 at {asked.size}×{asked.size}, batch {asked.batch_size}\n")
    print("| way | by hand, images/s | freedive, images/s | time over the loop by hand |")
    print("|---|---|---|---|")
    kind = find_system("resnet18").model()
    for way in asked.ways:
        settings = WAYS[way]
        actions = (
            by_hand(kind(image_size=asked.size), data, device, **settings),
            training_half(kind(image_size=asked.size), data, device, **settings),
        )
        for action in actions:  # warms up, and compiles
            seconds(action, device)
        found = [[seconds(action, device) for action in actions] for _ in range(asked.trials)]
        hand, ours = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {way} | {asked.images / hand:,.0f} | {asked.images / ours:,.0f} ", end="")
        print(f"| {ours / hand:.2f} |")


if __name__ == "__main__":
    main()
