"""BERT: what is hidden, what is told, and what another model may take over (section 11.9.1)."""

import math

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.trainer import Trainer
from freedive.data.text import TextData
from freedive.topics.gated_rnn.bidirectional import BiRNN
from freedive.topics.gated_rnn.masked_tokens import each_fifth
from freedive.topics.transformer.bert import BERT
from freedive.topics.transformer.bert_classifier import BERTClassifier
from freedive.transfer import take_over

SIZES = {"num_steps": 12, "num_hiddens": 16, "num_layers": 2, "num_heads": 2}


class Runs(TextData):
    """A letter again and again, then another one: what is hidden is what stands beside it."""

    def read(self):
        return "".join(letter * 40 for letter in "abcde") * 10


def bert(**settings):
    torch.manual_seed(0)
    return BERT(**{"vocab_size": 10, **SIZES, **settings})


def windows(batch=6, steps=12, vocab_size=10):
    return torch.randint(vocab_size, (batch, steps))


def test_of_ten_tokens_to_be_told_eight_are_hidden_one_is_any_and_one_is_left():
    model, X = bert(vocab_size=1000), windows(400, 100, 1000)
    told = torch.rand(X.shape) < 0.15
    read = model.disguised(X, told)
    assert torch.equal(read[~told], X[~told])
    hidden, left = (read == 1000)[told], (read == X)[told]
    assert hidden.float().mean().item() == pytest.approx(0.8, abs=0.02)
    assert left.float().mean().item() == pytest.approx(0.1, abs=0.02)
    others = read[told][~hidden & ~left]
    assert others.min() < 50
    assert 950 < others.max() < 1000  # any token, and never the hidden one


@pytest.mark.parametrize("kind", [BERT, BiRNN])
def test_the_loss_is_the_mean_over_what_is_to_be_told_and_nothing_else(kind):
    torch.manual_seed(0)
    model, X = kind(vocab_size=10).eval(), windows()
    told = torch.rand(X.shape) < 0.3
    told[0, 0] = True
    read = X.masked_fill(told, 10)
    loss, right = model.masked_loss(X, read, told)
    places, logits = told.nonzero().tolist(), model(read)
    costs = [-logits[b, t].log_softmax(0)[X[b, t]].item() for b, t in places]
    hits = [logits[b, t].argmax().item() == X[b, t].item() for b, t in places]
    assert loss.item() == pytest.approx(sum(costs) / len(costs), rel=1e-5)
    assert right.item() == pytest.approx(sum(hits) / len(hits))
    elsewhere = torch.where(told, X, (X + 1) % 10)
    assert torch.equal(model.masked_loss(elsewhere, read, told)[0], loss)


@pytest.mark.parametrize("masked", [0.0, 0.15, 1.0])
def test_something_is_told_in_each_batch(masked):
    loss = bert(masked=masked).training_step((windows(2), None))
    assert math.isfinite(loss.item())


def test_half_of_the_tokens_are_told_where_half_are_asked_for():
    model, seen = bert(masked=0.5), []
    model.masked_loss = lambda X, read, told: seen.append(told) or (torch.zeros(()), None)
    model.training_step((windows(500), None))
    assert seen[0].float().mean().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(("steps", "hidden"), [(1, [0]), (2, [1]), (3, [2]), (12, [2, 7])])
def test_validation_hides_the_third_of_each_five(steps, hidden):
    told = each_fifth(windows(3, steps))
    assert told[0].nonzero().flatten().tolist() == hidden
    assert torch.equal(told, told[:1].expand_as(told))


@pytest.mark.parametrize("num_steps", [1, 12])
def test_there_is_no_chance_in_validation(num_steps):
    data = Runs(num_steps=num_steps, batch_size=8, num_train=16)
    model = bert(vocab_size=len(data.vocab), num_steps=num_steps, dropout=0.5)
    trainer = Trainer(progress=False, device="cpu")
    rows = [trainer.validate(model, data) for _ in range(2)]
    assert rows[0] == rows[1]
    assert set(rows[0]) == {"val_loss", "val_acc"}


