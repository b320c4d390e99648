"""Where the book's batch norm differs from what it says, and from torch's (section 8.5)."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import erratum
from freedive.core.random import generator
from freedive.topics.convolution.lenet import LeNet
from freedive.topics.modern_cnn.lenet_bn import BNLeNet
from freedive.topics.modern_cnn.normalization_claims import FEATURES, IMAGES, normal
from freedive.topics.modern_cnn.scratch import BatchNorm1d

Evidence = Iterator[tuple[Any, ...]]


class PrintedBatchNorm(nn.Module):
    """The book's layer as it is printed, for features, kept to show what it does.

    Args:
        num_features: columns of a batch.
        cut: whether the moving statistics are cut from the graph: the older edition forgot.
    """

    def __init__(self, num_features: int, cut: bool = True):
        super().__init__()
        self.cut = cut
        self.gamma = nn.Parameter(torch.ones(1, num_features).double())
        self.beta = nn.Parameter(torch.zeros(1, num_features).double())
        self.moving_mean = torch.zeros(1, num_features).double()
        self.moving_var = torch.ones(1, num_features).double()

    def forward(self, X: Tensor) -> Tensor:
        """Takes the statistics of the batch exactly when gradients are on."""
        if not torch.is_grad_enabled():
            return self.gamma * (X - self.moving_mean) / (self.moving_var + 1e-5).sqrt() + self.beta
        mean, var = X.mean(0, keepdim=True), X.var(0, correction=0, keepdim=True)
        self.moving_mean = 0.9 * self.moving_mean + 0.1 * mean
        self.moving_var = 0.9 * self.moving_var + 0.1 * var
        if self.cut:
            self.moving_mean, self.moving_var = self.moving_mean.data, self.moving_var.data
        return self.gamma * (X - mean) / (var + 1e-5).sqrt() + self.beta


@erratum(
    "8.5.2",
    "the variance that divides has n below its sum, not n − 1",
    printed="σ̂² = Σ (x − μ̂)²/(n − 1), which the program does not compute, and n = 1 forbids",
    source="001_003_004 E22",
)
def variance_of_a_batch() -> Evidence:
    """Eight examples: torch and the printed program agree; the formula is 0.9354 of them."""
    X = normal(*FEATURES)
    centred = X - X.mean(0)
    with_n = centred / (X.var(0, correction=0) + 1e-5).sqrt()
    yield nn.BatchNorm1d(3).double()(X).detach(), with_n, 1e-12
    yield PrintedBatchNorm(3)(X).detach(), with_n, 1e-12
    squares = centred.square().sum(0)
    printed = centred / (squares / (8 - 1)).sqrt()
    yield float((printed / with_n).mean()), (7 / 8) ** 0.5, 1e-4
    yield bool((torch.zeros(3) / (1 - 1)).isnan().all()), True


@erratum(
    "8.5.3",
    "the moving variance sees n/(n − 1) times the batch's: the best guess for unseen examples",
    printed="the moving variance sees the batch's own, so that predictions are not torch's",
    source=("002b E19", "002b C26", "001_003_004 C66"),
)
def moving_variance() -> Evidence:
    """One update: ours and torch's, and what the printed one lacks; images have more values."""
    X, images = normal(*FEATURES), normal(*IMAGES)
    ours, theirs, printed = BatchNorm1d(3).double(), nn.BatchNorm1d(3).double(), PrintedBatchNorm(3)
    for layer in (ours, theirs, printed):
        layer(X)
    found, expected = (layer.state_dict()["running_var"] for layer in (ours, theirs))
    yield found, expected, 1e-12
    yield (expected - 0.9) / (printed.moving_var[0] - 0.9), [8 / 7] * 3, 1e-12
    pixels = nn.BatchNorm2d(3, momentum=1.0).double()
    pixels(images)
    biased = images.var((0, 2, 3), correction=0)
    yield pixels.state_dict()["running_var"] / biased, [120 / 119] * 3, 1e-12


@erratum(
    "8.5.3",
    "train() and eval() say which statistics are taken",
    printed="whether gradients are on says it: a prediction with gradients moves the averages",
    source=("002b E18", "001_003_004 C67", "001_003_004 E40"),
)
def mode() -> Evidence:
    """How far one call moves the moving means, in each mode with gradients on and off."""
    X = normal(*FEATURES)
    for training in (True, False):
        for gradients in (True, False):
            ours, printed = BatchNorm1d(3).double(), PrintedBatchNorm(3)
            with torch.set_grad_enabled(gradients):
                ours.train(training)(X)
                printed.train(training)(X)
            yield int(ours.state_dict()["num_batches_tracked"]), int(training)
            yield bool(printed.moving_mean.any()), gradients


@erratum(
    "8.5.3",
    "the moving statistics are buffers: they are saved, loaded and moved with the model",
    printed="they are plain attributes, of which the state_dict knows nothing",
    source=("002b E20", "001_003_004 C67", "001_003_004 E40"),
)
def saved_with_the_model() -> Evidence:
    """Names in the state_dict, and whether a loaded layer predicts as the saved one did."""
    X = normal(*FEATURES)
    for kind, names, kept in (
        (BatchNorm1d, "weight bias running_mean running_var num_batches_tracked", True),
        (PrintedBatchNorm, "gamma beta", False),
    ):
        layer, loaded = kind(3).double(), kind(3).double()
        layer(X)
        yield " ".join(layer.state_dict()), names
        loaded.load_state_dict(layer.state_dict())
        with torch.no_grad():
            yield bool(torch.allclose(loaded.eval()(X), layer.eval()(X))), kept


