"""Recurrent networks from tensors up (sections 9.4, 9.5, 10.3 and 10.4).

A layer says how one step goes; everything else is common to all kinds: the products with the
inputs are made for all steps at once, layers are stacked, directions are joined. Weights stand in
torch's order, transposed, so that they can be exchanged with `torch.nn.RNN`, `LSTM` and `GRU`.
"""

from itertools import product
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, Probability
from freedive.topics.mlp.scratch import dropout_layer

State = Tensor | tuple[Tensor, ...]  # a tensor for each thing that is remembered
Step = tuple[Tensor, ...]


class RecurrentLayer(nn.Module):
    """Base of the layers: one direction, one step after the other.

    Args:
        num_inputs: d, numbers in an input.
        num_hiddens: h, hidden units.
        num_biases: 2 as torch keeps them, one for inputs and one for states; 1 as in the book.
    """

    num_gates: ClassVar[int] = 1  # blocks of h columns in the weights
    num_states: ClassVar[int] = 1  # tensors that are remembered from step to step

    def __init__(self, num_inputs: int, num_hiddens: int, num_biases: int = 2):
        super().__init__()
        self.num_inputs, self.num_hiddens = num_inputs, num_hiddens
        columns = self.num_gates * num_hiddens
        bound = num_hiddens**-0.5  # torch's own: U(±1/√h)
        self.W_x = nn.Parameter(torch.empty(num_inputs, columns).uniform_(-bound, bound))
        self.W_h = nn.Parameter(torch.empty(num_hiddens, columns).uniform_(-bound, bound))
        self.b_x = nn.Parameter(torch.zeros(columns))
        self.b_h = nn.Parameter(torch.zeros(columns)) if num_biases == 2 else None

    def step(self, X: Float[Tensor, "batch columns"], state: Step) -> Step:
        """The state after one step; its first tensor is the output.

        Args:
            X: X_t W_x + b_x, which has no part of the state in it.
            state: after the step before.
        """
        raise NotImplementedError(f"{type(self).__name__} wants a step(X, state)")

    def from_state(self, H: Float[Tensor, "batch h"]) -> Float[Tensor, "batch columns"]:
        """H_{t−1} W_h, with the states' own bias where there is one."""
        return H @ self.W_h if self.b_h is None else torch.addmm(self.b_h, H, self.W_h)

    def from_inputs(self, inputs: Tensor) -> Float[Tensor, "steps batch columns"]:
        """X W_x + b_x for all steps; a token's one-hot product is its row of W_x."""
        if inputs.is_floating_point():
            return inputs @ self.W_x + self.b_x
        rows = (self.W_x + self.b_x).index_select(0, inputs.reshape(-1))
        return rows.reshape(*inputs.shape, -1)

    def forward(self, inputs: Tensor, state: Step) -> tuple[Float[Tensor, "steps batch h"], Step]:
        """All outputs, and the state after the last step."""
        outputs = []
        for X in self.from_inputs(inputs).unbind(0):  # views; X[t] would cost a copy in backward
            state = self.step(X, state)
            outputs.append(state[0])
        return torch.stack(outputs), state


class RNNLayer(RecurrentLayer):
    r"""$\mathbf{H}_t = \tanh(\mathbf{X}_t\mathbf{W}_{xh} + \mathbf{H}_{t-1}\mathbf{W}_{hh} +
    \mathbf{b}_h)$ (section 9.4.2)."""

    def step(self, X: Float[Tensor, "batch h"], state: Step) -> Step:
        """The next hidden state."""
        (H,) = state
        return (torch.tanh(X + self.from_state(H)),)


