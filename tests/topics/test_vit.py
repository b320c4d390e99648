"""The vision transformer and how it cuts an image."""

import math

import pytest
import torch
from torch import nn

from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.data.fashion_mnist import Garments
from freedive.topics.transformer.concise import PARTS
from freedive.topics.transformer.vit import PatchEmbedding, ViT, patches


def small_vit(**arguments):
    settings = {"image_size": 12, "patch_size": 4, "num_hiddens": 16, "mlp_num_hiddens": 24,
                "num_heads": 2, "num_blks": 2}  # fmt: skip
    return ViT(**{**settings, **arguments})


def slow_patches(X, size):
    """Square by square, with slices."""
    rows, columns = X.shape[2] // size, X.shape[3] // size
    return torch.stack(
        [
            X[:, :, i * size : (i + 1) * size, j * size : (j + 1) * size].flatten(1)
            for i in range(rows)
            for j in range(columns)
        ],
        dim=1,
    )


IMAGES = [  # shape, size of a patch
    ((2, 1, 4, 4), 2),
    ((2, 3, 6, 6), 3),
    ((2, 3, 6, 9), 3),
    ((1, 2, 5, 5), 1),
    ((3, 3, 7, 7), 7),
    ((0, 1, 4, 4), 2),
    ((2, 0, 4, 4), 2),
]


@pytest.mark.parametrize(("shape", "size"), IMAGES)
def test_patches_are_squares_row_by_row(shape, size):
    X = torch.randn(shape)
    found = patches(X, size)
    assert torch.equal(found, slow_patches(X, size))
    assert found.shape[2] == shape[1] * size**2


@pytest.mark.parametrize(("shape", "size"), IMAGES[:5])
def test_patches_are_those_of_unfold(shape, size):
    X = torch.randn(shape)
    columns = nn.functional.unfold(X, kernel_size=size, stride=size)
    assert torch.equal(patches(X, size), columns.transpose(1, 2))


def test_patches_of_images_that_do_not_lie_in_a_row():
    X = torch.randn(2, 6, 9, 3).permute(0, 3, 1, 2)  # channels last
    assert torch.equal(patches(X, 3), slow_patches(X.contiguous(), 3))
    assert torch.equal(patches(X[..., ::3], 3), slow_patches(X[..., ::3].clone(), 3))
    assert torch.equal(patches(X.half(), 3), slow_patches(X.half(), 3))


@pytest.mark.parametrize(("shape", "size"), IMAGES[:5])
def test_the_embedding_is_a_convolution_that_strides_by_its_kernel(shape, size):
    X = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    embedding = PatchEmbedding(PARTS, shape[1], size, 5).double()
    conv = nn.Conv2d(shape[1], 5, kernel_size=size, stride=size).double()
    with torch.no_grad():
        conv.weight.copy_(embedding.dense.weight.view_as(conv.weight))
        conv.bias.copy_(embedding.dense.bias)
    outputs = embedding(X), conv(X).flatten(2).transpose(1, 2)
    assert torch.allclose(*outputs)
    assert torch.allclose(*(torch.autograd.grad(Y.square().sum(), X)[0] for Y in outputs))


@pytest.mark.parametrize(
    ("side", "size", "way_out"),
    [
        (28, 5, "pass patch_size=4, or resize=30 to the data"),
        (28, 29, "pass patch_size=28, or resize=29 to the data"),
        (97, 16, "pass patch_size=1, or resize=96 to the data"),
        (3, 8, "pass patch_size=3, or resize=8 to the data"),
    ],
)
def test_patches_that_do_not_fill_an_image_are_refused(side, size, way_out):
    message = f"patches of {size}×{size} do not fill an image of {side}×{side}: {way_out}"
    with pytest.raises(UsageError, match=f"^{message}$"):
        small_vit(image_size=side, patch_size=size)
    with pytest.raises(UsageError, match=f"of {size}×{size} .* of {side}×{side}"):
        patches(torch.zeros(1, 1, side, side), size)


def test_an_image_that_one_side_of_a_patch_divides_is_refused():
    with pytest.raises(UsageError, match="patches of 4×4 do not fill an image of 8×6: pass"):
        patches(torch.zeros(1, 1, 8, 6), 4)
    with pytest.raises(UsageError, match="do not fill an image of 0×4"):
        patches(torch.zeros(1, 1, 0, 4), 4)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1, 3, 5, 15])
@pytest.mark.parametrize("hiddens", [(6, 7), (9, 5)])
def test_logits_for_odd_sizes(channels, size, hiddens):
    width, mlp = hiddens
    model = small_vit(image_size=15, patch_size=size, in_channels=channels, num_classes=7,
                      num_hiddens=width, mlp_num_hiddens=mlp, num_heads=3)  # fmt: skip
    assert model(torch.randn(2, channels, 15, 15)).shape == (2, 7)
    assert model(torch.randn(0, channels, 15, 15)).shape == (0, 7)


@pytest.mark.parametrize("shape", [(2, 3, 12, 12), (2, 1, 12, 8), (2, 1, 16, 16), (2, 0, 12, 12)])
def test_other_images_than_it_was_made_for_are_refused(shape):
    with pytest.raises(UsageError, match="ViT was made for images of 1×12×12, got a batch of"):
        small_vit()(torch.zeros(shape))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("channels", [1, 3])
