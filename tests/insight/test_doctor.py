import copy
import random

import numpy as np
import pytest
import torch
from tests.insight.ailing import CE, TWINS, Written, classes
from tests.test_catalog import FORMS, arguments_for, light, tiny
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parameter import is_lazy
from torch.utils.data import DataLoader, TensorDataset

from freedive.catalog import find_system
from freedive.insight.ailments import AILMENTS, EXPLAINS
from freedive.insight.doctor import doctor

SICK = [(a, i) for a, makes in TWINS.items() for i in range(0, len(makes), 2)]


@pytest.mark.parametrize(("ailment", "i"), SICK)
def test_the_sick_twin_has_this_finding_alone_and_the_healed_one_none(ailment, i):
    sick, healed = TWINS[ailment][i : i + 2]
    assert {f.ailment for f in doctor(**sick())} == {ailment}
    assert str(doctor(**healed())).splitlines()[0] == "nothing found"


def test_every_ailment_has_its_twins_and_every_explanation_its_names():
    assert set(TWINS) == set(AILMENTS)
    assert set(EXPLAINS) | set().union(*EXPLAINS.values()) <= set(AILMENTS)


@pytest.mark.parametrize(("id", "form"), FORMS)
def test_no_finding_on_any_healthy_system_of_the_catalog(id, form):
    entry = find_system(id)
    kind = entry.model(form)
    for name in [light(entry)] if light(entry) else [None, *entry.presets]:
        settings = entry.preset(name)  # the other presets have the same blocks, for minutes
        data = tiny(entry.data, **settings)
        torch.manual_seed(0)
        model = kind(**arguments_for(kind, data, **settings))
        assert str(doctor(model, data)) == "nothing found"


class Attends(nn.Module):
    def __init__(self, batch_first=True):
        super().__init__()
        self.embed, self.rnn = nn.Embedding(30, 16), nn.LSTM(16, 16, batch_first=batch_first)
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=batch_first)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.out = nn.Linear(16, 30)
        self.output_of_embedding = None

    def forward(self, X):
        self.output_of_embedding = self.embed(X)  # kept to be looked at: no state
        return self.out(self.blocks(self.rnn(self.output_of_embedding)[0])).transpose(1, 2)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = (nn.Conv2d(8, 8, 3, padding=1) for _ in range(2))
        self.bn1, self.bn2 = nn.BatchNorm2d(8), nn.BatchNorm2d(8)

    def forward(self, X):
        return F.relu(X + self.bn2(self.conv2(F.relu(self.bn1(self.conv1(X)), inplace=True))))


def test_no_finding_on_ordinary_networks_with_recurrence_attention_and_batch_norm():
    words = torch.randint(30, (16, 8)), torch.randint(30, (16, 8))
    pictures = torch.randn(16, 3, 16, 16), torch.arange(16) % 4
    stem = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True)]
    separable = [nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 16, 1), nn.ReLU()]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Dropout(), nn.Linear(16, 4)]
    for net, data in [
        (Attends(), words),
        (nn.Sequential(*stem, Residual(), *separable, *head), pictures),
    ]:
        for optim in (torch.optim.SGD(net.parameters(), 0.05), torch.optim.Adam(net.parameters())):
            assert str(doctor(net, data, CE, optimizer=optim)) == "nothing found"
        assert not doctor(net)


def test_factored_matrices_are_two_linear_layers_on_purpose():
    assert not doctor(nn.Sequential(nn.Linear(20, 3), nn.Linear(3, 20)))
    assert doctor(nn.Sequential(nn.Linear(20, 21), nn.Linear(21, 20)))


def state_of(net):
    return {
        "tensors": {k: (v.clone(), id(v)) for k, v in net.state_dict(keep_vars=True).items()},
        "grads": {
            k: p.grad if p.grad is None else p.grad.clone() for k, p in net.named_parameters()
        },
        "modes": [m.training for m in net.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in net.modules()],
        "names": [sorted(vars(m)) for m in net.modules()],
        "chance": (torch.get_rng_state(), np.random.get_state()[1], random.getstate()),
    }


def assert_same(a, b):
    if isinstance(a, Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, np.ndarray):
        assert (a == b).all()
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    else:
        assert a == b


@pytest.mark.parametrize("fails", [False, True])
def test_model_data_optimizer_and_chance_are_left_as_they_were(fails):
    outside = nn.Linear(20, 4)  # reached through a closure, which no copy can follow
    net = Written(lambda s, X: s.bn(s.lin(s.drop(X))) + outside(X),
                  bn=nn.BatchNorm1d(4), drop=nn.Dropout())  # fmt: skip
    X, y = classes(width=7 if fails else 20)
    loader = DataLoader(TensorDataset(X, y), 16, shuffle=True, generator=torch.Generator())
    net.bn.eval()
    net.lin.weight.grad = torch.ones(4, 20)
    optim = torch.optim.Adam(net.parameters())
    X_before, order = X.clone(), loader.generator.get_state()
    before, optim_before = state_of(net), copy.deepcopy(optim.state_dict())
    diagnosis = doctor(net, loader, CE, optimizer=optim)
    assert {f.ailment for f in diagnosis} == ({"raises"} if fails else {"hidden-parameters"})
    assert_same(before, state_of(net))
    assert_same(optim_before, optim.state_dict())
    assert outside.weight.grad is None
    assert torch.equal(X, X_before)
    assert torch.equal(order, loader.generator.get_state())


def test_the_sick_are_left_as_they_were_too():
    for makes in TWINS.values():
        for make in makes[::2]:
            arguments = make()
            inner = [arguments["model"], *arguments["model"].children()]
            names = [sorted(vars(m)) for m in inner]
            tensors = [t for m in inner for t in [*m._parameters.values(), *m._buffers.values()]]
            known = [t for t in tensors if t is not None and not is_lazy(t)]
            before = [t.detach().clone() for t in known]
            doctor(**arguments)
            assert names == [sorted(vars(m)) for m in inner]
            assert all(map(torch.equal, known, before))
            assert all(t.grad is None for t in known)
