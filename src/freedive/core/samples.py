"""What a trained classifier gets wrong, for people to look at."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Int
from torch import Tensor, nn

from freedive.core.figures import confusion_figure, figure_bytes, gallery_figure
from freedive.core.files import write_json, write_whole
from freedive.core.metrics import confusion_matrix
from freedive.core.predicting import predicting

if TYPE_CHECKING:
    from freedive.core.data import DataModule

GALLERY = 32  # wrong predictions that are shown


@dataclass
class Mistakes:
    """What a classifier made of the validation examples; only the surest mistakes are kept whole.

    Attributes:
        true, predicted: the class of every example.
        images: the inputs of at most `GALLERY` wrong predictions, the surest first.
        shown: their (sureness, true class, predicted class).
    """

    true: Int[Tensor, " n"]
    predicted: Int[Tensor, " n"]
    images: Tensor
    shown: list[tuple[float, int, int]]


def collect_mistakes(model: nn.Module, batches: Iterable[Any]) -> Mistakes:
    """Predict all batches in eval mode."""
    device = next(model.parameters()).device
    true, predicted, images = [], [], torch.empty(0)
    shown: list[tuple[float, int, int]] = []
    with predicting(model):
        for X, y in batches:
            logits = model(X.to(device)).float().cpu()
            guess = logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
            y = y.cpu()
            wrong = (guess != y).nonzero()[:, 0]
            sure = logits[wrong].softmax(dim=1).amax(dim=1)
            shown += zip(sure.tolist(), y[wrong].tolist(), guess[wrong].tolist(), strict=True)
            images = torch.cat([images, X.cpu()[wrong]]) if len(images) else X.cpu()[wrong]
            best = sorted(range(len(shown)), key=lambda i: -shown[i][0])[:GALLERY]
            images, shown = images[best], [shown[i] for i in best]
            true.append(y)
            predicted.append(guess)
    return Mistakes(torch.cat(true), torch.cat(predicted), images, shown)


def classifier_samples(model: nn.Module, data: "DataModule", folder: Path) -> list[str]:
    """Write the confusion matrix and, for images, a gallery of the surest wrong predictions."""
    batches = data.val_dataloader()
    if batches is None:
        return []
    found = collect_mistakes(model, batches)
    num_classes = 1 + max(1, int(found.true.max()), int(found.predicted.max()))
    names = list(getattr(data, "class_names", ()))
    names += map(str, range(len(names), num_classes))
    num_classes = len(names)
    matrix = confusion_matrix(found.predicted, found.true, num_classes)
    counts = {"data": data.label, "classes": names, "matrix": matrix.tolist()}
    write_json(folder / "confusion.json", counts)
    picture = confusion_figure(matrix, names, title=data.label)
    write_whole(folder / "confusion.svg", figure_bytes(picture))
    if found.images.dim() == 4 and found.shown:
        titles = [f"{names[true]}\n→ {names[guess]}" for _, true, guess in found.shown]
        gallery = gallery_figure(found.images, titles, f"wrong predictions on {data.label}")
        write_whole(folder / "wrong.png", figure_bytes(gallery, "png"))
    wrong = int((found.predicted != found.true).sum())
    return [f"{wrong} of {len(found.true)} wrong: {worst_confusion(matrix, names)}"]


def worst_confusion(matrix: Int[Tensor, "classes classes"], names: list[str]) -> str:
    """The pair of classes that are taken for each other most often."""
    off = matrix.clone().fill_diagonal_(0)
    if not int(off.sum()):
        return "nothing is confused"
    true, predicted = divmod(int(off.argmax()), len(names))
    return f"most often {names[true]} taken for {names[predicted]} ({int(off.max())} times)"
