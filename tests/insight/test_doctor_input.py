import copy
import json
import time

import pytest
import torch
from tests.insight.ailing import CE, MSE, Written, classes, mlp
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import freedive
from freedive.doctor_callback import DoctorCallback
from freedive.insight.doctor import doctor
from freedive.insight.features import InsightError


def test_the_books_mlp_is_examined_in_under_five_seconds():
    X, y = torch.rand(2048, 1, 28, 28), torch.arange(2048) % 10
    data = (X[:1024], y[:1024]), (X[1024:], y[1024:])
    begin = time.perf_counter()
    assert not doctor(freedive.MLP(), data)
    assert time.perf_counter() - begin < 5


def test_data_may_be_tensors_a_loader_two_of_them_batches_or_a_data_module(tiny_data):
    X, y = classes()
    loader = DataLoader(TensorDataset(X, y), 16)
    batches = [(X[:32], y[:32]), (X[32:], y[32:])]
    for data in [(X, y), loader, (loader, [(X + 1, y)]), batches, ((X, y), (X + 1, y))]:
        assert str(doctor(mlp(), data, CE, lr=0.1)) == "nothing found"
    assert str(doctor(nn.Linear(4, 3), tiny_data, CE, lr=0.1)) == "nothing found"
    assert {f.ailment for f in doctor(mlp(), (loader, loader), CE)} == {"seen-in-validation"}


def test_several_inputs_a_dict_and_a_tuple_of_outputs_can_be_examined():
    X, y = classes()
    two = Written(lambda s, X: s.lin(X["a"] + X["b"]))
    assert not doctor(two, ({"a": X, "b": X}, y), CE, lr=0.1)
    pair = Written(lambda s, X: (s.lin(X), X))
    assert not doctor(pair, (X, y), lambda outputs, y: CE(outputs[0], y), lr=0.1)
    (finding,) = doctor(pair, (X, y), CE, lr=0.1)
    assert finding.ailment == "raises"
    assert "the loss raised" in finding.unit
    assert not doctor(pair)


def test_one_example_and_one_class_are_enough_data():
    X, y = classes()
    assert not doctor(mlp(), (X[:1], y[:1]), CE, lr=0.01)
    assert not doctor(nn.Linear(20, 1), (X[:2], X[:2, :1]), MSE, lr=0.01)


def test_few_different_rows_are_no_leak():
    X = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]).repeat(16, 1)
    data = (X, X.sum(1, keepdim=True)), (X[:8], X[:8].sum(1, keepdim=True))
    assert not doctor(nn.Linear(2, 1), data, MSE, lr=0.1)


def test_a_finding_says_where_what_why_the_line_to_write_and_the_section():
    net = Written(lambda s, X: s.lin(X) + s.branches[0](X), branches=[nn.Linear(20, 4)])
    diagnosis = doctor(net)
    (finding,) = diagnosis
    assert finding.where == "branches"
    assert finding.measured == 20 * 4 + 4
    assert finding.write == "self.branches = nn.ModuleList(branches)"
    assert finding.section == "6.1.2"
    assert "84 numbers that parameters() does not see" in str(diagnosis)
    told = json.loads(json.dumps(diagnosis.to_json(), allow_nan=False))
    assert told["findings"][0]["ailment"] == "hidden-parameters"
    assert "pass data=" in told["notes"][0]


def test_the_rate_that_is_advised_makes_the_loss_fall():
    (finding,) = doctor(mlp(), classes(), CE, lr=300.0)
    advised = float(finding.write.split()[2])
    assert finding.measured > 2
    assert not doctor(mlp(), classes(), CE, lr=advised)


def test_without_an_input_that_fits_the_structure_is_examined_all_the_same():
    odd = Written(lambda s, X: s.lin(X[0]["deep"]), more=[nn.Linear(20, 4)])
    diagnosis = doctor(odd)
    assert {f.ailment for f in diagnosis} == {"hidden-parameters"}
    assert "no input could be guessed" in diagnosis.notes[0]


