# %% [markdown]
# # Optimization algorithms

# %%
import numpy as np
import torch
from mpl_toolkits import mplot3d
from d2l import torch as d2l

# %%
def f(x):
    return x * torch.cos(np.pi * x)

x = torch.arange(-1.0, 2.0, 0.01)
d2l.plot(x, [f(x)], "x", "risk")
d2l.annotate("local minimum", (-0.3, -0.25), (-0.77, -1.0))

# %%
def gd(eta, f_grad):
    x, results = 10.0, [10.0]
    for i in range(10):
        x -= eta * f_grad(x)
        results.append(float(x))
    print(f"epoch 10, x: {x:f}")
    return results

results = gd(0.2, lambda x: 2 * x)
assert abs(results[-1]) < 0.1

# %%
def f_2d(x1, x2):
    return x1**2 + 2 * x2**2

def gd_2d(x1, x2, s1, s2, f_grad):
    g1, g2 = f_grad(x1, x2)
    return (x1 - 0.1 * g1, x2 - 0.1 * g2, 0, 0)

d2l.show_trace_2d(f_2d, d2l.train_2d(gd_2d, f_grad=lambda x1, x2: (2 * x1, 4 * x2)))

# %%
def momentum_2d(x1, x2, v1, v2):
    v1, v2 = 0.5 * v1 + 0.2 * x1, 0.5 * v2 + 4 * x2
    return x1 - 0.4 * v1, x2 - 0.4 * v2, v1, v2

d2l.show_trace_2d(lambda x1, x2: 0.1 * x1**2 + 2 * x2**2, d2l.train_2d(momentum_2d))

# %%
def sgd(params, states, hyperparams):
    for p in params:
        p.data.sub_(hyperparams["lr"] * p.grad)
        p.grad.data.zero_()

data_iter, feature_dim = d2l.get_data_ch11(batch_size=100)
assert feature_dim == 5
times, losses = d2l.train_ch11(sgd, None, {"lr": 0.4}, data_iter, feature_dim, 2)

# %%
def init_adam_states(feature_dim):
    zeros = lambda: (d2l.zeros((feature_dim, 1)), d2l.zeros(1))
    (v_w, v_b), (s_w, s_b) = zeros(), zeros()
    return ((v_w, s_w), (v_b, s_b))

def adam(params, states, hyperparams):
    beta1, beta2, eps = 0.9, 0.999, 1e-6
    for p, (v, s) in zip(params, states):
        with torch.no_grad():
            v[:] = beta1 * v + (1 - beta1) * p.grad
            s[:] = beta2 * s + (1 - beta2) * torch.square(p.grad)
            v_hat = v / (1 - beta1 ** hyperparams["t"])
            s_hat = s / (1 - beta2 ** hyperparams["t"])
            p[:] -= hyperparams["lr"] * v_hat / (torch.sqrt(s_hat) + eps)
        p.grad.data.zero_()
    hyperparams["t"] += 1

d2l.train_ch11(adam, init_adam_states(feature_dim), {"lr": 0.01, "t": 1}, data_iter, feature_dim)

# %%
d2l.train_concise_ch11(torch.optim.RMSprop, {"lr": 0.01, "alpha": 0.9}, data_iter)