class Recurrent(nn.Module):
    """Base of the recurrent networks: layers upon each other, in one direction or in both.

    H⁽ˡ⁾ reads H⁽ˡ⁻¹⁾, with dropout between layers (section 10.3); two directions are concatenated,
    so that the next layer reads 2h numbers (section 10.4). It takes the place of `torch.nn.RNN`.

    Args:
        num_inputs: d, numbers in an input; the number of tokens where inputs are token numbers.
        num_hiddens: h, hidden units of each layer and direction.
        num_layers: layers.
        dropout: share of a layer's outputs that the next one does not see in training.
        bidirectional: a second direction that reads from the end.
        num_biases: 2 as torch has them, or 1 as the book does.
    """

    layer: ClassVar[type[RecurrentLayer]]

    def __init__(
        self,
        num_inputs: Count,
        num_hiddens: Count,
        num_layers: Count = 1,
        dropout: Probability = 0.0,
        bidirectional: bool = False,
        num_biases: Count = 2,
    ):
        super().__init__()
        self.num_inputs, self.num_hiddens = num_inputs, num_hiddens
        self.num_layers, self.dropout = num_layers, dropout
        self.num_directions = 2 if bidirectional else 1
        self.layers = nn.ModuleList(
            self.layer(
                num_inputs if i == 0 else self.num_directions * num_hiddens, num_hiddens, num_biases
            )
            for i, _ in product(range(num_layers), range(self.num_directions))
        )

    def __getitem__(self, number: int) -> RecurrentLayer:
        """A layer in one direction, by its number."""
        layer = self.layers[number]
        assert isinstance(layer, RecurrentLayer)
        return layer

    def forward(
        self,
        inputs: Float[Tensor, "steps batch inputs"] | Int[Tensor, "steps batch"],
        state: State | None = None,
    ) -> tuple[Float[Tensor, "steps batch outputs"], State]:
        """Outputs of the last layer at every step, and the last state of every layer.

        Args:
            inputs: vectors, or the numbers of tokens.
            state: (layers·directions, batch, h) for each tensor of a state; None begins with zeros.

        Raises:
            UsageError: the inputs are of another size, or the state of another batch.
        """
        self.check(inputs, state)
        states = self.begin(inputs) if state is None else as_tuple(state)
        ends, outputs = [], inputs
        for i in range(self.num_layers):
            if i and self.training and self.dropout:
                outputs = dropout_layer(outputs, self.dropout)
            directions = []
            for d in range(self.num_directions):
                number = i * self.num_directions + d
                start = tuple(s[number] for s in states)
                read, end = self[number](outputs.flip(0) if d else outputs, start)
                directions.append(read.flip(0) if d else read)  # back to the order of time
                ends.append(end)
            outputs = torch.cat(directions, dim=-1) if len(directions) > 1 else directions[0]
        last = tuple(torch.stack(part) for part in zip(*ends, strict=True))
        return outputs, last if len(last) > 1 else last[0]

    def begin(self, inputs: Tensor) -> Step:
        """A state of zeros for a batch of inputs."""
        shape = (len(self.layers), inputs.shape[1], self.num_hiddens)
        zeros = next(self.parameters()).new_zeros(shape)
        return (zeros,) * self.layer.num_states

    def check(self, inputs: Tensor, state: State | None) -> None:
        """Refuse inputs and states that do not fit."""
        name, vectors = type(self).__name__, inputs.is_floating_point()
        if vectors and (inputs.dim() != 3 or inputs.shape[-1] != self.num_inputs):
            raise UsageError(
                f"{name} wants inputs of shape (steps, batch, {self.num_inputs}), got "
                f"{tuple(inputs.shape)}: pass num_inputs={inputs.shape[-1]}"
            )
        if not vectors and inputs.dim() != 2:
            raise UsageError(
                f"{name} wants token numbers of shape (steps, batch), got {tuple(inputs.shape)}"
            )
        if inputs.shape[0] == 0:
            raise UsageError(f"{name} wants at least one step, got none: pass longer sequences")
        wanted = (len(self.layers), inputs.shape[1], self.num_hiddens)
        for part in () if state is None else as_tuple(state):
            if part.shape != wanted:
                raise UsageError(
                    f"{name} wants a state of shape {wanted}, got {tuple(part.shape)}: pass the "
                    "one that it returned for a batch of this size, or None"
                )


class RNN(Recurrent):
    """A recurrent network with tanh; takes the place of `torch.nn.RNN` (sections 9.4, 9.5)."""

    layer = RNNLayer


def as_tuple(state: State) -> Step:
    """A state's tensors; an LSTM has two, the others one."""
    return state if isinstance(state, tuple) else (state,)


class Embedding(nn.Module):
    """A vector for each token: a row of a table that is learnt."""

    def __init__(self, num_tokens: int, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_tokens, size))

    def forward(self, tokens: Int[Tensor, "*shape"]) -> Float[Tensor, "*shape size"]:
        """The rows."""
        return self.weight.index_select(0, tokens.reshape(-1)).reshape(*tokens.shape, -1)


class Dropout(nn.Module):
    """Dropout in training, nothing in prediction (section 5.6)."""

    def __init__(self, dropout: float):
        super().__init__()
        self.dropout = dropout

    def forward(self, X: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        """The inputs, some of them zero."""
        return dropout_layer(X, self.dropout) if self.training and self.dropout else X
