"""What the book leaves out or gets wrong about shift, as checks (sections 4.7.1 to 4.7.3)."""

import torch
from torch import Tensor

from freedive.catalog import erratum
from freedive.core.random import generator
from freedive.topics.distribution_shift.claims import SEEDS, normal
from freedive.topics.distribution_shift.covariate_lab import accuracy
from freedive.topics.distribution_shift.label_prior import (
    confusion_matrix,
    shares,
    target_prior,
)
from freedive.topics.distribution_shift.scratch import (
    density_ratio,
    effective_sample_size,
    fit_classifier,
)
from freedive.topics.distribution_shift.shifts import (
    Sample,
    label_sample,
)
from freedive.topics.softmax_regression.claims import Evidence


@erratum(
    "4.7.3.2",
    "β = exp(h) n_q/n_p, where the classifier's label 1 is the target and 0 the source",
    printed="β = exp(h), with nothing on the sizes of the two samples",
    source=("002a C80", "002a E28"),
)
def unequal_samples() -> Evidence:
    """Four times the target inputs: exp(h) is four times too large; swapped sides give q/p."""
    source, target = normal(5000, 0.0, 0, 6), normal(20_000, 0.8, 0, 7)
    ratio = density_ratio(source, target)
    yield float(ratio.logit(source).exp().mean()), (3.7, 4.3)
    yield float(ratio.weights(source).mean()), (0.92, 1.08)
    swapped = density_ratio(target, source)
    yield swapped.weights(source), 1 / ratio.weights(source), 1e-4


@erratum(
    "4.7.3.2",
    "weights correct only where q(x) > 0 wherever p(x) > 0: what was never seen stays unseen",
    printed="the correction is given without a condition on q",
    source="002a E28",
)
def no_overlap() -> Evidence:
    """q uniform on [0, 1], p on [0, 2]: E_p[x] = 1, but the weights p/q = ½ give ¼, scaled ½."""
    x = torch.rand(20_000, 1, generator=generator(0, 8), dtype=torch.float64)
    beta = torch.full((20_000,), 0.5, dtype=torch.float64)
    yield float((beta * x[:, 0]).mean()), (0.24, 0.26)
    yield float((beta * x[:, 0]).sum() / beta.sum()), (0.48, 0.52)
    wide = torch.rand(20_000, 1, generator=generator(0, 9), dtype=torch.float64) * 3 - 0.5
    covered = (torch.where((wide > 0) & (wide < 2), 1.5, 0.0) * wide).mean()
    yield float(covered), (0.96, 1.04)


@erratum(
    "4.7.3.2",
    "a far shift gives few examples nearly all the weight; cutting it off steadies the estimate",
    printed="nothing is said of large weights",
    source="002a E28",
)
def huge_weights() -> Evidence:
    """Centres 3 apart: exact weights, 1000 examples. 1000 / E[β²] would be 0.12 examples."""
    plain, cut, effective = [], [], []
    for seed in range(200):
        x = normal(1000, 0.0, seed, 10)[:, 0]
        beta = (3 * x - 4.5).exp()
        effective.append(effective_sample_size(beta))
        plain.append(float(beta.mean()))
        cut.append(float(beta.clamp(max=20).mean()))
    yield float(torch.tensor(effective).mean()), (1.0, 60.0)
    yield float(torch.tensor(plain).std() / torch.tensor(cut).std()), (1.5, float("inf"))
    yield float(torch.tensor(cut).mean()), (0.2, 0.9)  # the price: what is cut off is missing


@erratum(
    "4.7.3.3",
    "p(y) comes from test inputs alone by C p(y) = μ(ŷ); counting predictions misses it",
    printed="the weights p(y)/q(y) need p(y), and no way to it without test labels is given",
    source=("002a C81", "002a E29"),
)
def shares_without_labels() -> Evidence:
    """Ten draws, in each of which the solve is nearer than the counts (by chance: 1 in 1024)."""
    for seed in SEEDS:
        q, p = (torch.tensor(v, dtype=torch.float64) for v in ((0.6, 0.3, 0.1), (0.1, 0.3, 0.6)))
        chance = generator(seed, 18)
        train, held_out, test = (label_sample(2000, prior, 2.0, chance) for prior in (q, q, p))
        plain = fit_classifier(train.X, train.y, 3)
        mu = shares(plain.predict(test.X), 3)
        found = target_prior(confusion_matrix(plain.predict(held_out.X), held_out.y, 3), mu)
        solved, counted = (float((share - p).abs().max()) for share in (found, mu))
        yield solved, (0.0, 0.2)
        yield counted - solved, (0.05, 1.0)


