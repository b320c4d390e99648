# %% [markdown]
# # Computational performance

# %%
import numpy
import torch
from torch import nn
from d2l import torch as d2l

# %%
def get_net():
    return nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 2))

x, net = torch.randn(size=(1, 64)), get_net()
traced = torch.jit.trace(net, x)
assert torch.allclose(net(x), traced(x))

# %%
with d2l.Benchmark("numpy"):
    for _ in range(3):
        a = numpy.random.normal(size=(100, 100))
        b = numpy.dot(a, a)

device = d2l.try_gpu()
with d2l.Benchmark("torch"):
    for _ in range(3):
        a = torch.randn(size=(100, 100), device=device)
        b = torch.mm(a, a)

# %%
devices = d2l.try_all_gpus()
X, y = torch.arange(20.0).reshape(4, 5), torch.arange(4)
parts, labels = d2l.split_batch(X, y, devices)
assert torch.equal(torch.cat([p.cpu() for p in parts]), X) and len(labels) == len(devices)

# %%
net = d2l.resnet18(10)
assert net(torch.randn(2, 1, 16, 16)).shape == (2, 10)

# %%
train_iter, test_iter = d2l.load_data_fashion_mnist(64)
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
trainer = torch.optim.SGD(net.parameters(), lr=0.01)
loss = nn.CrossEntropyLoss(reduction="none")
d2l.train_ch13(net, train_iter, test_iter, loss, trainer, 2, devices)
timer = d2l.Timer()
d2l.train_batch_ch13(net, *next(iter(train_iter)), loss, trainer, devices)
assert timer.stop() < 60
