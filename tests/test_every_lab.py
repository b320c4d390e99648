"""Every lab, small and from the command line: it ends, repeats itself, leaves no trace."""

import json

import pytest
import torch

from freedive import catalog
from freedive.cli.labs import topic_of
from freedive.cli.main import main
from freedive.core.report import Report

SMALL = {
    "law-of-large-numbers": {"draws": 100},
    "polynomial-capacity": {"repeats": 3, "max_degree": 5},
    "k-fold": {"num_folds": 4, "max_degree": 4},
    "weight-decay": {"num_inputs": 12, "max_epochs": 2},
    "test-set-statistics": {"margin": 0.05, "looks": 30},
    "covariate-shift": {"num_train": 200, "num_test": 150},
    "label-shift": {"num_train": 200, "num_test": 150},
    "concept-shift": {"steps": 30},
    "bandit": {"steps": 30, "runs": 5},
    "vanishing-gradients": {"depth": 4, "width": 8, "factors": 5},
    "double-descent": {"num_train": 20, "repeats": 1},
    "nearest-neighbours": {"num_train": 30, "k": 3},
    "label-noise": {"num_train": 40, "width": 16, "max_epochs": 3},
    "house-prices": {"num_rows": 200, "max_epochs": 4, "folds": 2},
    "blocks": {"num_draws": 3},
    "parameters": {"num_units": 32},
    "feature-maps": {"num_train": 200, "max_epochs": 1},
    "batch-norm": {"num_steps": 10},
    "cnn-design": {"num_networks": 2, "num_stages": 2, "num_train": 60, "max_epochs": 1,
                   "budget": 0.3},
    "k-step-prediction": {"max_epochs": 1},
    "tokenizers": {"text": "tales"},
    "zipf": {"text": "tales"},
    "ngram": {"text": "tales", "max_n": 3, "num_sampled": 20},
    "sequence-batches": {"epochs": 20},
    "bptt": {"num_steps": 12},
    "vanishing-rnn": {"num_steps": 12},
    "translation-data": {"num_pairs": 600},
    "decoding": {"languages": 20},
    "kernel-regression": {"num_points": 12, "steps": 5, "widths": (0.2,)},
    "attention-scoring": {"num_queries": 2, "valid_lens": (2,)},
    "multi-head-attention": {"sentence": "a b a", "num_heads": 2, "width": 4},
    "positional-encoding": {"size": 6, "num_positions": 9, "columns": (0, 3)},
    "scaling": {"tokens": 8192},
}  # fmt: skip
SECTIONS = {  # of a room; or of a lab, for itself
    "tensors": "2.", "calculus": ("2.", "5.3"), "probability": "2.6.", "linear_regression": "3.",
    "generalization": ("3.", "4.", "5."), "softmax_regression": "4.", "distribution_shift": "4.7.",
    "mlp": "5.", "building_blocks": "6.", "convolution": "7.", "modern_cnn": "8.",
    "sequences": "9.", "rnn": "9.7.", "seq2seq": "10.", "transformer": "11.",
    "kernel-regression": "11.2", "attention-scoring": "11.3", "multi-head-attention": "11.5",
    "positional-encoding": "11.6.3",
}  # fmt: skip
TIMED = ("vectorization", "tokenizers")  # tell seconds, which are never the same


def flags(settings):
    words = []
    for name, value in settings.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{name.replace('_', '-')}", *map(str, values)]
    return words


@pytest.mark.parametrize("lab", catalog.labs(), ids=lambda lab: lab.id)
def test_a_lab_does_the_same_each_time_and_leaves_no_trace(lab, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    settings = SMALL.get(lab.id, {})
    state = torch.get_rng_state()
    assert main(["lab", lab.id, *flags(settings), "--json", "--out", "first"]) == 0
    report = lab.run(**settings)
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(report, Report)
    files = json.loads(capsys.readouterr().out)["files"]
    assert len(files) == 1 + len(report.figures)
    assert all((tmp_path / path).stat().st_size > 1000 for path in files[1:])
    assert report.notes
    assert lab.section.startswith(SECTIONS.get(lab.id) or SECTIONS[topic_of(lab)])
    if lab.id not in TIMED:
        for path in report.save(tmp_path / "second"):
            assert path.read_bytes() == (tmp_path / "first" / path.name).read_bytes()


@pytest.mark.parametrize(
    "id", ["covariate-shift", "label-shift", "batch-norm", "decoding", "translation-data"]
)
def test_another_seed_is_another_experiment(id):
    first, other = (catalog.LABS[id].run(**SMALL[id], seed=seed) for seed in (0, 1))
    assert (first.numbers, first.tables) != (other.numbers, other.tables)


def test_no_settings_are_for_a_lab_that_is_not_there():
    assert set(SMALL) <= {lab.id for lab in catalog.labs()}
