"""What a run gives back and what it leaves in its folder."""

import json

from tiny import (
    TinyNet,
    equal_bits,
    quiet,
    tiny_net,
    weights,
)

from freedive.core.checkpoint import load_checkpoint
from freedive.core.history import History
from freedive.core.random import seed_everything


def test_R09_several_fits_of_one_trainer_are_separate(tiny_data):
    trainer, once = quiet(max_epochs=2), quiet(max_epochs=2)
    first = trainer.fit(tiny_net(), tiny_data)
    kept = dict(first.curves)
    model = tiny_net()
    second = trainer.fit(model, tiny_data)
    again = once.fit(tiny_net(), tiny_data)
    assert first is not second
    assert second.epochs == again.epochs == first.epochs
    assert second.curves == again.curves == first.curves == kept
    trainer.fit(model, tiny_data)  # the same model goes on learning, with curves of its own
    assert len(trainer.history) == 2
    assert model.board.series == trainer.history.curves
    assert second.curves == kept


def test_R09_fit_leaves_numbers_and_pictures(tmp_path, tiny_data):
    history = quiet(max_epochs=3, run=tmp_path).fit(tiny_net(), tiny_data)
    assert isinstance(history, History)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [row.pop("seconds") >= 0 for row in rows] == [True] * 3
    assert rows == history.epochs
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert b"<svg" in (tmp_path / "curves.svg").read_bytes()
    assert {p.name for p in (tmp_path / "checkpoints").iterdir()} == {
        "last.safetensors",
        "best.safetensors",
    }


def test_R09_without_a_run_folder_nothing_is_written(tmp_path, monkeypatch, tiny_data):
    monkeypatch.chdir(tmp_path)
    quiet(max_epochs=1).fit(tiny_net(), tiny_data)
    assert list(tmp_path.iterdir()) == []


def test_the_best_checkpoint_holds_the_weights_of_the_best_epoch(tmp_path, tiny_data):
    seen = []

    class Watch(TinyNet):
        def validation_step(self, batch):
            seen.append(weights(self))
            super().validation_step(batch)

    seed_everything(0)
    history = quiet(max_epochs=8, run=tmp_path).fit(Watch(lr=3.0), tiny_data)
    best = load_checkpoint(tmp_path / "checkpoints" / "best.safetensors")
    top = max(history["val_acc"])
    epoch = history["val_acc"].index(top)
    assert epoch < 7  # else the test would show nothing
    assert (best["epoch"], best["val_acc"]) == (epoch + 1, top)
    assert equal_bits(best["model"], seen[3 * epoch])
