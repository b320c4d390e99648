"""Language models of any cell: training, carried states, generation (9.3 to 9.5, 10.1 to 10.3)."""

import math

import pytest
import torch
import torch.nn.functional as F

from freedive.core.errors import UsageError
from freedive.core.hooks import Callback
from freedive.core.trainer import Trainer
from freedive.data.text import TextData
from freedive.topics.gated_rnn.language_models import LSTMLM, DeepRNNLM, LSTMLMScratch
from freedive.topics.rnn.rnn_lm import RNNLM, RNNLMScratch

TEXT = "the cat sat on the mat and the rat sat on the cat then all of them ran away " * 12


class Rhyme(TextData):
    """A short text that repeats."""

    def read(self):
        return TEXT


def rhyme(**settings):
    return Rhyme(**{"batch_size": 16, "num_steps": 8, "num_train": 100, **settings})


def fitted(model, data, **settings):
    trainer = Trainer(**{"max_epochs": 2, "seed": 0, "device": "cpu", **settings}, progress=False)
    return trainer.fit(model, data)


def model_for(data, kind=LSTMLMScratch, **settings):
    torch.manual_seed(0)
    return kind(vocab_size=len(data.vocab), **{"num_hiddens": 16, "lr": 1.0, **settings})


@pytest.mark.parametrize(("order", "epochs"), [("random", 12), ("sequential", 20)])
def test_it_learns_a_text_that_repeats(order, epochs):
    data = rhyme(num_train=200 if order == "random" else None, order=order)
    model = model_for(data, optimizer="adam", lr=0.02)
    history = fitted(model, data, max_epochs=epochs)
    assert history["val_ppl"][-1] < min(2, history["val_ppl"][0])
    prompt = data.codec.encode_prompt("the cat sat on the m")
    assert data.codec.decode(list(model.generate(prompt, 3, temperature=0))) == "at "


def test_r11_perplexity_is_exp_of_the_mean_loss_over_all_tokens():
    data = rhyme(num_val=10, batch_size=8)  # validation batches of eight windows and of two
    model = model_for(data)
    row = Trainer(device="cpu", progress=False).validate(model, data)
    X = data.windows[1]
    with torch.no_grad():
        loss = F.cross_entropy(model(X[:, :-1]).flatten(0, 1), X[:, 1:].flatten()).item()
    assert row["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert row["val_ppl"] == pytest.approx(math.exp(loss), rel=1e-5)


@pytest.mark.parametrize("kind", [RNNLM, RNNLMScratch, LSTMLM, DeepRNNLM])
def test_a_text_read_in_parts_is_read_as_a_whole(kind):
    model = kind(vocab_size=9, num_hiddens=5).eval()
    tokens = torch.randint(9, (10, 3))
    whole, _ = model.read(tokens)
    first, state = model.read(tokens[:4])
    second, _ = model.read(tokens[4:], state)
    assert torch.allclose(torch.cat([first, second]), whole, atol=1e-6)


class Kept(Callback):
    """Notes what is carried into each step."""

    def __init__(self):
        self.carried = []

    def on_step_end(self, trainer):
        """After each step."""
        self.carried.append(trainer.model.carried)


def test_in_sequential_order_the_state_is_carried_and_detached():
    data, kept = rhyme(order="sequential", num_train=None), Kept()
    model = model_for(data, lr=1e-9)  # the weights stand still
    fitted(model, data, max_epochs=1, callbacks=[kept])
    rows = [X for X, _ in data.train_dataloader()]
    assert len(kept.carried) == len(rows) >= 3
    _, (H, C) = model.read(torch.cat(rows, dim=1).T)  # all that each row has read
    assert torch.allclose(kept.carried[-1][0], H, atol=1e-4)
    assert torch.allclose(kept.carried[-1][1], C, atol=1e-4)
    assert not any(part.requires_grad for part in kept.carried[-1])


def test_in_random_order_nothing_is_carried():
    kept = Kept()
    fitted(model_for(rhyme()), rhyme(), max_epochs=1, callbacks=[kept])
    assert kept.carried[-1] is None


class StopAt(Callback):
    """Ends a run after a number of steps."""

    def __init__(self, step):
        self.step = step

    def on_step_end(self, trainer):
        """Stop here."""
        if trainer.train_batch_idx == self.step:
            trainer.stop("interrupted")


@pytest.mark.parametrize("order", ["random", "sequential"])
@pytest.mark.parametrize("step", [1, 3, 5])
def test_a_stopped_run_goes_on_to_the_same_bits(order, step, tmp_path):
    settings = {"optimizer": "adam", "lr": 0.01, "schedule": "cosine", "num_layers": 2,
                "dropout": 0.3}  # fmt: skip
    data = rhyme(order=order, num_train=None if order == "sequential" else 70)
    whole = model_for(data, **settings)
    fitted(whole, data, max_epochs=3)
    parts = model_for(data, **settings)
    fitted(parts, data, max_epochs=3, run=tmp_path, callbacks=[StopAt(step)])
    assert any(
        not torch.equal(a, b) for a, b in zip(parts.parameters(), whole.parameters(), strict=True)
    )
    again = model_for(data, **settings)
    trainer = Trainer(max_epochs=3, seed=0, device="cpu", progress=False, run=tmp_path)
    trainer.fit(again, data, resume=True)
    for a, b in zip(again.parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b)


def test_generation_is_a_function_of_the_seed_and_leaves_the_model_alone():
    model = RNNLM(vocab_size=9, dropout=0.5).train()
    one, same, other = (list(model.generate([1, 2], 30, seed=s)) for s in (0, 0, 1))
    assert one == same != other
    assert model.training
    assert list(model.generate([1, 2], 0)) == []


def test_greedy_generation_equals_reading_everything_anew():
    model = LSTMLM(vocab_size=9, num_hiddens=8).eval()
    written = list(model.generate([1, 2, 3], 12, temperature=0))
    tokens = [1, 2, 3]
    for token in written:
        with torch.no_grad():
            assert model(torch.tensor([tokens]))[0, -1].argmax() == token
        tokens.append(token)


def test_generation_can_be_stopped_at_any_token():
    stream = RNNLM(vocab_size=9).generate([1], 10**9)
    assert len([next(stream) for _ in range(5)]) == 5


@pytest.mark.parametrize(
    ("prompt", "message"), [([], "at least one token"), ([3, 9], "from 0 to 8, got 3 to 9"),
                            ([-1], "got -1 to -1")]
)  # fmt: skip
def test_a_prompt_of_strange_numbers_is_refused(prompt, message):
    with pytest.raises(UsageError, match=message):
        RNNLM(vocab_size=9).generate(prompt)


def test_samples_are_texts_of_three_temperatures(tmp_path):
    data = rhyme()
    (note,) = model_for(data).write_samples(data, tmp_path)
    text = (tmp_path / "text.txt").read_text()
    assert text.count("temperature") == 3
    assert note.startswith("it writes: ")


def test_embeddings_take_the_place_of_one_hot_vectors():
    from freedive.parity import copy_weights

    scratch = LSTMLMScratch(vocab_size=9, embed_size=9, num_layers=2)  # a square table
    concise = LSTMLM(vocab_size=9, embed_size=9, num_layers=2)
    copy_weights(concise, scratch)
    X = torch.randint(9, (2, 5))
    assert torch.allclose(scratch(X), concise(X), atol=1e-6)
