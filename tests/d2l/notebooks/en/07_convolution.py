# %% [markdown]
# # Convolutional neural networks

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
X = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0], [6.0, 7.0, 8.0]])
K = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
assert d2l.corr2d(X, K).tolist() == [[19, 25], [37, 43]]

# %%
X = torch.ones((6, 8))
X[:, 2:6] = 0
Y = d2l.corr2d(X, torch.tensor([[1.0, -1.0]]))
conv2d = nn.LazyConv2d(1, kernel_size=(1, 2), bias=False)
X, Y, lr = X.reshape((1, 1, 6, 8)), Y.reshape((1, 1, 6, 7)), 3e-2
for i in range(30):
    l = (conv2d(X) - Y) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    conv2d.weight.data[:] -= lr * conv2d.weight.grad
assert abs(conv2d.weight.data.reshape(-1) - torch.tensor([1.0, -1.0])).max() < 0.1

# %%
def corr2d_multi_in(X, K):
    return sum(d2l.corr2d(x, k) for x, k in zip(X, K))

def corr2d_multi_in_out(X, K):
    return torch.stack([corr2d_multi_in(X, k) for k in K], 0)

X = torch.arange(18.0).reshape(2, 3, 3)
K = torch.stack([torch.ones(2, 2, 2), torch.zeros(2, 2, 2)])
assert corr2d_multi_in_out(X, K).shape == (2, 2, 2)

# %%
data = d2l.FashionMNIST(batch_size=128)
model = d2l.LeNet(lr=0.1)
model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
model.layer_summary((1, 1, 28, 28))

# %%
trainer = d2l.Trainer(max_epochs=2, num_gpus=1)
trainer.fit(model, data)
assert trainer.num_train_batches > 0
