# %% [markdown]
# # Preliminaries
# Tensors, tables, derivatives and chance, as a reader of the first edition writes them.

# %%
# %matplotlib inline
import random

import numpy as np
import torch
from torch.distributions.multinomial import Multinomial
from d2l import torch as d2l

# %%
x = d2l.arange(12, dtype=d2l.float32)
X = d2l.reshape(x, (3, 4))
d2l.size(X), d2l.reduce_sum(X), d2l.concat((X, X), dim=0).shape

# %%
A, B = d2l.numpy(X), d2l.tensor(d2l.numpy(X))
assert isinstance(A, np.ndarray) and d2l.matmul(B, B.T).shape == (3, 3)
assert d2l.argmax(X, 1).tolist() == [3, 3, 3]
d2l.astype(X, d2l.int32), d2l.transpose(X).shape, d2l.reduce_mean(X)

# %%
def f(x):
    return 3 * x**2 - 4 * x

for h in 10.0 ** np.arange(-1, -6, -1):
    print(f"h={h:.5f}, numerical limit={(f(1 + h) - f(1)) / h:.5f}")

# %%
x = np.arange(0, 3, 0.1)
d2l.plot(x, [f(x), 2 * x - 3], "x", "f(x)", legend=["f(x)", "Tangent line (x=1)"])

# %%
x = torch.arange(4.0, requires_grad=True)
y = 2 * torch.dot(x, x)
y.backward()
assert torch.equal(x.grad, 4 * x.detach())

# %%
counts = Multinomial(10, torch.tensor([0.5, 0.5])).sample((1000,))
estimates = counts.cumsum(dim=0)
estimates = d2l.numpy(estimates / estimates.sum(dim=1, keepdims=True))
d2l.set_figsize((4.5, 3.5))
d2l.plt.plot(estimates[:, 0], label="P(coin=heads)")
d2l.plt.axhline(y=0.5, color="black", linestyle="dashed")
d2l.plt.gca().set_xlabel("Samples")
d2l.plt.legend();
