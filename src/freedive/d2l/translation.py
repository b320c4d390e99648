"""Translation of both editions: pairs, encoders and decoders, training, BLEU (chapters 9, 10)."""

import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from freedive.core.callbacks import clip_gradients
from freedive.core.predicting import predicting
from freedive.d2l.images import epochs, shortened
from freedive.d2l.plotting import Animator
from freedive.d2l.protocol import Classifier, DataModule
from freedive.d2l.recurrent import GRU
from freedive.d2l.regression import load_array
from freedive.d2l.text import VocabByFrequency
from freedive.d2l.timing import Accumulator, Timer
from freedive.data.codec import spaced_marks
from freedive.data.translation import TranslationData
from freedive.experiment import choose_data, data_class
from freedive.topics.seq2seq import bleu as scores
from freedive.topics.seq2seq.scratch import masked_cross_entropy

bleu = scores.bleu


@cache
def corpus_class() -> type[TranslationData]:
    """English and French where they are or can be fetched; else the phrasebook, said once."""
    from freedive.catalog import find_system

    name, why = choose_data(find_system("seq2seq"))
    if why and name != "fra-eng":
        print(f"d2l: {why}: {name}, made by code, stands in", file=sys.stderr)
    found: Any = data_class(name)
    return found


@cache
def pairs_of_text() -> str:
    """All pairs, a line each with a tab between the two."""
    data: Any = corpus_class()(num_train=10_000)
    return "\n".join(f"{source}\t{target}" for source, target in data.read())


class MTFraEng(DataModule):
    """English–French pairs (section 10.5): exactly so many, known words from training alone (R13).

    A batch holds sources, targets that begin with ``<bos>``, the sources' lengths, and targets.
    """

    def __init__(
        self, batch_size: int, num_steps: int = 9, num_train: int = 512, num_val: int = 128
    ):
        super().__init__()
        self.save_hyperparameters()
        self.inner: Any = corpus_class()(batch_size, num_steps, num_train, num_val, split="first")
        self.src_vocab, self.tgt_vocab = self.inner.src_vocab, self.inner.tgt_vocab
        train, val = self.inner.columns
        self.arrays = tuple(torch.cat(both) for both in zip(train, val, strict=True))

    def _download(self) -> str:
        return pairs_of_text()

    def _preprocess(self, text: str) -> str:
        return preprocess_nmt(text)

    def _tokenize(self, text: str, max_examples: int | None = None) -> Any:
        return tokenize_nmt(text, max_examples, eos=True)

    def build(self, src_sentences: Sequence[str], tgt_sentences: Sequence[str]) -> Any:
        """Arrays of other sentences."""
        both = zip(src_sentences, tgt_sentences, strict=True)
        return self.inner.arrays([(spaced_marks(s), spaced_marks(t)) for s, t in both])

    def get_dataloader(self, train: bool) -> Any:
        """Batches of the training or of the validation pairs."""
        rows = slice(0, self.num_train) if train else slice(self.num_train, None)
        return self.get_tensorloader(self.arrays, train, rows)


class Encoder(nn.Module):
    """Base of the encoders (section 10.6)."""

    def forward(self, X: Any, *args: Any) -> Any:
        """What the decoder begins with."""
        raise NotImplementedError(f"{type(self).__name__} wants a forward(X, *args)")


class Decoder(nn.Module):
    """Base of the decoders (section 10.6)."""

    def init_state(self, enc_all_outputs: Any, *args: Any) -> Any:
        """The state before the first token."""
        raise NotImplementedError(f"{type(self).__name__} wants an init_state(enc_outputs, *args)")

    def forward(self, X: Any, state: Any) -> Any:
        """Logits of the next tokens, and the state."""
        raise NotImplementedError(f"{type(self).__name__} wants a forward(X, state)")


class AttentionDecoder(Decoder):
    """Base of the decoders with attention (section 11.4)."""

    @property
    def attention_weights(self) -> Any:
        """The weights of the last call."""
        raise NotImplementedError(f"{type(self).__name__} wants attention_weights")


