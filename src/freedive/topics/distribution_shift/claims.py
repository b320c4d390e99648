"""What the book says about corrections of shift, as checks (sections 4.7.1 to 4.7.3)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from freedive.catalog import claim
from freedive.core.random import generator
from freedive.topics.distribution_shift.covariate_lab import accuracy
from freedive.topics.distribution_shift.label_prior import (
    confusion_matrix,
    label_weights,
    shares,
    solve,
    target_prior,
)
from freedive.topics.distribution_shift.scratch import (
    density_ratio,
    effective_sample_size,
    fit_classifier,
    newton_direction,
    risk,
)
from freedive.topics.distribution_shift.shifts import (
    concept_sample,
    covariate_sample,
    label_sample,
    log_ratio,
)
from freedive.topics.softmax_regression.claims import Evidence

SEEDS = range(10)  # if a change did nothing, all ten would agree by chance once in 1024


def table(*shape: int, stream: int) -> Tensor:
    """Random probabilities; the last axis sums to 1."""
    drawn = torch.rand(*shape, generator=generator(0, stream), dtype=torch.float64) + 0.05
    return drawn / drawn.sum(dim=-1, keepdim=True)


def normal(n: int, mean: float, *stream: int) -> Tensor:
    """A column of normal numbers of deviation 1."""
    return torch.randn(n, 1, generator=generator(*stream), dtype=torch.float64) + mean


@claim(
    "4.7.3.2",
    "under covariate shift the risk is the training mean of l · p(x)/q(x), exactly",
    ("002a C80", "002a section 4.7.3"),
)
def covariate_identity() -> Evidence:
    """Six inputs and three labels with any probabilities, summed; unweighted it is another sum."""
    q, p, y_given_x = table(6, stream=0), table(6, stream=1), table(6, 3, stream=2)
    loss = 5 * table(6, 3, stream=3)
    true = (p[:, None] * y_given_x * loss).sum()
    joint = q[:, None] * y_given_x
    yield (joint * loss * (p / q)[:, None]).sum(), float(true), 1e-12
    yield bool(torch.allclose((joint * loss).sum(), true)), False
    yield float((q * p / q).sum()), 1.0, 1e-12


@claim(
    "4.7.3.2", "a classifier of target against source learns h = log p/q: 0.8x − 0.32", "002a C80"
)
def learnt_ratio() -> Evidence:
    """N(0, 1) and N(0.8, 1), 20,000 of each; intervals of four standard errors and more."""
    source, target = normal(20_000, 0.0, 0, 4), normal(20_000, 0.8, 0, 5)
    ratio = density_ratio(source, target)
    beta = ratio.weights(source)
    yield float(ratio.w), (0.75, 0.85)
    yield ratio.b, (-0.38, -0.26)
    yield float(beta.mean()), (0.95, 1.05)
    yield float((source**2).mean()), (0.94, 1.06)
    yield float((beta[:, None] * source**2).mean()), (1.5, 1.78)
    yield float((target**2).mean()), (1.55, 1.73)


@claim(
    "4.7.3.3",
    "under label shift the risk is the training mean of l · p(y)/q(y), exactly",
    "002a C81",
)
def label_identity() -> Evidence:
    """Six inputs and three labels, summed."""
    q, p, x_given_y = table(3, stream=11), table(3, stream=12), table(3, 6, stream=13)
    loss = 5 * table(3, 6, stream=14)
    true = (p[:, None] * x_given_y * loss).sum()
    weighted = (q[:, None] * x_given_y * loss * label_weights(p, q)[:, None]).sum()
    yield weighted, float(true), 1e-12
    yield bool(torch.allclose((q[:, None] * x_given_y * loss).sum(), true)), False


@claim(
    "4.7.3.2",
    "the weighted risk is convex; a Newton step is H⁻¹g, with g and H as autograd finds them",
    "002a section 4.7.3",
)
def newton_step() -> Evidence:
    """Eight weighted examples in three classes: the risk, its curvature, the step."""
    chance = generator(0, 40)
    A, V = (torch.randn(n, 3, generator=chance, dtype=torch.float64) for n in (8, 3))
    beta, l2 = torch.rand(8, generator=chance, dtype=torch.float64), 0.3
    y = torch.randint(3, (8,), generator=chance)

    def weighted(flat: Tensor) -> Tensor:
        losses = F.cross_entropy(A @ flat.reshape(3, 3), y, reduction="none")
        return (beta * losses).mean() + l2 / 2 * (flat**2).sum()

    g = torch.autograd.functional.jacobian(weighted, V.flatten())
    H = torch.autograd.functional.hessian(weighted, V.flatten())
    direction = newton_direction(A, torch.softmax(A @ V, dim=1), beta, g.reshape(3, 3), l2)
    yield direction.flatten(), torch.linalg.solve(H, g), 1e-9
    yield bool(torch.linalg.eigvalsh(H).min() > 0), True
    yield risk(A, F.one_hot(y).double(), beta, V, l2), float(weighted(V.flatten())), 1e-9


@claim("4.7.3.3", "the confusion matrix solves for the new shares: C p(y) = μ(ŷ)", "002a C81")
def confusion_solve() -> Evidence:
    """Exactly, for any classifier with P(ŷ | y) as columns; with joint shares it gives p/q."""
    C, p, q = table(4, 4, stream=15).T, table(4, stream=16), table(4, stream=17)
    yield target_prior(C, C @ p), p, 1e-9
    yield solve(C * q, C @ p), p / q, 1e-9


@claim("4.7.1.1", "covariate shift lowers accuracy, and re-weighting restores it", "002a C82")
def covariate_restored() -> Evidence:
    """Ten draws: each falls and each recovers (by chance: 1 in 1024 for either)."""
    for seed in SEEDS:
        chance = generator(seed, 19)
        source, target, fresh = (
            covariate_sample(n, centre, chance)
            for n, centre in ((1000, -0.75), (1000, 0.75), (2000, 0.75))
        )
        beta = density_ratio(source.X, target.X).weights(source.X, largest=20)
        plain, weighted = (fit_classifier(source.X, source.y, 2, w) for w in (None, beta))
        best = fit_classifier(target.X, target.y, 2)
        lost = accuracy(plain, source) - accuracy(plain, fresh)
        yield lost, (0.1, 1.0)
        yield accuracy(weighted, fresh) - accuracy(plain, fresh), (0.08, 1.0)
        yield accuracy(best, fresh) - accuracy(weighted, fresh), (-0.03, 0.08)


@claim("4.7.1.2", "label shift lowers accuracy, and re-weighting restores it", "002a C82")
def label_restored() -> Evidence:
    """Ten draws; weights in the loss, or their logarithms added to the logits."""
    q, p = (torch.tensor(v, dtype=torch.float64) for v in ((0.6, 0.3, 0.1), (0.1, 0.3, 0.6)))
    for seed in SEEDS:
        chance = generator(seed, 20)
        draws = ((1000, q), (1000, q), (1000, p), (2000, p))
        train, held_out, test, fresh = (label_sample(n, prior, 2.0, chance) for n, prior in draws)
        plain = fit_classifier(train.X, train.y, 3)
        C = confusion_matrix(plain.predict(held_out.X), held_out.y, 3)
        found = target_prior(C, shares(plain.predict(test.X), 3))
        beta = label_weights(found, shares(train.y, 3))
        weighted = fit_classifier(train.X, train.y, 3, beta[train.y])
        before = accuracy(plain, fresh)
        yield accuracy(plain, train) - before, (0.1, 1.0)
        yield accuracy(weighted, fresh) - before, (0.08, 1.0)
        added = (plain.predict(fresh.X, beta.clamp(min=1e-12)) == fresh.y).double().mean()
        yield float(added) - accuracy(weighted, fresh), (-0.03, 0.03)


@claim(
    "4.7.1.3",
    "concept shift changes P(y|x) while the inputs stay: no weight mends it, new labels do",
    "002a section 4.7.3",
)
def concept_needs_labels() -> Evidence:
    """The border turns by 90°: the learnt weights are all near 1."""
    for seed in range(5):
        chance = generator(seed, 21)
        old, new, fresh = (concept_sample(1000, a, 0.05, chance) for a in (0.0, 1.5708, 1.5708))
        beta = density_ratio(old.X, new.X).weights(old.X)
        yield effective_sample_size(beta) / 1000, (0.95, 1.0)
        yield accuracy(fit_classifier(old.X, old.y, 2, beta), fresh), (0.4, 0.6)
        yield accuracy(fit_classifier(new.X, new.y, 2), fresh), (0.9, 1.0)


@claim("4.7.3.2", "for equal deviations the exact log p/q is linear in x", "002a C80")
def linear_log_ratio() -> Evidence:
    """From the two densities, by torch.distributions."""
    X = covariate_sample(50, 0.0, generator(0, 24)).X
    p, q = (torch.distributions.Normal(centre, 1.0) for centre in (0.75, -0.75))
    yield p.log_prob(X[:, 0]) - q.log_prob(X[:, 0]), log_ratio(X, -0.75, 0.75), 1e-12
