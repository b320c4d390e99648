# %% [markdown]
# # Attention and transformers

# %%
import math

import torch
from torch import nn
from d2l import torch as d2l

# %%
attention_weights = torch.eye(10).reshape((1, 1, 10, 10))
d2l.show_heatmaps(attention_weights, xlabel="Keys", ylabel="Queries")

# %%
X = torch.rand(2, 2, 4)
weights = d2l.masked_softmax(X, torch.tensor([2, 3]))
assert weights[0, :, 2:].abs().sum() == 0
d2l.masked_softmax(X, d2l.tensor([[1, 3], [2, 4]]))

# %%
queries, keys = d2l.normal(0, 1, (2, 1, 2)), d2l.normal(0, 1, (2, 10, 2))
values, valid_lens = d2l.normal(0, 1, (2, 10, 4)), d2l.tensor([2, 6])
attention = d2l.DotProductAttention(dropout=0.5)
attention.eval()
d2l.check_shape(attention(queries, keys, values, valid_lens), (2, 1, 4))
d2l.show_heatmaps(d2l.reshape(attention.attention_weights, (1, 1, 2, 10)), "Keys", "Queries")

# %%
queries = d2l.normal(0, 1, (2, 1, 20))
attention = d2l.AdditiveAttention(num_hiddens=8, dropout=0.1)
attention.eval()
d2l.check_shape(attention(queries, keys, values, valid_lens), (2, 1, 4))

# %%
class Seq2SeqAttentionDecoder(d2l.AttentionDecoder):
    def __init__(self, vocab_size, embed_size, num_hiddens, num_layers, dropout=0):
        super().__init__()
        self.attention = d2l.AdditiveAttention(num_hiddens, dropout)
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.rnn = nn.GRU(embed_size + num_hiddens, num_hiddens, num_layers, dropout=dropout)
        self.dense = nn.LazyLinear(vocab_size)
        self.apply(d2l.init_seq2seq)

    def init_state(self, enc_outputs, enc_valid_lens):
        outputs, hidden_state = enc_outputs
        return (outputs.permute(1, 0, 2), hidden_state, enc_valid_lens)

    def forward(self, X, state):
        enc_outputs, hidden_state, enc_valid_lens = state
        X = self.embedding(X).permute(1, 0, 2)
        outputs, self._attention_weights = [], []
        for x in X:
            query = torch.unsqueeze(hidden_state[-1], dim=1)
            context = self.attention(query, enc_outputs, enc_outputs, enc_valid_lens)
            x = torch.cat((context, torch.unsqueeze(x, dim=1)), dim=-1)
            out, hidden_state = self.rnn(x.permute(1, 0, 2), hidden_state)
            outputs.append(out)
            self._attention_weights.append(self.attention.attention_weights)
        outputs = self.dense(torch.cat(outputs, dim=0))
        return outputs.permute(1, 0, 2), [enc_outputs, hidden_state, enc_valid_lens]

    @property
    def attention_weights(self):
        return self._attention_weights

data = d2l.MTFraEng(batch_size=64)
encoder = d2l.Seq2SeqEncoder(len(data.src_vocab), 16, 16, 2, 0.2)
decoder = Seq2SeqAttentionDecoder(len(data.tgt_vocab), 16, 16, 2, 0.2)
model = d2l.Seq2Seq(encoder, decoder, tgt_pad=data.tgt_vocab["<pad>"], lr=0.005)
d2l.Trainer(max_epochs=2, gradient_clip_val=1, num_gpus=1).fit(model, data)
preds, looks = model.predict_step(
    data.build(["go ."], ["va !"]), d2l.try_gpu(), data.num_steps, True)
assert torch.cat([step[0] for step in looks], 0).shape == (data.num_steps, 1, data.num_steps)

# %%
attention = d2l.MultiHeadAttention(100, 5, 0.5)
X, Y = d2l.ones((2, 4, 100)), d2l.ones((2, 6, 100))
d2l.check_shape(attention(X, Y, Y, d2l.tensor([3, 2])), (2, 4, 100))

# %%
pos_encoding = d2l.PositionalEncoding(32, 0)
P = pos_encoding(d2l.zeros((1, 60, 32)))
d2l.plot(d2l.arange(60), P[0, :, 6:10].T, xlabel="Row", figsize=(6, 2.5),
         legend=["Col %d" % d for d in d2l.arange(6, 10)])

# %%
ffn = d2l.PositionWiseFFN(4, 8)
d2l.check_shape(ffn(d2l.ones((2, 3, 4))), (2, 3, 8))
d2l.check_shape(d2l.AddNorm(4, 0.5)(d2l.ones((2, 3, 4)), d2l.ones((2, 3, 4))), (2, 3, 4))

# %%
class TransformerEncoder(d2l.Encoder):
    def __init__(self, vocab_size, num_hiddens, ffn_num_hiddens, num_heads, num_blks, dropout):
        super().__init__()
        self.num_hiddens = num_hiddens
        self.embedding = nn.Embedding(vocab_size, num_hiddens)
        self.pos_encoding = d2l.PositionalEncoding(num_hiddens, dropout)
        self.blks = nn.Sequential()
        for i in range(num_blks):
            self.blks.add_module("block" + str(i), d2l.TransformerEncoderBlock(
                num_hiddens, ffn_num_hiddens, num_heads, dropout))

    def forward(self, X, valid_lens):
        X = self.pos_encoding(self.embedding(X) * math.sqrt(self.num_hiddens))
        self.attention_weights = [None] * len(self.blks)
        for i, blk in enumerate(self.blks):
            X = blk(X, valid_lens)
            self.attention_weights[i] = blk.attention.attention.attention_weights
        return X

valid_lens, tokens = d2l.tensor([3, 2]), d2l.ones((2, 100), dtype=torch.long)
for kind in (TransformerEncoder, d2l.TransformerEncoder):
    encoder = kind(200, 24, 48, 8, 2, 0.5)
    d2l.check_shape(encoder(tokens, valid_lens), (2, 100, 24))
    d2l.check_shape(encoder.attention_weights[0], (16, 100, 100))
