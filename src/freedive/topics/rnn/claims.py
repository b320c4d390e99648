"""What the book says about recurrent networks (sections 9.4 to 9.6), measured."""

import math
from collections.abc import Iterable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from freedive.catalog import claim, erratum
from freedive.core.callbacks import clip_gradients
from freedive.core.metrics import perplexity
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.rnn.rnn_lm import RNNLMScratch
from freedive.topics.rnn.scratch import RNN, Recurrent

Evidence = Iterator[tuple[Any, ...]]


def gradients(parameters: Iterable[nn.Parameter]) -> torch.Tensor:
    """All gradients in one vector."""
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])


@torch.no_grad()
def with_weights_of(theirs: nn.Module, ours: Recurrent) -> Recurrent:
    """The network from tensors up with torch's weights."""
    for t, o in zip(theirs.parameters(), ours.parameters(), strict=True):
        o.copy_(t.T if t.dim() == 2 else t)
    return ours


@claim(
    "9.4.2",
    "XW_xh + HW_hh is one product of the concatenations [X, H] and [W_xh; W_hh]",
    source=("000 C61", "002b C43", "001_003_004 C70"),
)
def concatenated_weights() -> Evidence:
    """Two products and a sum beside one product."""
    X, W_xh = torch.randn(3, 1), torch.randn(1, 4)
    H, W_hh = torch.randn(3, 4), torch.randn(4, 4)
    together = torch.cat((X, H), dim=1) @ torch.cat((W_xh, W_hh), dim=0)
    yield X @ W_xh + H @ W_hh, together, 1e-5


@claim(
    "9.4.2",
    "an RNN has dh + h² + h parameters however many steps it reads; an n-gram table has |V|ⁿ",
    source="002b C44",
)
def parameters_do_not_grow() -> Evidence:
    """One network on texts of several lengths, and the size of the tables."""
    net = RNN(28, 32, num_biases=1)
    yield num_parameters(net), 28 * 32 + 32**2 + 32
    for steps in (1, 10, 100):
        yield len(net(torch.randn(steps, 2, 28))[0]), steps
    table = [len(torch.cartesian_prod(*[torch.arange(5)] * n)) for n in (2, 3, 4)]
    yield table, [5**n for n in (2, 3, 4)]


@claim(
    "9.4.2",
    "a network of 28 inputs, 256 hidden units and 28 outputs has dh + h² + h + hq + q = 80,156 "
    "parameters",
    source="001_003_004 S3 7.2",
)
def parameters_with_output() -> Evidence:
    """The book's one bias; the output layer included."""
    yield num_parameters(RNN(28, 256, num_biases=1)) + num_parameters(nn.Linear(256, 28)), 80_156


@claim(
    "9.5.1",
    "100 steps of a batch of 2 give 100 outputs of shape (2, 32) and a state of that shape",
    source="002b C45",
)
def shapes_of_the_network() -> Evidence:
    """Outputs and state; the last output is the state."""
    outputs, state = RNN(16, 32)(torch.ones(100, 2, 16))
    assert isinstance(state, torch.Tensor)
    yield list(outputs.shape), [100, 2, 32]
    yield list(state.shape), [1, 2, 32]
    yield outputs[-1], state[0]


@claim(
    "9.5.2",
    "one_hot([0, 2], 5) has its ones at 0 and 2; the language model gives logits of shape (batch, "
    "steps, vocabulary)",
    source="002b C45",
)
def shapes_of_the_language_model() -> Evidence:
    """One-hot vectors and the outputs for 2 texts of 100 steps."""
    yield F.one_hot(torch.tensor([0, 2]), 5), [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0]]
    model = RNNLMScratch(vocab_size=16)
    yield list(model(torch.ones(2, 100, dtype=torch.long)).shape), [2, 100, 16]


@claim(
    "9.5.3",
    "after clipping, the gradient's norm is min(‖g‖, θ) and its direction is what it was",
    source=("002b C46", "001_003_004 C73"),
)
def clipped_gradients() -> Evidence:
    """A gradient above and one below the bound."""
    for scale, theta in ((10.0, 1.0), (0.01, 1.0)):
        parameters = [nn.Parameter(torch.zeros(3, 2)), nn.Parameter(torch.zeros(4))]
        for p in parameters:
            p.grad = torch.randn_like(p) * scale
        before = gradients(parameters)
        clip_gradients(parameters, theta)
        after = gradients(parameters)
        yield after.norm(), min(float(before.norm()), theta), 1e-5
        yield F.cosine_similarity(before, after, dim=0), 1.0, 1e-5


@erratum(
    "9.5.3",
    "clipping walks over the parameters once and takes any iterable",
    printed="a loop for the norm and a second for the scaling, which finds a generator empty: the "
    "norm stays as it was, in silence",
    source=("001_003_004 E26", "001_003_004 C73"),
)
def clipping_a_generator() -> Evidence:
    """A generator of parameters, clipped; and the printed way on the same gradients."""
    net = nn.Linear(10, 10)
    for p in net.parameters():
        p.grad = torch.full_like(p, 100.0)
    parameters = net.parameters()
    norm = gradients(parameters).norm()
    for p in parameters:  # nothing is left to walk over
        p.grad = None if p.grad is None else p.grad / norm
    yield gradients(net.parameters()).norm(), norm
    clip_gradients(net.parameters(), 1.0)
    yield gradients(net.parameters()).norm(), 1.0, 1e-5


