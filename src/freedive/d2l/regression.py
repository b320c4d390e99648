"""Linear regression of both editions: data, models, losses, minibatch SGD (chapter 3)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from freedive.core.metrics import Meter
from freedive.d2l.protocol import DataModule, HyperParameters, Module
from freedive.data import synthetic
from freedive.topics.linear_regression import scratch


class SyntheticRegressionData(DataModule):
    """y = Xw + b + ε (section 3.3)."""

    def __init__(
        self,
        w: Tensor,
        b: float,
        noise: float = 0.01,
        num_train: int = 1000,
        num_val: int = 1000,
        batch_size: int = 32,
    ):
        super().__init__()
        self.save_hyperparameters()
        made = synthetic.SyntheticRegressionData(w, float(b), noise, num_train, num_val, batch_size)
        self.X, self.y = made.X, made.y

    def get_dataloader(self, train: bool) -> Any:
        """Batches of features and targets."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader((self.X, self.y), train, rows)


class SGD(HyperParameters):
    """Minibatch SGD by hand (section 3.4.3)."""

    def __init__(self, params: Iterable[Tensor], lr: float):
        params = list(params)  # R26: an iterator would be spent after one step
        self.save_hyperparameters()
        self.inner = scratch.SGD(params, lr)

    def step(self) -> None:
        """Move the parameters, by the rate as it is now."""
        self.inner.lr = self.lr
        self.inner.step()

    def zero_grad(self) -> None:
        """Forget the gradients."""
        self.inner.zero_grad()


class LinearRegressionScratch(Module):
    """Linear regression from tensors up (section 3.4); its tensors are parameters (R18)."""

    def __init__(self, num_inputs: int, lr: float, sigma: float = 0.01):
        super().__init__()
        self.save_hyperparameters()
        self.w = nn.Parameter(torch.normal(0, sigma, (num_inputs, 1)))
        self.b = nn.Parameter(torch.zeros(1))

    def forward(self, X: Tensor) -> Tensor:
        """ŷ = Xw + b."""
        return linreg(X, self.w, self.b)

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """The mean of ½(ŷ − y)²."""
        return scratch.squared_loss(y_hat, y.reshape(y_hat.shape)).mean()

    def configure_optimizers(self) -> SGD:
        """Minibatch SGD by hand."""
        return SGD([self.w, self.b], self.lr)


class NormalLinear(nn.LazyLinear):
    """A linear layer that begins at N(0, 0.01²), also when its size comes late (R24)."""

    def reset_parameters(self) -> None:
        """Draw the weights, once there are any."""
        if self.in_features and not self.has_uninitialized_params():
            nn.init.normal_(self.weight, 0, 0.01)
            nn.init.zeros_(self.bias)


class LinearRegression(Module):
    """Linear regression with torch.nn (section 3.5)."""

    def __init__(self, lr: float):
        super().__init__()
        self.save_hyperparameters()
        self.net = NormalLinear(1)

    def forward(self, X: Tensor) -> Tensor:
        """The net's outputs."""
        return self.net(X)

    def loss(self, y_hat: Tensor, y: Tensor) -> Tensor:
        """The mean of (ŷ − y)²."""
        return nn.functional.mse_loss(y_hat, y)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """torch's SGD."""
        return torch.optim.SGD(self.parameters(), self.lr)

    def get_w_b(self) -> tuple[Tensor, Tensor]:
        """The weights and the bias."""
        return self.net.weight.data, self.net.bias.data


def synthetic_data(w: Tensor, b: float, num_examples: int) -> tuple[Tensor, Tensor]:
    """y = Xw + b + ε, ε ~ N(0, 0.01²) (section 3.2 of the second edition)."""
    made = synthetic.SyntheticRegressionData(w, float(b), 0.01, num_examples, 1)
    return made.X[:num_examples], made.y[:num_examples]


def linreg(X: Tensor, w: Tensor, b: Tensor) -> Tensor:
    """Xw + b."""
    return torch.matmul(X, w) + b


def squared_loss(y_hat: Tensor, y: Tensor) -> Tensor:
    """½(ŷ − y)² of each example."""
    return scratch.squared_loss(y_hat, y.reshape(y_hat.shape))


@torch.no_grad()
def sgd(params: Iterable[Tensor], lr: float, batch_size: int) -> None:
    """p ← p − η g / batch_size, and the gradient is forgotten.

    As before, it divides by the size that it is told: give a short last batch its own (R26).
    """
    for param in params:
        if param.grad is not None:
            param -= lr * param.grad / batch_size
            param.grad.zero_()


def load_array(data_arrays: Sequence[Tensor], batch_size: int, is_train: bool = True) -> Any:
    """Batches of rows of tensors, shuffled for training."""
    dataset = torch.utils.data.TensorDataset(*data_arrays)
    return torch.utils.data.DataLoader(dataset, batch_size, shuffle=is_train)


@torch.no_grad()
def evaluate_loss(net: Callable[[Tensor], Tensor], data_iter: Any, loss: Any) -> float:
    """The mean of a loss over all examples."""
    meter = Meter()
    for X, y in data_iter:
        out = net(X)
        each = loss(out, y.reshape(out.shape))
        # a loss that is a mean already counts for each of its examples (R11)
        meter.add("loss", each.mean(), each.numel() if each.dim() else y.numel())
    meter.read()
    return meter.means()["loss"]
