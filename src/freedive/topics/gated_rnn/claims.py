"""What the book says about gated, deep and bidirectional networks (10.1 to 10.4), measured."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from freedive.catalog import claim, erratum
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.gated_rnn.scratch import GRU, LSTM, GRULayer, LSTMLayer
from freedive.topics.rnn.claims import with_weights_of
from freedive.topics.rnn.scratch import RNN, Recurrent

Evidence = Iterator[tuple[Any, ...]]
STEPS, BATCH, INPUTS, HIDDENS = 7, 3, 5, 4
OPEN, SHUT = 100.0, -100.0  # biases whose sigmoid is 1 and 0


def inputs() -> Tensor:
    """A batch of sequences."""
    return torch.randn(STEPS, BATCH, INPUTS)


@torch.no_grad()
def set_gate(net: Recurrent, gate: int, bias: float) -> None:
    """Hold a gate open or shut, whatever it reads."""
    layer = net[0]
    columns = slice(gate * net.num_hiddens, (gate + 1) * net.num_hiddens)
    for W in (layer.W_x, layer.W_h):
        W[:, columns] = 0
    layer.b_x[columns] = bias


@claim("10.1", "the LSTM from tensors up equals torch's with its weights", source="002b C52")
def lstm_equals_torchs() -> Evidence:
    """Outputs and both states."""
    theirs = nn.LSTM(INPUTS, HIDDENS)
    X, ours = inputs(), with_weights_of(theirs, LSTM(INPUTS, HIDDENS))
    outputs, (H, C) = ours(X)
    expected, (H_expected, C_expected) = theirs(X)
    yield outputs, expected, 1e-6
    yield H, H_expected, 1e-6
    yield C, C_expected, 1e-6


@claim(
    "10.1.1",
    "gates lie in (0, 1), |C̃| and |H| below 1; the memory cell C itself may exceed 1",
    source="002b C53",
)
def ranges_in_an_lstm() -> Evidence:
    """A cell whose gates are open and which reads large numbers adds up what it reads."""
    net = LSTM(INPUTS, HIDDENS)
    for gate in (0, 1):  # input and forget gate
        set_gate(net, gate, OPEN)
    outputs, (_, C) = net(torch.ones(20, 1, INPUTS) * 3)
    yield float(outputs.detach().abs().max()), (0.0, 1.0)
    yield float(C.detach().abs().max()), (1.0, 20.0)
    gates = torch.sigmoid(torch.randn(1000) * 5)
    yield float(gates.min()), (0.0, 1.0)
    yield float(gates.max()), (0.0, 1.0)


@claim(
    "10.1.1",
    "with F = 1 and I = 0 the memory stays exactly; along the cell ∂C_t/∂C_{t−1} = F_t",
    source="002b C54",
)
def a_shut_cell_keeps() -> Evidence:
    """A memory after seven steps, and its derivative for one step."""
    net = LSTM(INPUTS, HIDDENS)
    set_gate(net, 0, SHUT)
    set_gate(net, 1, OPEN)
    H, C = torch.randn(1, BATCH, HIDDENS), torch.randn(1, BATCH, HIDDENS)
    yield net(inputs(), (H, C))[1][1], C
    layer = LSTMLayer(INPUTS, HIDDENS)
    X, memory = layer.from_inputs(inputs())[0], C[0].clone().requires_grad_()
    (grad,) = torch.autograd.grad(layer.step(X, (H[0], memory))[1].sum(), memory)
    F_gate = torch.sigmoid((X + layer.from_state(H[0])).chunk(4, dim=1)[1])
    yield grad, F_gate, 1e-6


@claim(
    "10.2.3",
    "R = 1 and Z = 0 make the GRU a plain RNN; R = 0 and Z = 0 an MLP of the input; Z = 1 keeps "
    "the state",
    source="002b C55",
)
def limits_of_a_gru() -> Evidence:
    """Each limit beside what it is to be, in the book's convention."""
    X, H = inputs(), torch.randn(1, BATCH, HIDDENS)
    net = GRU(INPUTS, HIDDENS, convention="book")
    candidate = slice(2 * HIDDENS, 3 * HIDDENS)
    layer = net[0]
    set_gate(net, 1, SHUT)
    set_gate(net, 0, OPEN)
    plain = RNN(INPUTS, HIDDENS)
    with torch.no_grad():
        plain[0].W_x.copy_(layer.W_x[:, candidate])
        plain[0].W_h.copy_(layer.W_h[:, candidate])
    yield net(X, H)[0], plain(X, H)[0], 1e-5
    set_gate(net, 0, SHUT)
    yield net(X, H)[0], torch.tanh(X @ layer.W_x[:, candidate]), 1e-5
    set_gate(net, 1, OPEN)
    yield net(X, H)[1], H, 1e-6


