"""The pieces without the trainer, in a loop of one's own: python examples/own_loop.py"""

import freedive


def main() -> None:
    """Linear regression by hand: model, loss and optimizer of the book, from tensors up."""
    freedive.seed_everything(0)
    data = freedive.SyntheticRegressionData(w=(2.0, -3.4), b=4.2)
    model = freedive.LinearRegressionScratch(num_inputs=2, lr=0.03)
    optim = model.configure_optimizers()
    for epoch in range(10):
        for X, y in data.train_dataloader():
            loss = model.loss(model(X), y)
            optim.zero_grad()
            loss.backward()
            optim.step()
        print(f"epoch {epoch + 1}: loss {loss.item():.2e}")
    w, b = model.get_w_b()
    print(f"w = {[round(float(x), 3) for x in w.flatten()]}, b = {float(b):.3f}")


if __name__ == "__main__":
    main()
