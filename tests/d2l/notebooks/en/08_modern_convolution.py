# %% [markdown]
# # Modern convolutional neural networks
# Small pictures, so that a laptop sees the end.

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
class AlexNet(d2l.Classifier):
    def __init__(self, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(8, kernel_size=11, stride=4, padding=1), nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2), nn.Flatten(),
            nn.LazyLinear(64), nn.ReLU(), nn.Dropout(p=0.5), nn.LazyLinear(num_classes))
        self.net.apply(d2l.init_cnn)

AlexNet().layer_summary((1, 1, 64, 64))

# %%
class BatchNorm(nn.Module):
    def __init__(self, num_features):
        super().__init__()
        shape = (1, num_features, 1, 1)
        self.gamma, self.beta = nn.Parameter(torch.ones(shape)), nn.Parameter(torch.zeros(shape))

    def forward(self, X):
        mean = X.mean(dim=(0, 2, 3), keepdim=True)
        var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        return self.gamma * (X - mean) / torch.sqrt(var + 1e-5) + self.beta

Y = BatchNorm(3)(torch.randn(8, 3, 5, 5) * 4 + 1)
assert abs(float(Y.mean())) < 1e-4

# %%
blk, X = d2l.Residual(3), torch.randn(4, 3, 6, 6)
assert blk(X).shape == X.shape
assert d2l.Residual(6, use_1x1conv=True, strides=2)(X).shape == (4, 6, 3, 3)
assert d2l.ResNeXtBlock(32, 16, 1)(torch.randn(4, 32, 12, 12)).shape == (4, 32, 12, 12)

# %%
class ResNet(d2l.Classifier):
    def b1(self):
        return nn.Sequential(nn.LazyConv2d(8, kernel_size=3, stride=2, padding=1),
                             nn.LazyBatchNorm2d(), nn.ReLU())

    def block(self, num_residuals, num_channels, first_block=False):
        blk = []
        for i in range(num_residuals):
            if i == 0 and not first_block:
                blk.append(d2l.Residual(num_channels, use_1x1conv=True, strides=2))
            else:
                blk.append(d2l.Residual(num_channels))
        return nn.Sequential(*blk)

    def __init__(self, arch, lr=0.1, num_classes=10):
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(self.b1())
        for i, b in enumerate(arch):
            self.net.add_module(f"b{i + 2}", self.block(*b, first_block=(i == 0)))
        self.net.add_module("last", nn.Sequential(
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes)))
        self.net.apply(d2l.init_cnn)

# %%
model = ResNet(((1, 8), (1, 16)), lr=0.01)
trainer = d2l.Trainer(max_epochs=1, num_gpus=1)
data = d2l.FashionMNIST(batch_size=64, resize=(32, 32))
model.apply_init([next(iter(data.get_dataloader(True)))[0]], d2l.init_cnn)
trainer.fit(model, data)
assert model.board.data["val_acc"][0].y > 0
