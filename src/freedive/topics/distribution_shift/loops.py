"""One loop for every kind of learning problem (sections 1.3 and 4.7.4).

What differs between batch, online, bandit and control is what the world tells, and whether it
remembers what was done to it:

    batch     the labels once, beforehand    the world stays as it is
    online    the right label, each time     the world may drift
    bandit    the reward of what was done    the world stays as it is
    control   its new state                  the world remembers
"""

from typing import Protocol

import torch
from jaxtyping import Float
from torch import Tensor


class World(Protocol):
    """What an agent acts upon."""

    def observe(self) -> Tensor:
        """What can be seen before acting."""

    def respond(self, action: Tensor) -> tuple[Tensor, Tensor]:
        """What the agent is told of its action, and the loss that it is judged by."""


class Agent(Protocol):
    """What acts, and may learn from what it is told."""

    def act(self, seen: Tensor) -> Tensor:
        """Choose, by what is seen."""

    def learn(self, seen: Tensor, action: Tensor, told: Tensor) -> None:
        """Take in what came of it."""


def interact(agent: Agent, world: World, steps: int) -> Float[Tensor, "steps *shape"]:
    """Observe, act, be told, learn, and again; gives the loss of each step.

    f_t → x_t → f_t(x_t) → y_t → l(y_t, f_t(x_t)) → f_{t+1}
    """
    losses = []
    for _ in range(steps):
        seen = world.observe()
        action = agent.act(seen)
        told, loss = world.respond(action)
        agent.learn(seen, action, told)
        losses.append(loss)
    return torch.stack(losses) if losses else torch.zeros(0)
