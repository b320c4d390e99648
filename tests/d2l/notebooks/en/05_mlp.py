# %% [markdown]
# # Multilayer perceptrons

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
x = torch.arange(-8.0, 8.0, 0.1, requires_grad=True)
y = torch.relu(x)
d2l.plot(x.detach(), y.detach(), "x", "relu(x)", figsize=(5, 2.5))

# %%
y = torch.sigmoid(x)
y.backward(torch.ones_like(x))
d2l.plot(x.detach(), [y.detach(), x.grad], "x", legend=["sigmoid", "gradient"], figsize=(5, 2.5))

# %%
class MLPScratch(d2l.Classifier):
    def __init__(self, num_inputs, num_outputs, num_hiddens, lr, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.W1 = nn.Parameter(torch.randn(num_inputs, num_hiddens) * sigma)
        self.b1 = nn.Parameter(torch.zeros(num_hiddens))
        self.W2 = nn.Parameter(torch.randn(num_hiddens, num_outputs) * sigma)
        self.b2 = nn.Parameter(torch.zeros(num_outputs))

@d2l.add_to_class(MLPScratch)
def forward(self, X):
    X = d2l.reshape(X, (-1, self.num_inputs))
    H = torch.max(d2l.matmul(X, self.W1) + self.b1, torch.zeros(1))
    return d2l.matmul(H, self.W2) + self.b2

data = d2l.FashionMNIST(batch_size=256)
trainer = d2l.Trainer(max_epochs=2)
trainer.fit(MLPScratch(784, 10, 64, lr=0.1), data)

# %%
class MLP(d2l.Classifier):
    def __init__(self, num_outputs, num_hiddens, lr):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Flatten(), nn.LazyLinear(num_hiddens), nn.ReLU(), nn.LazyLinear(num_outputs)
        )

trainer.fit(MLP(10, 64, lr=0.1), data)

# %%
M = d2l.normal(0, 1, size=(4, 4))
for _ in range(100):
    M = M @ d2l.normal(0, 1, size=(4, 4))
assert M.abs().max() > 1e10

# %%
def dropout_layer(X, dropout):
    assert 0 <= dropout <= 1
    if dropout == 1:
        return torch.zeros_like(X)
    mask = (torch.rand(X.shape) > dropout).float()
    return mask * X / (1.0 - dropout)

class DropoutMLP(d2l.Classifier):
    def __init__(self, num_outputs, num_hiddens, dropout, lr):
        super().__init__()
        self.save_hyperparameters()
        self.lin1, self.lin2 = nn.LazyLinear(num_hiddens), nn.LazyLinear(num_outputs)

    def forward(self, X):
        H = torch.relu(self.lin1(X.reshape((X.shape[0], -1))))
        return self.lin2(dropout_layer(H, self.dropout) if self.training else H)

model = DropoutMLP(10, 64, 0.5, lr=0.1)
trainer.fit(model, data)
model.eval()
X, _ = next(iter(data.val_dataloader()))
assert torch.equal(model(X), model(X))
