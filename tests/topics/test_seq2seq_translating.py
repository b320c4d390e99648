"""From sentences to sentences, and what a run leaves of them."""

import json

import pytest
import torch
from tests.topics.test_seq2seq import Sentences, built

from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.data.codec import Codec
from freedive.data.tokenizers import SpaceTokenizer
from freedive.data.vocab import Vocab
from freedive.topics.seq2seq.bleu import bleu, corpus_bleu
from freedive.topics.seq2seq.seq2seq import Seq2Seq
from freedive.topics.seq2seq.translating import (
    check_vocabularies,
    translate_sentences,
    write_translations,
)


@pytest.fixture(scope="module")
def data():
    return Sentences()


def test_sentences_are_read_as_people_write_them(data):
    model = built(Seq2Seq, data)
    plain, written = "you want red apples .", "  You  want\u202fred apples. "
    found = translate_sentences(model, *data.codecs, [plain, written])
    assert found[0] == found[1]
    source, _, lengths, _ = data.arrays([(plain, "")])
    (tokens,) = model.translate(source, lengths)
    assert found[0] == " ".join(data.tgt_vocab.to_tokens(tokens))
    assert translate_sentences(model, *data.codecs, []) == []


@pytest.mark.parametrize(
    ("sentences", "told"),
    [
        (["I see it.", "  "], "sentence 2 of 2 is empty: a translation wants at least one word"),
        ([""], "the sentence is empty"),
        (["a " * 9], "has 9 words and marks, the model reads at most 8: shorten it, or train with"),
    ],
)
def test_a_sentence_that_cannot_be_read_gets_one_line(data, sentences, told):
    with pytest.raises(UsageError, match=told) as error:
        translate_sentences(built(Seq2Seq, data), *data.codecs, sentences)
    assert "\n" not in str(error.value)


def test_the_longest_sentence_that_fits_is_read(data):
    model = built(Seq2Seq, data)
    assert len(translate_sentences(model, *data.codecs, ["a " * 8])) == 1


def test_other_vocabularies_than_the_weights_are_refused(data):
    model, (source, target) = built(Seq2Seq, data), data.codecs
    smaller = Codec("sentences", SpaceTokenizer(Vocab.of(source.vocab.idx_to_token[:-1])))
    with pytest.raises(UsageError, match="src_vocab_size is 17 in it, the model has 18"):
        check_vocabularies(model, smaller, target)
    turned = Codec("sentences", SpaceTokenizer(Vocab.of(target.vocab.idx_to_token[::-1])))
    with pytest.raises(UsageError, match=r"take the text\.json of the model's own run") as error:
        translate_sentences(model, source, turned, ["i see it ."])
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("training", [True, False])
def test_a_run_leaves_its_translations(data, training, tmp_path):
    model = built(Seq2Seq, data, dropout=0.5).train(training)
    (line,) = model.write_samples(data, tmp_path / "samples")
    assert model.training is training
    kept = json.loads((tmp_path / "samples" / "translations.json").read_text())
    pairs = data.pairs[1]
    assert [(row["source"], row["reference"]) for row in kept["sentences"]] == pairs
    found = [row["translation"] for row in kept["sentences"]]
    score = corpus_bleu(found, [target for _, target in pairs])
    assert kept["corpus_bleu"]["greedy"] == pytest.approx(score)
    assert line.startswith(f"corpus BLEU {score:.3f} on 12 held-out pairs (greedy)")
    for row in kept["sentences"]:
        assert row["bleu"] == pytest.approx(bleu(row["translation"], row["reference"], 2))
    assert kept["data"] == data.label


def test_data_of_another_kind_leave_nothing(data, tmp_path):
    assert write_translations(built(Seq2Seq, data), DataModule(), tmp_path) == []
    assert not list(tmp_path.iterdir())


def test_write_samples_of_another_vocabulary_is_refused(data, tmp_path):
    torch.manual_seed(0)
    with pytest.raises(UsageError, match="not the one of these weights"):
        write_translations(Seq2Seq(), data, tmp_path)