@claim(
    "10.2.3",
    "the reset gate acts on the state before its product, and each gate has its biases",
    source="002b C55",
)
def a_step_of_the_book() -> Evidence:
    """A step with weights and biases at random beside the four equations."""
    X, H = torch.randn(BATCH, INPUTS), torch.randn(BATCH, HIDDENS)
    net = GRU(INPUTS, HIDDENS, convention="book")
    for parameter in net.parameters():
        nn.init.normal_(parameter)
    layer: Any = net[0]
    W_x, W_h, b_x, b_h = (
        part.split(HIDDENS, dim=-1) for part in (layer.W_x, layer.W_h, layer.b_x, layer.b_h)
    )
    R, Z = (torch.sigmoid(X @ W_x[i] + b_x[i] + H @ W_h[i] + b_h[i]) for i in (0, 1))
    H_tilde = torch.tanh(X @ W_x[2] + b_x[2] + (R * H) @ W_h[2] + b_h[2])
    yield net(X[None], H[None])[0][0], Z * H + (1 - Z) * H_tilde, 1e-5


@erratum(
    "10.2.1",
    "an open reset gate gives a plain RNN only where the update gate is shut as well",
    printed="with the reset gate open the GRU is the basic RNN",
    source="002b E36",
)
def reset_alone_is_not_enough() -> Evidence:
    """R = 1 with Z left to itself, beside the plain RNN; then with Z = 0."""
    X, net = inputs(), GRU(INPUTS, HIDDENS, convention="book")
    candidate = slice(2 * HIDDENS, 3 * HIDDENS)
    set_gate(net, 0, OPEN)
    plain = RNN(INPUTS, HIDDENS)
    with torch.no_grad():
        plain[0].W_x.copy_(net[0].W_x[:, candidate])
        plain[0].W_h.copy_(net[0].W_h[:, candidate])
    yield float((net(X)[0] - plain(X)[0]).detach().abs().max()), (0.01, 2.0)
    set_gate(net, 1, SHUT)
    yield net(X)[0], plain(X)[0], 1e-5


@erratum(
    "10.2",
    "the book's GRU and torch's are different networks: one resets the state before its product, "
    "the other the product; each convention equals its own",
    printed="the two are taken for the same",
    source=("002b C56", "002b E37"),
)
def two_conventions() -> Evidence:
    """Both conventions with torch's weights."""
    theirs, X = nn.GRU(INPUTS, HIDDENS), inputs()
    expected = theirs(X)[0]
    torchs = with_weights_of(theirs, GRU(INPUTS, HIDDENS, convention="torch"))
    books = with_weights_of(theirs, GRU(INPUTS, HIDDENS, convention="book"))
    yield torchs(X)[0], expected, 1e-6
    yield float((books(X)[0] - expected).detach().abs().max()), (1e-3, 2.0)


