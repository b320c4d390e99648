"""Sizes and costs against hand-computed numbers, torch's own counter and measured gradients."""

import random
import time
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.test_catalog import arguments_for, tiny
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from freedive import catalog
from freedive.data.images import LabelledImages
from freedive.insight.features import InsightError
from freedive.insight.summary import Summary, summary

MLP = (784 * 256 + 256 + 256 * 10 + 10, 784 * 256 + 256 * 10)
DROPOUT_MLP = (784 * 256 + 256 + 256 * 257 + 256 * 10 + 10, 784 * 256 + 256 * 256 + 256 * 10)
LENET = (
    (25 + 1) * 6 + (6 * 25 + 1) * 16 + 401 * 120 + 121 * 84 + 85 * 10,
    28 * 28 * 6 * 25 + 10 * 10 * 16 * 6 * 25 + 400 * 120 + 120 * 84 + 84 * 10,
)
BY_HAND = {  # system: shape of an input, (parameters, multiply-adds)
    "linear-regression": ((1, 2), (3, 2)),
    "softmax-regression": ((1, 1, 28, 28), (7850, 7840)),
    "mlp": ((1, 1, 28, 28), MLP),
    "dropout-mlp": ((1, 1, 28, 28), DROPOUT_MLP),
    "lenet": ((1, 1, 28, 28), LENET),
}


