"""An experiment that looks at what LeNet's convolutional layers answer (section 7.6)."""

from typing import Annotated, Any, NamedTuple

import torch
from torch import Tensor

from freedive.catalog import lab
from freedive.core.errors import UsageError, unknown
from freedive.core.hyperparameters import Bounds, Whole
from freedive.core.random import preserved_random_state, seed_everything
from freedive.core.report import Report
from freedive.core.trainer import Trainer
from freedive.data.fashion_mnist import Garments
from freedive.topics.convolution.lenet import MODERN, LeNet
from freedive.topics.convolution.maps_figures import maps_figure

BATCH, LR = 32, 0.05  # smaller batches and steps than in MODERN: a short training goes farther
DRAWN = 5  # classes


class Look(NamedTuple):
    """What a model answers to images: both layers' maps, and its share of right guesses."""

    maps: list[Tensor]
    accuracy: float


@lab("feature-maps", section="7.6")
def feature_maps(
    classes: str = "pullover, coat",
    num_train: Annotated[int, Bounds(100, 60_000, whole=True)] = 4000,
    max_epochs: Annotated[int, Bounds(1, 20, whole=True)] = 2,
    seed: Whole = 0,
) -> Report:
    """What both convolutional layers of LeNet answer to garments, before and after training.

    Args:
        classes: whose feature maps are drawn, such as "pullover, coat" or "ankle boot".
        num_train: garments to learn from, drawn by code.
        max_epochs: passes over them.
        seed: of the weights, and of the order of the garments.
    """
    data = Garments(BATCH, num_train=num_train, num_val=1000)
    labels = read_classes(classes, data.class_names)
    X, y = data.val[0] / 255, data.val[1]
    settings: dict[str, Any] = {**MODERN, "lr": LR}
    del settings["batch_size"]
    with preserved_random_state():
        seed_everything(seed)
        model = LeNet(**settings)
        looks = {"before": look(model, X, y)}
        Trainer(max_epochs, seed=seed, device="cpu", progress=False).fit(model, data)
        looks["after"] = look(model, X, y)
    rows = [int((y == label).nonzero()[0]) for label in labels]
    shown = {when: [maps[rows] for maps in seen.maps] for when, seen in looks.items()}
    return Report(
        numbers={f"accuracy {when} training": seen.accuracy for when, seen in looks.items()},
        tables={f"both layers, on {len(X):,} garments": table(looks)},
        figures={"maps": maps_figure(X[rows, 0], data.text_labels(labels), shown)},
        notes=[
            "The garments are synthetic, drawn by code.",
            "A map of the first layer answers to edges of one direction, to bright cloth or to the "
            "dark around it; one of the second layer to an arrangement of these, such as a sleeve.",
            "A silent map answers 0 to every garment: its ReLU has died.",
        ],
    )


def read_classes(text: str, names: tuple[str, ...]) -> list[int]:
    """The numbers of classes, from their names between commas."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in names:
            raise unknown("class", word, names)
    if not 1 <= len(words) <= DRAWN:
        raise UsageError(f"wanted are 1 to {DRAWN} classes, got {len(words)}: pass 'coat, bag'")
    return [names.index(word) for word in words]


@torch.no_grad()
def look(model: LeNet, X: Tensor, y: Tensor) -> Look:
    """The maps and the accuracy of a model as it is now."""
    model.eval()
    return Look(model.feature_maps(X), float(model.accuracy(model(X), y)))


def table(looks: dict[str, Look]) -> list[dict[str, Any]]:
    """Each layer before and after: its maps, how many are silent, how much is zero."""
    return [
        {
            "layer": layer + 1,
            "training": when,
            "maps": " × ".join(map(str, maps.shape[1:])),
            "silent maps": int((maps.amax(dim=(0, 2, 3)) == 0).sum()),
            "zeros": float((maps == 0).float().mean()),
            "mean answer": float(maps.mean()),
        }
        for layer in range(2)
        for when, maps in ((when, seen.maps[layer]) for when, seen in looks.items())
    ]
