"""Control: the world remembers what was done to it (section 4.7.4.4)."""

import torch
from jaxtyping import Float
from torch import Tensor

Reading = Float[Tensor, " one"]


class Kettle:
    """A boiler that is to hold its temperature: T ← T + dt (power · u − leak · (T − room)).

    Its loss is |T − goal|; in the middle of the run, cold water is poured in.

    Args:
        steps: how long it will run; the cold water comes after half of them.
        goal: temperature wanted, in °C.
        cold: degrees that the water takes away.
    """

    power, leak, room, dt = 4.0, 0.02, 20.0, 0.5

    def __init__(self, steps: int, goal: float = 92.0, cold: float = 20.0):
        self.goal, self.cold, self.half = goal, cold, steps // 2
        self.T = torch.full((1,), self.room, dtype=torch.float64)
        self.step = 0
        self.temperatures: list[float] = []

    def observe(self) -> Reading:
        """How far below the goal it is."""
        return self.goal - self.T

    def respond(self, action: Reading) -> tuple[Reading, Reading]:
        """Heat with a share u of the power, from 0 to 1; tells the new error."""
        heat = self.power * action.clamp(0, 1) - self.leak * (self.T - self.room)
        self.T = self.T + self.dt * heat
        self.step += 1
        if self.step == self.half:
            self.T = self.T - self.cold
        self.temperatures.append(float(self.T))
        error = self.goal - self.T
        return error, error.abs()

    def left_by(self, gain: float) -> float:
        """Where a proportional controller comes to rest: leak (goal − room) / (power k + leak)."""
        return self.leak * (self.goal - self.room) / (self.power * gain + self.leak)


class Thermostat:
    """Full power below the goal by more than a margin, none above it by more; else as before."""

    def __init__(self, margin: float = 1.0):
        self.margin = margin
        self.on = False

    def act(self, seen: Reading) -> Reading:
        """On or off."""
        error = float(seen)
        self.on = error > self.margin or (self.on and error > -self.margin)
        return torch.full_like(seen, float(self.on))

    def learn(self, seen: Reading, action: Reading, told: Reading) -> None:
        """It only looks."""


class PID:
    """u = k_p e + k_i ∫e dt + k_d de/dt: by the error, its past, and where it is going.

    Args:
        kp: gain of the error.
        ki: gain of its sum over time; 0 leaves a rest that nothing works against.
        kd: gain of its slope.
        dt: seconds between two readings.
    """

    def __init__(self, kp: float, ki: float = 0.0, kd: float = 0.0, dt: float = Kettle.dt):
        self.kp, self.ki, self.kd, self.dt = kp, ki, kd, dt
        self.total = 0.0
        self.before: float | None = None

    def act(self, seen: Reading) -> Reading:
        """The share of the power."""
        error = float(seen)
        slope = 0.0 if self.before is None else (error - self.before) / self.dt
        u = self.kp * error + self.ki * (self.total + error * self.dt) + self.kd * slope
        if 0 <= u <= 1:  # a heater at its stop cannot answer to more: its sum would only wind up
            self.total += error * self.dt
        self.before = error
        return torch.full_like(seen, u)

    def learn(self, seen: Reading, action: Reading, told: Reading) -> None:
        """Its memory is the sum that `act` keeps."""
