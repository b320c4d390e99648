# %% [markdown]
# # 注意力机制

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
n_train = 50
x_train, _ = torch.sort(torch.rand(n_train) * 5)
y_train = 2 * torch.sin(x_train) + x_train**0.8 + torch.normal(0.0, 0.5, (n_train,))
x_test = torch.arange(0, 5, 0.1)
weights = nn.functional.softmax(-(x_test[:, None] - x_train)**2 / 2, dim=1)
d2l.plot(x_test, [2 * torch.sin(x_test) + x_test**0.8, weights @ y_train], 'x', 'y',
         legend=['Truth', 'Pred'], xlim=[0, 5], ylim=[-1, 5])
d2l.show_heatmaps(weights.unsqueeze(0).unsqueeze(0), xlabel='train', ylabel='test')

# %%
queries, keys = torch.normal(0, 1, (2, 1, 20)), torch.ones((2, 10, 2))
values = torch.arange(40, dtype=torch.float32).reshape(1, 10, 4).repeat(2, 1, 1)
valid_lens = torch.tensor([2, 6])
attention = d2l.AdditiveAttention(key_size=2, query_size=20, num_hiddens=8, dropout=0.1)
attention.eval()
expected = torch.stack([values[0, :2].mean(0), values[0, :6].mean(0)])[:, None]
assert torch.allclose(attention(queries, keys, values, valid_lens), expected)

# %%
attention = d2l.MultiHeadAttention(100, 100, 100, 100, 5, 0.5)
attention.eval()
X, Y = torch.ones((2, 4, 100)), torch.ones((2, 6, 100))
assert attention(X, Y, Y, torch.tensor([3, 2])).shape == (2, 4, 100)
Z = d2l.transpose_qkv(X, 5)
assert torch.equal(d2l.transpose_output(Z, 5), X)

# %%
ffn = d2l.PositionWiseFFN(4, 4, 8)
assert ffn(torch.ones((2, 3, 4))).shape == (2, 3, 8)
assert d2l.AddNorm([3, 4], 0.5)(torch.ones((2, 3, 4)), torch.ones((2, 3, 4))).shape == (2, 3, 4)
encoder_blk = d2l.EncoderBlock(24, 24, 24, 24, [100, 24], 24, 48, 8, 0.5)
assert encoder_blk(torch.ones((2, 100, 24)), torch.tensor([3, 2])).shape == (2, 100, 24)

# %%
encoder = d2l.TransformerEncoder(200, 24, 24, 24, 24, [100, 24], 24, 48, 8, 2, 0.5)
encoder.eval()
assert encoder(torch.ones((2, 100), dtype=torch.long), torch.tensor([3, 2])).shape == (2, 100, 24)
assert encoder.attention_weights[1].shape == (16, 100, 100)
