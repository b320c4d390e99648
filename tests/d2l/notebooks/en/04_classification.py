# %% [markdown]
# # Linear networks for classification

# %%
import torch
from torch import nn
from d2l import torch as d2l

d2l.use_svg_display()

# %%
data = d2l.FashionMNIST(batch_size=64, resize=(28, 28))
len(data.train), len(data.val), data.train[0][0].shape

# %%
batch = next(iter(data.val_dataloader()))
data.visualize(batch)
assert data.text_labels([0, 9]) == [data.text_labels([0])[0], data.text_labels([9])[0]]

# %%
def softmax(X):
    X_exp = d2l.exp(X)
    return X_exp / X_exp.sum(1, keepdims=True)

class SoftmaxRegressionScratch(d2l.Classifier):
    def __init__(self, num_inputs, num_outputs, lr, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        self.W = torch.normal(0, sigma, size=(num_inputs, num_outputs), requires_grad=True)
        self.b = torch.zeros(num_outputs, requires_grad=True)

    def parameters(self):
        return [self.W, self.b]

    def forward(self, X):
        return softmax(d2l.matmul(d2l.reshape(X, (-1, self.W.shape[0])), self.W) + self.b)

def cross_entropy(y_hat, y):
    return -d2l.reduce_mean(d2l.log(y_hat[list(range(len(y_hat))), y]))

@d2l.add_to_class(SoftmaxRegressionScratch)
def loss(self, y_hat, y):
    return cross_entropy(y_hat, y)

# %%
model = SoftmaxRegressionScratch(num_inputs=784, num_outputs=10, lr=0.1)
trainer = d2l.Trainer(max_epochs=2)
trainer.fit(model, data)
assert set(model.board.data) == {"train_loss", "val_loss", "val_acc"}

# %%
X, y = next(iter(data.val_dataloader()))
preds = d2l.argmax(model(X), axis=1)
wrong = d2l.astype(preds, y.dtype) != y
X, y, preds = X[wrong], y[wrong], preds[wrong]
labels = [a + "\n" + b for a, b in zip(data.text_labels(y), data.text_labels(preds))]
data.visualize([X, y], labels=labels)

# %%
model = d2l.SoftmaxRegression(num_outputs=10, lr=0.1)
d2l.Trainer(max_epochs=1).fit(model, data)
assert model.accuracy(d2l.tensor([[0.1, 0.9]]), d2l.tensor([1])) == 1
