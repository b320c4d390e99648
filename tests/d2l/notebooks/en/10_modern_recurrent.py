# %% [markdown]
# # Modern recurrent neural networks

# %%
import torch
from torch import nn
from d2l import torch as d2l

# %%
class LSTMScratch(d2l.Module):
    def __init__(self, num_inputs, num_hiddens, sigma=0.01):
        super().__init__()
        self.save_hyperparameters()
        init_weight = lambda *shape: nn.Parameter(torch.randn(*shape) * sigma)
        triple = lambda: (init_weight(num_inputs, num_hiddens),
                          init_weight(num_hiddens, num_hiddens),
                          nn.Parameter(torch.zeros(num_hiddens)))
        self.W_xi, self.W_hi, self.b_i = triple()
        self.W_xf, self.W_hf, self.b_f = triple()
        self.W_xo, self.W_ho, self.b_o = triple()
        self.W_xc, self.W_hc, self.b_c = triple()

@d2l.add_to_class(LSTMScratch)
def forward(self, inputs, H_C=None):
    if H_C is None:
        H = torch.zeros((inputs.shape[1], self.num_hiddens), device=inputs.device)
        C = torch.zeros((inputs.shape[1], self.num_hiddens), device=inputs.device)
    else:
        H, C = H_C
    outputs = []
    for X in inputs:
        I = d2l.sigmoid(d2l.matmul(X, self.W_xi) + d2l.matmul(H, self.W_hi) + self.b_i)
        F = d2l.sigmoid(d2l.matmul(X, self.W_xf) + d2l.matmul(H, self.W_hf) + self.b_f)
        O = d2l.sigmoid(d2l.matmul(X, self.W_xo) + d2l.matmul(H, self.W_ho) + self.b_o)
        C = F * C + I * d2l.tanh(d2l.matmul(X, self.W_xc) + d2l.matmul(H, self.W_hc) + self.b_c)
        H = O * d2l.tanh(C)
        outputs.append(H)
    return outputs, (H, C)

# %%
data = d2l.TimeMachine(batch_size=64, num_steps=16)
trainer = d2l.Trainer(max_epochs=2, gradient_clip_val=1, num_gpus=1)
for lstm in (LSTMScratch(len(data.vocab), 16), d2l.LSTMScratch(len(data.vocab), 16)):
    model = d2l.RNNLMScratch(lstm, vocab_size=len(data.vocab), lr=4)
    trainer.fit(model, data)
gru = d2l.GRU(num_inputs=len(data.vocab), num_hiddens=16, num_layers=2)
model = d2l.RNNLM(gru, vocab_size=len(data.vocab), lr=2)
trainer.fit(model, data)
model.predict("it has", 20, data.vocab, d2l.try_gpu())

# %%
data = d2l.MTFraEng(batch_size=64)
src, tgt, src_valid_len, label = next(iter(data.train_dataloader()))
assert src.shape == tgt.shape == label.shape and len(src_valid_len) == len(src)
src, tgt, _, _ = data.build(["hi ."], ["salut ."])
data.tgt_vocab.to_tokens(d2l.astype(tgt[0], d2l.int32))

# %%
class Seq2SeqDecoder(d2l.Decoder):
    def __init__(self, vocab_size, embed_size, num_hiddens, num_layers, dropout=0):
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.rnn = d2l.GRU(embed_size + num_hiddens, num_hiddens, num_layers, dropout)
        self.dense = nn.LazyLinear(vocab_size)
        self.apply(d2l.init_seq2seq)

    def init_state(self, enc_all_outputs, *args):
        return enc_all_outputs

    def forward(self, X, state):
        embs = self.embedding(d2l.astype(d2l.transpose(X), d2l.int32))
        enc_output, hidden_state = state
        context = enc_output[-1].repeat(embs.shape[0], 1, 1)
        outputs, hidden_state = self.rnn(d2l.concat((embs, context), -1), hidden_state)
        return d2l.swapaxes(self.dense(outputs), 0, 1), [enc_output, hidden_state]

encoder = d2l.Seq2SeqEncoder(len(data.src_vocab), 16, 16, 2, 0.2)
decoder = Seq2SeqDecoder(len(data.tgt_vocab), 16, 16, 2, 0.2)
model = d2l.Seq2Seq(encoder, decoder, tgt_pad=data.tgt_vocab["<pad>"], lr=0.005)
d2l.Trainer(max_epochs=2, gradient_clip_val=1, num_gpus=1).fit(model, data)

# %%
engs, fras = ["go .", "i lost ."], ["va !", "j'ai perdu ."]
preds, _ = model.predict_step(data.build(engs, fras), d2l.try_gpu(), data.num_steps)
for en, fr, p in zip(engs, fras, preds):
    translation = []
    for token in data.tgt_vocab.to_tokens(p):
        if token == "<eos>":
            break
        translation.append(token)
    print(f"{en} => {translation}, bleu, {d2l.bleu(' '.join(translation), fr, k=2):.3f}")
