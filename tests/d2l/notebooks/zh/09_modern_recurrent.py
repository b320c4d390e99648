# %% [markdown]
# # 现代循环神经网络

# %%
import torch
from torch import nn
from d2l import torch as d2l
from d2l import zh

# %%
train_iter, vocab = d2l.load_data_time_machine(32, 35)
for layer in (nn.GRU(len(vocab), 16), nn.LSTM(len(vocab), 16, 2),
              nn.LSTM(len(vocab), 16, bidirectional=True)):
    model = d2l.RNNModel(layer, len(vocab))
    d2l.train_ch8(model, train_iter, vocab, 1, 2, d2l.try_gpu())

# %%
raw_text = d2l.read_data_nmt()
text = d2l.preprocess_nmt(raw_text)
source, target = d2l.tokenize_nmt(text, 600)
assert len(source) == len(target) == 600
d2l.show_list_len_pair_hist(['source', 'target'], '# tokens per sequence', 'count', source, target)
src_vocab = d2l.Vocab(source, min_freq=2, reserved_tokens=['<pad>', '<bos>', '<eos>'])
assert d2l.truncate_pad(src_vocab[source[0]], 99, src_vocab['<pad>'])[-1] == src_vocab['<pad>']

# %%
class Seq2SeqDecoder(d2l.Decoder):
    def __init__(self, vocab_size, embed_size, num_hiddens, num_layers, dropout=0, **kwargs):
        super(Seq2SeqDecoder, self).__init__(**kwargs)
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.rnn = nn.GRU(embed_size + num_hiddens, num_hiddens, num_layers, dropout=dropout)
        self.dense = nn.Linear(num_hiddens, vocab_size)

    def init_state(self, enc_outputs, *args):
        return enc_outputs[1]

    def forward(self, X, state):
        X = self.embedding(X).permute(1, 0, 2)
        context = state[-1].repeat(X.shape[0], 1, 1)
        output, state = self.rnn(torch.cat((X, context), 2), state)
        return self.dense(output).permute(1, 0, 2), state

loss = d2l.MaskedSoftmaxCELoss()
each = loss(torch.ones(3, 4, 10), torch.ones((3, 4), dtype=torch.long), torch.tensor([4, 2, 0]))
assert each[2] == 0 and torch.isclose(each[1] * 2, each[0])
assert d2l.sequence_mask(torch.ones(2, 3), torch.tensor([1, 2])).sum() == 3

# %%
train_iter, src_vocab, tgt_vocab = d2l.load_data_nmt(64, 10)
net = zh.EncoderDecoder(zh.Seq2SeqEncoder(len(src_vocab), 16, 16, 2, 0.1),
                        Seq2SeqDecoder(len(tgt_vocab), 16, 16, 2, 0.1))
d2l.train_seq2seq(net, train_iter, 0.005, 10, tgt_vocab, d2l.try_gpu())
for eng, fra in zip(['go .', "i lost ."], ['va !', "j'ai perdu ."]):
    translation, _ = d2l.predict_seq2seq(net, eng, src_vocab, tgt_vocab, 10, d2l.try_gpu())
    print(f'{eng} => {translation}, bleu {d2l.bleu(translation, fra, k=2):.3f}')
