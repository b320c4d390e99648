"""Bayes' rule for one test and for two, with what they share made explicit (section 2.6.5)."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError
from freedive.topics.probability.distribution import Probabilities

Likelihoods = Float[Tensor, " outcomes"]  # P(what was seen | each hypothesis)


def evidence(prior: Probabilities, likelihoods: Likelihoods) -> float:
    """P(E) = Σ_H P(E | H) P(H): the probability of what was seen, over all hypotheses."""
    return float((prior * likelihoods).sum())


def posterior(prior: Probabilities, likelihoods: Likelihoods) -> Probabilities:
    """P(H | E) = P(E | H) P(H) / P(E).

    Raises:
        UsageError: what was seen is impossible under every hypothesis that is.
    """
    total = evidence(prior, likelihoods)
    if total <= 0:
        raise UsageError("what was seen has probability 0 under every hypothesis: "
                         "raise the prior or the rate of positive tests")  # fmt: skip
    return prior * likelihoods / total


@dataclass(frozen=True)
class DiagnosticTest:
    """A test that is positive or not.

    Attributes:
        sensitivity: P(D = 1 | H = 1), how often the sick test positive.
        false_positive: P(D = 1 | H = 0), how often the healthy do.
    """

    sensitivity: float
    false_positive: float

    def positive(self, like: Probabilities) -> Likelihoods:
        """P(D = 1 | H) for H = 0 and 1."""
        return like.new_tensor([self.false_positive, self.sensitivity])


def both_positive(p: float, q: float, overlap: float) -> float:
    """P(D₁ = 1, D₂ = 1) of two tests that are positive with probabilities p and q.

    Independent tests have p q; tests that err on the same people have min(p, q). ``overlap``
    goes from the one, at 0, to the other, at 1: a mixture of the two, so never impossible.
    """
    return (1 - overlap) * p * q + overlap * min(p, q)


def both_tests(
    first: DiagnosticTest, second: DiagnosticTest, like: Probabilities, overlap: float = 0
) -> Likelihoods:
    """P(D₁ = 1, D₂ = 1 | H) for H = 0 and 1; with overlap 0, independent given H."""
    pairs = zip(first.positive(like).tolist(), second.positive(like).tolist(), strict=True)
    return like.new_tensor([both_positive(p, q, overlap) for p, q in pairs])
