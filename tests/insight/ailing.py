"""Sick nets and their healed twins, one ailment each."""

import torch
from torch import nn
from torch.nn import functional as F

from freedive.topics.building_blocks import pitfalls


def classes(n=64, width=20):
    chance = torch.Generator().manual_seed(3)
    X = torch.randn(n, width, generator=chance)
    return X, (X @ torch.randn(width, 4, generator=chance)).argmax(dim=1)


def ones(n=64):
    return classes(n)[0], torch.ones(n)


def line(n=64):
    X, _ = classes(n)
    return X, X.sum(dim=1)


def mlp(*, hidden=32, act=nn.ReLU, depth=1, last=None):
    layers = [nn.Linear(20, hidden), act()]
    for _ in range(depth - 1):
        layers += [nn.Linear(hidden, hidden), act()]
    return nn.Sequential(*layers, nn.Linear(hidden, 4), *([last] if last else []))


def filled(net, **constants):
    for name, p in net.named_parameters():
        for ending, value in constants.items():
            if name.endswith(ending):
                nn.init.constant_(p, value)
    return net


class Written(nn.Module):
    """A net whose forward is a function of it."""

    def __init__(self, forward, **parts):
        super().__init__()
        self.lin = nn.Linear(20, 4)
        for name, part in parts.items():
            setattr(self, name, part)
        self._forward = forward

    def forward(self, X):
        return self._forward(self, X)


def buffered(forward, **buffers):
    net = Written(forward)
    for name, tensor in buffers.items():
        net.register_buffer(name, tensor)
    return net


def counting(net, X):
    net.seen += 1
    return net.lin(X)


def counting_in_training(net, X):
    if net.training:
        net.seen += 1
    return net.lin(X)


class Growing(nn.Module):
    """Makes its layer when it is first called."""

    def forward(self, X):
        self.lin = nn.Linear(20, 4)
        return self.lin(X)


class KeptGenerator:
    """A hand-written optimizer that keeps what it is given."""

    def __init__(self, params, lr=0.1):
        self.params, self.lr = params, lr

    def step(self):
        for p in self.params:
            if p.grad is not None:
                p.data -= self.lr * p.grad


def with_sgd(net, parameters=None, lr=0.1):
    chosen = list(net.parameters()) if parameters is None else parameters(net)
    return {"model": net, "optimizer": torch.optim.SGD(chosen, lr=lr)}


def case(net, **more):
    return {"model": net, **more}


def halves(first):
    X, y = classes(128)
    return (X[:64], y[:64]), (X[first : first + 64], y[first : first + 64])


def cycle(hide):
    net = mlp()
    net[0].parent = [net] if hide else net
    return net


def materialized():
    net = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(4))
    net(torch.zeros(1, 20))
    return net


def with_key(text):
    net, layer = nn.Module(), nn.Linear(20, 4)
    net._modules["0" if text else layer] = layer
    return net if not text else nn.Sequential(layer)


def scaled(net, factor):
    with torch.no_grad():
        for p in net.parameters():
            p.mul_(factor)
    return net


CE = F.cross_entropy
MSE = nn.MSELoss()


def with_adam(lr):
    net = mlp()
    return {**TRAINED, "model": net, "optimizer": torch.optim.Adam(net.parameters(), lr)}


TRAINED = {"data": classes(), "loss": CE, "lr": 0.1}


def weighted(factor):
    w = nn.Parameter(torch.rand(20, 4))
    return Written(lambda s, X: s.lin(X) + factor * (X @ s.w), w=w)


def one_number(*last):
    return nn.Sequential(nn.Linear(20, 1), *last, nn.Flatten(0))


def rectifying(shift):
    return Written(lambda s, X: s.lin(torch.max(shift(X), torch.zeros(20))))


def always_training(bn):
    def forward(net, X):
        return F.batch_norm(net.lin(X), net.bn.running_mean, net.bn.running_var, training=True)

    return Written(forward, bn=bn)


