# %% [markdown]
# # 预备知识

# %%
import torch
from torch.distributions import multinomial
from d2l import torch as d2l

# %%
x = torch.arange(12)
X = x.reshape(3, 4)
before = id(X)
X[:] = X + 1
assert id(X) == before and d2l.size(X) == 12

# %%
A = torch.arange(20, dtype=torch.float32).reshape(5, 4)
sum_A = A.sum(axis=1, keepdims=True)
assert (A / sum_A).sum(axis=1).allclose(torch.ones(5))

# %%
def f(x):
    return 3 * x ** 2 - 4 * x

x = d2l.numpy(torch.arange(0, 3, 0.1))
d2l.set_figsize()
d2l.plot(x, [f(x), 2 * x - 3], 'x', 'f(x)', legend=['f(x)', 'Tangent line (x=1)'])

# %%
x = torch.arange(4.0)
x.requires_grad_(True)
u = (x * x).detach()
(u * x).sum().backward()
assert torch.equal(x.grad, u)

# %%
fair_probs = torch.ones([6]) / 6
counts = multinomial.Multinomial(10, fair_probs).sample((500,))
estimates = counts.cumsum(dim=0) / counts.cumsum(dim=0).sum(dim=1, keepdims=True)
d2l.set_figsize((6, 4.5))
for i in range(6):
    d2l.plt.plot(estimates[:, i].numpy(), label=("P(die=" + str(i + 1) + ")"))
d2l.plt.axhline(y=0.167, color='black', linestyle='dashed')
d2l.plt.legend();