class Basic(nn.Module):
    """Two convolutions with batch norm around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1, self.bn2 = nn.BatchNorm2d(outputs), nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.short = nn.Conv2d(inputs, outputs, 1, stride)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return self.relu(out + self.short(x))


class Inception(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.Conv2d(3, 4, 1)
        self.three = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Conv2d(2, 4, 3, padding=1))
        self.pool = nn.Sequential(nn.MaxPool2d(5, 1, 2), nn.Conv2d(3, 4, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.one(x), self.three(x), self.pool(x)], dim=1)


class Shared(nn.Module):
    """One layer called three times, and an output that reuses the embedding's weight."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.hidden = nn.Embedding(50, 8), nn.Linear(8, 8)
        self.out = nn.Linear(8, 50, bias=False)
        self.out.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        for _ in range(3):
            x = torch.tanh(self.hidden(x))
        return self.out(x)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.qkv, self.out = nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).unflatten(-1, (3, 4, 4)).transpose(1, 3).unbind(2)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Two(nn.Module):
    """Two inputs of different kinds, one of them optional by name."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 4), nn.Linear(9, 6)

    def forward(self, left: Tensor, right: Tensor, scale: Tensor | None = None) -> Tensor:
        out = self.b(torch.cat([self.a(left), right], dim=1))
        return out if scale is None else out * scale


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.rnn = nn.Embedding(20, 6), nn.LSTM(6, 8, num_layers=2)
        self.head = nn.Linear(8, 20)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Any]:
        out, state = self.rnn(self.embedding(tokens))
        return self.head(out), state


def stage(depth: int) -> nn.Module:
    return nn.Sequential(Basic(3, 4, 2)) if depth == 0 else nn.Sequential(stage(depth - 1))


def depthwise() -> nn.Module:
    return nn.Sequential(nn.Conv2d(8, 8, 3, groups=8), nn.Conv2d(8, 16, 1), nn.AdaptiveAvgPool2d(1))


TOKENS = torch.zeros(5, 2, dtype=torch.long)
# ten models: how to make it, its inputs, multiply-adds by hand
ZOO: dict[str, tuple[Any, Any, int]] = {
    "residual": (lambda: Basic(3, 4, 2), (2, 3, 9, 9), 2 * 25 * (4 * 27 + 4 * 36 + 4 * 3)),
    "nested": (lambda: stage(3), (1, 3, 9, 9), 25 * (4 * 27 + 4 * 36 + 4 * 3)),
    "inception": (Inception, (1, 3, 7, 7), 49 * (12 + 6 + 72 + 12)),
    "depthwise": (depthwise, (1, 8, 6, 6), 16 * (8 * 9 + 8 * 16)),
    "shared": (Shared, TOKENS, 10 * (3 * 64 + 8 * 50)),
    "recurrent": (Recurrent, TOKENS, 10 * (4 * 8 * (6 + 8) + 4 * 8 * (8 + 8) + 8 * 20)),
    "attention": (Attention, (2, 5, 16), 10 * (16 * 48 + 16 * 16) + 2 * 2 * 4 * 25 * 4),
    "multi-input": (Two, ((7, 3), (7, 5)), 7 * 12 + 7 * 9 * 6),
    "batch norm": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3), nn.BatchNorm1d(4), nn.MaxPool1d(2)),
        (3, 2, 10),
        3 * 8 * 4 * 6,
    ),
    "encoder": (
        lambda: nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
        (2, 5, 16),
        10 * (16 * 48 + 16 * 16 + 2 * 16 * 32) + 2 * 2 * 25 * 16,
    ),
}


def counted(model: nn.Module, *inputs: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model.eval().to("meta")(*(x.to("meta") for x in inputs))
    return counter.get_total_flops() // 2


def tensors(inputs: Any) -> tuple[Tensor, ...]:
    if isinstance(inputs, Tensor):
        return (inputs,)
    return tuple(torch.zeros(s) for s in (inputs if isinstance(inputs[0], tuple) else (inputs,)))


def adds_up(found: Summary) -> bool:
    names = ("parameters", "macs", "memory")
    for block in found.blocks:
        within = [
            x for x in found.layers if not block.path or f"{x.path}.".startswith(block.path + ".")
        ]
        if any(getattr(block, n) != sum(getattr(x, n) for x in within) for n in names):
            return False
    return all(getattr(found, n) == getattr(found.blocks[-1], n) for n in names)


def example(id: str, model: Any) -> tuple[Tensor, ...]:
    """Inputs of a system: an image, numbers, or the numbers of tokens."""
    size = model.hparams.get("image_size")
    if size:
        return (torch.zeros(1, model.in_channels, size, size),)
    if id in BY_HAND:
        return (torch.zeros(BY_HAND[id][0]),)
    (*inputs, _) = next(iter(tiny(catalog.find_system(id).data).val_dataloader()))
    return tuple(inputs)


@pytest.mark.parametrize("id", BY_HAND)
def test_a_system_of_the_catalog_agrees_with_the_numbers_worked_out_by_hand(id: str) -> None:
    shape, by_hand = BY_HAND[id]
    for model_class in catalog.find_system(id).forms.values():
        found = summary(model_class(), shape)
        assert (found.parameters, found.macs) == by_hand, model_class.__name__


@pytest.mark.parametrize("id", [s.id for s in catalog.systems()])
def test_every_system_of_the_catalog_agrees_with_the_flop_counter_of_torch(id: str) -> None:
    entry = catalog.find_system(id)
    images = issubclass(entry.data, LabelledImages)
    for model_class in entry.forms.values():
        table = {} if images or id in BY_HAND else arguments_for(model_class, tiny(entry.data))
        with torch.device("meta" if images else "cpu"):  # the largest would fill the memory
            model = model_class(**table)
        inputs = example(id, model)
        found = summary(model, inputs)
        assert adds_up(found)
        assert found.parameters == sum(p.numel() for p in model.parameters())
        assert counted(model, *inputs) == found.macs


@pytest.mark.parametrize("name", ZOO)
def test_multiply_adds_agree_with_a_hand_and_with_torchs_own_counter(name: str) -> None:
    make, inputs, by_hand = ZOO[name]
    found = summary(make(), inputs)
    assert found.macs == by_hand
    assert found.macs == counted(make(), *tensors(inputs))
    assert found.parameters == sum(p.numel() for p in make().parameters())
    assert adds_up(found)
    assert found.blocks[-1].output_shapes == tuple(
        tuple(x.shape) for x in torch.utils._pytree.tree_leaves(make().eval()(*tensors(inputs)))
    )


def test_vgg_at_full_size_takes_less_than_a_second_and_no_memory() -> None:
    layers: list[nn.Module] = []
    channels = 3
    with torch.device("meta"):  # its weights alone would be half a gigabyte
        for width in (64, 0, 128, 0, 256, 256, 0, 512, 512, 0, 512, 512, 0):
            conv = (nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(True)) if width else ()
            layers += conv or (nn.MaxPool2d(2),)
            channels = width or channels
        dense = (nn.Linear(25088, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU())
        model = nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(4096, 1000))
    start = time.perf_counter()
    found = summary(model, (1, 3, 224, 224))
    assert time.perf_counter() - start < 1
    assert found.parameters == 132_863_336
    assert found.macs == 7_609_090_048
    by_path = {layer.path: layer for layer in found.layers}
    assert (by_path["20"].receptive_field, by_path["20"].jump) == ((150, 150), (32, 32))


def seen_by_gradient(model: nn.Module, side: int) -> tuple[int, int]:
    """Rows and columns of the input that move the output's middle; and the step, from two rows."""
    model = model.double()
    x = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    y = model(x)
    middle = y.shape[-1] // 2
    rows = []
    for row in (middle, middle + 1):
        (grad,) = torch.autograd.grad(y[0, :, row, middle].sum(), x, retain_graph=True)
        rows.append(grad[0, 0].abs().sum(dim=1).nonzero().flatten())
    return len(range(int(rows[0].min()), int(rows[0].max()) + 1)), int(
        rows[1].min() - rows[0].min()
    )


