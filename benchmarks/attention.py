"""Attention and transformers against torch's own, and against each other:
``python -m benchmarks.attention``.

Training steps of encoders and of multi-head attention in both forms beside `torch.nn`'s, writing
with a GPT with and without its memory, and on a GPU the training of a GPT beside a loop written by
hand. The contestants take turns in one process; medians are compared.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.timing import seconds, training_half
from freedive.core.device import describe_device, try_gpu
from freedive.data.time_machine import Tales
from freedive.parity import alternating_medians
from freedive.topics.attention import concise as attention_concise
from freedive.topics.attention import scratch as attention_scratch
from freedive.topics.attention.masks import length_mask
from freedive.topics.transformer import concise, scratch
from freedive.topics.transformer.blocks import EncoderBlock, Parts, Shape
from freedive.topics.transformer.gpt import GPT

BATCH, STEPS, HIDDENS, FFN, HEADS, BLOCKS = 32, 64, 256, 1024, 8, 4
WRITTEN = 256  # tokens
WAYS = {
    "32 bits": {"precision": "32", "compile": False},
    "bf16": {"precision": "bf16", "compile": False},
    "bf16, compiled": {"precision": "bf16", "compile": True},
}
Contest = tuple[str, str, Callable[[], None], Callable[[], None]]  # who, against whom


class Encoder(nn.Module):
    """A stack of encoder blocks; a mask of one row for each sequence is made for all at once."""

    def __init__(self, parts: Parts, shape: Shape):
        super().__init__()
        self.blocks = nn.ModuleList(EncoderBlock(parts, shape) for _ in range(BLOCKS))

    def forward(self, X: Tensor, seen: Tensor | None) -> Tensor:
        """The sequences after all blocks."""
        mask = None if seen is None else seen[:, None, None]
        for block in self.blocks:
            X = block(X, mask)
        return X


class TorchEncoder(nn.Module):
    """The same by `torch.nn.TransformerEncoder`, whose masks are true for what is hidden."""

    def __init__(self, shape: Shape):
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            shape.num_hiddens,
            shape.num_heads,
            shape.ffn_num_hiddens,
            shape.dropout,
            norm_first=shape.norm_first,
            batch_first=True,
        )
        self.encoder = nn.TransformerEncoder(layer, BLOCKS, enable_nested_tensor=False)

    def forward(self, X: Tensor, seen: Tensor | None) -> Tensor:
        """The sequences after all blocks."""
        return self.encoder(X, src_key_padding_mask=None if seen is None else ~seen)


class TorchAttention(nn.Module):
    """`torch.nn.MultiheadAttention` with the arguments of ours."""

    def __init__(self, dropout: float):
        super().__init__()
        self.attention = nn.MultiheadAttention(HIDDENS, HEADS, dropout, bias=True, batch_first=True)

    def forward(self, X: Tensor, seen: Tensor | None) -> Tensor:
        """Self-attention; its weights are not asked for, since they would cost it its kernel."""
        hidden = None if seen is None else ~seen
        return self.attention(X, X, X, key_padding_mask=hidden, need_weights=False)[0]


class OurAttention(nn.Module):
    """Multi-head attention of one form as self-attention."""

    def __init__(self, form: object, dropout: float):
        super().__init__()
        kind = form.MultiHeadAttention  # type: ignore[attr-defined]
        self.attention = kind(HIDDENS, HEADS, dropout, bias=True)

    def forward(self, X: Tensor, seen: Tensor | None) -> Tensor:
        """Self-attention with a mask of one row for each sequence."""
        return self.attention(X, X, X, None if seen is None else seen[:, None, None])


def step_of(model: nn.Module, padded: bool, device: torch.device) -> Callable[[], None]:
    """Forward and backward on random sequences, with gradients of inputs and parameters."""
    model = model.to(device).train()
    X = torch.randn(BATCH, STEPS, HIDDENS, device=device, requires_grad=True)
    lengths = torch.randint(STEPS // 2, STEPS + 1, (BATCH,), device=device)
    seen = length_mask(lengths, STEPS) if padded else None

    def step() -> None:
        model.zero_grad()
        X.grad = None
        model(X, seen).square().mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return step


def encoders(device: torch.device) -> Iterator[Contest]:
    """(a) Concise against torch's encoder, and (b) scratch against concise."""
    for norm_first in (False, True):
        for dropout in (0.0, 0.1):
            for padded in (False, True):
                shape = Shape(
                    *(HIDDENS, FFN, HEADS, dropout, norm_first), bias=True, weights_dropout=dropout
                )
                what = f"{'pre' if norm_first else 'post'}-norm, dropout {dropout:g}"
                what += ", padded" if padded else ""
                ours = step_of(Encoder(concise.PARTS, shape), padded, device)
                theirs = step_of(TorchEncoder(shape), padded, device)
                yield f"encoder, {what}", "concise / torch", ours, theirs
                if not norm_first:
                    slow = step_of(Encoder(scratch.PARTS, shape), padded, device)
                    yield f"encoder, {what}", "scratch / concise", slow, ours