@erratum(
    "8.5.3",
    "the moving statistics are no part of the graph",
    printed="in the older edition they are: each remembers all batches before it",
    source="001_003_004 E23",
)
def averages_without_a_graph() -> Evidence:
    """How many steps of computation hang on the moving mean after 10 and 20 batches."""
    first = nn.Linear(3, 3).double()
    for layer, expected in (
        (PrintedBatchNorm(3, cut=False), True),
        (BatchNorm1d(3).double(), False),
    ):
        lengths = []
        for step in range(20):
            layer(first(normal(*FEATURES, stream=step)))
            moving = getattr(layer, "moving_mean", getattr(layer, "running_mean", None))
            lengths.append(chain_length(moving))
        yield lengths[19] > lengths[9] > 0, expected


def chain_length(result: Any) -> int:
    """How many operations stand one behind the other in the making of a tensor."""
    function, length = result.grad_fn, 0
    while function is not None:
        length += 1
        function = next((parent for parent, _ in function.next_functions if parent), None)
    return length


@erratum(
    "8.5.3",
    "a batch of one has no spread: batch norm refuses to train on it",
    printed="its output is β whatever comes in, without a word",
    source=("002b C30", "002b E21", "001_003_004 C66"),
)
def batch_of_one() -> Evidence:
    """Features of any size give the printed layer's β; torch's layer and ours raise."""
    printed = PrintedBatchNorm(3)
    with torch.no_grad():
        printed.beta.copy_(normal(3, stream=9))
    for size in (0.0, 1.0, 1e6):
        one = size * normal(1, 3)
        yield printed(one).detach(), printed.beta.detach(), 0.0
        for layer in (BatchNorm1d(3).double(), nn.BatchNorm1d(3).double()):
            yield refuses(layer, one), True


def refuses(layer: nn.Module, X: Tensor) -> bool:
    """Whether a layer raises a ValueError, of which `UsageError` is one."""
    try:
        layer(X)
    except ValueError:
        return True
    return False


@erratum(
    "8.5.4",
    "LeNet with batch norm keeps the padding of LeNet: 62,158 parameters",
    printed="it has no padding, so that a comparison with LeNet changes two things",
    source="002b E21",
)
def same_network() -> Evidence:
    """Shapes of all parameters but γ and β, beside those of LeNet."""
    lenet = [list(p.shape) for p in LeNet().parameters()]
    for padding, same in ((2, True), (0, False)):
        model = BNLeNet(padding=padding)
        norms = [layer for layer in model.net if hasattr(layer, "running_mean")]
        own = {id(p) for layer in norms for p in layer.parameters()}
        rest = [list(p.shape) for p in model.parameters() if id(p) not in own]
        yield rest == lenet, same
    yield sum(p.numel() for p in BNLeNet(padding=2).parameters()), 61_706 + 452


class Jolts(nn.Module):
    """Adds to each feature a number that is drawn anew for every training batch."""

    def __init__(self, seed: int):
        super().__init__()
        self.chance = generator(seed, 1)

    def forward(self, X: Tensor) -> Tensor:
        """X + U(−1, 1), one number a feature."""
        return X + 2 * torch.rand(X.shape[1], generator=self.chance) - 1


def loss_and_drift(kind: str, seed: int, steps: int = 40) -> tuple[float, float]:
    """A sigmoid net of four layers: its last loss, and how far activations move from step to step.

    ``kind`` is plain, norm, or norm and jolts: what stands between a layer and its activation.
    """
    chance, modules, means = generator(seed), list[nn.Module](), list[Tensor]()
    for i in range(4):
        modules.append(nn.Linear(32 if i else 16, 32))
        modules += [] if kind == "plain" else [BatchNorm1d(32)]
        modules += [Jolts(seed)] if kind == "jolts" else []
        modules.append(nn.Sigmoid())
    net = nn.Sequential(*modules, nn.Linear(32, 4))
    X = torch.randn(512, 16, generator=chance)
    y = (X @ torch.randn(16, 4, generator=chance)).argmax(dim=1)
    for layer in net:
        if isinstance(layer, nn.Sigmoid):
            layer.register_forward_pre_hook(lambda _, args: means.append(args[0].detach().mean(0)))
    for _ in range(steps):
        batch = torch.randint(512, (128,), generator=chance)
        loss = nn.functional.cross_entropy(net(X[batch]), y[batch])
        gradients = torch.autograd.grad(loss, [*net.parameters()])
        with torch.no_grad():
            for parameter, gradient in zip(net.parameters(), gradients, strict=True):
                parameter.sub_(0.5 * gradient)
    path = torch.stack(means).reshape(steps, -1)
    return loss.item(), float(path.diff(dim=0).abs().mean())


@erratum(
    "8.5.1",
    "batch norm helps where activations drift more, not less, than they would without it",
    printed="batch norm helps because it solves the drift of the layers' inputs",
    source="002b E17",
)
def drift() -> Evidence:
    """Noise behind each batch norm gives back the drift; the net still learns, the plain one not.

    After Santurkar et al., How Does Batch Normalization Help Optimization? (2018).
    """
    plain, norm, jolts = (loss_and_drift(kind, seed=0) for kind in ("plain", "norm", "jolts"))
    yield plain[0], (1.2, 1.5)  # ln 4 = 1.386: a guess
    yield norm[0], (0.0, 0.8)
    yield jolts[0], (0.0, 0.8)
    yield jolts[1] / plain[1], (5.0, 100.0)
