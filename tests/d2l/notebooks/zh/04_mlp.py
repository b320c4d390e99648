# %% [markdown]
# # 多层感知机

# %%
import math

import numpy as np
import pandas as pd
import torch
from torch import nn
from d2l import torch as d2l

# %%
batch_size = 256
train_iter, test_iter = d2l.load_data_fashion_mnist(batch_size)
num_inputs, num_outputs, num_hiddens = 784, 10, 64
W1 = nn.Parameter(torch.randn(num_inputs, num_hiddens, requires_grad=True) * 0.01)
b1 = nn.Parameter(torch.zeros(num_hiddens, requires_grad=True))
W2 = nn.Parameter(torch.randn(num_hiddens, num_outputs, requires_grad=True) * 0.01)
b2 = nn.Parameter(torch.zeros(num_outputs, requires_grad=True))
params = [W1, b1, W2, b2]

def net(X):
    X = X.reshape((-1, num_inputs))
    return (torch.max(X @ W1 + b1, torch.zeros(1)) @ W2 + b2)

loss = nn.CrossEntropyLoss(reduction='none')
updater = torch.optim.SGD(params, lr=0.1)
d2l.train_ch3(net, train_iter, test_iter, loss, 2, updater)

# %%
max_degree, n_train, n_test = 20, 100, 100
true_w = np.zeros(max_degree)
true_w[0:4] = np.array([5, 1.2, -3.4, 5.6])
features = np.random.normal(size=(n_train + n_test, 1))
poly_features = np.power(features, np.arange(max_degree).reshape(1, -1))
for i in range(max_degree):
    poly_features[:, i] /= math.gamma(i + 1)
labels = np.dot(poly_features, true_w) + np.random.normal(scale=0.1, size=n_train + n_test)
true_w, features, poly_features, labels = [
    torch.tensor(x, dtype=torch.float32) for x in [true_w, features, poly_features, labels]]

def train(train_features, test_features, train_labels, test_labels, num_epochs=5):
    loss = nn.MSELoss(reduction='none')
    net = nn.Sequential(nn.Linear(train_features.shape[-1], 1, bias=False))
    train_iter = d2l.load_array((train_features, train_labels.reshape(-1, 1)), 10)
    test_iter = d2l.load_array((test_features, test_labels.reshape(-1, 1)), 10, is_train=False)
    trainer = torch.optim.SGD(net.parameters(), lr=0.01)
    animator = d2l.Animator(xlabel='epoch', ylabel='loss', yscale='log', xlim=[1, num_epochs],
                            ylim=[1e-3, 1e2], legend=['train', 'test'])
    for epoch in range(num_epochs):
        d2l.train_epoch_ch3(net, train_iter, loss, trainer)
        animator.add(epoch + 1, (d2l.evaluate_loss(net, train_iter, loss),
                                 d2l.evaluate_loss(net, test_iter, loss)))
    return animator

animator = train(poly_features[:n_train, :4], poly_features[n_train:, :4],
                 labels[:n_train], labels[n_train:])
assert len(animator.X[0]) == 5

# %%
def dropout_layer(X, dropout):
    mask = (torch.rand(X.shape) > dropout).float()
    return mask * X / (1.0 - dropout)

assert dropout_layer(torch.ones(1000), 0.5).max() == 2

# %%
features = pd.DataFrame({'area': [100.0, 150.0, None, 80.0] * 10, 'kind': ['a', 'b', 'a', None] * 10})
features = pd.get_dummies(features.assign(area=features.area.fillna(features.area.mean())),
                          dummy_na=True, dtype=float)
train_features = torch.tensor(features.values, dtype=torch.float32) / 100
train_labels = train_features[:, :1] * 1000 + 100

def log_rmse(net, features, labels):
    clipped_preds = torch.clamp(net(features), 1, float('inf'))
    return torch.sqrt(nn.MSELoss()(torch.log(clipped_preds), torch.log(labels))).item()

net = nn.Sequential(nn.Linear(train_features.shape[1], 1))
optimizer, train_ls = torch.optim.Adam(net.parameters(), lr=5, weight_decay=0), []
for epoch in range(20):
    for X, y in d2l.load_array((train_features, train_labels), 8):
        optimizer.zero_grad()
        nn.MSELoss()(net(X), y).backward()
        optimizer.step()
    train_ls.append(log_rmse(net, train_features, train_labels))
d2l.plot(list(range(1, 21)), [train_ls], xlabel='epoch', ylabel='rmse', legend=['train'],
         yscale='log')
assert train_ls[-1] < train_ls[0]