def attentions(device: torch.device) -> Iterator[Contest]:
    """(b) Scratch against concise, and (c) concise against torch's multi-head attention."""
    for dropout in (0.0, 0.1):
        for padded in (False, True):
            what = f"multi-head attention, dropout {dropout:g}" + (", padded" if padded else "")
            ours, slow = (
                step_of(OurAttention(form, dropout), padded, device)
                for form in (attention_concise, attention_scratch)
            )
            theirs = step_of(TorchAttention(dropout), padded, device)
            yield what, "concise / torch", ours, theirs
            yield what, "scratch / concise", slow, ours


def writings(device: torch.device) -> Iterator[Contest]:
    """(d) Tokens of a GPT with its memory, and with all tokens read anew for each."""
    for num_hiddens in (128, 256, 512):
        model = GPT(num_steps=WRITTEN + 1, num_hiddens=num_hiddens).to(device).eval()

        def with_memory(model: GPT = model) -> None:
            for _ in model.generate([1], WRITTEN, temperature=0.0):
                pass

        @torch.inference_mode()
        def without(model: GPT = model) -> None:
            text = torch.ones(1, 1, dtype=torch.int64, device=device)
            for _ in range(WRITTEN):
                text = torch.cat([text, model(text)[:, -1:].argmax(dim=-1)], dim=1)
                text[0, -1].item()  # as whoever reads along

        what = f"GPT of width {num_hiddens}, {WRITTEN} tokens"
        yield what, "memory / none", with_memory, without


def by_hand(
    model: GPT, data: Tales, device: torch.device, precision: str, compile: bool
) -> Callable[[], None]:
    """The loop that one would write: windows on the device, forward, backward, clip, AdamW."""
    model = model.to(device)
    forward = torch.compile(model) if compile else model
    optim = torch.optim.AdamW(model.parameters(), lr=model.lr, weight_decay=model.weight_decay)
    windows = data.windows[0].to(device)
    half = torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")

    def epoch() -> None:
        model.train()
        for rows in torch.randperm(len(windows), device=device).split(data.batch_size):
            batch = windows[rows]
            with half:
                logits = forward(batch[:, :-1])
                loss = F.cross_entropy(logits.flatten(0, 1), batch[:, 1:].flatten())
            optim.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optim.step()

    return epoch


def print_trainings(device: torch.device, trials: int) -> None:
    """(e) Tokens a second of a GPT of 10 million parameters, beside the loop by hand."""
    data = Tales(batch_size=64, num_steps=256, num_train=3_200)
    tokens = len(data.windows[0]) * data.num_steps
    print("\n| GPT, training | by hand, tokens/s | freedive, tokens/s | time over by hand |")
    print("|---|---|---|---|")
    for way, settings in WAYS.items():
        models = [
            GPT(len(data.vocab), data.num_steps, 384, 6, 6, schedule="constant") for _ in range(2)
        ]
        actions = (
            by_hand(models[0], data, device, **settings),
            training_half(models[1], data, device, gradient_clip_val=1.0, **settings),
        )
        for action in actions:  # warms up, and compiles
            seconds(action, device)
        found = [[seconds(action, device) for action in actions] for _ in range(trials)]
        hand, ours = (statistics.median(column) for column in zip(*found, strict=True))
        print(f"| {way} | {tokens / hand:,.0f} | {tokens / ours:,.0f} | {ours / hand:.2f} |")


def main() -> None:
    """Print the tables for ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--first", type=int, default=None, help="only so many contests of a kind")
    parser.add_argument(
        "--kinds", nargs="*", default=["encoders", "attentions", "writings", "trainings"]
    )
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    torch.manual_seed(0)
    device = try_gpu()
    print(f"{date.today()} · {describe_device(device)} · {asked.threads} thread(s) · ", end="")
    print(f"torch {torch.__version__} · {BATCH} × {STEPS} tokens, width {HIDDENS}\n")
    print("| what | who | time | against | ratio |\n|---|---|---|---|---|")
    kinds = {"encoders": encoders, "attentions": attentions, "writings": writings}
    for kind in (kinds[name] for name in asked.kinds if name in kinds):
        for what, who, first, second in islice(kind(device), asked.first):
            a, b = alternating_medians(first, second, asked.trials)
            print(f"| {what} | {who} | {a:.1f} ms | {b:.1f} ms | {a / b:.2f} |", flush=True)
    if device.type == "cuda" and "trainings" in asked.kinds:
        print_trainings(device, asked.trials)


if __name__ == "__main__":
    main()
