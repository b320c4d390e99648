"""Experiments on blocks, parameters and layers (sections 6.1 to 6.5)."""

from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, Count, Positive, Whole
from freedive.core.report import Report
from freedive.topics.building_blocks import pitfalls
from freedive.topics.building_blocks.blocks import (
    FixedHiddenMLP,
    NestMLP,
    Parallel,
    Sequential,
    chimera,
    copies,
)
from freedive.topics.building_blocks.custom_layers import (
    Bilinear,
    CenteredLayer,
    Linear,
    RealFourier,
)
from freedive.topics.building_blocks.figures import histograms, shrinking_figure, spectrum_figure
from freedive.topics.building_blocks.measuring import (
    block_distances,
    expected_deviation,
    fresh_weights,
    num_parameters,
    reached,
    seeded,
    signal_sizes,
    two_tones,
)
from freedive.topics.building_blocks.parameters import INITIALISERS, parameter_table, tied_net

Row = dict[str, Any]


@lab("blocks", section="6.1")
def blocks(
    num_hiddens: Count = 256,
    num_branches: Annotated[int, Bounds(2, 100, whole=True)] = 3,
    num_blocks: Annotated[int, Bounds(1, 20, whole=True)] = 4,
    num_draws: Annotated[int, Bounds(1, 1000, whole=True)] = 100,
    seed: Whole = 0,
) -> Report:
    """Blocks of every kind, the mistakes that nobody reports, and what depth does to inputs.

    Args:
        num_hiddens: units of a hidden layer.
        num_branches: branches of the parallel block, and layers of the chain.
        num_blocks: blocks one behind the other, through which two inputs are followed.
        num_draws: random nets over which the distance of the two inputs is averaged.
        seed: of all weights and inputs.
    """
    with seeded(seed):
        X = torch.rand(2, 20)
        rows = [block_row(name, net, X) for name, net in sound(num_hiddens, num_branches).items()]
        faults = [block_row(name, net, X) for name, net in faulty(num_branches).items()]
        distances = block_distances(num_blocks, num_draws)
    shrinkage = (distances[0] / distances[-1]) ** (1 / num_blocks) if distances[-1] else None
    return Report(
        numbers={"distances": distances, "shrinks by a factor per block": shrinkage},
        tables={"blocks": rows, "what goes wrong without a word": faults},
        figures={"distances": shrinking_figure(distances)},
        notes=[
            "A module sees only what stands in its own registers: of a plain list it sees nothing.",
            "With torch's default weights every block brings two inputs nearer to each other: "
            "equal outputs of a deep net need not be a mistake.",
        ],
    )


def sound(num_hiddens: int, num_branches: int) -> dict[str, nn.Module]:
    """One block of each kind."""
    plain = Sequential(nn.Linear(20, num_hiddens), nn.ReLU(), nn.Linear(num_hiddens, 10))
    branches = copies(lambda: nn.Linear(20, num_hiddens), num_branches)
    chain = copies(lambda: nn.Linear(20, 20), num_branches)
    return {
        "Sequential": plain,
        f"Parallel of {num_branches}": Parallel(*branches),
        f"Sequential of {num_branches} copies": Sequential(*chain),
        "FixedHiddenMLP": FixedHiddenMLP(20),
        "NestMLP": NestMLP(),
        "chimera": chimera(),
    }


def faulty(num_branches: int) -> dict[str, nn.Module]:
    """One module of each kind of mistake."""
    return {
        "layers in a plain list": pitfalls.ListSequential(nn.Linear(20, 20), nn.ReLU()),
        "a layer made in forward": pitfalls.LayerInForward(lambda: nn.Linear(20, 20)),
        f"{num_branches} branches, 2 used": pitfalls.FirstTwoBranches(
            *copies(lambda: nn.Linear(20, 20), num_branches)
        ),
        "a constant that is no buffer": pitfalls.PlainConstant(20),
        "weights read by .data": pitfalls.DetachedLinear(20, 20),
    }


def block_row(name: str, net: nn.Module, X: Tensor) -> Row:
    """What one can count of a block."""
    with torch.no_grad():
        first, second = net(X), net(X)
    return {
        "block": name,
        "output": "×".join(map(str, first.shape)) or "one number",
        "parameters": num_parameters(net),
        "tensors saved": len(net.state_dict()),
        "gradients reach": reached(net, X),
        "same twice": "yes" if torch.equal(first, second) else "no",
    }


