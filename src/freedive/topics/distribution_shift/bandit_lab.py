"""Batch, online, bandit and control loops, and the regret of bandit policies (section 4.7.4)."""

from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hyperparameters import Bounds, NonNegative, Positive, Probability, Whole
from freedive.core.report import Report
from freedive.topics.distribution_shift.bandits import (
    UCB,
    Arms,
    EpsilonGreedy,
    Policy,
    Thompson,
    lowest_slope,
    ucb_bound,
)
from freedive.topics.distribution_shift.control import PID, Kettle, Thermostat
from freedive.topics.distribution_shift.drifting import (
    Drift,
    DriftingWorld,
    OnlineLearner,
    Refitter,
    moving_average,
    radians,
)
from freedive.topics.distribution_shift.loop_figures import loops_figure, regret_figure
from freedive.topics.distribution_shift.loops import interact
from freedive.topics.distribution_shift.shifts import read_probabilities

LOOP_STEPS = 150  # of the batch and online learners
LOOPS = [
    {"loop": "batch", "is told": "the labels, beforehand", "world": "stays",
     "here": "a classifier, fitted once"},
    {"loop": "online", "is told": "the right label, each time", "world": "may drift",
     "here": "the same beside small updates"},
    {"loop": "bandit", "is told": "the reward of its action", "world": "stays",
     "here": "arms that pay by chance"},
    {"loop": "control", "is told": "the new state", "world": "remembers",
     "here": "a boiler held at its temperature"},
    {"loop": "reinforcement", "is told": "the new state and a reward", "world": "remembers",
     "here": "not shown: a control loop that has to find its controller"},
]  # fmt: skip


@lab("bandit", section="4.7.4")
def bandit(
    arms: str = "0.3 0.5 0.6",
    steps: Annotated[int, Bounds(10, 5000, whole=True)] = 1000,
    runs: Annotated[int, Bounds(1, 1000, whole=True)] = 100,
    epsilon: Probability = 0.1,
    degrees: Annotated[float, Bounds(0, 180)] = 90.0,
    gain: Positive = 0.05,
    integral: NonNegative = 0.002,
    seed: Whole = 0,
) -> Report:
    """Four loops of learning, batch, online, bandit, control; the regret of five bandit policies.

    Args:
        arms: probability of each arm to pay.
        steps: pulls in a run.
        runs: independent runs, to see means and spread.
        epsilon: share of pulls that the ε-greedy policy gives to chance.
        degrees: how far the online loop's concept turns.
        gain: of the proportional controllers of the boiler, in share of power per degree.
        integral: gain of the summed error.
        seed: of all draws.
    """
    means = read_probabilities("arms", arms)
    regrets = {
        name: interact(policy, Arms(means, runs, seed), steps)
        for name, policy in policies(means, runs, epsilon, seed).items()
    }
    summed = {name: regret.sum(dim=0) for name, regret in regrets.items()}
    best = {name: (regret == 0).double().mean(dim=1) for name, regret in regrets.items()}
    errors = {kind: two_learners(kind, degrees, seed) for kind in ("none", "gradual")}
    boilers, temperatures = control_loops(gain, integral)
    return Report(
        numbers={
            **{f"regret, {name}": float(total.mean()) for name, total in summed.items()},
            **({"lowest slope per ln t": lowest_slope(means)} if float(means.max()) < 1 else {}),
            "UCB stays below": float(ucb_bound(means, torch.tensor([steps]))),
            "rest of the proportional controller": Kettle(2).left_by(gain),
        },
        tables={
            "loops": LOOPS,
            "policies": [policy_row(name, regrets[name], best[name]) for name in regrets],
            "learners": [
                {"concept": kind, "learner": name, "wrong": round(float(values.mean()), 4)}
                for kind, found in errors.items() for name, values in found.items()
            ],
            "boiler": boilers,
        },
        figures={
            "regret": regret_figure(regrets, means, best),
            "loops": loops_figure(
                {kind: {n: moving_average(v, 10) for n, v in found.items()}
                 for kind, found in errors.items()},
                regrets, means, temperatures, Kettle(2).goal,
            ),
        },
        notes=[
            "Regret is what the best arm would have paid more, on average. A policy that keeps "
            "exploring at one rate, or stops too early on a wrong arm, pays for ever: a straight "
            "line. Trying an arm by how good it still may be pays with the logarithm of t.",
            "The best mean regret may hide runs that never find the best arm: see the shaded half.",
            "A proportional controller rests below its goal, where the heat it gives equals the "
            "heat that leaks; the summed error takes that rest away.",
        ],
    )  # fmt: skip


def policies(
    means: Float[Tensor, " arms"], runs: int, epsilon: float, seed: int
) -> dict[str, Policy]:
    """The five."""
    start = (len(means), runs, seed)
    return {
        "any arm": Policy(*start),
        "greedy": EpsilonGreedy(*start, epsilon=0.0),
        f"ε-greedy, {epsilon:g}": EpsilonGreedy(*start, epsilon=epsilon),
        "UCB": UCB(*start),
        "Thompson": Thompson(*start),
    }


def policy_row(
    name: str, regret: Float[Tensor, "steps runs"], best: Float[Tensor, " steps"]
) -> dict[str, Any]:
    """Regret at the end and in its second half, and how often the best arm is pulled by then."""
    summed = regret.sum(dim=0)
    return {
        "policy": name,
        "regret": round(float(summed.mean()), 2),
        "worst run": round(float(summed.max()), 2),
        "of it in the second half": round(float(regret[len(regret) // 2 :].sum(dim=0).mean()), 2),
        "best arm at the end": round(float(best[-10:].mean()), 3),
    }


def two_learners(kind: Drift, degrees: float, seed: int) -> dict[str, Tensor]:
    """Errors of a learner that was fitted once and of one that goes on, on the same data."""
    settings = (kind, radians(degrees), LOOP_STEPS, 20, 0.05, seed)
    learners: dict[str, Any] = {
        "fitted once": Refitter(stop=200),
        "updated each step": OnlineLearner(1.0),
    }
    return {
        name: interact(agent, DriftingWorld(*settings), LOOP_STEPS)
        for name, agent in learners.items()
    }


def control_loops(
    gain: float, integral: float
) -> tuple[list[dict[str, Any]], dict[str, list[float]]]:
    """A boiler under three controllers: its table, and its temperatures."""
    steps, rows, temperatures = 400, [], {}
    controllers: dict[str, Any] = {
        "thermostat": Thermostat(),
        "proportional": PID(gain),
        "proportional and integral": PID(gain, integral),
    }
    for name, controller in controllers.items():
        kettle = Kettle(steps)
        loss = interact(controller, kettle, steps)
        temperatures[name] = kettle.temperatures
        rows.append(
            {
                "controller": name,
                "degrees off at the end": round(float(loss[-20:].mean()), 3),
                "hottest": round(max(kettle.temperatures), 2),
                "degrees off on average": round(float(loss.mean()), 3),
            }
        )
    return rows, temperatures