TWINS = {  # ailment: (sick, healed, sick, healed, …), each the arguments of doctor
    "module-as-key": [
        lambda: case(with_key(False)), lambda: case(with_key(True)),
        lambda: case(nn.Sequential(pitfalls.ModuleKeys(nn.Linear(20, 4))), **TRAINED),
        lambda: case(nn.Sequential(nn.Sequential(nn.Linear(20, 4))), **TRAINED),
    ],
    "module-cycle": [lambda: case(cycle(False)), lambda: case(cycle(True))],
    "no-parameters": [lambda: case(nn.ReLU()), lambda: case(nn.Linear(20, 4))],
    "hidden-parameters": [
        lambda: case(pitfalls.ListSequential(nn.Linear(20, 4))), lambda: case(mlp()),
        lambda: case(Written(lambda s, X: s.lin(X) + s.more["a"](X), more={"a": nn.Linear(20, 4)})),
        lambda: case(Written(lambda s, X: s.lin(X) + s.more["a"](X),
                             more=nn.ModuleDict({"a": nn.Linear(20, 4)}))),
        lambda: case(Written(lambda s, X: s.lin(X) * s.w, w=torch.ones(4, requires_grad=True))),
        lambda: case(Written(lambda s, X: s.lin(X) * s.w, w=nn.Parameter(torch.ones(4)))),
        lambda: case(Written((lambda other: lambda s, X: s.lin(X) + other(X))(nn.Linear(20, 4)))),
        lambda: case(Written(lambda s, X: s.lin(X) + s.other(X), other=nn.Linear(20, 4))),
    ],
    "lazy-initialiser": [
        lambda: case(nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(4))),
        lambda: case(materialized()),
    ],
    "used-up-generator": [
        lambda: (lambda net: case(net, optimizer=KeptGenerator(net.parameters())))(mlp()),
        lambda: (lambda net: case(net, optimizer=KeptGenerator(list(net.parameters()))))(mlp()),
    ],
    "forgotten-parameters": [
        lambda: with_sgd(mlp(), lambda net: net[0].parameters()), lambda: with_sgd(mlp()),
        lambda: (lambda net, empty: case(net, optimizer=KeptGenerator(empty)))(mlp(), []),
        lambda: (lambda net: case(net, optimizer=KeptGenerator([*net.parameters()])))(mlp()),
    ],
    "built-in-forward": [
        lambda: case(pitfalls.LayerInForward(lambda: nn.Linear(20, 4))), lambda: case(mlp()),
        lambda: case(Written(lambda s, X: s.lin(X) @ nn.Parameter(torch.eye(4)).relu())),
        lambda: case(Written(lambda s, X: s.lin(X) @ s.w.relu(), w=nn.Parameter(torch.eye(4)))),
        lambda: case(Growing()), lambda: case(nn.Linear(20, 4)),
    ],
    "plain-tensor": [
        lambda: case(pitfalls.PlainConstant(20)),
        lambda: case(buffered(lambda s, X: s.lin(X) @ s.c, c=torch.rand(4, 4))),
        lambda: case(Written(lambda s, X: s.lin(X) + s.c["a"], c={"a": torch.rand(4)})),
        lambda: case(Written(lambda s, X: s.lin(X), c={"a": torch.rand(4)})),  # is not used
    ],
    "cut-gradient": [
        lambda: case(nn.Sequential(pitfalls.DetachedLinear(20, 8), nn.Linear(8, 4))),
        lambda: case(nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 4))),
        lambda: case(Written(lambda s, X: s.out(s.lin(X).detach().relu()), out=nn.Linear(4, 4))),
        lambda: case(Written(lambda s, X: s.out(s.lin(X).relu()), out=nn.Linear(4, 4))),
        lambda: case(Written(lambda s, X: s.lin(X) * torch.tensor(s.g.detach().numpy()),
                             g=nn.Parameter(torch.ones(4)))),
        lambda: case(Written(lambda s, X: s.lin(X) * s.g, g=nn.Parameter(torch.ones(4)))),
        lambda: case(pitfalls.DetachedLinear(20, 4), **TRAINED),
        lambda: case(nn.Linear(20, 4), **TRAINED),
    ],
    "unused-parameters": [
        lambda: case(pitfalls.FirstTwoBranches(*(nn.Linear(20, 4) for _ in range(3)))),
        lambda: case(pitfalls.FirstTwoBranches(*(nn.Linear(20, 4) for _ in range(2)))),
    ],
    "missing-activation": [
        lambda: case(nn.Sequential(nn.Linear(20, 32), nn.Linear(32, 4))), lambda: case(mlp()),
        lambda: case(nn.Sequential(nn.Linear(20, 32), nn.Dropout(), nn.Linear(32, 4))),
        lambda: case(nn.Sequential(nn.Linear(20, 32), nn.Tanh(), nn.Dropout(), nn.Linear(32, 4))),
        lambda: case(nn.Sequential(nn.Conv2d(1, 8, 3), nn.Conv2d(8, 4, 3))),
        lambda: case(nn.Sequential(nn.Conv2d(1, 8, 3), nn.ReLU(), nn.Conv2d(8, 4, 3))),
        lambda: case(nn.Sequential(nn.Conv2d(1, 8, 3), nn.AvgPool2d(2), nn.Conv2d(8, 4, 3))),
        lambda: case(nn.Sequential(nn.Conv2d(1, 8, 3), nn.MaxPool2d(2), nn.Conv2d(8, 4, 3))),
        lambda: case(Written(lambda s, X: s.lin(X) @ s.w + s.b, w=nn.Parameter(torch.rand(4, 3)),
                             b=nn.Parameter(torch.zeros(3)))),
        lambda: case(Written(lambda s, X: s.lin(X).relu() @ s.w, w=nn.Parameter(torch.rand(4, 3)))),
    ],
    "moves-in-evaluation": [
        lambda: case(buffered(counting, seen=torch.zeros(1))),
        lambda: case(buffered(counting_in_training, seen=torch.zeros(1))),
        lambda: case(always_training(nn.BatchNorm1d(4, affine=False))),
        lambda: case(Written(lambda s, X: s.bn(s.lin(X)), bn=nn.BatchNorm1d(4))),
    ],
    "dead-units": [
        lambda: case(filled(mlp(), **{"0.bias": -100.0}), **TRAINED),
        lambda: case(filled(mlp(), **{"0.bias": 0.0}), **TRAINED),
        lambda: case(rectifying(lambda X: X - 100), data=classes()),
        lambda: case(rectifying(lambda X: X), data=classes()),
    ],
    "saturated-units": [
        lambda: case(scaled(mlp(act=nn.Sigmoid), 200), **TRAINED),
        lambda: case(mlp(act=nn.Sigmoid), **TRAINED),
        lambda: case(scaled(mlp(act=nn.Tanh), 200), data=classes()),
        lambda: case(mlp(act=nn.Tanh), data=classes()),
    ],
    "vanishing-gradient": [
        lambda: case(mlp(act=nn.Sigmoid, depth=12), **TRAINED),
        lambda: case(mlp(depth=4), **TRAINED),
    ],
    "exploding-gradient": [
        lambda: case(scaled(mlp(depth=8), 30), **TRAINED),
        lambda: case(mlp(depth=3), **TRAINED),
    ],
    "softmax-before-cross-entropy": [
        lambda: case(mlp(last=nn.Softmax(dim=1)), **TRAINED),
        lambda: case(mlp(), data=classes(), loss=nn.CrossEntropyLoss(), lr=0.1),
        lambda: case(mlp(last=nn.Sigmoid()), data=classes(), loss=nn.CrossEntropyLoss()),
        lambda: case(mlp(last=nn.LogSoftmax(dim=1)), data=classes(), loss=nn.NLLLoss()),
        lambda: case(one_number(nn.Sigmoid()), data=ones(), loss=nn.BCEWithLogitsLoss()),
        lambda: case(one_number(nn.Sigmoid()), data=ones(), loss=nn.BCELoss()),
    ],
    "broadcast-loss": [
        lambda: case(nn.Linear(20, 1), data=line(), loss=MSE, lr=0.03),
        lambda: case(one_number(), data=line(), loss=MSE, lr=0.03),
        lambda: case(nn.Linear(20, 1), data=line(), loss=lambda o, y: ((y - o) ** 2).mean()),
        lambda: case(one_number(), data=line(), loss=lambda o, y: ((y - o) ** 2).mean()),
    ],
    "sum-reduction": [
        lambda: case(mlp(), data=classes(), lr=0.1, loss=nn.CrossEntropyLoss(reduction="sum")),
        lambda: case(mlp(), data=classes(), lr=0.1, loss=nn.CrossEntropyLoss()),
    ],
    "lr-too-high": [
        lambda: case(mlp(), data=classes(), loss=CE, lr=300.0),
        lambda: case(mlp(), **TRAINED),
        lambda: {**TRAINED, **with_sgd(mlp(), lr=300.0)},
        lambda: {**TRAINED, **with_sgd(mlp())},
    ],
    "lr-too-low": [
        lambda: case(mlp(), data=classes(), loss=CE, lr=1e-5),
        lambda: case(mlp(), **TRAINED),
        lambda: with_adam(1e-7),
        lambda: with_adam(1e-3),
    ],
    "never-changes": [lambda: case(weighted(0), **TRAINED), lambda: case(weighted(1), **TRAINED)],
    "seen-in-validation": [
        lambda: case(mlp(), data=halves(48), loss=CE, lr=0.1),
        lambda: case(mlp(), data=halves(64), loss=CE, lr=0.1),
    ],
    "raises": [
        lambda: case(mlp(), data=classes(width=7)), lambda: case(mlp(), data=classes()),
        lambda: case(mlp(), data=classes(), loss=nn.CrossEntropyLoss(reduction="none")),
        lambda: case(mlp(), data=classes(), loss=CE),
    ],
}  # fmt: skip
