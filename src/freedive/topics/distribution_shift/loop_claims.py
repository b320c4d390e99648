"""What the book says about batch, online, bandit and control learning, as checks (4.7.4, 1.3)."""

import math

import torch

from freedive.catalog import claim
from freedive.topics.distribution_shift.bandits import (
    UCB,
    Arms,
    EpsilonGreedy,
    Oracle,
    Policy,
    Thompson,
    ucb_bound,
)
from freedive.topics.distribution_shift.control import PID, Kettle, Thermostat
from freedive.topics.distribution_shift.drifting import (
    Drift,
    DriftingWorld,
    OnlineLearner,
    Refitter,
)
from freedive.topics.distribution_shift.loops import Agent, interact
from freedive.topics.softmax_regression.claims import Evidence

MEANS = torch.tensor([0.2, 0.5, 0.8], dtype=torch.float64)


def wrong(agent: Agent, kind: Drift, degrees: float, seed: int, steps: int = 100) -> float:
    """Share of wrong answers of a learner in a drifting world, without the first tenth."""
    world = DriftingWorld(kind, math.radians(degrees), steps, 20, 0.05, seed)
    return float(interact(agent, world, steps)[steps // 10 :].mean())


@claim(
    "4.7.4.2",
    "under drift a learner that goes on beats one that was trained once; without, neither",
    "002a section 4.7.4",
)
def online_beats_batch() -> Evidence:
    """Eight draws (all eight by chance: 1 in 256)."""
    for seed in range(8):
        for kind in ("gradual", "abrupt"):
            batch = wrong(Refitter(stop=200), kind, 90, seed)
            yield batch - wrong(OnlineLearner(1.0), kind, 90, seed), (0.05, 1.0)
        still = wrong(Refitter(stop=200), "none", 90, seed)
        yield still - wrong(OnlineLearner(1.0), "none", 90, seed), (-0.04, 0.04)


@claim(
    "4.7.4.6",
    "where drift is slow, small updates are best; after a jump, large ones",
    "002a section 4.7.4",
)
def speed_of_updates() -> Evidence:
    """Rates 0.3 and 5, a drift of 5° and a jump of 120°; ten draws each (chance: 1 in 1024)."""
    for seed in range(10):
        slow = [wrong(OnlineLearner(lr), "gradual", 5, seed) for lr in (0.3, 5.0)]
        yield slow[1] - slow[0], (0.001, 1.0)
        jump = [wrong(OnlineLearner(lr), "abrupt", 120, seed) for lr in (0.3, 5.0)]
        yield jump[0] - jump[1], (0.001, 1.0)


@claim(
    "4.7.3.4",
    "a gradual concept shift is followed by small updates, an abrupt one by a fit on new data",
    "002a section 4.7.3",
)
def updates_or_refits() -> Evidence:
    """Updates keep within a few percent of the noise; data from before a jump do harm."""
    for seed in range(3):
        yield wrong(OnlineLearner(1.0), "gradual", 90, seed), (0.03, 0.12)
        all_data = wrong(Refitter(every=10), "abrupt", 120, seed)
        yield all_data - wrong(Refitter(every=10, window=200), "abrupt", 120, seed), (0.05, 1.0)


@claim(
    "4.7.4.3",
    "a bandit has a guarantee: UCB's regret stays below 8 ln t Σ1/Δ + (1 + π²/3) ΣΔ",
    "002a section 4.7.4",
)
def bandit_guarantee() -> Evidence:
    """At each of 500 pulls, the mean of 200 runs; pulling any arm costs t times the mean gap."""
    regret = interact(UCB(3, 200, 0), Arms(MEANS, 200, 0), 500).mean(dim=1).cumsum(dim=0)
    bound = ucb_bound(MEANS, torch.arange(1, 501))
    yield float((bound - regret).min()), (0.0, float("inf"))
    any_arm = interact(Policy(3, 200, 0), Arms(MEANS, 200, 0), 500).mean(dim=1).sum()
    yield float(any_arm), (145.0, 155.0)
    yield interact(Oracle(MEANS, 50, 0), Arms(MEANS, 50, 0), 100).sum(), 0.0


@claim(
    "1.3.4",
    "the loop of action and reward has to explore: greedy choice may never find the best arm",
    "002a section 1",
)
def exploration() -> Evidence:
    """Regret a pull in the second half of 200 runs; the gap is over four standard errors."""
    late = {}
    for policy in (EpsilonGreedy(3, 200, 0, 0.0), UCB(3, 200, 0), Thompson(3, 200, 0)):
        regret = interact(policy, Arms(MEANS, 200, 0), 1000)
        late[type(policy).__name__] = float(regret[500:].mean())
    yield late["EpsilonGreedy"] - late["UCB"], (0.02, 1.0)
    yield late["UCB"] - late["Thompson"], (0.0, 1.0)
    yield late["Thompson"], (0.0, 0.01)


@claim(
    "4.7.4.4",
    "a thermostat and a PID controller hold a state that remembers; the integral leaves no rest",
    "002a section 4.7.4",
)
def controllers() -> Evidence:
    """The proportional controller rests where its heat equals the leak, by the closed form."""
    kettles = [Kettle(600) for _ in range(3)]
    agents: list[Agent] = [Thermostat(1.0), PID(0.05), PID(0.05, 0.002, 0.02)]
    losses = [interact(a, k, 600)[:, 0] for a, k in zip(agents, kettles, strict=True)]
    yield losses[0][-50:].max(), (0.5, 3.0)
    yield losses[1][-1], kettles[1].left_by(0.05), 1e-6
    yield losses[2][-1], (0.0, 0.05)
    yield losses[2][300], (5.0, 30.0)  # the cold water, from which it comes back
