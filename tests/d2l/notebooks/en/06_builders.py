# %% [markdown]
# # Builders' guide

# %%
import os
import tempfile

import torch
from torch import nn
from torch.nn import functional as F
from d2l import torch as d2l

# %%
class MySequential(nn.Module):
    def __init__(self, *args):
        super().__init__()
        for idx, module in enumerate(args):
            self.add_module(str(idx), module)

    def forward(self, X):
        for module in self.children():
            X = module(X)
        return X

net = MySequential(nn.LazyLinear(256), nn.ReLU(), nn.LazyLinear(10))
X = torch.rand(2, 20)
assert net(X).shape == (2, 10)

# %%
shared = nn.LazyLinear(8)
net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), shared, nn.ReLU(), shared, nn.LazyLinear(1))
net(torch.rand(2, 4))
net[2].weight.data[0, 0] = 100
assert torch.equal(net[2].weight.data, net[4].weight.data)

# %%
@d2l.add_to_class(d2l.Module)
def apply_init(self, inputs, init=None):
    self.forward(*inputs)
    if init is not None:
        self.net.apply(init)

class Net(d2l.Classifier):
    def __init__(self):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(1))

def init_42(module):
    if type(module) == nn.Linear:
        nn.init.constant_(module.weight, 42)

model = Net()
model.apply_init([torch.rand(2, 4)], init_42)
assert model.net[0].weight.data.unique().tolist() == [42]

# %%
class CenteredLayer(nn.Module):
    def forward(self, X):
        return X - X.mean()

Y = nn.Sequential(nn.LazyLinear(128), CenteredLayer())(torch.rand(4, 8))
assert abs(float(Y.mean())) < 1e-6

# %%
path = os.path.join(tempfile.mkdtemp(), "net.params")
torch.save(net.state_dict(), path)
net.load_state_dict(torch.load(path))

# %%
d2l.cpu(), d2l.num_gpus(), d2l.try_gpu(), d2l.try_gpu(10), d2l.try_all_gpus()
