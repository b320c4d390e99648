"""A model of one's own, trained on the drawn garments: python examples/own_model.py"""

from torch import nn

import freedive


class Bottleneck(freedive.Classifier):
    """A multilayer perceptron with a narrow waist."""

    def __init__(self, num_waist: int = 16, lr: float = 0.1):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Flatten(), nn.Linear(784, num_waist), nn.ReLU(), nn.Linear(num_waist, 10)
        )


def main() -> None:
    """Train, stop when it no longer improves, and keep everything in a folder."""
    data = freedive.Garments(batch_size=128, num_train=2000, num_val=500)
    trainer = freedive.Trainer(
        max_epochs=10,
        seed=0,
        callbacks=[freedive.EarlyStopping(patience=3)],
        run="runs/bottleneck/example",
    )
    history = trainer.fit(Bottleneck(), data)
    best = history.best("val_acc")
    print(f"best epoch {best['epoch']}: {best['val_acc']:.1%} of the garments recognised")


if __name__ == "__main__":
    main()
