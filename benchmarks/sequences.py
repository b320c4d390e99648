"""Tokens a second of recurrent language models: ``python -m benchmarks.sequences``.

freedive's trainer with the concise and the scratch form beside a hand-written loop around
`torch.nn.RNN`, `LSTM` and `GRU`, at the book's sizes: windows of 32 characters, batches of 1,024,
32 hidden units, SGD, clipped gradients. The contestants take turns; medians are given.
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
from freedive.data.time_machine import Tales

SYSTEMS = {"rnn-lm": nn.RNN, "lstm-lm": nn.LSTM, "gru-lm": nn.GRU}
SETTINGS = {"batch_size": 1024, "num_steps": 32, "num_train": 10_240}
HIDDENS, CLIP = 32, 1.0


def by_hand(
    kind: type[nn.RNNBase], data: Tales, lr: float, device: torch.device
) -> Callable[[], None]:
    """The loop that one would write: one-hot vectors, the cells, a linear layer, SGD."""
    vocab_size = len(data.vocab)
    rnn, head = kind(vocab_size, HIDDENS).to(device), nn.Linear(HIDDENS, vocab_size).to(device)
    parameters = [*rnn.parameters(), *head.parameters()]
    optim = torch.optim.SGD(parameters, lr=lr)
    windows = data.windows[0].to(device)

    def epoch() -> None:
        for rows in torch.randperm(len(windows), device=device).split(data.batch_size):
            batch = windows.index_select(0, rows).T
            outputs, _ = rnn(F.one_hot(batch[:-1], vocab_size).float())
            loss = F.cross_entropy(head(outputs).flatten(0, 1), batch[1:].flatten())
            optim.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, CLIP)
            optim.step()

    return epoch


def main() -> None:
    """Print the table for ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=7)
    parser.add_argument("--systems", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    asked = parser.parse_args()
    device = try_gpu()
    data = Tales(**SETTINGS)
    tokens = len(data.windows[0]) * data.num_steps
    threads = torch.get_num_threads()
    print(f"{date.today()} · {describe_device(device)} · ", end="")
    print(f"{threads} threads · torch {torch.__version__}, tokens/s\n")
    print("| system | by hand | concise | scratch | concise, time | scratch over concise |")
    print("|---|---|---|---|---|---|")
    for id in asked.systems:
        system = find_system(id)
        models = [system.model(form)(vocab_size=len(data.vocab)) for form in ("concise", "scratch")]
        actions = [by_hand(SYSTEMS[id], data, models[0].lr, device)]
        actions += [training_half(model, data, device, gradient_clip_val=CLIP) for model in models]
        for action in actions:  # warms up
            seconds(action, device)
        found = [[seconds(action, device) for action in actions] for _ in range(asked.trials)]
        hand, concise, scratch = (statistics.median(column) for column in zip(*found, strict=True))
        rates = " | ".join(f"{tokens / s:,.0f}" for s in (hand, concise, scratch))
        print(f"| {id} | {rates} | {concise / hand:.2f} | {scratch / concise:.2f} |")


if __name__ == "__main__":
    main()