WINDOWED = {
    "stride": nn.Sequential(nn.Conv2d(1, 2, 3, 2), nn.Conv2d(2, 2, 3, 2), nn.Conv2d(2, 1, 3)),
    "dilation": nn.Sequential(nn.Conv2d(1, 2, 3, dilation=2), nn.AvgPool2d(2), nn.Conv2d(2, 1, 2)),
    "one": nn.Sequential(nn.Conv2d(1, 1, 1)),
    "pools": nn.Sequential(nn.AvgPool2d(3, 2), nn.Sigmoid(), nn.AvgPool2d(2)),
    "padding": nn.Sequential(nn.ZeroPad2d(2), nn.Conv2d(1, 1, 5), nn.AvgPool2d(3, 1, 1)),
    "batch norm": nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 3)).eval(),
}


@pytest.mark.parametrize("name", WINDOWED)
def test_the_receptive_field_is_what_moves_an_output(name: str) -> None:
    size, jump = seen_by_gradient(WINDOWED[name], 31)
    last = summary(WINDOWED[name], (1, 1, 31, 31)).blocks[-1]
    assert (last.receptive_field, last.jump) == ((size, size), (jump, jump))


def test_the_receptive_field_goes_through_branches_and_ends_where_it_has_no_meaning() -> None:
    assert summary(Inception(), (1, 3, 7, 7)).blocks[-1].receptive_field == (5, 5)
    found = {x.path: x for x in summary(Basic(3, 4, 2), (1, 3, 9, 9)).layers}
    assert (found["conv2"].receptive_field, found["conv2"].jump) == ((7, 7), (2, 2))
    assert (found["short"].receptive_field, found["short"].jump) == ((1, 1), (2, 2))
    assert summary(nn.Linear(3, 3), (2, 3)).layers[0].receptive_field is None
    flat = summary(nn.Sequential(nn.Conv2d(1, 1, 3), nn.Flatten()), (1, 1, 3, 3))
    assert [x.receptive_field for x in flat.layers] == [(3, 3), None]
    temporal = nn.Sequential(nn.Conv1d(2, 2, 3), nn.MaxPool1d(2), nn.Conv1d(2, 2, 2))
    assert summary(temporal, (1, 2, 9)).layers[-1].receptive_field == (6,)
    up = nn.Sequential(nn.Conv2d(1, 1, 3), nn.ConvTranspose2d(1, 1, 2))
    assert summary(up, (1, 1, 5, 5)).layers[-1].receptive_field is None
    whole = nn.Sequential(nn.Conv2d(1, 1, 3), nn.AdaptiveAvgPool2d(1))
    assert summary(whole, (1, 1, 9, 9)).layers[-1].receptive_field == (9, 9)


def test_both_forms_of_lenet_see_the_same() -> None:
    lenet = catalog.find_system("lenet").forms
    found = [summary(m(), (1, 1, 28, 28)).layers for m in lenet.values()]
    fields = [[(x.path, x.receptive_field, x.jump) for x in layers] for layers in found]
    assert fields[0] == fields[1]
    assert fields[0][5][1:] == ((16, 16), (4, 4))


def test_memory_counts_each_output_once_and_a_view_not_at_all() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(True), nn.Identity(), nn.Unflatten(1, (2, 2)))
    found = summary(model, (3, 6))
    assert [x.memory for x in found.layers] == [3 * 4 * 4, 0, 0, 0]
    assert summary(model.double(), (3, 6)).memory == 2 * found.memory
    assert summary(nn.Identity(), (3, 6)).memory == 0
    assert summary(Basic(3, 4, 2), (1, 3, 9, 9)).memory == 4 * 100 * 6  # the sum is an output too


