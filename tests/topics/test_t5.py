"""T5: spans that are cut out, put back, and filled in (section 11.9.2)."""

import math
from collections import Counter
from itertools import combinations, pairwise

import pytest
import torch

from freedive.core.errors import UsageError
from freedive.core.random import generator
from freedive.core.trainer import Trainer
from freedive.data.text import TextData
from freedive.topics.transformer.filling import unigram_entropy
from freedive.topics.transformer.span_corruption import Spans
from freedive.topics.transformer.t5 import T5

V = 20
# the last of each length are as short as they may be
LAYOUTS = [
    (64, 3, 3),
    (10, 1, 3),
    (3, 1, 3),
    (1, 1, 1),
    (7, 2, 3),
    (8, 2, 3),
    (5, 3, 1),
    (12, 4, 2),
]
every_layout = pytest.mark.parametrize(("num_steps", "num_spans", "length"), LAYOUTS)


class Rhyme(TextData):
    """A short text that repeats."""

    def read(self):
        return "one two three four five " * 40


def cut(num_steps, num_spans, length, batch=50):
    spans = Spans(V, num_steps, num_spans, length)
    X = torch.randint(V, (batch, num_steps))
    starts = spans.draw(batch)
    return spans, X, starts, spans.read(X, starts), spans.target(X, starts)


def put_back(spans, read, target):
    """The window, token by token, from what is read and what is to be told."""
    inside, told = {}, None
    for token in target:
        if token > V:
            told = inside.setdefault(token, [])
        else:
            told.append(token)
    assert inside.pop(max(inside)) == []  # the last sentinel ends
    assert list(inside) == [V + 1 + s for s in range(spans.num_spans)]
    window = []
    for token in read:
        window += [token] if token < V else inside.pop(token)
    assert not inside
    return window


def model_for(**settings):
    torch.manual_seed(0)
    sizes = {"num_hiddens": 16, "num_heads": 2, "num_blks": 1, "num_steps": 16}
    return T5(**{"vocab_size": V, **sizes, **settings})


@every_layout
def test_what_is_cut_out_can_be_put_back(num_steps, num_spans, length):
    spans, X, _, read, target = cut(num_steps, num_spans, length)
    assert read.shape[1] == spans.source_steps
    assert target.shape[1] == spans.target_steps
    assert max(int(read.max()), int(target.max())) < spans.num_tokens
    for row, given, told in zip(X.tolist(), read.tolist(), target.tolist(), strict=True):
        assert put_back(spans, given, told) == row


@every_layout
def test_the_decoder_is_given_the_target_one_step_late(num_steps, num_spans, length):
    spans, _, _, _, target = cut(num_steps, num_spans, length)
    written = spans.written(target)
    assert (written[:, 0] == spans.begin).all()
    assert torch.equal(written[:, 1:], target[:, :-1])


@every_layout
def test_the_inner_tokens_are_those_of_the_spans(num_steps, num_spans, length):
    spans, X, starts, _, target = cut(num_steps, num_spans, length)
    inner = spans.inner(target)
    for row in range(len(X)):
        for span, start in enumerate(starts[row].tolist()):
            assert inner[row, span].tolist() == X[row, start : start + length].tolist()


@pytest.mark.parametrize(("num_steps", "num_spans", "length"), [(8, 2, 2), (5, 2, 1), (7, 2, 3)])
def test_all_ways_to_cut_are_equally_likely_and_no_two_spans_touch(num_steps, num_spans, length):
    ways = [
        starts
        for starts in combinations(range(num_steps - length + 1), num_spans)
        if all(b - a > length for a, b in pairwise(starts))
    ]
    drawn = Spans(V, num_steps, num_spans, length).draw(9000, chance=generator(0))
    counts = Counter(map(tuple, drawn.tolist()))
    assert set(counts) == set(ways)
    assert min(counts.values()) > 0.8 * 9000 / len(ways)


def test_spans_without_room_are_refused_with_both_numbers():
    with pytest.raises(UsageError, match=r"2 spans of 3 .* want 7 tokens, .* num_steps=6"):
        Spans(V, 6, 2, 3)
    with pytest.raises(UsageError, match=r"1 spans of 3 .* want 3 tokens, .* num_steps=2"):
        model_for(num_steps=2)
    with pytest.raises(UsageError, match="num_steps=16"):
        model_for(masked=1.0)
    assert model_for(num_steps=3).spans.source_steps == 1


def test_the_share_of_what_is_cut_out_is_about_the_one_asked_for():
    for share in (0.05, 0.15, 0.3, 0.5):
        spans = Spans.of(share, V, 200, 3)
        assert spans.num_spans * 3 / 200 == pytest.approx(share, abs=0.01)
    assert Spans.of(0.0, V, 200, 3).num_spans == 1


