"""Recurrent language models of both editions (chapters 8 to 10)."""

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from freedive.core.callbacks import clip_gradients
from freedive.core.metrics import perplexity
from freedive.d2l.images import epochs, shortened
from freedive.d2l.plotting import Animator
from freedive.d2l.protocol import Classifier, Module
from freedive.d2l.regression import sgd
from freedive.d2l.timing import Accumulator, Timer
from freedive.topics.gated_rnn import scratch as gated
from freedive.topics.rnn import scratch


def check_len(a: Any, n: int) -> None:
    """Assert that there are n entries."""
    assert len(a) == n, f"list's length {len(a)} != expected length {n}"


def check_shape(a: Tensor, shape: Sequence[int]) -> None:
    """Assert that a tensor has a shape."""
    assert tuple(a.shape) == tuple(shape), f"tensor's shape {a.shape} != expected shape {shape}"


class ScratchLayer(Module):
    """A recurrent layer of the house with weights from N(0, σ²): (steps, batch, inputs) in."""

    layer: scratch.RecurrentLayer

    def begin(self, sigma: float) -> None:
        """Draw the weights."""
        for weight in (self.layer.W_x, self.layer.W_h):
            nn.init.normal_(weight, 0, sigma)

    def zeros(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """The state before the first step, for any batch (R28)."""
        size = inputs.shape[1], self.layer.num_hiddens
        return tuple(inputs.new_zeros(size) for _ in range(self.layer.num_states))


class RNNScratch(ScratchLayer):
    """A recurrent layer from tensors up (section 9.5)."""

    def __init__(self, num_inputs: int, num_hiddens: int, sigma: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.layer = scratch.RNNLayer(num_inputs, num_hiddens, num_biases=1)
        self.begin(sigma)

    def forward(self, inputs: Tensor, state: Any = None) -> Any:
        """The state after each step, as a list, and the last one."""
        outputs, (state,) = self.layer(inputs, self.zeros(inputs) if state is None else (state,))
        return list(outputs.unbind(0)), state


class LSTMScratch(ScratchLayer):
    """A layer of long short-term memory from tensors up (section 10.1)."""

    def __init__(self, num_inputs: int, num_hiddens: int, sigma: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.layer = gated.LSTMLayer(num_inputs, num_hiddens, num_biases=1)
        self.begin(sigma)

    def forward(self, inputs: Tensor, H_C: Any = None) -> Any:
        """The hidden state after each step, as a list, and the pair (H, C) after the last."""
        outputs, state = self.layer(inputs, self.zeros(inputs) if H_C is None else tuple(H_C))
        return list(outputs.unbind(0)), state


class RNN(Module):
    """A recurrent layer of torch.nn (section 9.6)."""

    def __init__(self, num_inputs: int, num_hiddens: int):
        super().__init__()
        self.save_hyperparameters()
        self.rnn: Any = nn.RNN(num_inputs, num_hiddens)

    def forward(self, inputs: Tensor, H: Any = None) -> Any:
        """The outputs of all steps, and the state after the last."""
        return self.rnn(inputs, H)


class GRU(RNN):
    """Gated recurrent layers of torch.nn (sections 10.2 and 10.3): one layer, if not told more."""

    def __init__(
        self, num_inputs: int, num_hiddens: int, num_layers: int = 1, dropout: float = 0.0
    ):
        Module.__init__(self)
        self.save_hyperparameters()
        self.rnn = nn.GRU(num_inputs, num_hiddens, num_layers, dropout=dropout)


class RNNLMScratch(Classifier):
    """A language model of characters with a layer of its own behind a recurrent one (9.5).

    Perplexities of an epoch are exp of its mean loss (R11); the curve in training is per batch.
    """

    def __init__(self, rnn: Any, vocab_size: int, lr: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.init_params()

    def init_params(self) -> None:
        """The output layer."""
        self.W_hq = nn.Parameter(
            torch.randn(self.rnn.num_hiddens, self.vocab_size) * self.rnn.sigma
        )
        self.b_q = nn.Parameter(torch.zeros(self.vocab_size))

    def training_step(self, batch: Any) -> Tensor:
        """The loss; notes the perplexity."""
        loss = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("ppl", torch.exp(loss), train=True)
        self.plot("loss", loss, train=True)
        return loss

    def validation_step(self, batch: Any) -> None:
        """Notes the perplexity."""
        loss = self.loss(self(*batch[:-1]), batch[-1])
        self.plot("ppl", torch.exp(loss), train=False)
        self.plot("loss", loss, train=False)

    def derived(self, means: dict[str, float]) -> dict[str, float]:
        """exp of the mean losses."""
        losses = {"train_ppl": "train_loss", "val_ppl": "val_loss"}
        return {ppl: perplexity(means[loss]) for ppl, loss in losses.items() if loss in means}

    def one_hot(self, X: Tensor) -> Tensor:
        """(batch, steps) numbers as (steps, batch, vocab) vectors."""
        return F.one_hot(X.T, self.vocab_size).type(torch.float32)

    def output_layer(self, rnn_outputs: Any) -> Tensor:
        """Logits of shape (batch, steps, vocab)."""
        return torch.stack([torch.matmul(H, self.W_hq) + self.b_q for H in rnn_outputs], 1)

    def forward(self, X: Tensor, state: Any = None) -> Tensor:
        """The logits."""
        rnn_outputs, _ = self.rnn(self.one_hot(X), state)
        return self.output_layer(rnn_outputs)

    @torch.no_grad()
    def predict(self, prefix: str, num_preds: int, vocab: Any, device: Any = None) -> str:
        """The prefix, and the likeliest characters after it, one by one."""
        state, outputs = None, [vocab[prefix[0]]]
        for i in range(len(prefix) + num_preds - 1):
            X = torch.tensor([[outputs[-1]]], device=device)
            rnn_outputs, state = self.rnn(self.one_hot(X), state)
            if i < len(prefix) - 1:
                outputs.append(vocab[prefix[i + 1]])
            else:
                outputs.append(int(self.output_layer(rnn_outputs).argmax(dim=2).reshape(1)))
        return "".join(vocab.to_tokens(outputs))


class RNNLM(RNNLMScratch):
    """The language model with torch.nn (section 9.6)."""

    def init_params(self) -> None:
        """The output layer, whose inputs the first batch tells."""
        self.linear = nn.LazyLinear(self.vocab_size)

    def output_layer(self, hiddens: Any) -> Tensor:
        """Logits of shape (batch, steps, vocab)."""
        return self.linear(hiddens).swapaxes(0, 1)


class RNNModelScratch:
    """A language model made of functions (section 8.5 of the second edition)."""

    def __init__(
        self,
        vocab_size: int,
        num_hiddens: int,
        device: Any,
        get_params: Callable[..., Any],
        init_state: Callable[..., Any],
        forward_fn: Callable[..., Any],
    ):
        self.vocab_size, self.num_hiddens = vocab_size, num_hiddens
        self.params = get_params(vocab_size, num_hiddens, device)
        self.init_state, self.forward_fn = init_state, forward_fn

    def __call__(self, X: Tensor, state: Any) -> Any:
        """Logits and the state."""
        X = F.one_hot(X.T, self.vocab_size).type(torch.float32)
        return self.forward_fn(X, state, self.params)

    def begin_state(self, batch_size: int, device: Any) -> Any:
        """The state before the first step."""
        return self.init_state(batch_size, self.num_hiddens, device)


class RNNModel(nn.Module):
    """A language model around a recurrent layer of torch.nn (section 8.6, second edition)."""

    def __init__(self, rnn_layer: Any, vocab_size: int, **kwargs: Any):
        super().__init__(**kwargs)
        self.rnn, self.vocab_size = rnn_layer, vocab_size
        self.num_hiddens = self.rnn.hidden_size
        self.num_directions = 2 if self.rnn.bidirectional else 1
        self.linear = nn.Linear(self.num_hiddens * self.num_directions, vocab_size)

    def forward(self, inputs: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Logits of shape (steps · batch, vocab), and the state."""
        X = F.one_hot(inputs.T.long(), self.vocab_size).to(torch.float32)
        Y, state = self.rnn(X, state)
        return self.linear(Y.reshape((-1, Y.shape[-1]))), state

    def begin_state(self, device: Any, batch_size: int = 1) -> Any:
        """Zeros."""
        shape = (self.num_directions * self.rnn.num_layers, batch_size, self.num_hiddens)
        zeros = torch.zeros(shape, device=device)
        return (zeros, zeros.clone()) if isinstance(self.rnn, nn.LSTM) else zeros


@torch.no_grad()
def predict_ch8(prefix: str, num_preds: int, net: Any, vocab: Any, device: Any) -> str:
    """The prefix, and the likeliest characters after it, one by one."""
    state = net.begin_state(batch_size=1, device=device)
    outputs = [vocab[prefix[0]]]
    for i in range(len(prefix) + num_preds - 1):
        y, state = net(torch.tensor([[outputs[-1]]], device=device), state)
        inside = i < len(prefix) - 1
        outputs.append(vocab[prefix[i + 1]] if inside else int(y.argmax(dim=1).reshape(1)))
    return "".join(vocab.to_tokens(outputs))


def grad_clipping(net: Any, theta: float) -> None:
    """Bound the joint norm of the gradients of a net, or of any iterable of parameters (R26)."""
    if isinstance(net, nn.Module):
        net = net.parameters()
    elif hasattr(net, "params"):
        net = net.params
    clip_gradients(net, theta)


def detached(state: Any) -> Any:
    """A state without its past."""
    return tuple(s.detach() for s in state) if isinstance(state, tuple) else state.detach()


def train_epoch_ch8(
    net: Any, train_iter: Iterable[Any], loss: Any, updater: Any, device: Any, use_random_iter: bool
) -> tuple[float, float]:
    """One epoch; gives the perplexity of all tokens, and tokens a second."""
    state, timer, metric = None, Timer(), Accumulator(2)
    for X, Y in shortened(train_iter):
        fresh = state is None or use_random_iter
        state = net.begin_state(batch_size=X.shape[0], device=device) if fresh else detached(state)
        y = Y.T.reshape(-1).to(device)
        y_hat, state = net(X.to(device), state)
        cost = loss(y_hat, y.long()).mean()
        if isinstance(updater, torch.optim.Optimizer):
            updater.zero_grad()
            cost.backward()
            grad_clipping(net, 1)
            updater.step()
        else:
            cost.backward()
            grad_clipping(net, 1)
            updater(batch_size=1)  # the mean has been taken
        metric.add(cost.detach() * y.numel(), y.numel())
    return math.exp(metric[0] / metric[1]), metric[1] / timer.stop()


def train_ch8(
    net: Any,
    train_iter: Iterable[Any],
    vocab: Any,
    lr: float,
    num_epochs: int,
    device: Any,
    use_random_iter: bool = False,
) -> None:
    """Train a language model and let it write (section 8.5 of the second edition)."""
    animator = Animator(
        xlabel="epoch", ylabel="perplexity", legend=["train"], xlim=[10, num_epochs]
    )
    loss = nn.CrossEntropyLoss()
    if isinstance(net, nn.Module):
        updater: Any = torch.optim.SGD(net.parameters(), lr)
    else:

        def updater(batch_size: int) -> None:
            sgd(net.params, lr, batch_size)

    ppl, speed = math.inf, 0.0
    for epoch in range(epochs(num_epochs)):
        ppl, speed = train_epoch_ch8(net, train_iter, loss, updater, device, use_random_iter)
        if (epoch + 1) % 10 == 0:
            animator.add(epoch + 1, [ppl])
    print(f"perplexity {ppl:.1f}, {speed:.1f} tokens/sec on {device!s}")
    for prefix in ("time traveller", "traveller"):
        print(predict_ch8(prefix, 50, net, vocab, device))
