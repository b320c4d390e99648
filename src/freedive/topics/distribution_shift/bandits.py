"""Bandits: only the reward of the arm that was pulled is told (sections 1.3 and 4.7.4.3)."""

import math

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from freedive.core.random import derived_seed, generator


class Arms:
    """Arms that pay 1 with a fixed probability each and else nothing, in many runs at a time.

    The loss of a pull is its regret, what the best arm would have paid more on average.

    Args:
        means: probability of each arm to pay.
        runs: independent runs.
        seed: of the rewards.
    """

    def __init__(self, means: Float[Tensor, " arms"], runs: int, seed: int):
        self.means, self.runs = means, runs
        self.chance = generator(seed, 2)

    def observe(self) -> Float[Tensor, " runs"]:
        """Nothing: one arm is like another until it is pulled."""
        return torch.zeros(self.runs)

    def respond(
        self, action: Int[Tensor, " runs"]
    ) -> tuple[Float[Tensor, " runs"], Float[Tensor, " runs"]]:
        """The rewards, and the regrets μ* − μ_a."""
        mean = self.means[action]
        paid = torch.rand(self.runs, generator=self.chance, dtype=torch.float64) < mean
        return paid.double(), self.means.max() - mean


class Policy:
    """Pulls any arm, and keeps count: how often each was pulled, and what it paid.

    Args:
        num_arms: how many there are.
        runs: independent runs, each with counts of its own.
        seed: of its choices.
    """

    def __init__(self, num_arms: int, runs: int, seed: int):
        self.chance = generator(seed, 3)
        self.pulls = torch.zeros(runs, num_arms, dtype=torch.float64)
        self.paid = torch.zeros(runs, num_arms, dtype=torch.float64)

    def scores(self) -> Float[Tensor, "runs arms"]:
        """The arm of the highest score is pulled; equal ones take turns by chance."""
        return torch.zeros_like(self.pulls)

    def act(self, seen: Float[Tensor, " runs"]) -> Int[Tensor, " runs"]:
        """The arm to pull in each run."""
        ties = 1e-9 * torch.rand(self.pulls.shape, generator=self.chance, dtype=torch.float64)
        return (self.scores() + ties).argmax(dim=1)

    def learn(
        self, seen: Tensor, action: Int[Tensor, " runs"], told: Float[Tensor, " runs"]
    ) -> None:
        """Count."""
        self.pulls.scatter_add_(1, action[:, None], torch.ones_like(told)[:, None])
        self.paid.scatter_add_(1, action[:, None], told[:, None])


def estimated(policy: Policy) -> Float[Tensor, "runs arms"]:
    """The mean reward of each arm so far; an arm that was never pulled comes first."""
    return torch.where(policy.pulls > 0, policy.paid / policy.pulls.clamp(min=1), math.inf)


class EpsilonGreedy(Policy):
    """The best arm so far, but any arm with probability ε; ε = 0 is greedy."""

    def __init__(self, num_arms: int, runs: int, seed: int, epsilon: float = 0.1):
        super().__init__(num_arms, runs, seed)
        self.epsilon = epsilon

    def scores(self) -> Float[Tensor, "runs arms"]:
        """The means, or in a share ε of the runs nothing but chance."""
        runs = len(self.pulls)
        explore = torch.rand(runs, generator=self.chance, dtype=torch.float64) < self.epsilon
        return torch.where(explore[:, None], 0.0, estimated(self))


class UCB(Policy):
    """The arm that could be best: its mean plus √(2 ln t / n), how far that may be off (UCB1)."""

    def scores(self) -> Float[Tensor, "runs arms"]:
        """The upper ends of the intervals."""
        t = self.pulls.sum(dim=1, keepdim=True).clamp(min=1)
        return estimated(self) + torch.sqrt(2 * t.log() / self.pulls.clamp(min=1))


class Thompson(Policy):
    """An arm as often as it may be the best: the largest draw from the arms' Beta posteriors."""

    def __init__(self, num_arms: int, runs: int, seed: int):
        super().__init__(num_arms, runs, seed)
        self.draws = np.random.default_rng(derived_seed(seed, 4))

    def scores(self) -> Float[Tensor, "runs arms"]:
        """μ ~ Beta(1 + successes, 1 + failures)."""
        won, lost = 1 + self.paid.numpy(), 1 + (self.pulls - self.paid).numpy()
        return torch.from_numpy(self.draws.beta(won, lost))


class Oracle(Policy):
    """Knows the means: no regret, and nothing to learn."""

    def __init__(self, means: Float[Tensor, " arms"], runs: int, seed: int):
        super().__init__(len(means), runs, seed)
        self.means = means

    def scores(self) -> Float[Tensor, "runs arms"]:
        """The truth."""
        return self.means.expand_as(self.pulls)


def gaps(means: Float[Tensor, " arms"]) -> Float[Tensor, " worse"]:
    """Δ = μ* − μ of every arm that is not best."""
    gap = means.max() - means
    return gap[gap > 0]


def ucb_bound(means: Float[Tensor, " arms"], t: Tensor) -> Float[Tensor, " steps"]:
    """8 ln t Σ 1/Δ + (1 + π²/3) Σ Δ: the regret of UCB1 never expects to exceed it (Auer 2002)."""
    gap = gaps(means)
    return 8 * t.double().log() * (1 / gap).sum() + (1 + math.pi**2 / 3) * gap.sum()


def lowest_slope(means: Float[Tensor, " arms"]) -> float:
    """Σ Δ / KL(μ, μ*): no policy that is good everywhere has less regret per ln t (Lai, Robbins).

    KL(a, b) = a ln(a/b) + (1 − a) ln((1 − a)/(1 − b)); 0 where the best arm always pays.
    """
    best, worse = means.max(), means[means < means.max()]
    kl = torch.special.xlogy(worse, worse / best)
    kl = kl + torch.special.xlogy(1 - worse, (1 - worse) / (1 - best))
    return float(((best - worse) / kl).sum())
