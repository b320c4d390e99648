# %% [markdown]
# # 现代卷积神经网络

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
def vgg_block(num_convs, in_channels, out_channels):
    layers = []
    for _ in range(num_convs):
        layers.append(nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1))
        layers.append(nn.ReLU())
        in_channels = out_channels
    layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)

assert vgg_block(2, 1, 4)(torch.rand(1, 1, 8, 8)).shape == (1, 4, 4, 4)

# %%
blk = d2l.Residual(3, 3)
X = torch.rand(4, 3, 6, 6)
assert blk(X).shape == X.shape
assert d2l.Residual(3, 6, use_1x1conv=True, strides=2)(X).shape == (4, 6, 3, 3)

# %%
def resnet_block(input_channels, num_channels, num_residuals, first_block=False):
    blk = []
    for i in range(num_residuals):
        if i == 0 and not first_block:
            blk.append(d2l.Residual(input_channels, num_channels, use_1x1conv=True, strides=2))
        else:
            blk.append(d2l.Residual(num_channels, num_channels))
    return blk

net = nn.Sequential(
    nn.Conv2d(1, 8, kernel_size=3, stride=2, padding=1), nn.BatchNorm2d(8), nn.ReLU(),
    *resnet_block(8, 8, 1, first_block=True), *resnet_block(8, 16, 1),
    nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(16, 10))

# %%
train_iter, test_iter = d2l.load_data_fashion_mnist(64, resize=32)
d2l.train_ch6(net, train_iter, test_iter, 2, 0.05, d2l.try_gpu())
X, y = next(iter(test_iter))
assert X.shape[2:] == (32, 32)
