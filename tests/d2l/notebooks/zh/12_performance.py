# %% [markdown]
# # 计算性能

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
class Benchmark:
    def __init__(self, description='Done'):
        self.description = description

    def __enter__(self):
        self.timer = d2l.Timer()
        return self

    def __exit__(self, *args):
        print(f'{self.description}: {self.timer.stop():.4f} sec')

with Benchmark('ours'):
    torch.mm(torch.rand(50, 50), torch.rand(50, 50))
with d2l.Benchmark('theirs'):
    torch.mm(torch.rand(50, 50), torch.rand(50, 50))

# %%
def allreduce(data):
    for i in range(1, len(data)):
        data[0][:] += data[i].to(data[0].device)
    for i in range(1, len(data)):
        data[i][:] = data[0].to(data[i].device)

data = [torch.ones((1, 2)) * (i + 1) for i in range(2)]
allreduce(data)
assert data[0].tolist() == data[1].tolist() == [[3, 3]]

# %%
devices = d2l.try_all_gpus()
parts, labels = d2l.split_batch(torch.arange(20.0).reshape(4, 5), torch.arange(4), devices)
assert sum(len(p) for p in parts) == 4

# %%
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)).to(devices[0])
train_iter, test_iter = d2l.load_data_fashion_mnist(64)
trainer, loss = torch.optim.SGD(net.parameters(), lr=0.1), nn.CrossEntropyLoss()
timer, num_epochs = d2l.Timer(), 1
animator = d2l.Animator('epoch', 'test acc', xlim=[1, num_epochs])
for epoch in range(num_epochs):
    for X, y in list(train_iter)[:2]:
        trainer.zero_grad()
        loss(net(X.to(devices[0])), y.to(devices[0])).backward()
        trainer.step()
    animator.add(epoch + 1, (d2l.evaluate_accuracy_gpu(net, test_iter),))
print(f'test acc: {animator.Y[0][-1]:.2f}, {timer.stop():.1f} sec on {devices}')
