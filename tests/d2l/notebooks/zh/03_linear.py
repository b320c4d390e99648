# %% [markdown]
# # 线性神经网络

# %%
import random

import torch
from torch import nn
from d2l import torch as d2l

# %%
true_w, true_b = torch.tensor([2, -3.4]), 4.2
features, labels = d2l.synthetic_data(true_w, true_b, 1000)
d2l.set_figsize()
d2l.plt.scatter(features[:, (1)].detach().numpy(), labels.detach().numpy(), 1);

# %%
def data_iter(batch_size, features, labels):
    indices = list(range(len(features)))
    random.shuffle(indices)
    for i in range(0, len(features), batch_size):
        j = torch.tensor(indices[i: min(i + batch_size, len(features))])
        yield features[j], labels[j]

w = torch.normal(0, 0.01, size=(2, 1), requires_grad=True)
b = torch.zeros(1, requires_grad=True)
for epoch in range(3):
    for X, y in data_iter(10, features, labels):
        l = d2l.squared_loss(d2l.linreg(X, w, b), y)
        l.sum().backward()
        d2l.sgd([w, b], 0.03, 10)
assert (true_w - w.reshape(true_w.shape)).abs().max() < 0.05

# %%
data = d2l.load_array((features, labels), 10)
net = nn.Sequential(nn.Linear(2, 1))
loss, trainer = nn.MSELoss(), torch.optim.SGD(net.parameters(), lr=0.03)
for epoch in range(2):
    for X, y in data:
        trainer.zero_grad()
        loss(net(X), y).backward()
        trainer.step()
assert d2l.evaluate_loss(net, data, nn.MSELoss(reduction='none')) < 0.01

# %%
batch_size = 256
train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size)
X, y = next(iter(train_iter))
d2l.show_images(X[:18].reshape(18, 28, 28), 2, 9, titles=d2l.get_fashion_mnist_labels(y[:18]))

# %%
W = torch.normal(0, 0.01, size=(784, 10), requires_grad=True)
b = torch.zeros(10, requires_grad=True)

def softmax(X):
    X_exp = torch.exp(X)
    return X_exp / X_exp.sum(1, keepdim=True)

def net(X):
    return softmax(torch.matmul(X.reshape((-1, W.shape[0])), W) + b)

def cross_entropy(y_hat, y):
    return - torch.log(y_hat[range(len(y_hat)), y])

def updater(batch_size):
    return d2l.sgd([W, b], 0.1, batch_size)

d2l.evaluate_accuracy(net, test_iter)
d2l.train_ch3(net, train_iter, test_iter, cross_entropy, 2, updater)
d2l.predict_ch3(net, test_iter)

# %%
net = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))

def init_weights(m):
    if type(m) == nn.Linear:
        nn.init.normal_(m.weight, std=0.01)

net.apply(init_weights)
loss, trainer = nn.CrossEntropyLoss(reduction='none'), torch.optim.SGD(net.parameters(), lr=0.1)
train_loss, train_acc = d2l.train_epoch_ch3(net, train_iter, loss, trainer)
assert 0 < train_acc <= 1 and train_loss < 3
