"""From sentences to sentences: what a translator makes of text, and how good it is (10.7.7)."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freedive.core.data import DataModule
from freedive.core.errors import UsageError
from freedive.core.files import write_json
from freedive.data.codec import Codec
from freedive.data.translation import BOS, EOS, PAD, TranslationData, padded
from freedive.topics.rnn.looking import write_attention
from freedive.topics.seq2seq.bleu import bleu, corpus_bleu

if TYPE_CHECKING:
    from freedive.topics.seq2seq.encoder_decoder import EncoderDecoder

K = 2  # the longest n-grams of the book's BLEU, which it takes for short sentences
BEAM = 4


def check_vocabularies(model: "EncoderDecoder", source: Codec, target: Codec) -> None:
    """Refuse vocabularies that are not those the model was made for.

    Raises:
        UsageError: another number of tokens, or other numbers for the special ones.
    """
    facts = {
        "src_vocab_size": len(source.vocab),
        "tgt_vocab_size": len(target.vocab),
        "src_pad": source.vocab[PAD],
        "tgt_pad": target.vocab[PAD],
        "bos": target.vocab[BOS],
        "eos": target.vocab[EOS],
    }
    for name, given in facts.items():
        if getattr(model, name) != given:
            raise UsageError(
                f"this vocabulary is not the one of these weights: {name} is {given} in it, the "
                f"model has {getattr(model, name)}: take the text.json of the model's own run"
            )


def translate_sentences(
    model: "EncoderDecoder", source: Codec, target: Codec, sentences: Sequence[str], beam: int = 1
) -> list[str]:
    """Translations of sentences as people write them, the words between single spaces.

    Args:
        model: a translator.
        source, target: the vocabularies that it was trained with.
        sentences: one or more.
        beam: sequences that are kept at each step; 1 is greedy.

    Raises:
        UsageError: a sentence that is empty or too long, or vocabularies of another model.
    """
    check_vocabularies(model, source, target)
    cleaned = [" ".join(source.clean(sentence).split()) for sentence in sentences]
    for number, sentence in enumerate(cleaned, 1):
        words = len(sentence.split())
        where = f"sentence {number} of {len(cleaned)}" if len(cleaned) > 1 else "the sentence"
        if not words:
            raise UsageError(f"{where} is empty: a translation wants at least one word")
        if words >= model.num_steps:
            raise UsageError(
                f"{where} has {words} words and marks, the model reads at most "
                f"{model.num_steps - 1}: shorten it, or train with num_steps={words + 1} or more"
            )
    if not cleaned:
        return []
    found = model.translate(*padded(cleaned, source.vocab, model.num_steps), beam=beam)
    return [target.decode(tokens) for tokens in found]


def write_translations(model: "EncoderDecoder", data: DataModule, folder: Path) -> list[str]:
    """Write ``translations.json``: each validation sentence, its reference and its translation.

    Returns:
        A line on the corpus BLEU, greedy and with a beam.
    """
    if not isinstance(data, TranslationData):
        return []
    sources, references = zip(*data.pairs[1], strict=True)
    greedy, beamed = (translate_sentences(model, *data.codecs, sources, beam) for beam in (1, BEAM))
    scores = {"greedy": corpus_bleu(greedy, references), "beam": corpus_bleu(beamed, references)}
    rows: list[dict[str, Any]] = [
        {"source": s, "reference": r, "translation": t, "beam": b, "bleu": bleu(t, r, K)}
        for s, r, t, b in zip(sources, references, greedy, beamed, strict=True)
    ]
    told = {"data": data.label, "corpus_bleu": scores, "beam": BEAM, "bleu_order": K}
    write_json(folder / "translations.json", {**told, "sentences": rows})
    return [
        f"corpus BLEU {scores['greedy']:.3f} on {len(rows)} held-out pairs (greedy), "
        f"{scores['beam']:.3f} with {BEAM} beams"
    ]


def write_looks(model: "EncoderDecoder", data: DataModule, folder: Path) -> list[str]:
    """Write where the model looks while it translates the longest validation sentence."""
    if not isinstance(data, TranslationData):
        return []
    source, target = data.codecs
    sentence = max((pair[0] for pair in data.pairs[1]), key=lambda side: len(side.split()))
    inputs, _ = model.reread(*padded([sentence], source.vocab, model.num_steps))
    read, written = (part[0].tolist() for part in inputs[:2])
    axes = {"source": source.vocab.to_tokens(read), "target": target.vocab.to_tokens(written)}
    return write_attention(model, inputs, axes, folder)
