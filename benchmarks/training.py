"""Seconds of an epoch against the floor: ``python -m benchmarks.training``.

The floor is the shortest correct PyTorch loop over tensors that stay in memory. Floor and freedive
train the same network on the same data in one process, taking turns; medians are compared. An
epoch is training and validation. Other libraries take part where they are installed.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date

import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import others
from freedive.catalog import find_system
from freedive.core.data import DataModule
from freedive.core.trainer import Trainer
from freedive.experiment import choose_data, data_class

SYSTEMS = ("softmax-regression", "mlp", "lenet")
BATCH = 256


def floor_epoch(net: nn.Module, data: DataModule, lr: float) -> Callable[[], tuple[float, float]]:
    """The loop that one would write by hand: nothing but what learning and judging need."""
    (X, y), (X_val, y_val) = ((images / 255, labels) for images, labels in (data.train, data.val))
    optim = torch.optim.SGD(net.parameters(), lr)

    def epoch() -> tuple[float, float]:
        net.train()
        for rows in torch.randperm(len(X)).split(BATCH):
            loss = F.cross_entropy(net(X[rows]), y[rows])
            optim.zero_grad()
            loss.backward()
            optim.step()
        net.eval()
        with torch.no_grad():
            loss, right = torch.zeros(()), torch.zeros(())
            for images, labels in zip(X_val.split(BATCH), y_val.split(BATCH), strict=True):
                logits = net(images)
                loss += F.cross_entropy(logits, labels, reduction="sum")
                right += (logits.argmax(dim=1) == labels).sum()
        return float(loss) / len(X_val), float(right) / len(X_val)

    return epoch


def freedive_epoch(system: str, data: DataModule) -> Callable[[], None]:
    """An epoch of freedive's trainer, with the board on."""
    trainer = Trainer(max_epochs=10**6, seed=0, progress=False)
    trainer.prepare(find_system(system).model()(), data)
    return trainer.fit_epoch


def seconds_of(actions: dict[str, Callable[[], object]], trials: int) -> dict[str, float]:
    """The median of each action's seconds; all take turns, after one round to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for trial in range(trials + 1):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            if trial:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def loader_rate(size: int | None, seconds: float = 2.0) -> float:
    """Shuffled images a second that the loader gives, resized if ``size`` says so."""
    name, _ = choose_data(find_system("lenet"))
    loader = data_class(name)(batch_size=BATCH, resize=size).train_dataloader()
    for epoch in range(2):  # the first one warms up
        loader.epoch, seen, start = epoch, 0, time.perf_counter()
        for batch in loader:
            seen += len(batch[0])
            if time.perf_counter() - start > seconds:
                break
        rate = seen / (time.perf_counter() - start)
    return rate


def main() -> None:
    """Print the tables of ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--systems", nargs="*", default=SYSTEMS)
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--others", action="store_true", help="other libraries as well")
    asked = parser.parse_args()
    name, _ = choose_data(find_system("lenet"))
    data = data_class(name)(batch_size=BATCH)
    machine = f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} threads"
    print(f"{date.today()} · {machine} · torch {torch.__version__} · {name} · batch {BATCH}\n")
    print(f"loader: {loader_rate(None):,.0f} images/s at 28×28, ", end="")
    print(f"{loader_rate(224):,.0f} images/s resized to 224×224\n")
    print("| system | who | seconds an epoch | over the floor |\n|---|---|---|---|")
    for system in asked.systems:
        model = find_system(system).model()()
        actions: dict[str, Callable[[], object]] = {
            "floor": floor_epoch(model.net, data, model.lr),
            "freedive": freedive_epoch(system, data),
        }
        if asked.others:
            actions |= others.epochs(system, data, BATCH)
        found = seconds_of(actions, asked.trials)
        for who, seconds in found.items():
            print(f"| {system} | {who} | {seconds:.3f} | {seconds / found['floor']:.2f} |")


if __name__ == "__main__":
    main()
