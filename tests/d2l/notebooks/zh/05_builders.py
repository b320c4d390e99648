# %% [markdown]
# # 深度学习计算

# %%
import torch
from torch import nn
from torch.nn import functional as F
from d2l import torch as d2l

# %%
class FixedHiddenMLP(nn.Module):
    def __init__(self):
        super().__init__()
        self.rand_weight = torch.rand((20, 20), requires_grad=False)
        self.linear = nn.Linear(20, 20)

    def forward(self, X):
        X = self.linear(X)
        X = self.linear(F.relu(torch.mm(X, self.rand_weight) + 1))
        while X.abs().sum() > 1:
            X /= 2
        return X.sum()

assert abs(float(FixedHiddenMLP()(torch.rand(2, 20)))) <= 1

# %%
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
print(*[(name, param.shape) for name, param in net.named_parameters()])

def xavier(m):
    if type(m) == nn.Linear:
        nn.init.xavier_uniform_(m.weight)

net[0].apply(xavier)
assert net[0].weight.abs().max() <= (6 / 12) ** 0.5

# %%
assert d2l.try_gpu(1000) == torch.device('cpu')
assert len(d2l.try_all_gpus()) >= 1
X = torch.ones(2, 3, device=d2l.try_gpu())
assert X.device == d2l.try_gpu()