def ratio_errors(d: int, seed: int, n: int = 500) -> tuple[float, float]:
    """How far log β is off on average: β(x) of d inputs, and β(y) of two classes among them."""
    chance = generator(seed, 22, d)

    def drawn(shift: Tensor) -> Tensor:
        X = torch.randn(n, d, generator=chance, dtype=torch.float64)
        X[:, 0] += shift
        return X

    source, target = drawn(torch.zeros(n)), drawn(torch.full((n,), 0.8))
    exact = 0.8 * source[:, 0] - 0.32
    by_input = (density_ratio(source, target).logit(source) - exact).square().mean().sqrt()
    labels = [(torch.rand(n, generator=chance) < share).long() for share in (0.5, 0.5, 0.7)]
    train, held_out, test = (Sample(drawn(3.0 * y - 1.5), y) for y in labels)
    plain = fit_classifier(train.X, train.y, 2, l2=0.01)
    C = confusion_matrix(plain.predict(held_out.X), held_out.y, 2)
    found = target_prior(C, shares(plain.predict(test.X), 2))
    true = torch.tensor([0.6, 1.4], dtype=torch.float64)
    by_label = (2 * found / true).log().square().mean().sqrt()
    return float(by_input), float(by_label)


@erratum(
    "4.7.1.2",
    "label shift is the easier one to correct: its error does not grow with the inputs' dimension",
    printed="label shift is called more challenging in one place and usually easier in the next",
    source="002a E26",
)
def easier_shift() -> Evidence:
    """2 and 40 inputs, 500 examples, ten draws (all ten by chance: 1 in 1024)."""
    low, high = (torch.tensor([ratio_errors(d, s) for s in SEEDS]).double() for d in (2, 40))
    yield float((high[:, 0] > high[:, 1]).double().mean()), 1.0
    yield float((high[:, 0] > low[:, 0]).double().mean()), 1.0
    yield float(high[:, 0].mean() / low[:, 0].mean()), (2.0, float("inf"))
    yield float(high[:, 1].mean() / low[:, 1].mean()), (0.3, 2.0)


def tanks(n: int, agree: float, chance: torch.Generator) -> Sample:
    """A faint sign of a tank, which is the label, and a strong shadow that mostly goes with it."""
    y = (torch.rand(n, generator=chance) < 0.5).long()
    goes_with = torch.rand(n, generator=chance) < agree
    shadow = torch.where(goes_with, y, 1 - y)
    return Sample(torch.stack([0.25 * y, 2.0 * shadow], dim=1).double(), y)


@erratum(
    "4.7.2.2",
    "the tank and game-engine cases are covariate shift by a spurious feature: P(y|x) stays",
    printed="they are called concept shift or covariate shift",
    source="002a E27",
)
def spurious_feature() -> Evidence:
    """Shadows go with tanks in training, not in the test; what makes a tank is the same."""
    chance = generator(0, 23)
    train, test = tanks(2000, 0.98, chance), tanks(2000, 0.5, chance)
    learnt = fit_classifier(train.X, train.y, 2, l2=0.05)
    yield accuracy(learnt, train), (0.96, 1.0)
    yield accuracy(learnt, test), (0.4, 0.6)
    for sign in (0.0, 0.25):
        for shadow in (0.0, 2.0):
            cell = torch.tensor([sign, shadow], dtype=torch.float64)
            for sample in (train, test):  # the same label in the same cell, always
                inside = (cell == sample.X).all(dim=1)
                yield sample.y[inside].double().mean(), float(sign > 0)
    crossed = torch.stack([s.X[:, 0] * 8 != s.X[:, 1] for s in (train, test)]).double()
    yield crossed[0].mean(), (0.0, 0.04)  # P(x) is what differs
    yield crossed[1].mean(), (0.45, 0.55)
