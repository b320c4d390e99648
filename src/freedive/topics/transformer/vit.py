"""The vision transformer: an image as a sentence of patches (section 11.8)."""

from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from freedive.catalog import system
from freedive.core.errors import UsageError
from freedive.core.hyperparameters import Count, NonNegative, Positive, Probability
from freedive.core.module import Classifier
from freedive.core.schedules import Schedule, scheduled
from freedive.data.fashion_mnist import FashionMNIST
from freedive.topics.attention.positions import LearntPositions
from freedive.topics.transformer import concise
from freedive.topics.transformer.blocks import (
    EncoderBlock,
    Parts,
    Shape,
    init_transformer,
    last_norm,
)

SMALL: dict[str, Any] = {
    "resize": None,
    "patch_size": 7,
    "num_hiddens": 96,
    "mlp_num_hiddens": 192,
    "num_heads": 4,
    "num_blks": 3,
    "dropout": 0.0,  # in few epochs nothing is learnt by heart
    "lr": 0.002,
    "optimizer": "adam",
    "schedule": "cosine",
    "weight_decay": 0.05,
    "max_epochs": 8,
}


def patches(
    X: Float[Tensor, "batch channels height width"], size: int
) -> Float[Tensor, "batch patches numbers"]:
    """Squares that lie side by side, row by row; each is all its numbers, channel by channel.

    Raises:
        UsageError: the squares do not fill the image.
    """
    height, width = X.shape[2:]
    check_patches(height, width, size)
    # (batch, channels, rows, size, columns, size): the axes of a square come last
    squares = X.unflatten(3, (width // size, size)).unflatten(2, (height // size, size))
    return squares.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def check_patches(height: int, width: int, size: int) -> None:
    """Raise `UsageError` for squares that do not fill an image."""
    if height % size or width % size or not height * width:
        fitting = [side for side in range(1, height + 1) if not (height % side or width % side)]
        near = min(fitting, key=lambda side: abs(side - size), default=size)
        raise UsageError(
            f"patches of {size}×{size} do not fill an image of {height}×{width}: pass "
            f"patch_size={near}, or resize={max(1, round(height / size)) * size} to the data"
        )


class PatchEmbedding(nn.Module):
    """A vector for each patch: one linear map for all (section 11.8.2).

    This is a convolution whose kernel and stride are the patch.

    Args:
        parts: what it is made of.
        in_channels: channels of an image.
        patch_size: height and width of a patch.
        num_hiddens: numbers that stand for a patch.
    """

    def __init__(self, parts: Parts, in_channels: int, patch_size: int, num_hiddens: int):
        super().__init__()
        self.patch_size = patch_size
        self.dense = parts.linear(in_channels * patch_size**2, num_hiddens)

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch patches h"]:
        """The vectors, row by row."""
        return self.dense(patches(X, self.patch_size))


@system(
    "vit",
    section="11.8",
    data=FashionMNIST,
    trainer={"max_epochs": 10},
    data_settings={"resize": 96, "batch_size": 128},
    presets={"book": {}, "small": SMALL},
)
class ViT(Classifier):
    """The vision transformer: blocks over patches and a token for the class (section 11.8).

    Args:
        in_channels: channels of an image.
        image_size: height and width of an image.
        num_classes: classes.
        patch_size: height and width of a patch; divides those of the image.
        num_hiddens: numbers that stand for a patch, from the first block to the last.
        mlp_num_hiddens: hidden units of the position-wise networks.
        num_heads: heads of each attention.
        num_blks: blocks.
        dropout: share of the embeddings and of each layer's result that is dropped in training.
        bias: whether the maps of the attentions have one.
        lr: the learning rate, or its peak where there is a schedule.
        optimizer: minibatch SGD, as in the book, or Adam.
        schedule: constant, or cosine: up to ``lr`` in a fifth of the time, then half a cosine.
        weight_decay: λ of the decay, decoupled for Adam.

    Raises:
        UsageError: the patches do not fill an image.
    """

    parts: ClassVar[Parts] = concise.PARTS

    def __init__(
        self,
        in_channels: Count = 1,
        image_size: Count = 96,
        num_classes: Count = 10,
        patch_size: Count = 16,
        num_hiddens: Count = 512,
        mlp_num_hiddens: Count = 2048,
        num_heads: Count = 8,
        num_blks: Count = 2,
        dropout: Probability = 0.1,
        bias: bool = False,
        lr: Positive = 0.1,
        optimizer: Literal["sgd", "adam"] = "sgd",
        schedule: Schedule = "constant",
        weight_decay: NonNegative = 0.0,
    ):
        super().__init__()
        self.save_hyperparameters()
        check_patches(image_size, image_size, patch_size)
        shape = Shape(
            num_hiddens,
            mlp_num_hiddens,
            num_heads,
            dropout,
            norm_first=True,
            bias=bias,
            activation="gelu",
        )
        num_tokens = (image_size // patch_size) ** 2 + 1
        self.embedding = PatchEmbedding(self.parts, in_channels, patch_size, num_hiddens)
        self.class_token = nn.Parameter(torch.zeros(1, 1, num_hiddens))
        self.positions = LearntPositions(num_hiddens, num_tokens)
        self.drop = self.parts.dropout(dropout)
        self.blocks = nn.ModuleList(EncoderBlock(self.parts, shape) for _ in range(num_blks))
        self.norm = last_norm(self.parts, shape)
        self.head = self.parts.linear(num_hiddens, num_classes)
        init_transformer(self)

    def forward(
        self, X: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch classes"]:
        """The logits: what the token for the class has found in all patches.

        Raises:
            UsageError: other images than the layers were made for.
        """
        size = self.image_size
        if X.shape[1:] != (self.in_channels, size, size):
            raise UsageError(
                f"{type(self).__name__} was made for images of {self.in_channels}×{size}×{size}, "
                f"got a batch of {'×'.join(map(str, X.shape))}: pass resize={size} to the data, or "
                "in_channels and image_size to the model"
            )
        H = torch.cat([self.class_token.expand(len(X), -1, -1), self.embedding(X)], dim=1)
        H = self.drop(self.positions(H))
        for block in self.blocks:
            H = block(H)
        return self.head(self.norm(H[:, 0]))

    def configure_optimizers(self) -> Any:
        """SGD or AdamW, with a constant rate or a schedule over all steps."""
        kind: Any = {"sgd": torch.optim.SGD, "adam": torch.optim.AdamW}[self.optimizer]
        optim = kind(self.parameters(), lr=self.lr, weight_decay=self.weight_decay)
        return scheduled(optim, self.trainer, self.schedule)
