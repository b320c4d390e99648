"""Backpropagation through time: whole, cut short, and cut at random (section 9.7).

Section 9.7.1 has numbers for states. Its gradient ∂h_t/∂w_h = a_t obeys a recursion,

    a_t = b_t + c_t a_{t−1},  a₀ = 0,  with b_t = ∂f/∂w_h and c_t = ∂f/∂h_{t−1},

so that a_t = Σ_{i ≤ t} (c_{i+1} … c_t) b_i. Every way to shorten the sum is a gate on the c_t or a
band of its terms. Section 9.7.2 has vectors for states, and a gradient for each of three matrices.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.errors import UsageError


def at_least_one(tau: int) -> int:
    """τ itself; `UsageError` where it keeps no step."""
    if tau < 1:
        raise UsageError(f"tau wants a whole number of at least 1, got {tau}: 1 keeps one term")
    return tau


def at_least_one_step(x: Tensor, dim: int) -> tuple[Tensor, ...]:
    """The steps of a sequence; `UsageError` where there is none."""
    if not x.shape[dim]:
        raise UsageError("a sequence wants at least 1 step, got 0: pass a longer one")
    return x.unbind(dim)


def probabilities(pi: float | Tensor, num_steps: int) -> Float[Tensor, "steps"]:
    """π_t of every step; `UsageError` where one is not above 0, or is above 1."""
    chances = torch.as_tensor(pi, dtype=torch.float64).expand(num_steps)
    if not ((chances > 0) & (chances <= 1)).all():
        raise UsageError(f"pi wants probabilities above 0 to 1, got {pi}: pass 1 to cut nowhere")
    return chances


def recursion(
    b: Float[Tensor, "*batch steps"], c: Float[Tensor, "*gated steps"]
) -> Float[Tensor, "*all steps"]:
    """a_t = b_t + c_t a_{t−1} from a₀ = 0, for all t."""
    a, found = torch.zeros_like(b[..., 0]), []
    for b_t, c_t in zip(b.unbind(dim=-1), c.unbind(dim=-1), strict=True):
        a = b_t + c_t * a
        found.append(a)
    return torch.stack(found, dim=-1)


def products(c: Float[Tensor, "*batch steps"]) -> Float[Tensor, "*batch steps steps"]:
    """c_{i+1} … c_t in row t and column i: 1 on the diagonal and 0 above it."""
    steps = c.shape[-1]
    below = torch.ones(steps, steps, dtype=torch.bool, device=c.device).tril(-1)
    return torch.where(below, c[..., None], 1).cumprod(dim=-2).tril()


def closed_form(
    b: Float[Tensor, "*batch steps"], c: Float[Tensor, "*batch steps"], tau: int | None = None
) -> Float[Tensor, "*batch steps"]:
    """a_t = Σ_i (c_{i+1} … c_t) b_i over i ≤ t, or over the last τ of them alone.

    Raises:
        UsageError: τ is below 1.
    """
    terms = products(c)
    if tau is not None:
        terms = terms.triu(1 - at_least_one(tau))
    return (terms @ b[..., None])[..., 0]


def pieces(num_steps: int, tau: int) -> Float[Tensor, "steps"]:
    """Gates that cut a text into pieces of τ steps, as training in minibatches does: 0 at a cut."""
    return (torch.arange(num_steps) % at_least_one(tau) != 0).double()


def draw_gates(
    pi: float | Tensor, shape: Sequence[int], chance: torch.Generator
) -> Float[Tensor, "*draws steps"]:
    """ξ_t = 1/π_t with probability π_t, else 0: its mean is 1 (section 9.7.1.3).

    Args:
        pi: π, or a probability for each step.
        shape: of the result; the steps are its last axis.
        chance: what draws.

    Raises:
        UsageError: a probability is not above 0, or is above 1.
    """
    chances = probabilities(pi, shape[-1])
    opened = torch.rand(*shape, generator=chance, dtype=torch.float64) < chances
    return opened / chances


class Partials(NamedTuple):
    """What the gradient by w_h is put together from, for each step.

    Attributes:
        b: ∂f/∂w_h, with h_{t−1} held.
        c: ∂f/∂h_{t−1}.
        d: ∂L/∂h_t through o_t alone: (1/T) ∂l/∂o_t ∂g/∂h_t.
    """

    b: Float[Tensor, "*batch steps"]
    c: Float[Tensor, "*batch steps"]
    d: Float[Tensor, "*batch steps"]

    def full(self) -> Float[Tensor, "*batch"]:
        """∂L/∂w_h = Σ_t d_t a_t."""
        return (self.d * recursion(self.b, self.c)).sum(dim=-1)

    def truncated(self, tau: int) -> Float[Tensor, "*batch"]:
        """The same with the last τ terms of every a_t, as if h_{t−τ} were detached.

        Raises:
            UsageError: τ is below 1.
        """
        return (self.d * closed_form(self.b, self.c, tau)).sum(dim=-1)

    def gated(self, gates: Float[Tensor, "*draws steps"]) -> Float[Tensor, "*estimates"]:
        """The same with ξ_t c_t for c_t: z_t = b_t + ξ_t c_t z_{t−1} (section 9.7.1.3)."""
        return (self.d * recursion(self.b, gates.to(self.c) * self.c)).sum(dim=-1)

    def variance(self, pi: float | Tensor) -> Float[Tensor, "*batch"]:
        """The variance of `gated` under gates from `draw_gates`, exact.

        Var z_t = c_t² (Var z_{t−1} + (1 − π_t) a_{t−1}²) / π_t: it grows where π_t < c_t². With
        it the covariance of z_t and S_t = Σ_{s ≤ t} d_s z_s goes along, and the variance of S_t.
        """
        chances = probabilities(pi, self.b.shape[-1]).to(self.b)
        a = of_z = shared = of_sum = torch.zeros_like(self.b[..., 0])
        steps = (part.unbind(dim=-1) for part in (*self, chances))
        for b, c, d, chance in zip(*steps, strict=True):
            of_z = c**2 * (of_z + (1 - chance) * a**2) / chance
            of_sum = of_sum + 2 * d * c * shared + d**2 * of_z
            shared = c * shared + d * of_z
            a = b + c * a
        return of_sum.clamp(min=0)  # rounding


class ScalarRNN(NamedTuple):
    """h_t = tanh(w_h h_{t−1} + x_t) from h₀ = 0, o_t = w_o h_t, L = (1/T) Σ ½ (o_t − y_t)²."""

    w_h: float | Tensor
    w_o: float | Tensor = 1.0

    def states(
        self, x: Float[Tensor, "*batch steps"], h: float | Tensor = 0.0
    ) -> Float[Tensor, "*batch steps"]:
        """h₁ … h_T, from another h₀ where one is passed.

        Raises:
            UsageError: there is no step.
        """
        found = []
        for x_t in at_least_one_step(x, dim=-1):
            h = torch.tanh(self.w_h * h + x_t)
            found.append(h)
        return torch.stack(found, dim=-1)

    def partials(
        self, x: Float[Tensor, "*batch steps"], y: Float[Tensor, "*batch steps"]
    ) -> Partials:
        """The derivatives of f and of the loss on the way through the steps."""
        h = self.states(x)
        slope, before = 1 - h**2, torch.constant_pad_nd(h, (1, -1))
        d = self.w_o * (self.w_o * h - y) / x.shape[-1]
        return Partials(slope * before, slope * self.w_h, d)


def by_autograd(
    rnn: ScalarRNN,
    x: Float[Tensor, "*batch steps"],
    y: Float[Tensor, "*batch steps"],
    tau: int | None = None,
) -> Float[Tensor, "*batch"]:
    """∂L/∂w_h of each sequence from torch's autograd, with h_{t−τ} detached for every t."""
    steps = x.shape[-1]
    reach = steps if tau is None else at_least_one(tau)
    w_h = torch.full_like(x[..., 0], float(rnn.w_h)).requires_grad_()
    tracked, known = rnn._replace(w_h=w_h), torch.constant_pad_nd(rnn.states(x), (1, 0))
    losses = []
    for t in range(1, steps + 1):
        start = max(t - reach, 0)
        h = tracked.states(x[..., start:t], known[..., start].detach())[..., -1]
        losses.append((rnn.w_o * h - y[..., t - 1]) ** 2 / 2)
    return torch.autograd.grad(torch.stack(losses).mean(dim=0).sum(), w_h)[0]