class EncoderDecoder(Classifier):
    """An encoder and a decoder (section 10.6); gives the logits alone, as in the first edition."""

    def __init__(self, encoder: Any, decoder: Any):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder

    def forward(self, enc_X: Tensor, dec_X: Tensor, *args: Any) -> Any:  # type: ignore[override]
        """The decoder's logits."""
        return self.whole(enc_X, dec_X, *args)[0]

    def whole(self, enc_X: Tensor, dec_X: Tensor, *args: Any) -> Any:
        """The decoder's logits and state."""
        enc_all_outputs = self.encoder(enc_X, *args)
        return self.decoder(dec_X, self.decoder.init_state(enc_all_outputs, *args))

    @torch.no_grad()
    def predict_step(
        self, batch: Any, device: Any, num_steps: int, save_attention_weights: bool = False
    ) -> tuple[Tensor, list[Any]]:
        """The likeliest tokens, one by one, and what each looked at."""
        src, tgt, src_valid_len, _ = (a.to(device) for a in batch)
        enc_all_outputs = self.encoder(src, src_valid_len)
        state = self.decoder.init_state(enc_all_outputs, src_valid_len)
        outputs, attention_weights = [tgt[:, :1]], []
        for _ in range(num_steps):
            Y, state = self.decoder(outputs[-1], state)
            outputs.append(Y.argmax(2))
            if save_attention_weights:
                attention_weights.append(self.decoder.attention_weights)
        return torch.cat(outputs[1:], 1), attention_weights


class EncoderDecoderZh(EncoderDecoder):
    """The second edition's, which gives logits and state."""

    def forward(self, enc_X: Tensor, dec_X: Tensor, *args: Any) -> Any:  # type: ignore[override]
        """The decoder's logits and state."""
        return self.whole(enc_X, dec_X, *args)


def init_seq2seq(module: nn.Module) -> None:
    """Xavier's weights for dense and recurrent layers; give it to ``apply``."""
    if isinstance(module, nn.Linear) and not nn.parameter.is_lazy(module.weight):
        nn.init.xavier_uniform_(module.weight)
    if isinstance(module, nn.GRU):
        for name, weight in module.named_parameters():
            if "weight" in name:
                nn.init.xavier_uniform_(weight)


