# %% [markdown]
# # 优化算法

# %%
import math

import torch
from torch import nn
from d2l import torch as d2l

# %%
def show_trace(results, f):
    n = max(abs(min(results)), abs(max(results)))
    f_line = torch.arange(-n, n, 0.1)
    d2l.set_figsize()
    d2l.plot([f_line, results], [[f(x) for x in f_line], [f(x) for x in results]],
             'x', 'f(x)', fmts=['-', '-o'])

x, results = 10.0, [10.0]
for i in range(10):
    x -= 0.2 * 2 * x
    results.append(float(x))
show_trace(results, lambda x: x * x)

# %%
eta = 0.4

def adagrad_2d(x1, x2, s1, s2):
    g1, g2 = 0.2 * x1, 4 * x2
    s1, s2 = s1 + g1**2, s2 + g2**2
    return (x1 - eta / math.sqrt(s1 + 1e-6) * g1, x2 - eta / math.sqrt(s2 + 1e-6) * g2, s1, s2)

trace = d2l.train_2d(adagrad_2d)
d2l.show_trace_2d(lambda x1, x2: 0.1 * x1**2 + 2 * x2**2, trace)
assert len(trace) == 21

# %%
def init_momentum_states(feature_dim):
    return (torch.zeros((feature_dim, 1)), torch.zeros(1))

def sgd_momentum(params, states, hyperparams):
    for p, v in zip(params, states):
        with torch.no_grad():
            v[:] = hyperparams['momentum'] * v + p.grad
            p[:] -= hyperparams['lr'] * v
        p.grad.data.zero_()

data_iter, feature_dim = d2l.get_data_ch11(batch_size=10)
d2l.train_ch11(sgd_momentum, init_momentum_states(feature_dim), {'lr': 0.02, 'momentum': 0.5},
               data_iter, feature_dim, 2)
d2l.train_concise_ch11(torch.optim.Adam, {'lr': 0.01}, data_iter, 2)

# %%
net = nn.Sequential(nn.Linear(2, 1))
trainer = torch.optim.SGD(net.parameters(), lr=0.5)
scheduler = torch.optim.lr_scheduler.MultiStepLR(trainer, milestones=[15, 30], gamma=0.5)
lrs = []
for t in range(40):
    lrs.append(scheduler.get_last_lr()[0])
    trainer.step()
    scheduler.step()
d2l.plot(torch.arange(40), lrs)
