"""What weight decay does: before and after, step by step, and to a curve (section 3.7)."""

from dataclasses import dataclass
from typing import Annotated, Any

import torch
from jaxtyping import Float
from torch import Tensor

from freedive.catalog import lab
from freedive.core.hooks import Callback
from freedive.core.hyperparameters import Bounds, NonNegative, Positive, Whole
from freedive.core.random import preserved_random_state, seed_everything
from freedive.core.report import Report
from freedive.core.trainer import Trainer
from freedive.topics.generalization import weight_decay_figures as figures
from freedive.topics.generalization.many_inputs import ManyInputs
from freedive.topics.generalization.scratch import WeightDecayScratch, l2_penalty


@dataclass(frozen=True)
class Training:
    """One training from the lab.

    Attributes:
        train, val: the losses after each epoch, without the penalty.
        norms: ‖w‖ before training and after each epoch.
        w: the last weights.
    """

    train: list[float]
    val: list[float]
    norms: list[float]
    w: Float[Tensor, " num_inputs"]


class Norms(Callback):
    """Notes ‖w‖ after each epoch."""

    def __init__(self) -> None:
        self.found: list[float] = []

    def on_measured(self, trainer: Any) -> None:
        """One more epoch has ended."""
        self.found.append(float(trainer.model.get_w_b()[0].norm()))


def train(lambd: float, data: ManyInputs, lr: float, max_epochs: int, seed: int) -> Training:
    """The model from scratch on these data; one seed gives one start, whatever λ is."""
    with preserved_random_state():
        seed_everything(seed)
        model, norms = WeightDecayScratch(data.hparams["num_inputs"], lambd, lr), Norms()
        first = float(model.get_w_b()[0].norm())
        trainer = Trainer(max_epochs, seed=seed, device="cpu", progress=False, callbacks=[norms])
        history = trainer.fit(model, data)
    w = model.get_w_b()[0]
    return Training(history["train_loss"], history["val_loss"], [first, *norms.found], w)


@lab("weight-decay", section="3.7")
def weight_decay(
    lambd: NonNegative = 3.0,
    num_inputs: Annotated[int, Bounds(1, 1000, whole=True)] = 200,
    num_train: Annotated[int, Bounds(2, 1000, whole=True)] = 20,
    lr: Positive = 0.01,
    max_epochs: Annotated[int, Bounds(1, 200, whole=True)] = 10,
    seed: Whole = 0,
) -> Report:
    """Weight decay: many features, few examples, without a penalty and with it.

    Args:
        lambd: λ, the strength of the penalty; beside it stands a run without.
        num_inputs: features of an example.
        num_train: examples to learn from.
        lr: the learning rate.
        max_epochs: passes over the examples.
        seed: of the examples, the first weights and the order.
    """
    data = ManyInputs(num_inputs, num_train=num_train, data_seed=seed)
    runs = {s: train(s, data, lr, max_epochs, seed) for s in dict.fromkeys((0.0, lambd))}
    last = runs[lambd]
    return Report(
        numbers={
            "‖w‖ with λ": last.norms[-1],
            "½‖w‖² with λ": last.norms[-1] ** 2 / 2,
            "‖w‖ without": runs[0.0].norms[-1],
            "validation loss with λ": last.val[-1],
            "validation loss without": runs[0.0].val[-1],
            "loss of always saying 0.05": data.constant_loss,
            "a step keeps of a weight": 1 - lr * lambd,
        },
        tables={
            "by λ": [run_row(s, run, data) for s, run in runs.items()],
            "one step by hand": step_rows(lambd, data, lr, seed),
        },
        figures={
            "losses": figures.losses_figure(
                {s: (r.train, r.val) for s, r in runs.items()}, data.constant_loss
            ),
            "weights": figures.weights_figure(
                {s: (r.norms, r.w) for s, r in runs.items()}, float(data.w.norm())
            ),
            "smoothness": figures.smoothness_figure(seed),
            "paths": figures.paths_figure(seed),
        },
        notes=notes(lambd, lr, last.val[-1], runs[0.0].val[-1], data.constant_loss),
    )


def run_row(lambd: float, run: Training, data: ManyInputs) -> dict[str, float]:
    """How one training ended."""
    row = {"λ": lambd, "training loss": run.train[-1], "validation loss": run.val[-1]}
    row |= {"loss of always 0.05": data.constant_loss}
    return row | {"½‖w‖²": float(l2_penalty(run.w)), "‖w‖": run.norms[-1]}


def step_rows(lambd: float, data: ManyInputs, lr: float, seed: int) -> list[dict[str, float]]:
    """The first minibatch, a few weights: w ← (1 − ηλ)w − η · gradient, part by part."""
    chance = torch.Generator().manual_seed(seed)
    w = 0.01 * torch.randn(data.X.shape[1], 1, generator=chance)
    X, y = data.X[: data.batch_size], data.y[: data.batch_size]
    gradient = X.T @ (X @ w - y) / len(X)
    return [
        {
            "weight": i,
            "before": float(w[i]),
            "kept, (1 − ηλ)w": (1 - lr * lambd) * float(w[i]),
            "gradient": float(gradient[i]),
            "after": (1 - lr * lambd) * float(w[i]) - lr * float(gradient[i]),
        }
        for i in range(min(4, len(w)))
    ]


def notes(lambd: float, lr: float, val: float, without: float, constant: float) -> list[str]:
    """What the numbers mean."""
    told = [
        f"Each step keeps {1 - lr * lambd:.4g} of every weight and then follows the data; the "
        "bias is left alone.",
        "Weights of 0.01 each have the norm √(0.0001 · inputs): that is what could be found.",
    ]
    if lr * lambd > 1:
        told.append("ηλ above 1 turns each weight's sign at every step; above 2 it explodes.")
    if val < without:
        told.append("The penalty lowers the loss on unseen examples: there is less overfitting.")
    if val >= constant:
        told.append("Yet it is no lower than that of always saying 0.05: little was learnt.")
    return told
