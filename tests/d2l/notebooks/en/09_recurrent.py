# %% [markdown]
# # Recurrent neural networks

# %%
import torch
from torch import nn
from torch.nn import functional as F
from d2l import torch as d2l

# %%
class Data(d2l.DataModule):
    def __init__(self, batch_size=16, T=300, num_train=200, tau=4):
        super().__init__()
        self.save_hyperparameters()
        self.time = torch.arange(1, T + 1, dtype=torch.float32)
        self.x = torch.sin(0.01 * self.time) + torch.randn(T) * 0.2

@d2l.add_to_class(Data)
def get_dataloader(self, train):
    features = [self.x[i : self.T - self.tau + i] for i in range(self.tau)]
    self.features, self.labels = torch.stack(features, 1), self.x[self.tau :].reshape((-1, 1))
    i = slice(0, self.num_train) if train else slice(self.num_train, None)
    return self.get_tensorloader([self.features, self.labels], train, i)

data = Data()
d2l.plot(data.time, data.x, "time", "x", xlim=[1, 300], figsize=(6, 3))
d2l.Trainer(max_epochs=2).fit(d2l.LinearRegression(lr=0.01), data)

# %%
data = d2l.TimeMachine(batch_size=64, num_steps=16)
raw_text = data._download()
text = data._preprocess(raw_text)
corpus, vocab = data.build(raw_text)
assert data._tokenize(text)[:3] == list(text[:3])
assert vocab.to_tokens(corpus[:10]) == list(text[:10])

# %%
words = text.split()
vocab = d2l.Vocab(words)
freqs = [freq for token, freq in vocab.token_freqs]
d2l.plot(freqs, xlabel="token: x", ylabel="frequency: n(x)", xscale="log", yscale="log")

# %%
batch_size, num_inputs, num_hiddens, num_steps = 2, 16, 32, 100
rnn = d2l.RNNScratch(num_inputs, num_hiddens)
outputs, state = rnn(torch.ones((num_steps, batch_size, num_inputs)))
d2l.check_len(outputs, num_steps)
d2l.check_shape(outputs[0], (batch_size, num_hiddens))
d2l.check_shape(state, (batch_size, num_hiddens))

# %%
rnn = d2l.RNNScratch(num_inputs=len(data.vocab), num_hiddens=32)
model = d2l.RNNLMScratch(rnn, vocab_size=len(data.vocab), lr=1)
trainer = d2l.Trainer(max_epochs=2, gradient_clip_val=1)
trainer.fit(model, data)
assert model.predict("it has", 20, data.vocab).startswith("it has")

# %%
class RNN(d2l.Module):
    def __init__(self, num_inputs, num_hiddens):
        super().__init__()
        self.save_hyperparameters()
        self.rnn = nn.RNN(num_inputs, num_hiddens)

    def forward(self, inputs, H=None):
        return self.rnn(inputs, H)

model = d2l.RNNLM(RNN(len(data.vocab), 32), vocab_size=len(data.vocab), lr=1)
model.predict("it has", 20, data.vocab)
trainer.fit(model, data)
assert model.board.data["val_ppl"][-1].y < 40