def test_sizes_of_zero_and_one() -> None:
    assert summary(nn.Linear(3, 2), (0, 3)).macs == 0
    assert summary(nn.Linear(1, 1), (1, 1)).macs == 1
    assert summary(nn.Flatten(), (2, 3, 4)).parameters == 0  # no parameters is no error
    assert summary(nn.Linear(3, 2), (3,)).layers[0].output_shape == (2,)
    assert summary(nn.Sequential(), (2, 3)).macs == 0


def test_vector_products_count() -> None:
    class Dot(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.ones(7))

        def forward(self, x: Tensor) -> Tensor:
            return x @ self.w

    assert summary(Dot(), (5, 7)).macs == 35
    assert summary(Dot(), (7,)).macs == 7


def test_inputs_may_be_shapes_tensors_tuples_or_a_dict() -> None:
    left, right = torch.zeros(7, 3), torch.zeros(7, 5)
    found = [
        summary(Two(), given)
        for given in (((7, 3), (7, 5)), [left, (7, 5)], {"left": left, "right": [7, 5]})
    ]
    assert found[0] == found[1] == found[2]
    scaled = summary(Two(), {"left": left, "right": right, "scale": (1,)})
    assert scaled.macs == found[0].macs

    class FromDict(nn.Module):
        def forward(self, batch: dict[str, Tensor]) -> Tensor:
            return batch["x"] + 1

    assert summary(FromDict(), {"x": (2, 3)}).layers[0].output_shape == (2, 3)
    state = (torch.zeros(1, 2, 4), torch.zeros(1, 2, 4))
    shapes = summary(nn.LSTM(3, 4), ((5, 2, 3), state)).layers[0].output_shapes
    assert shapes == ((5, 2, 4), (1, 2, 4), (1, 2, 4))


def test_shared_layers_count_every_call_and_their_weights_once() -> None:
    found = summary(Shared(), TOKENS)
    rows = {x.path: x for x in found.layers}
    assert (rows["hidden"].calls, rows["hidden"].macs) == (3, 3 * 10 * 64)
    assert (rows["embedding"].parameters, rows["out"].parameters) == (400, 0)


def test_weights_of_a_layer_that_is_never_called_are_not_lost() -> None:
    found = summary(nn.MultiheadAttention(8, 2), ((3, 1, 8),) * 3)
    assert found.parameters == 4 * 8 * 8 + 4 * 8
    assert {x.path: x.calls for x in found.layers} == {"": 1, "out_proj": 0}
    assert adds_up(found)


def test_frozen_parameters_do_not_learn() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    found = summary(model, (1, 3))
    assert (found.parameters, found.trainable) == (26, 10)


def test_lazy_layers_get_their_shapes_and_stay_lazy() -> None:
    model = nn.Sequential(nn.LazyConv2d(4, 3), nn.Flatten(), nn.LazyLinear(5))
    assert summary(model, (1, 2, 5, 5)).parameters == 4 * 19 + 36 * 5 + 5
    assert isinstance(model[0].weight, nn.UninitializedParameter)
    assert model(torch.zeros(1, 2, 5, 5)).shape == (1, 5)
    assert not any(m._forward_pre_hooks for m in model.modules())