def test_positions_begin_as_waves_of_the_length_of_the_tokens_vectors():
    encoder = bert(num_hiddens=64).encoder
    place = encoder.place.weight
    assert torch.allclose(place.norm(dim=1), torch.ones(12))
    near, far = place[:-1] * place[1:], place[:-6] * place[6:]
    assert near.sum(dim=1).std() < 1e-6  # a product depends on the distance alone
    assert near.sum(dim=1).mean() > far.sum(dim=1).mean()
    assert encoder.embedding.weight.norm(dim=1).mean().item() == pytest.approx(1, abs=0.2)
    assert place.requires_grad


def test_each_place_sees_both_sides_and_where_it_stands():
    model, X = bert().eval(), windows(1)
    for changed in (0, 11):
        other = X.clone()
        other[0, changed] = (X[0, changed] + 1) % 10
        assert (model(X) - model(other)).abs().amax(dim=2).min() > 0
    same = torch.zeros(1, 12, dtype=torch.long)
    assert not torch.allclose(model(same)[0, 0], model(same)[0, 1])


def test_it_learns_what_stands_beside_a_gap_and_fills_it(tmp_path):
    data = Runs(num_steps=12, batch_size=16, num_train=160)
    model = bert(vocab_size=len(data.vocab), lr=0.01, dropout=0.0)
    history = Trainer(max_epochs=10, seed=0, device="cpu", progress=False).fit(model, data)
    assert history["val_acc"][-1] > 0.75
    tokens = torch.tensor([data.codec.encode("bbbbbbbbbbbb")])
    gaps = tokens.clone()
    gaps[0, 5] = len(data.vocab)
    assert torch.equal(model.fill(gaps), tokens)
    (note,) = model.write_samples(data, tmp_path)
    inputs = torch.cat([X for X, _ in data.val_dataloader()])
    asked = inputs[:, 2::5].flatten().tolist()
    always = max(data.training_text, key=data.training_text.count)
    share = asked.count(data.vocab[always]) / len(asked)
    assert f"{share:.3f} would be by always saying {always!r}" in note
    assert note.startswith(f"{history['val_acc'][-1]:.3f} of the hidden tokens")
    sample = (tmp_path / "masked.txt").read_text()
    hidden, _, was = (line[8:] for line in sample.splitlines()[2:5])
    assert [i for i, letter in enumerate(hidden) if letter == "_"] == [2, 7]
    assert was in data.text


def test_what_is_not_hidden_stays_as_it_is():
    model, X = bert().train(), windows()
    gaps = X.masked_fill(each_fifth(X), 10)
    filled = model.fill(gaps)
    assert torch.equal(filled[gaps != 10], X[gaps != 10])
    assert filled.max() < 10
    assert model.training
    assert model.fill(X[:0]).shape == (0, 12)


@pytest.mark.parametrize("number", [-1, 11])
def test_numbers_of_no_token_are_refused(number):
    with pytest.raises(UsageError, match="numbers from 0 to 9, and 10 is a hidden one"):
        bert().fill(torch.full((1, 3), number))


def test_a_text_that_is_too_long_is_refused():
    with pytest.raises(UsageError, match="13 tokens is longer than the 12 positions"):
        bert()(windows(1, 13))


def test_a_classifier_takes_the_encoder_over_and_nothing_else():
    torch.manual_seed(1)
    model, source = BERTClassifier(vocab_size=10, **SIZES), bert()
    taken = take_over(model, source.state_dict())
    assert set(taken.names) == {f"encoder.{name}" for name, _ in source.encoder.named_parameters()}
    assert {name.split(".")[0] for name in taken.left} == {"look", "decide"}
    X = windows()
    assert torch.equal(model.eval().encoder(X), source.eval().encoder(X))


def test_a_classifier_decides_by_the_mean_over_all_places():
    model, X = BERTClassifier(vocab_size=10, **SIZES).eval(), windows(2)
    looked = [torch.nn.functional.gelu(model.look(model.encoder(X)[:, t])) for t in range(12)]
    assert torch.allclose(model(X), model.decide(sum(looked) / 12), atol=1e-6)