class Seq2SeqEncoder(Encoder):
    """An encoder of gated recurrent layers (section 10.7)."""

    def __init__(
        self,
        vocab_size: int,
        embed_size: int,
        num_hiddens: int,
        num_layers: int,
        dropout: float = 0,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.embedding = nn.Embedding(vocab_size, embed_size)
        self.rnn = GRU(embed_size, num_hiddens, num_layers, dropout)
        self.apply(init_seq2seq)

    def forward(self, X: Tensor, *args: Any) -> Any:
        """Outputs of shape (steps, batch, h), and the states of all layers."""
        return self.rnn(self.embedding(X.t().long()))


class Seq2Seq(EncoderDecoder):
    """Translation, with a loss over real tokens alone (section 10.7)."""

    def __init__(self, encoder: Any, decoder: Any, tgt_pad: int, lr: float):
        super().__init__(encoder, decoder)
        self.save_hyperparameters(ignore=["encoder", "decoder"])

    def loss(self, Y_hat: Tensor, Y: Tensor, averaged: bool = True) -> Tensor:
        """The mean cross-entropy of tokens that are no padding (R19)."""
        return masked_cross_entropy(Y_hat, Y, self.tgt_pad)

    def validation_step(self, batch: Any) -> None:
        """Notes the loss."""
        self.plot("loss", self.loss(self(*batch[:-1]), batch[-1]), train=False)

    def configure_optimizers(self) -> Any:
        """Adam."""
        return torch.optim.Adam(self.parameters(), lr=self.lr)


def read_data_nmt() -> str:
    """All pairs, a line each with a tab between the two."""
    return pairs_of_text()


def preprocess_nmt(text: str) -> str:
    """Lower case, with a space before each of ``, . ! ?``."""
    return "\n".join(
        "\t".join(spaced_marks(side) for side in line.split("\t")) for line in text.split("\n")
    )


def tokenize_nmt(text: str, num_examples: int | None = None, eos: bool = False) -> Any:
    """The words of sources and targets: exactly so many pairs (R13).

    Args:
        eos: end each with ``<eos>``, as the first edition does.
    """
    end = ["<eos>"] if eos else []
    source, target = [], []
    for line in text.split("\n")[:num_examples]:
        parts = line.split("\t")
        if len(parts) == 2:
            source.append([t for t in parts[0].split(" ") if t] + end)
            target.append([t for t in parts[1].split(" ") if t] + end)
    return source, target


def truncate_pad(line: Sequence[int], num_steps: int, padding_token: int) -> list[int]:
    """A line cut or filled to a number of steps."""
    return [*line[:num_steps], *[padding_token] * (num_steps - len(line))]


def build_array_nmt(lines: Any, vocab: Any, num_steps: int) -> tuple[Tensor, Tensor]:
    """Sentences as rows of numbers that end with ``<eos>``, and their lengths."""
    rows = [[*vocab[line], vocab["<eos>"]] for line in lines]
    array = torch.tensor([truncate_pad(row, num_steps, vocab["<pad>"]) for row in rows])
    return array, (array != vocab["<pad>"]).type(torch.int32).sum(1)


def load_data_nmt(batch_size: int, num_steps: int, num_examples: int = 600) -> Any:
    """Batches of (X, lengths, Y, lengths), and both vocabularies."""
    source, target = tokenize_nmt(preprocess_nmt(read_data_nmt()), num_examples)
    specials = ["<pad>", "<bos>", "<eos>"]
    vocabs = [VocabByFrequency(side, 2, specials) for side in (source, target)]
    arrays: list[Tensor] = []
    for side, vocab in zip((source, target), vocabs, strict=True):
        arrays += build_array_nmt(side, vocab, num_steps)
    return load_array(arrays, batch_size), *vocabs


def sequence_mask(X: Tensor, valid_len: Tensor, value: float = 0) -> Tensor:
    """X with a value in place of what lies beyond each length; X itself stays as it is (R20)."""
    mask = torch.arange(X.shape[1], device=X.device)[None, :] < valid_len[:, None]
    while mask.dim() < X.dim():
        mask = mask[..., None]
    return torch.where(mask, X, torch.tensor(value, dtype=X.dtype, device=X.device))


class MaskedSoftmaxCELoss(nn.CrossEntropyLoss):
    """Cross-entropy of each example, a mean over all steps in which padding counts 0 (9.7.3)."""

    def forward(  # type: ignore[override]
        self, pred: Tensor, label: Tensor, valid_len: Tensor
    ) -> Tensor:
        """One number for each example, as documented; divide by real tokens for their mean."""
        each = nn.functional.cross_entropy(pred.permute(0, 2, 1), label, reduction="none")
        return sequence_mask(each, valid_len).mean(dim=1)


def train_seq2seq(
    net: Any, data_iter: Any, lr: float, num_epochs: int, tgt_vocab: Any, device: Any
) -> None:
    """Train a translator with Adam (section 9.7 of the second edition)."""
    net.apply(init_seq2seq)
    net.to(device)
    optimizer, loss = torch.optim.Adam(net.parameters(), lr=lr), MaskedSoftmaxCELoss()
    net.train()
    animator = Animator(xlabel="epoch", ylabel="loss", xlim=[10, num_epochs])
    metric, timer = Accumulator(2), Timer()
    for epoch in range(epochs(num_epochs)):
        timer, metric = Timer(), Accumulator(2)
        for batch in shortened(data_iter):
            optimizer.zero_grad()
            X, X_valid_len, Y, Y_valid_len = (x.to(device) for x in batch)
            bos = torch.full((len(Y), 1), tgt_vocab["<bos>"], device=device)
            Y_hat, _ = net(X, torch.cat([bos, Y[:, :-1]], 1), X_valid_len)
            cost = loss(Y_hat, Y, Y_valid_len)
            cost.sum().backward()
            clip_gradients(net.parameters(), 1)
            optimizer.step()
            metric.add(cost.detach().sum(), Y_valid_len.sum())
        if (epoch + 1) % 10 == 0:
            animator.add(epoch + 1, (metric[0] / metric[1],))
    speed = metric[1] / timer.stop()
    print(f"loss {metric[0] / metric[1]:.3f}, {speed:.1f} tokens/sec on {device!s}")


def predict_seq2seq(
    net: Any,
    src_sentence: str,
    src_vocab: Any,
    tgt_vocab: Any,
    num_steps: int,
    device: Any,
    save_attention_weights: bool = False,
) -> tuple[str, list[Any]]:
    """A translation word by word, and what each looked at; the net is left as it was."""
    tokens = [*src_vocab[src_sentence.lower().split(" ")], src_vocab["<eos>"]]
    lengths = torch.tensor([min(len(tokens), num_steps)], device=device)
    row = truncate_pad(tokens, num_steps, src_vocab["<pad>"])
    X = torch.tensor([[tgt_vocab["<bos>"]]], device=device)
    output, attention_weight_seq = [], []
    with predicting(net):
        enc_outputs = net.encoder(torch.tensor([row], device=device), lengths)
        state = net.decoder.init_state(enc_outputs, lengths)
        for _ in range(num_steps):
            Y, state = net.decoder(X, state)
            X = Y.argmax(dim=2)
            pred = int(X.reshape(1))
            if save_attention_weights:
                attention_weight_seq.append(net.decoder.attention_weights)
            if pred == tgt_vocab["<eos>"]:
                break
            output.append(pred)
    return " ".join(tgt_vocab.to_tokens(output)), attention_weight_seq


OLDER = {"EncoderDecoder": EncoderDecoderZh}