@claim(
    "9.5.4",
    "a text that is continued has the length of the prefix and of what is asked for; the book's "
    "strings have 26 characters, 6 and 20",
    source="002b C47",
)
def length_of_a_continuation() -> Evidence:
    """Greedy continuation of six tokens by twenty."""
    prefix = [3, 1, 4, 1, 5, 9]
    written = list(RNNLMScratch(vocab_size=28).generate(prefix, 20, temperature=0))
    yield len(prefix) + len(written), len("it has in the the the the ")


@claim(
    "9.6",
    "torch keeps two bias vectors where the book has one: 1,984 parameters instead of 1,952",
    source="002b C48",
)
def two_biases() -> Evidence:
    """28 inputs and 32 hidden units in torch's form and in the book's."""
    yield num_parameters(nn.RNN(28, 32)), 1_984
    yield num_parameters(RNN(28, 32, num_biases=2)), 1_984
    yield num_parameters(RNN(28, 32, num_biases=1)), 1_952


@claim(
    "9.6",
    "torch's RNN gives hidden states, not logits, and its last output is its state",
    source="001_003_004 C71",
)
def outputs_are_states() -> Evidence:
    """The shapes and the equality."""
    outputs, state = nn.RNN(28, 256)(torch.randn(35, 2, 28))
    yield list(outputs.shape), [35, 2, 256]
    yield list(state.shape), [1, 2, 256]
    yield outputs[-1], state[0]


@claim(
    "9.5.4",
    "a state that is carried on without detaching it makes the next backward pass fail",
    source="001_003_004 C75",
)
def carried_without_detaching() -> Evidence:
    """Two batches: with the state's history, and without it."""
    net = RNN(4, 3)
    for detach, works in ((False, False), (True, True)):
        outputs, state = net(torch.randn(2, 1, 4))
        outputs.sum().backward()
        assert isinstance(state, torch.Tensor)
        outputs, _ = net(torch.randn(2, 1, 4), state.detach() if detach else state)
        try:
            outputs.sum().backward()
            done = True
        except RuntimeError:
            done = False
        yield done, works


@erratum(
    "9.4.4",
    "perplexity is exp of the mean cross-entropy: 1 for a perfect model, |V| for an even guess",
    printed="the mean cross-entropy itself; and elsewhere the mean of exp(loss) over batches, "
    "which is larger",
    source=("000 C62", "000 E28", "002b C41", "002b E30", "001_003_004 C74"),
)
def perplexity_is_an_exponential() -> Evidence:
    """A perfect model, an even guess, a label of probability 0, and two batches."""
    yield perplexity(0.0), 1.0
    even = F.cross_entropy(torch.zeros(10, 28), torch.arange(10)).item()
    yield perplexity(even), 28.0, 1e-4
    yield perplexity(math.inf), math.inf
    of_means, mean_of = perplexity((1 + 3) / 2), (math.exp(1) + math.exp(3)) / 2
    yield of_means, 7.389056, 1e-5
    yield mean_of, 11.401909, 1e-5


@erratum(
    "9.4.4",
    "perplexity is the geometric mean of 1/p, the number of real choices at each token",
    printed="the harmonic mean of that number",
    source=("001_003_004 E39", "001_003_004 C74"),
)
def perplexity_is_a_geometric_mean() -> Evidence:
    """Tokens with 1, 2 and 8 real choices: ∛16; their harmonic mean is smaller."""
    choices = torch.tensor([1.0, 2.0, 8.0])
    yield perplexity(float(choices.log().mean())), 16 ** (1 / 3), 1e-5
    yield float(3 / (1 / choices).sum()), (1.0, 2.0)


@erratum(
    "9.5.1",
    "a state is taken as it is, for any batch size",
    printed="state, = state: unpacks a tensor along its batch, and raises unless that is 1",
    source="002b E31",
)
def state_of_any_batch() -> Evidence:
    """The network with a state for 1 and for 5 texts; and the printed unpacking."""
    net = RNN(4, 3)
    for batch, printed_works in ((1, True), (5, False)):
        _, state = net(torch.randn(2, batch, 4))
        assert isinstance(state, torch.Tensor)
        yield list(net(torch.randn(2, batch, 4), state)[0].shape), [2, batch, 3]
        try:
            (_,) = state[0]
            unpacked = True
        except ValueError:
            unpacked = False
        yield unpacked, printed_works


@claim(
    "9.6",
    "layers in both directions go on from any state as torch's do; a token is its one-hot vector",
    source="REGRESSIONS R28",
)
def two_layers_in_both_directions() -> Evidence:
    """Two layers, two directions, three examples, weights and biases at random."""
    theirs = nn.RNN(5, 4, num_layers=2, bidirectional=True)
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    ours = with_weights_of(theirs, RNN(5, 4, num_layers=2, bidirectional=True))
    tokens, state = torch.randint(5, (7, 3)), torch.randn(4, 3, 4)
    X = F.one_hot(tokens, 5).float()
    for found, expected in zip(ours(X, state), theirs(X, state), strict=True):
        yield found, expected, 1e-5
    yield ours(tokens, state)[0], ours(X, state)[0], 1e-5


@claim(
    "9.6",
    "weights begin as torch's: uniform between −1/√h and 1/√h",
    source="REGRESSIONS R24",
)
def initial_weights() -> Evidence:
    """The farthest weight, and the spread, which is 1/√(3h)."""
    h = 64
    layer = RNN(200, h)[0]
    for weight in (layer.W_x.detach(), layer.W_h.detach()):
        yield float(weight.abs().max()), (0.95 * h**-0.5, h**-0.5)
        yield float(weight.std()), (0.95 * (3 * h) ** -0.5, 1.05 * (3 * h) ** -0.5)