class Restless(nn.Module):
    """Keeps what it saw, counts its calls, draws numbers and has tensors in plain places."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout())
        self.log: list[Tensor] = []
        self.calls, self.table = 0, {"shift": [torch.ones(3)]}
        self.register_buffer("steps", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        self.steps += 1
        self.last = self.net(x) + self.table["shift"][0] + torch.randn(3) + random.random()
        self.log.append(self.last)
        return self.last


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_exactly_as_it_was(training: bool) -> None:
    model = Restless().train(training)
    heard: list[Any] = []
    model.net[0].register_forward_hook(lambda *call: heard.append(call))
    model.net[0].weight.grad = torch.ones(3, 3)
    model(torch.ones(2, 3))  # what it keeps now has a graph and cannot be copied deeply
    heard.clear()
    attributes = {n: dict(vars(m)) for n, m in model.named_modules()}
    numbers = {n: t.clone() for n, t in model.state_dict().items()}
    hooks = [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()]
    chance, other = torch.get_rng_state(), random.getstate()
    assert summary(model, (4, 3)).macs == 36
    assert [len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules()] == hooks
    for name, module in model.named_modules():
        assert vars(module) == attributes[name]
    assert all(torch.equal(t, numbers[n]) for n, t in model.state_dict().items())
    assert torch.equal(model.net[0].weight.grad, torch.ones(3, 3))
    assert torch.equal(torch.get_rng_state(), chance)
    assert random.getstate() == other
    assert (heard, len(model.log), model.calls) == ([], 1, 1)
    assert model.training is training


class LooksInside(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.a(x)
        return self.b(x) if x.sum() > 100 else x


def test_a_model_that_looks_at_its_data_wants_data() -> None:
    with pytest.raises(InsightError, match=r"looks at its data.*pass example tensors"):
        summary(LooksInside(), (2, 3))
    found = summary(LooksInside(), torch.zeros(2, 3))
    assert (found.macs, found.parameters) == (18, 20)
    assert found.macs == summary(nn.Linear(3, 3), (2, 3)).macs

    class Cut(Recurrent):
        def forward(self, tokens: Tensor) -> tuple[Tensor, Any]:
            return super().forward(tokens[: int(tokens.max()) + 1])

    assert summary(Cut(), TOKENS + 4).macs == summary(Recurrent(), TOKENS).macs

    class Numpy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.tensor(x.numpy().sum())

    with pytest.raises(InsightError, match="looks at its data"):
        summary(Numpy(), (2, 3))
    assert summary(Numpy(), torch.ones(2, 3)).layers[0].output_shape == ()


@pytest.mark.parametrize(
    ("model", "inputs", "told"),
    [
        (nn.Linear(3, 2), (1, 4), "raised RuntimeError in forward"),
        (nn.Sequential(nn.ReLU(), nn.Linear(3, 2)), (1, 4), "RuntimeError in 1:"),
        (nn.Embedding(3, 2), (1, 4), "whole numbers as example tensors"),
        (Two(), (7, 3), "wants .*left.*right.*, got 1"),
        (Two(), {"left": (7, 3), "wrong": (7, 5)}, "got the names left, wrong"),
        (nn.Module(), (1,), "NotImplementedError"),
        (nn.Linear(3, 2), (1, -3), "a shape such as"),
        (nn.Linear(3, 2), (1, 2.5), "a shape such as"),
        (nn.Linear(3, 2), "1x3", "a shape such as"),
        (nn.Linear(3, 2), None, "a shape such as"),
    ],
)
def test_what_cannot_be_looked_into_is_one_clear_line(
    model: nn.Module, inputs: Any, told: str
) -> None:
    with pytest.raises(InsightError, match=told) as caught:
        summary(model, inputs)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, ValueError)


def test_compiled_models_and_their_weights_in_plain_lists_are_followed() -> None:
    class Listed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = [nn.Linear(3, 4), nn.Linear(4, 2)]

        def forward(self, x: Tensor) -> Tensor:
            return self.layers[1](self.layers[0](x))

    found = summary(Listed(), (1, 3))
    assert (found.macs, found.parameters) == (20, 0)  # parameters() does not see them either
    assert summary(torch.compile(nn.Linear(3, 4)), (1, 3)).macs == 12
    model = nn.Linear(3, 4)
    model.compile()
    model._compiled_call_impl = lambda *args: pytest.fail("the model itself was called")
    assert summary(model, (1, 3)).macs == 12


def test_inference_mode_inside_hides_nothing() -> None:
    class Predicts(nn.Linear):
        @torch.inference_mode()
        def forward(self, x: Tensor) -> Tensor:
            return super().forward(x)

    assert summary(Predicts(3, 4), (2, 3)).macs == 24


def test_the_text_has_a_row_for_each_block_and_a_total() -> None:
    found = summary(nn.Sequential(Inception(), nn.Flatten()), (1, 3, 7, 7))
    lines = str(found).splitlines()
    assert len(lines) == 1 + len(found.blocks)
    assert lines[-1].startswith("total")
    assert f"{found.macs:,}" in lines[-1]
    assert "1×12×7×7" in lines[1]
    assert [line.split()[0] for line in lines[1:4]] == ["0", "one", "three"]
