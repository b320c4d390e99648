"""LSTM and GRU from tensors up (sections 10.1 and 10.2)."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.core.hyperparameters import Count, Probability
from freedive.topics.rnn.scratch import Recurrent, RecurrentLayer, Step

Convention = Literal["torch", "book"]


class LSTMLayer(RecurrentLayer):
    r"""Long short-term memory (section 10.1), a memory cell C that gates open and close.

    $\mathbf{I}, \mathbf{F}, \mathbf{O} = \sigma(\mathbf{X}\mathbf{W}_{x\cdot} +
    \mathbf{H}\mathbf{W}_{h\cdot} + \mathbf{b}_\cdot)$,
    $\tilde{\mathbf{C}} = \tanh(\mathbf{X}\mathbf{W}_{xc} + \mathbf{H}\mathbf{W}_{hc} +
    \mathbf{b}_c)$.
    """

    num_gates = 4  # columns of I, F, C̃ and O, in torch's order
    num_states = 2

    def step(self, X: Float[Tensor, "batch columns"], state: Step) -> Step:
        """C_t = F ⊙ C_{t−1} + I ⊙ C̃ and H_t = O ⊙ tanh(C_t)."""
        H, C = state
        I, F, C_tilde, O = (X + self.from_state(H)).chunk(4, dim=1)  # noqa: E741 - the book's
        C = torch.sigmoid(F) * C + torch.sigmoid(I) * torch.tanh(C_tilde)
        return torch.sigmoid(O) * torch.tanh(C), C


class GRULayer(RecurrentLayer):
    r"""Gated recurrent unit (section 10.2): the reset gate R forgets, the update gate Z keeps.

    The book resets the state before its product, $\tilde{\mathbf{H}} = \tanh(\mathbf{X}
    \mathbf{W}_{xh} + (\mathbf{R} \odot \mathbf{H})\mathbf{W}_{hh} + \mathbf{b}_h)$; torch resets
    the product, $\tanh(\mathbf{X}\mathbf{W}_{xh} + \mathbf{R} \odot (\mathbf{H}\mathbf{W}_{hh} +
    \mathbf{b}_{hh}))$, which a GPU likes better. They are different networks.
    """

    num_gates = 3  # columns of R, Z and H̃, in torch's order
    convention: Convention = "torch"

    def step(self, X: Float[Tensor, "batch columns"], state: Step) -> Step:
        """H_t = Z ⊙ H_{t−1} + (1 − Z) ⊙ H̃."""
        (H,) = state
        h = self.num_hiddens
        if self.convention == "torch":
            XH = self.from_state(H)
            R, Z = torch.sigmoid(X[:, : 2 * h] + XH[:, : 2 * h]).chunk(2, dim=1)
            H_tilde = torch.tanh(X[:, 2 * h :] + R * XH[:, 2 * h :])
        else:
            W_gates, W_hh = self.W_h.split([2 * h, h], dim=1)
            b_gates, b_hh = (0, 0) if self.b_h is None else self.b_h.split([2 * h, h])
            R, Z = torch.sigmoid(X[:, : 2 * h] + H @ W_gates + b_gates).chunk(2, dim=1)
            H_tilde = torch.tanh(X[:, 2 * h :] + (R * H) @ W_hh + b_hh)
        return (torch.lerp(H_tilde, H, Z),)


class LSTM(Recurrent):
    """Layers of long short-term memory; takes the place of `torch.nn.LSTM` (section 10.1)."""

    layer = LSTMLayer


class GRU(Recurrent):
    """Layers of gated recurrent units; takes the place of `torch.nn.GRU` (section 10.2).

    Args:
        convention: torch resets the product of the state, the book the state.
    """

    layer = GRULayer

    def __init__(
        self,
        num_inputs: Count,
        num_hiddens: Count,
        num_layers: Count = 1,
        dropout: Probability = 0.0,
        bidirectional: bool = False,
        num_biases: Count = 2,
        convention: Convention = "torch",
    ):
        super().__init__(num_inputs, num_hiddens, num_layers, dropout, bidirectional, num_biases)
        for layer in self.layers:
            assert isinstance(layer, GRULayer)
            layer.convention = convention
