"""Data of one's own for a model of the book: python examples/own_data.py"""

import torch

import freedive


class Spirals(freedive.DataModule):
    """Points in the plane on two arms of a spiral, which no line can part."""

    def __init__(self, num_points: int = 1000, batch_size: int = 50):
        self.save_hyperparameters()
        turn = torch.rand(num_points) * 2.5 * torch.pi
        self.y = torch.arange(num_points) % 2
        angle = turn + torch.pi * self.y
        arms = torch.stack([turn * angle.cos(), turn * angle.sin()], dim=1) / 4
        self.X = arms + 0.02 * torch.randn(num_points, 2)

    def get_dataloader(self, train: bool) -> freedive.TensorLoader:
        """The last fifth is for validation."""
        cut = self.num_points * 4 // 5
        rows = slice(0, cut) if train else slice(cut, None)
        return self.get_tensorloader([self.X, self.y], train, rows)


def main() -> None:
    """A hidden layer parts what a linear classifier cannot."""
    freedive.seed_everything(0)
    data = Spirals()
    for model in (
        freedive.SoftmaxRegression(num_inputs=2, num_outputs=2, lr=0.5),
        freedive.MLP(num_inputs=2, num_outputs=2, num_hiddens=64, lr=0.5, sigma=1.0),
    ):
        history = freedive.Trainer(max_epochs=60, seed=0, progress=False).fit(model, data)
        print(f"{type(model).__name__}: {history.best('val_acc')['val_acc']:.1%} right")


if __name__ == "__main__":
    main()