@claim(
    "10.2.6",
    "RNN, GRU and LSTM have parameters as 1 : 3 : 4; torch's second bias adds one row a gate",
    source=("002b C57", "002b C48"),
)
def parameters_of_the_kinds() -> Evidence:
    """28 inputs, 32 hidden units."""
    books = [num_parameters(kind(28, 32, num_biases=1)) for kind in (RNN, GRU, LSTM)]
    yield books, [1_952, 5_856, 7_808]
    yield [n / books[0] for n in books], [1.0, 3.0, 4.0]
    torchs = [num_parameters(kind(28, 32)) for kind in (nn.RNN, nn.GRU, nn.LSTM)]
    yield torchs, [1_984, 5_952, 7_936]


@claim(
    "10.3",
    "a stack of one layer is that layer; of L layers the state has L parts, the outputs are the "
    "last layer's; dropout acts between layers only",
    source="002b C58",
)
def stacks() -> Evidence:
    """One layer beside the layer; three layers' shapes; dropout with one layer and with two."""
    net, X = RNN(INPUTS, HIDDENS, num_layers=1), inputs()
    alone, _ = net[0](X, (torch.zeros(BATCH, HIDDENS),))
    yield net(X)[0], alone
    outputs, state = GRU(INPUTS, HIDDENS, num_layers=3)(X)
    assert isinstance(state, Tensor)
    yield list(outputs.shape), [STEPS, BATCH, HIDDENS]
    yield list(state.shape), [3, BATCH, HIDDENS]
    yield outputs[-1], state[-1]
    for layers, changed in ((1, False), (2, True)):
        dropping = GRU(INPUTS, HIDDENS, layers, dropout=0.5).train()
        yield bool((dropping(X)[0] != dropping.eval()(X)[0]).any()), changed


@claim(
    "10.4",
    "two directions give 2h outputs; the backward half is a forward network on the reversed "
    "sequence, put back into order",
    source="002b C59",
)
def two_directions() -> Evidence:
    """Each half beside a network of one direction."""
    both, X = GRU(INPUTS, HIDDENS, bidirectional=True), inputs()
    outputs, state = both(X)
    assert isinstance(state, Tensor)
    yield list(outputs.shape), [STEPS, BATCH, 2 * HIDDENS]
    ahead, back = GRU(INPUTS, HIDDENS), GRU(INPUTS, HIDDENS)
    ahead[0].load_state_dict(both[0].state_dict())
    back[0].load_state_dict(both[1].state_dict())
    yield outputs[..., :HIDDENS], ahead(X)[0]
    yield outputs[..., HIDDENS:], back(X.flip(0))[0].flip(0)
    yield outputs[0, :, HIDDENS:], state[1]


@erratum(
    "10.4",
    "a bidirectional network has read the next token, so that it cannot be asked to foretell it",
    printed="no use is given; trained as a language model it looks into the future",
    source="002b E39",
)
def the_future_leaks() -> Evidence:
    """The first output's gradient by the last input: something for two directions, 0 for one."""
    for both, leaks in ((False, False), (True, True)):
        X = inputs().requires_grad_()
        net = GRU(INPUTS, HIDDENS, bidirectional=both)
        (grad,) = torch.autograd.grad(net(X)[0][0].sum(), X)
        yield bool(grad[-1].any()), leaks


@claim(
    "10.2.1",
    "the update gate lies between the old state and the candidate: H_t is a mean of the two",
    source="002b C55",
)
def between_old_and_new() -> Evidence:
    """Every number of H_t lies between those of H_{t−1} and of H̃."""
    layer = GRULayer(INPUTS, HIDDENS)
    layer.convention = "book"
    H = torch.randn(BATCH, HIDDENS)
    X = layer.from_inputs(inputs())[0]
    (after,) = layer.step(X, (H,))
    R = torch.sigmoid((X + layer.from_state(H))[:, :HIDDENS])
    W_hh = layer.W_h[:, 2 * HIDDENS :]
    candidate = torch.tanh(X[:, 2 * HIDDENS :] + (R * H) @ W_hh)
    low, high = torch.minimum(H, candidate), torch.maximum(H, candidate)
    outside = (low - after).clamp(min=0) + (after - high).clamp(min=0)
    yield float(outside.detach().max()), 0.0, 1e-6