def test_its_parameters_are_those_of_the_formula(bias, channels):
    h, m, p, n, blocks, classes = 16, 24, 4, 9, 3, 10
    model = small_vit(num_blks=blocks, in_channels=channels, bias=bias)
    attention = 4 * h**2 + 4 * h * bias
    block = attention + (h * m + m) + (m * h + h) + 2 * 2 * h
    embedding = channels * p**2 * h + h
    expected = embedding + h + (n + 1) * h + blocks * block + 2 * h + h * classes + classes
    assert sum(parameter.numel() for parameter in model.parameters()) == expected


def test_the_books_size():
    model = ViT()
    assert (model.positions.max_len, len(model.blocks)) == (37, 2)  # 36 patches and the class
    assert sum(parameter.numel() for parameter in model.parameters()) == 6_457_866


def test_the_token_for_the_class_sees_all_patches():
    model, X = small_vit().eval(), torch.randn(1, 1, 12, 12, requires_grad=True)
    model(X)[0, 0].backward()
    assert patches(X.grad, 4).abs().sum(dim=2).gt(1e-6).all()


def test_no_image_sees_another():
    model, X = small_vit().eval(), torch.randn(4, 1, 12, 12)
    alone = torch.cat([model(x) for x in X.split(1)])
    assert torch.allclose(model(X), alone, atol=1e-6)


def moved_patches(X, order, size):
    """Images whose patches change places: patch ``order[i]`` comes to place i."""
    columns = patches(X, size).transpose(1, 2)[:, :, order]
    return nn.functional.fold(columns, X.shape[2:], kernel_size=size, stride=size)


@torch.no_grad()
def test_patches_that_move_with_their_positions_change_nothing():
    model = small_vit().eval().double()
    model.positions.weight.normal_()
    X, order = torch.randn(3, 1, 12, 12, dtype=torch.float64), torch.randperm(9)
    before, moved = model(X), moved_patches(X, order, 4)
    assert not torch.allclose(model(moved), before, atol=1e-3)
    model.positions.weight[1:] = model.positions.weight[1:][order]
    assert torch.allclose(model(moved), before)


@torch.no_grad()
def test_without_positions_the_order_of_patches_means_nothing():
    model = small_vit().eval().double()
    model.positions.weight[1:] = 0
    X = torch.randn(3, 1, 12, 12, dtype=torch.float64)
    assert torch.allclose(model(moved_patches(X, torch.randperm(9), 4)), model(X))


@torch.no_grad()
def test_it_is_torchs_encoder_over_patches():
    model = small_vit(bias=True, in_channels=3).eval().double()
    h = model.num_hiddens
    encoder = nn.TransformerEncoder(
        nn.TransformerEncoderLayer(h, 2, 24, activation="gelu", batch_first=True, norm_first=True),
        num_layers=2,
        norm=nn.LayerNorm(h),
        enable_nested_tensor=False,
    ).double()
    for block, layer in zip(model.blocks, encoder.layers, strict=True):
        ours = block.self_attention
        maps = (ours.W_q, ours.W_k, ours.W_v)
        layer.self_attn.in_proj_weight.copy_(torch.cat([m.weight for m in maps]))
        for m in (*maps, ours.W_o):
            m.bias.normal_()
        layer.self_attn.in_proj_bias.copy_(torch.cat([m.bias for m in maps]))
        layer.self_attn.out_proj.load_state_dict(ours.W_o.state_dict())
        layer.linear1.load_state_dict(block.ffn.dense1.state_dict())
        layer.linear2.load_state_dict(block.ffn.dense2.state_dict())
    X = torch.randn(5, 3, 12, 12, dtype=torch.float64)
    tokens = torch.cat([model.class_token.expand(5, 1, h), model.embedding(X)], dim=1)
    expected = model.head(encoder.eval()(tokens + model.positions.weight)[:, 0])
    assert torch.allclose(model(X), expected)


def test_dropout_draws_only_in_training():
    model, X = small_vit(dropout=0.5), torch.randn(2, 1, 12, 12)
    assert not torch.equal(model(X), model(X))
    assert torch.equal(model.eval()(X), model(X))
    plain = small_vit(dropout=0.0)
    assert torch.equal(plain.train()(X), plain.eval()(X))


def test_the_optimizer_is_the_books_or_adam_with_decoupled_decay():
    book = small_vit().configure_optimizers()
    assert isinstance(book, torch.optim.SGD)
    assert book.defaults["lr"] == 0.1
    adam = small_vit(optimizer="adam", weight_decay=0.1).configure_optimizers()
    assert isinstance(adam, torch.optim.AdamW)
    assert adam.defaults["weight_decay"] == 0.1


def test_the_rate_follows_the_cosine():
    data = Garments(batch_size=8, num_train=40, num_val=8, resize=12)
    model = small_vit(optimizer="adam", schedule="cosine", lr=0.01)
    trainer = Trainer(max_epochs=2, seed=0, progress=False, device="cpu")
    history = trainer.fit(model, data)
    assert math.isfinite(history.last["val_loss"])
    assert trainer.optim.param_groups[0]["lr"] < 0.001
