"""Models in files, the mistakes on show, and the labs of the room."""

import copy

import pytest
import torch
from torch import nn

from freedive.core.errors import CheckpointError, UsageError
from freedive.topics.building_blocks import file_labs, labs, pitfalls
from freedive.topics.building_blocks.blocks import Sequential, copies
from freedive.topics.building_blocks.measuring import num_parameters
from freedive.topics.building_blocks.parameters import tied_net
from freedive.topics.building_blocks.save_load import load_model, save_model

LABS = {
    "blocks": lambda **more: labs.blocks(num_draws=3, **more),
    "parameters": lambda **more: labs.parameters(num_units=32, **more),
    "custom-layers": labs.custom_layers,
    "save-load": file_labs.save_load,
}


def test_a_model_comes_back_with_the_same_bits(tmp_path) -> None:
    path, X = tmp_path / "net", torch.rand(2, 4)
    net, other = tied_net(), tied_net()
    save_model(net, path)
    assert torch.equal(load_model(other, path)(X), net(X))
    assert other[2] is other[4]
    assert load_model(tied_net(), path, device="meta")[0].weight.device.type == "meta"


def test_a_model_that_does_not_fit_is_left_as_it_was(tmp_path) -> None:
    save_model(Sequential(nn.Linear(4, 3)), tmp_path / "net")
    other = Sequential(nn.Linear(4, 2))
    before = copy.deepcopy(other.state_dict())
    with pytest.raises(CheckpointError, match="another model's"):
        load_model(other, tmp_path / "net")
    with pytest.raises(CheckpointError, match="it is a Sequential, wanted is a Linear"):
        load_model(nn.Linear(4, 3), tmp_path / "net")
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_model(other, tmp_path / "nothing")
    assert all(torch.equal(before[name], tensor) for name, tensor in other.state_dict().items())
    lazy = nn.Sequential(nn.LazyLinear(3))
    for action in (save_model, load_model):
        with pytest.raises(UsageError, match=r"'0.weight' of Sequential is lazy"):
            action(lazy, tmp_path / "net")


def test_the_pitfalls_go_wrong_without_a_word() -> None:
    X = torch.rand(2, 5)
    sick = {
        "no parameters": pitfalls.ListSequential(nn.Linear(5, 5)),
        "new each time": pitfalls.LayerInForward(lambda: nn.Linear(5, 5)),
        "cut": pitfalls.DetachedLinear(5, 5),
        "plain": pitfalls.PlainConstant(5),
        "two of three": pitfalls.FirstTwoBranches(*copies(lambda: nn.Linear(5, 5), 3)),
    }
    assert all(net(X).isfinite().all() for net in sick.values())
    assert num_parameters(sick["no parameters"]) == 0
    assert not torch.equal(sick["new each time"](X), sick["new each time"](X))
    assert not sick["cut"](X).requires_grad
    assert "rand_weight" not in sick["plain"].state_dict()
    assert sick["two of three"](X).shape == (2, 10)


def test_the_blocks_lab_shows_each_mistake() -> None:
    tables = LABS["blocks"]().tables
    sound, faulty = tables["blocks"], tables["what goes wrong without a word"]
    for row in sound:
        some, _, all_of = str(row["gradients reach"]).partition(" of ")
        assert some == all_of != "0"
        assert row["same twice"] == "yes"
    for row in faulty[:3] + faulty[4:]:
        some, _, all_of = str(row["gradients reach"]).partition(" of ")
        assert some == "0" or some != all_of


def test_the_other_labs_find_what_they_promise() -> None:
    report = labs.parameters(num_units=256, depth=20, seed=2)
    sizes = {
        row["initialiser"]: row["signal after 20 layers"] for row in report.tables["initialisers"]
    }
    assert 0.3 < sizes["kaiming"] < 3
    assert sizes["normal"] < sizes["default"] < sizes["xavier"] < 0.1
    assert min(sizes["constant"], sizes["my_init"]) > 1e20
    for seed in range(3):
        report = labs.custom_layers(seed=seed)
        assert report.numbers["loudest frequencies"] == [5, 12]
        assert all(row["difference"] < 1e-5 for row in report.tables["layers"])
    report = file_labs.save_load(num_hiddens=1)
    assert all(row["equal"] == "yes" for row in report.tables["there and back"])
    assert len(report.tables["refused"]) == 4


@pytest.mark.parametrize("arguments", [{"num_hiddens": 1, "num_blocks": 1, "num_draws": 1}])
def test_labs_at_their_smallest(arguments: dict[str, int]) -> None:
    assert labs.blocks(num_branches=2, **arguments).numbers["distances"]
    assert labs.parameters(num_units=1, depth=1).tables["initialisers"]
    assert labs.custom_layers(num_inputs=1, num_outputs=1, batch_size=1, length=32).tables["layers"]
