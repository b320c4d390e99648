# %% [markdown]
# # Linear networks for regression

# %%
import time

import torch
from torch import nn
from d2l import torch as d2l

# %%
timer = d2l.Timer()
c = torch.ones(1000) + torch.ones(1000)
print(f"{timer.stop():.5f} sec")

# %% [markdown]
# Methods are given to classes from outside, as in section 3.2.

# %%
class A:
    def __init__(self):
        self.b = 1

a = A()

@d2l.add_to_class(A)
def do(self):
    return self.b + 1

assert a.do() == 2

# %%
class B(d2l.HyperParameters):
    def __init__(self, a, b, c):
        self.save_hyperparameters(ignore=["c"])
        assert not hasattr(self, "c")

assert B(a=1, b=2, c=3).b == 2

# %%
board = d2l.ProgressBoard("x")
for x in torch.arange(0, 10, 0.5):
    board.draw(x, torch.sin(x), "sin", every_n=2)
    board.draw(x, torch.cos(x), "cos", every_n=5)
assert len(board.data["sin"]) == 10 and board.data["cos"][0].x == 1.0

# %%
class SyntheticRegressionData(d2l.DataModule):
    def __init__(self, w, b, noise=0.01, num_train=200, num_val=100, batch_size=32):
        super().__init__()
        self.save_hyperparameters()
        n = num_train + num_val
        self.X = torch.randn(n, len(w))
        self.y = d2l.matmul(self.X, d2l.reshape(w, (-1, 1))) + b + torch.randn(n, 1) * noise

@d2l.add_to_class(SyntheticRegressionData)
def get_dataloader(self, train):
    i = slice(0, self.num_train) if train else slice(self.num_train, None)
    return self.get_tensorloader((self.X, self.y), train, i)

data = SyntheticRegressionData(w=d2l.tensor([2, -3.4]), b=4.2)
X, y = next(iter(data.train_dataloader()))
X.shape, y.shape

# %%
class LinearRegressionScratch(d2l.Module):
    def __init__(self, num_inputs, lr, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.w = d2l.normal(0, sigma, (num_inputs, 1), requires_grad=True)
        self.b = d2l.zeros(1, requires_grad=True)

@d2l.add_to_class(LinearRegressionScratch)
def forward(self, X):
    return d2l.matmul(X, self.w) + self.b

@d2l.add_to_class(LinearRegressionScratch)
def loss(self, y_hat, y):
    return d2l.reduce_mean((y_hat - y) ** 2 / 2)

class SGD(d2l.HyperParameters):
    def __init__(self, params, lr):
        self.save_hyperparameters()

    def step(self):
        for param in self.params:
            param -= self.lr * param.grad

    def zero_grad(self):
        for param in self.params:
            if param.grad is not None:
                param.grad.zero_()

@d2l.add_to_class(LinearRegressionScratch)
def configure_optimizers(self):
    return SGD([self.w, self.b], self.lr)

# %% [markdown]
# The loop itself is written anew, as in section 3.4.

# %%
class OwnTrainer(d2l.Trainer):
    pass

@d2l.add_to_class(OwnTrainer)
def prepare_batch(self, batch):
    return batch

@d2l.add_to_class(OwnTrainer)
def fit_epoch(self):
    self.model.train()
    for batch in self.train_dataloader:
        loss = self.model.training_step(self.prepare_batch(batch))
        self.optim.zero_grad()
        with torch.no_grad():
            loss.backward()
            if self.gradient_clip_val > 0:
                self.clip_gradients(self.gradient_clip_val, self.model)
            self.optim.step()
        self.train_batch_idx += 1
    if self.val_dataloader is None:
        return
    self.model.eval()
    for batch in self.val_dataloader:
        with torch.no_grad():
            self.model.validation_step(self.prepare_batch(batch))
        self.val_batch_idx += 1

# %%
model = LinearRegressionScratch(2, lr=0.03)
trainer = OwnTrainer(max_epochs=3)
trainer.fit(model, data)
assert trainer.train_batch_idx > 0 and model.board.data["val_loss"]
print(f"error in estimating w: {data.w - d2l.reshape(model.w, data.w.shape)}")

# %%
model = d2l.LinearRegression(lr=0.03)
trainer = d2l.Trainer(max_epochs=3)
trainer.fit(model, d2l.SyntheticRegressionData(w=d2l.tensor([2, -3.4]), b=4.2))
w, b = model.get_w_b()
assert w.shape == (1, 2)

# %%
class WeightDecay(d2l.LinearRegression):
    def __init__(self, wd, lr):
        super().__init__(lr)
        self.save_hyperparameters()
        self.wd = wd

    def configure_optimizers(self):
        return torch.optim.SGD(
            [{"params": self.net.weight, "weight_decay": self.wd}, {"params": self.net.bias}],
            lr=self.lr,
        )

model = WeightDecay(wd=3, lr=0.01)
model.board.yscale = "log"
d2l.Trainer(max_epochs=2).fit(model, data)
print("L2 norm of w:", float(model.get_w_b()[0].norm()))