def test_there_is_no_chance_in_validation():
    data = Rhyme(num_steps=16, batch_size=4, num_train=16)
    model = model_for(vocab_size=len(data.vocab), dropout=0.5)
    trainer = Trainer(progress=False, device="cpu")
    rows = [trainer.validate(model, data) for _ in range(2)]
    assert rows[0] == rows[1]
    X = torch.randint(V, (7, 16))
    whole, fewer = model.fixed_task(X), model.fixed_task(X[:3])
    assert torch.equal(whole[1][:3], fewer[1])
    assert (
        len({tuple(row.tolist()) for row in whole[1] == model.spans.first}) > 1
    )  # not all are cut alike


def test_validation_measures_the_tokens_of_the_spans_alone():
    model, X, noted = model_for().eval(), torch.randint(V, (5, 16)), {}
    model.plot = lambda key, value, train: noted.update({key: float(value)})
    model.validation_step((X, X))
    spans, read, target = model.fixed_task(X)
    log_p = model(read, spans.written(target)).log_softmax(dim=2)
    places = [(b, t) for b in range(5) for t, token in enumerate(target[b].tolist()) if token < V]
    assert len(places) == 5 * spans.num_spans * spans.length
    costs = [-log_p[b, t, target[b, t]].item() for b, t in places]
    hits = [log_p[b, t].argmax().item() == target[b, t].item() for b, t in places]
    assert noted["loss"] == pytest.approx(sum(costs) / len(costs), rel=1e-5)
    assert noted["acc"] == pytest.approx(sum(hits) / len(hits))


def test_gaps_are_filled_token_by_token_with_the_likeliest():
    model, X = model_for(masked=0.4).eval(), torch.randint(V, (6, 16))
    spans, read, _ = model.fixed_task(X)
    written = torch.full((6, 1), spans.begin)
    for place in range(spans.target_steps):  # all is read anew for each token
        logits = model(read, written)[:, -1]
        due = V + 1 + place // (spans.length + 1)
        first = place % (spans.length + 1) == 0
        token = torch.full((6,), due) if first else logits[:, :V].argmax(dim=1)
        written = torch.cat([written, token[:, None]], dim=1)
    assert torch.equal(model.train().fill(read), spans.inner(written[:, 1:]))
    assert model.training


def test_fewer_gaps_than_it_was_taught_can_be_filled():
    model = model_for(masked=0.4)
    source = torch.tensor([[1, V + 1, 4, 5, 6], [V + 1, 2, 3, 4, 5]])
    filled = model.fill(source)
    assert filled.shape == (2, 1, 3)
    assert filled.max() < V


@pytest.mark.parametrize(
    "source",
    [[1, 2, 3], [V + 2, 1, 2], [V + 2, 1, V + 1], [V + 1, 1, V + 1], [V + 1, 1, V + 2, 1, V + 3]],
)
def test_gaps_that_are_not_numbered_in_their_order_are_refused(source):
    with pytest.raises(UsageError, match="rows with 1 to 2 gaps"):
        model_for(masked=0.4).fill(torch.tensor([source]))


def test_unequally_many_gaps_are_refused():
    with pytest.raises(UsageError, match="equally many"):
        model_for(masked=0.4).fill(torch.tensor([[V + 1, 1, 2], [V + 1, 1, V + 2]]))


@pytest.mark.parametrize("tokens", [[0], [0, 1], [3, 3, 3, 1], list(range(7)) * 3])
def test_the_entropy_of_frequencies(tokens):
    counts = Counter(tokens).values()
    slow = -sum(c / len(tokens) * math.log(c / len(tokens)) for c in counts)
    assert unigram_entropy(torch.tensor(tokens)) == pytest.approx(slow, abs=1e-12)


def test_it_learns_a_text_that_repeats(tmp_path):
    data = Rhyme(num_steps=16, batch_size=16, num_train=160)
    model = model_for(vocab_size=len(data.vocab), num_hiddens=32, lr=0.01, dropout=0.0)
    history = Trainer(max_epochs=12, seed=0, device="cpu", progress=False).fit(model, data)
    entropy = unigram_entropy(torch.tensor(data.codec.tokenizer.encode(data.training_text)))
    assert history["val_loss"][-1] < entropy / 2
    (note,) = model.write_samples(data, tmp_path)
    assert f"costs {history['val_loss'][-1]:.3f} nats, by its frequency alone {entropy:.3f}" in note
    sample = (tmp_path / "spans.txt").read_text().splitlines()
    read, filled, was = (line[8:] for line in sample[2:5])
    assert read.count("[]") == was.count("[") == filled.count("[") == model.spans.num_spans
    assert was.replace("[", "").replace("]", "") in data.text