@lab("parameters", section="6.2")
def parameters(
    num_units: Annotated[int, Bounds(1, 4096, whole=True)] = 256,
    sigma: Positive = 0.01,
    depth: Annotated[int, Bounds(1, 50, whole=True)] = 10,
    seed: Whole = 0,
) -> Report:
    """The parameters of a net with a shared layer, and what each initialiser draws.

    Args:
        num_units: inputs and outputs of the layer that is initialised.
        sigma: standard deviation of the initialiser called normal.
        depth: layers with ReLU through which a signal is sent.
        seed: of all weights and inputs.
    """
    drawn, rows = {}, []
    with seeded(seed):
        net = tied_net()
        for name in ("default", *INITIALISERS):
            weight = drawn[name] = fresh_weights(name, num_units, num_units, sigma)
            rows.append(
                {
                    "initialiser": name,
                    "mean": float(weight.mean()),
                    "deviation": float(weight.std(correction=0)),
                    "by formula": expected_deviation(name, num_units, num_units, sigma),
                    "least": float(weight.min()),
                    "greatest": float(weight.max()),
                    "zeros": float((weight == 0).double().mean()),
                    f"signal after {depth} layers": signal_sizes(name, num_units, depth, sigma)[-1],
                }
            )
    return Report(
        numbers={"parameters of the tied net": num_parameters(net)},
        tables={"a net whose layers 2 and 4 are one": parameter_table(net), "initialisers": rows},
        figures={"initialisers": histograms(drawn)},
        notes=[
            "The tied layer is counted once; its gradient is the sum over its two uses.",
            "A signal of size 1 keeps its size through ReLU layers with Kaiming's weights only.",
            "Lazy layers lose what is set before their first batch: freedive verify 6.4 shows it.",
        ],
    )


@lab("custom-layers", section="6.5")
def custom_layers(
    num_inputs: Count = 8,
    num_outputs: Count = 3,
    batch_size: Count = 4,
    length: Annotated[int, Bounds(32, 4096, whole=True)] = 64,
    noise: Annotated[float, Bounds(0, 100)] = 0.3,
    seed: Whole = 0,
) -> Report:
    """Four layers of one's own beside torch's, and a spectrum that finds two tones.

    Args:
        num_inputs: length of an input.
        num_outputs: length of an output of the linear and the bilinear layer.
        batch_size: inputs at once.
        length: of the signal whose spectrum is drawn.
        noise: standard deviation of what is added to the signal.
        seed: of all weights, inputs and noise.
    """
    with seeded(seed):
        X = torch.randn(batch_size, num_inputs)
        linear, bilinear = Linear(num_inputs, num_outputs), Bilinear(num_inputs, num_outputs)
        parts = torch.view_as_real(torch.fft.rfft(X))
        cases: list[tuple[nn.Module, str, Tensor]] = [
            (CenteredLayer(), "X − X.mean()", X - X.sum() / X.numel()),
            (linear, "F.linear", F.linear(X, linear.weight.T, linear.bias)),
            (bilinear, "F.bilinear", F.bilinear(X, X, bilinear.weight.permute(2, 0, 1))),
            (RealFourier(num_inputs), "torch.fft.rfft", torch.cat([*parts.unbind(-1)], dim=-1)),
        ]
        rows = [layer_row(layer, X, reference, Y) for layer, reference, Y in cases]
        signal = two_tones(length, noise)
    spectrum = RealFourier(length, magnitudes=True)(signal)
    found = spectrum[1:].topk(2).indices + 1
    return Report(
        numbers={"loudest frequencies": sorted(found.tolist())},
        tables={"layers": rows},
        figures={"spectrum": spectrum_figure(signal, spectrum)},
        notes=["The signal is made of the frequencies 5 and 12, the second half as loud."],
    )


def layer_row(layer: nn.Module, X: Tensor, reference: str, expected: Tensor) -> Row:
    """A layer beside its reference."""
    Y = layer(X).detach()
    return {
        "layer": type(layer).__name__,
        "input": "×".join(map(str, X.shape)),
        "output": "×".join(map(str, Y.shape)),
        "parameters": num_parameters(layer),
        "gradients reach": reached(layer, X),
        "reference": reference,
        "difference": float((Y - expected.detach()).abs().max()),
    }
