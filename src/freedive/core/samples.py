"""What a trained classifier gets wrong, for people to look at."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from freedive.core.figures import confusion_figure, figure_bytes, gallery_figure
from freedive.core.files import write_json, write_whole
from freedive.core.metrics import confusion_matrix

if TYPE_CHECKING:
    from freedive.core.data import DataModule

GALLERY = 32  # wrong predictions that are shown


@torch.no_grad()
def collect(
    model: nn.Module, batches: Iterable[Any]
) -> tuple[Float[Tensor, "n *inputs"], Float[Tensor, "n classes"], Int[Tensor, " n"]]:
    """Inputs, logits and targets of all batches, on the CPU; the model predicts in eval mode."""
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    parts = [(X.cpu(), model(X.to(device)).float().cpu(), y.cpu()) for X, y in batches]
    model.train(training)
    X, logits, y = (torch.cat(columns) for columns in zip(*parts, strict=True))
    return X, logits, y


def classifier_samples(model: nn.Module, data: "DataModule", folder: Path) -> list[str]:
    """Write the confusion matrix and, for images, a gallery of the surest wrong predictions."""
    batches = data.val_dataloader()
    if batches is None:
        return []
    X, logits, y = collect(model, batches)
    num_classes = max(logits.shape[1], 2)
    names = list(getattr(data, "class_names", map(str, range(num_classes))))[:num_classes]
    predicted = logits.argmax(dim=1) if logits.shape[1] > 1 else (logits[:, 0] > 0).long()
    matrix = confusion_matrix(predicted, y, num_classes)
    counts = {"data": data.label, "classes": names, "matrix": matrix.tolist()}
    write_json(folder / "confusion.json", counts)
    picture = confusion_figure(matrix, names, title=data.label)
    write_whole(folder / "confusion.svg", figure_bytes(picture))
    wrong = (predicted != y).nonzero()[:, 0]
    lines = [f"{len(wrong)} of {len(y)} wrong: {worst_confusion(matrix, names)}"]
    if X.dim() == 4 and len(wrong):
        sureness = logits.softmax(dim=1).amax(dim=1)[wrong]
        rows = wrong[sureness.argsort(descending=True, stable=True)[:GALLERY]]
        titles = [f"{names[y[i]]}\n→ {names[predicted[i]]}" for i in rows]
        gallery = gallery_figure(X[rows], titles, f"wrong predictions on {data.label}")
        write_whole(folder / "wrong.png", figure_bytes(gallery, "png"))
    return lines


def worst_confusion(matrix: Int[Tensor, "classes classes"], names: list[str]) -> str:
    """The pair of classes that are taken for each other most often."""
    off = matrix.clone().fill_diagonal_(0)
    if not int(off.sum()):
        return "nothing is confused"
    true, predicted = divmod(int(off.argmax()), len(names))
    return f"most often {names[true]} taken for {names[predicted]} ({int(off.max())} times)"
