"""What the book says about information and overflow, as checks (sections 4.1.3 and 4.5.2)."""

import math

import torch
from torch.nn import functional as F

from freedive.catalog import claim, erratum
from freedive.topics.softmax_regression.claims import Evidence, normal, soft_labels
from freedive.topics.softmax_regression.concise import SoftmaxRegression
from freedive.topics.softmax_regression.information import (
    cross_entropy_of,
    entropy,
    kl_divergence,
    surprisal,
)
from freedive.topics.softmax_regression.scratch import (
    SoftmaxRegressionScratch,
    cross_entropy,
    log_softmax,
    naive_softmax,
    softmax,
)


@claim("4.1.3", "a nat is about 1.44 bits", "002a C56")
def nat_in_bits() -> Evidence:
    """1 / log 2."""
    yield 1 / math.log(2), 1.44, 0.005


@claim("4.1.3.2", "a sure event surprises by 0, one of probability 0.01 by 4.605 nats", "002a C57")
def surprisals() -> Evidence:
    """−log P; an impossible event surprises without end."""
    found = surprisal(torch.tensor([1.0, 0.01, 0.0], dtype=torch.float64)).tolist()
    yield found[0], 0.0
    yield found[1], 4.605, 5e-4
    yield found[2], math.inf


@claim("4.1.3.1", "entropy is 0 for a certain event and largest, log n, for a uniform", "002a C58")
def entropy_bounds() -> Evidence:
    """A thousand random distributions lie between."""
    for n in (2, 6, 10):
        certain, uniform = torch.eye(n)[0].double(), torch.full((n,), 1 / n).double()
        yield float(entropy(certain)), 0.0
        yield float(entropy(uniform)), math.log(n), 1e-6
        P = soft_labels(1000, n)
        entropies = entropy(P)
        yield float(entropies.min()), (0.0, math.log(n))
        yield float(entropies.max()), (0.0, math.log(n))


@claim("4.1.3.3", "the die: 0.693, 1.7918 and 2.0343 nats", ("002a C59", "002a C60"))
def die() -> Evidence:
    """A six that was given ½; the fair die's entropy; its cross-entropy under a loaded belief."""
    loaded = torch.tensor([0.1] * 5 + [0.5])
    yield float(cross_entropy(loaded[None], torch.tensor([5]))), 0.693, 5e-4
    fair = torch.full((6,), 1 / 6)
    yield float(entropy(fair)), 1.7918, 5e-5
    yield float(cross_entropy_of(fair, loaded)), 2.0343, 5e-5


@claim(
    "4.1.3.3",
    "H(P, Q) ≥ H(P), with equality exactly where Q = P",
    ("002a C61", "000 C16"),
)
def cross_entropy_bound() -> Evidence:
    """Many random beliefs about one distribution; gradient descent on Q ends at P."""
    P, Q = soft_labels(1, 5)[0], softmax(normal(1000, 5))
    gaps = kl_divergence(P.expand_as(Q), Q)
    yield float(gaps.min()), (1e-12, math.inf)
    yield entropy(P), torch.distributions.Categorical(P).entropy(), 1e-12
    yield gaps, F.kl_div(Q.log(), P.expand_as(Q), reduction="none").sum(dim=1), 1e-12
    o = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(cross_entropy_of(P, softmax(P.log() + o)), o)
    yield gradient, torch.zeros(5), 1e-12


@erratum(
    "4.4.3",
    "cross_entropy wants probabilities, the model's loss logits: one in the other's place is wrong",
    printed="both are called the cross-entropy loss of predictions, with nothing on their domain",
    source=("002a C65", "002a E16"),
)
def probabilities_or_logits() -> Evidence:
    """The book's probabilities, put into either."""
    y_hat, y = torch.tensor([[0.1, 0.3, 0.6], [0.3, 0.2, 0.5]]), torch.tensor([0, 2])
    right = float(cross_entropy(y_hat, y))
    yield float(F.cross_entropy(y_hat.log(), y)), right, 1e-6
    yield abs(float(F.cross_entropy(y_hat, y)) - right) > 0.1, True
    for model in (SoftmaxRegressionScratch(), SoftmaxRegression()):
        yield float(model.loss(y_hat.log(), y)), right, 1e-6


@claim("4.5.2", "single precision reaches from about 1e-38 to 1e38", "002a C66")
def single_precision() -> Evidence:
    """The order of magnitude of its smallest normal and its largest number."""
    finfo = torch.finfo(torch.float32)
    yield math.floor(math.log10(finfo.max)), 38
    yield math.floor(math.log10(finfo.tiny)), -38


@erratum(
    "4.5.2",
    "softmax as written fails above log(max) − log k for k equal logits, and loses digits below "
    "log(tiny)",
    printed="trouble begins where the largest logit leaves [−90, 90]",
    source=("002a C67", "002a E18", "001_003_004 C36"),
)
def where_softmax_fails() -> Evidence:
    """The edges follow from the number format; nothing fails just inside of them."""
    upper = math.log(torch.finfo(torch.float32).max)
    lower = math.log(torch.finfo(torch.float32).tiny)
    yield bool(naive_softmax(torch.tensor([upper + 0.01, 0.0])).isnan().any()), True
    yield naive_softmax(torch.tensor([upper - 0.01, 0.0])), [1.0, 0.0], 1e-6
    for k in (2, 3, 10):
        edge = upper - math.log(k)
        yield naive_softmax(torch.full((k,), edge - 0.01)), [1 / k] * k, 1e-6
        # finite numbers whose sum is infinite: all zeros, without a NaN to warn
        yield naive_softmax(torch.full((k,), edge + 0.01)), [0.0] * k
        yield softmax(torch.full((k,), edge + 0.01)), [1 / k] * k, 1e-6
    deep = torch.tensor([lower - 14.7, lower - 15.7])
    yield float((naive_softmax(deep) - softmax(deep)).abs().max()), (0.01, 1.0)
    yield bool(naive_softmax(torch.full((2,), lower - 17)).isnan().all()), True


@claim("4.5.2", "subtracting the largest logit removes the overflow", "002a C68")
def no_overflow() -> Evidence:
    """Logits of a thousand, of both signs, in single and in half precision."""
    for dtype, size in ((torch.float32, 1000.0), (torch.float16, 10_000.0)):
        for sign in (1, -1):
            logits = torch.tensor([size, size, -size], dtype=dtype) * sign
            yield softmax(logits), torch.softmax(logits.double(), dim=0), 1e-3
            yield bool(log_softmax(logits).isfinite().all()), True


@claim(
    "4.5.2",
    "log(softmax) gives −∞ and no gradient where the joined form is exact",
    ("002a C69", "001_003_004 C37"),
)
def joined_logarithm() -> Evidence:
    """Logits 60 and −60 with the second as label: the loss is their difference."""
    for size in (60.0, 100.0):
        logits, y = torch.tensor([[size, -size]], requires_grad=True), torch.tensor([1])
        naive = cross_entropy(softmax(logits), y)
        joined = SoftmaxRegressionScratch().loss(logits, y)
        yield naive.item(), math.inf
        yield bool(torch.autograd.grad(naive, logits)[0].isfinite().all()), False
        yield joined.item(), 2 * size
        yield torch.autograd.grad(joined, logits)[0], [[1.0, -1.0]]


@claim("4.5.2", "where nothing overflows, both ways agree", "002a C70")
def safe_range() -> Evidence:
    """Logits up to some tens."""
    logits = 5 * normal(200, 10).float()
    yield naive_softmax(logits), softmax(logits), 1e-6
    yield log_softmax(logits), F.log_softmax(logits, dim=1), 1e-5