class LinearGradients(NamedTuple):
    """∂L by everything in a linear RNN, in the order in which it is found."""

    o: Float[Tensor, "steps outputs"]
    W_qh: Float[Tensor, "outputs hiddens"]
    h: Float[Tensor, "steps hiddens"]
    W_hx: Float[Tensor, "hiddens inputs"]
    W_hh: Float[Tensor, "hiddens hiddens"]


class LinearRNN(NamedTuple):
    """h_t = W_hx x_t + W_hh h_{t−1} from h₀ = 0, o_t = W_qh h_t, L = (1/T) Σ ½ ‖o_t − y_t‖²."""

    W_hx: Float[Tensor, "hiddens inputs"]
    W_hh: Float[Tensor, "hiddens hiddens"]
    W_qh: Float[Tensor, "outputs hiddens"]

    def states(self, x: Float[Tensor, "steps inputs"]) -> Float[Tensor, "steps hiddens"]:
        """h₁ … h_T, a row each."""
        h, found = torch.zeros_like(self.W_hh[0]), []
        for x_t in at_least_one_step(x, dim=0):
            h = self.W_hx @ x_t + self.W_hh @ h
            found.append(h)
        return torch.stack(found)

    def backward(
        self, x: Float[Tensor, "steps inputs"], y: Float[Tensor, "steps outputs"]
    ) -> LinearGradients:
        """Every gradient by its formula; ∂L/∂h_T has no later step to take anything from."""
        h = self.states(x)
        o = (h @ self.W_qh.mT - y) / len(x)
        dh = self.through_time(o)
        return LinearGradients(o, o.mT @ h, dh, dh.mT @ x, dh[1:].mT @ h[:-1])

    def through_time(self, o: Float[Tensor, "steps outputs"]) -> Float[Tensor, "steps hiddens"]:
        """∂L/∂h_t = W_hhᵀ ∂L/∂h_{t+1} + W_qhᵀ ∂L/∂o_t, from ∂L/∂h_T = W_qhᵀ ∂L/∂o_T back."""
        dh, found = torch.zeros_like(self.W_hh[0]), []
        for do in reversed(o.unbind()):
            dh = self.W_hh.mT @ dh + self.W_qh.mT @ do
            found.append(dh)
        return torch.stack(found[::-1])

    def by_sum(self, o: Float[Tensor, "steps outputs"]) -> Float[Tensor, "steps hiddens"]:
        """∂L/∂h_t = Σ_k (W_hhᵀ)ᵏ W_qhᵀ ∂L/∂o_{t+k} for k from 0 to T − t: the book's i is T − k."""
        arriving = o @ self.W_qh
        total, steps = torch.zeros_like(arriving), len(o)
        for k in range(steps):
            total[: steps - k] += arriving[k:] @ torch.linalg.matrix_power(self.W_hh, k)
        return total


def linear_by_autograd(
    rnn: LinearRNN, x: Float[Tensor, "steps inputs"], y: Float[Tensor, "steps outputs"]
) -> LinearGradients:
    """The same gradients from torch's autograd.

    A nudge e_t is added to every h_t by W_hx [x_t, e_t] = W_hx x_t + e_t: ∂L/∂e_t is ∂L/∂h_t.
    """
    W_hx, W_hh, W_qh = (W.detach().requires_grad_() for W in rnn)
    nudges = torch.zeros(len(x), len(W_hh)).to(x).requires_grad_()
    wide = torch.cat([W_hx, torch.eye(len(W_hh)).to(x)], dim=1)
    o = LinearRNN(wide, W_hh, W_qh).states(torch.cat([x, nudges], dim=1)) @ W_qh.mT
    loss = ((o - y) ** 2).sum() / (2 * len(x))
    return LinearGradients(*torch.autograd.grad(loss, (o, W_qh, nudges, W_hx, W_hh)))