class ListClassifier(freedive.Classifier):
    def __init__(self, lr=0.1):
        super().__init__()
        self.lr, self.layers = lr, [nn.Linear(20, 4)]

    def forward(self, X):
        return self.layers[0](X)


def test_an_optimizer_that_cannot_be_made_is_told_by_its_cause():
    assert {f.ailment for f in doctor(ListClassifier(), classes())} == {"hidden-parameters"}


class Endless(nn.Module):
    def forward(self, X):
        return self(X)


@pytest.mark.parametrize(
    ("net", "told"),
    [
        (Endless(), "RecursionError"),
        (Written(lambda s, X: X.relu_() and s.lin(X)), "RuntimeError"),
        (Written(lambda s, X: s.missing(X)), "AttributeError"),
        (
            Written(lambda s, X: s.lin(X).exp_().mul_(s.lin(X).exp().pow_(2))),
            "modified by an inplace",
        ),
    ],
)
def test_a_model_that_raises_is_a_finding_of_one_line(net, told):
    findings = [f for f in doctor(net, classes(), CE, lr=0.1) if f.ailment == "raises"]
    findings = findings or [f for f in doctor(net, classes(), CE) if f.ailment == "no-parameters"]
    assert findings
    if findings[0].ailment == "raises":
        assert told in findings[0].unit
        assert "\n" not in findings[0].unit


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((nn.Linear,), "pass Linear()"),
        ((lambda X: X,), "wants an nn.Module, got function"),
        ((mlp(), torch.zeros(3, 20)), "data wants to be"),
        ((mlp(), iter([])), "only once"),
        ((mlp(), []), "no examples"),
        ((mlp(), (torch.zeros(0, 20), torch.zeros(0))), "no examples"),
        ((mlp(), [torch.zeros(3, 20), "y"]), "a batch wants to be"),
        ((mlp(), None, CE, -1.0), "lr wants a finite number above 0"),
        ((mlp(), None, CE, float("nan")), "lr wants a finite number above 0"),
        ((torch.jit.script(nn.Linear(2, 2)),), "compiled script"),
    ],
)
def test_what_cannot_be_examined_is_an_error_of_one_line(arguments, told):
    with pytest.raises(InsightError, match=r"^[^\n]+$") as error:
        doctor(*arguments)
    assert told in str(error.value)


def test_the_callback_tells_and_changes_nothing_of_the_training(tiny_data, caplog):
    histories = []
    for callbacks in ([], [DoctorCallback()]):
        torch.manual_seed(0)
        model = freedive.SoftmaxRegression(num_inputs=4, num_outputs=3)
        trainer = freedive.Trainer(max_epochs=2, seed=0, progress=False, device="cpu",
                                   callbacks=callbacks)  # fmt: skip
        trainer.fit(model, tiny_data)
        histories.append(
            [{k: v for k, v in row.items() if k != "seconds"} for row in trainer.history]
        )
    assert histories[0] == histories[1]
    assert not callbacks[0].diagnosis
    assert not caplog.records


def test_the_callback_logs_what_it_finds_and_ends_the_run_where_it_is_strict(tiny_data, caplog):
    model = freedive.SoftmaxRegression(num_inputs=4, num_outputs=3)
    model.more = [nn.Linear(4, 3)]
    gentle, strict = DoctorCallback(), DoctorCallback(strict=True)
    settings = {"max_epochs": 1, "progress": False, "device": "cpu"}
    freedive.Trainer(**settings, callbacks=[gentle]).fit(model, tiny_data)
    assert [f.ailment for f in gentle.diagnosis] == ["hidden-parameters"]
    assert "hidden-parameters in more" in caplog.text
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(freedive.UsageError, match="the doctor found hidden-parameters in more"):
        freedive.Trainer(**settings, callbacks=[strict]).fit(model, tiny_data)
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


@torch.no_grad()
def test_it_sees_gradients_even_where_the_caller_has_none():
    assert not doctor(mlp(), classes(), CE, lr=0.1)
    assert [f.ailment for f in doctor(nn.Sequential(nn.Linear(4, 8), nn.Linear(8, 4)))]
