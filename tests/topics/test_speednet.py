import torch
from torch import nn
from torch.nn import functional as F

from freedive.catalog import find_system
from freedive.topics.modern_cnn.speednet import SpeedNet, pooled_block


def test_a_maximum_before_batch_norm_comes_to_the_same_as_behind_it():
    torch.manual_seed(0)
    block, X = pooled_block(3, 8).eval(), torch.randn(2, 3, 9, 9)
    convolution, pooling, norm, _ = block
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2)
    nn.init.uniform_(norm.weight, 0.1, 2)
    assert torch.allclose(block(X), pooling(norm(convolution(X)).relu()), atol=1e-5)


def test_its_layers_are_written_out():
    torch.manual_seed(0)
    model, X = SpeedNet(channels=(4, 6, 8), logit_scale=0.5), torch.rand(3, 1, 28, 28)
    H = X
    for block in list(model.net)[:3]:
        H = F.max_pool2d(F.conv2d(H, block[0].weight, padding=1), 2)
        H = F.relu((H - H.mean((0, 2, 3), keepdim=True))
                   / torch.sqrt(H.var((0, 2, 3), keepdim=True, correction=0) + 1e-5))  # fmt: skip
    assert torch.allclose(model(X), 0.5 * H.flatten(1) @ model.net[-1].weight.T, atol=1e-4)


def test_the_first_logits_are_small():
    torch.manual_seed(0)
    assert SpeedNet()(torch.rand(256, 1, 28, 28)).std() < 1
    assert find_system("speednet").presets["speedrun"]["max_epochs"] < 10
