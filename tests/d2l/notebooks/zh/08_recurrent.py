# %% [markdown]
# # 循环神经网络

# %%
import math
import random

import torch
from torch import nn
from torch.nn import functional as F
from d2l import torch as d2l

# %%
tokens = d2l.tokenize(d2l.read_time_machine())
corpus = [token for line in tokens for token in line]
vocab = d2l.Vocab(corpus)
assert d2l.count_corpus(corpus).most_common(1)[0] == vocab.token_freqs[0]
bigram_vocab = d2l.Vocab([pair for pair in zip(corpus[:-1], corpus[1:])])
freqs = [freq for token, freq in vocab.token_freqs]
d2l.plot(freqs, xlabel='token: x', ylabel='frequency: n(x)', xscale='log', yscale='log')

# %%
my_seq = list(range(35))
for X, Y in d2l.seq_data_iter_random(my_seq, batch_size=2, num_steps=5):
    assert torch.equal(X + 1, Y)
for X, Y in d2l.seq_data_iter_sequential(my_seq, batch_size=2, num_steps=5):
    print('X: ', X, '\nY:', Y)

# %%
batch_size, num_steps, num_hiddens = 32, 35, 32
train_iter, vocab = d2l.load_data_time_machine(batch_size, num_steps)

def get_params(vocab_size, num_hiddens, device):
    normal = lambda shape: torch.randn(size=shape, device=device) * 0.01
    params = [normal((vocab_size, num_hiddens)), normal((num_hiddens, num_hiddens)),
              torch.zeros(num_hiddens, device=device), normal((num_hiddens, vocab_size)),
              torch.zeros(vocab_size, device=device)]
    for param in params:
        param.requires_grad_(True)
    return params

def init_rnn_state(batch_size, num_hiddens, device):
    return (torch.zeros((batch_size, num_hiddens), device=device), )

def rnn(inputs, state, params):
    W_xh, W_hh, b_h, W_hq, b_q = params
    H, = state
    outputs = []
    for X in inputs:
        H = torch.tanh(torch.mm(X, W_xh) + torch.mm(H, W_hh) + b_h)
        outputs.append(torch.mm(H, W_hq) + b_q)
    return torch.cat(outputs, dim=0), (H,)

net = d2l.RNNModelScratch(len(vocab), num_hiddens, d2l.try_gpu(), get_params, init_rnn_state, rnn)
d2l.train_ch8(net, train_iter, vocab, 1, 2, d2l.try_gpu(), use_random_iter=True)
assert len(d2l.predict_ch8('time traveller ', 10, net, vocab, d2l.try_gpu())) == 25

# %%
net = d2l.RNNModel(nn.RNN(len(vocab), num_hiddens), vocab_size=len(vocab)).to(d2l.try_gpu())
d2l.train_ch8(net, train_iter, vocab, 1, 2, d2l.try_gpu())
d2l.grad_clipping(net, 1)
