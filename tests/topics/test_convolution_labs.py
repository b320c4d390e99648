"""The labs of the room: what they find, at their smallest, from the command line."""

import itertools

import pytest
import torch

from freedive.cli.main import main
from freedive.core.errors import UsageError
from freedive.topics.convolution import (
    dense_lab,
    field_lab,
    kernel_labs,
    maps_lab,
    operations_lab,
    size_lab,
)
from freedive.topics.convolution.maps_figures import tiled


def test_another_seed_is_another_experiment():
    for lab in (dense_lab.dense_to_conv, kernel_labs.kernel_learning):
        assert lab(seed=1).tables != lab(seed=2).tables


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["output-size", "--kernel", "99"], "spans 99 pixels, got 10 with the padding"),
        (["output-size", "--n", "0"], "n wants a whole number from 1 to 40, got 0"),
        (["convolution-operations", "--operation", "max-pooling", "--padding", "2"], "pass less"),
        (["convolution-operations", "--kernel", "5"], "spans 5 pixels, got 3 with the padding"),
        (["edge-detection", "--garment", "cote"], "did you mean 'coat'"),
        (["kernel-learning", "--lr", "1"], "lr wants a number above 0 to 0.1, got 1"),
        (["receptive-field", "--layers", "5:1"], "got '5:1': pass such as"),
        (["feature-maps", "--classes", "coat, bags"], "did you mean 'bag'"),
        (["feature-maps", "--classes", ""], "wanted are 1 to 5 classes, got 0"),
        (["dense-to-conv", "--down", "5"], "down wants a whole number from -4 to 4, got 5"),
    ],
)
def test_a_bad_argument_gets_one_line(words, told, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["lab", *words]) == 2
    error = capsys.readouterr().err.splitlines()
    assert len(error) == 1
    assert told in error[0]
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("down", "right"), [(2, 3), (-4, 1), (0, -2), (0, 0)])
def test_only_the_dense_layer_does_not_move_with_its_image(down, right):
    for n, delta in ((16, 1), (17, 0), (16, 8)):
        report = dense_lab.dense_to_conv(n, delta, down, right)
        assert report.numbers["difference from a convolution"] < 1e-12
        dense, equivariant, local = report.tables["what each restriction leaves"]
        assert equivariant["away from the moved output"] < 1e-12
        assert local["away from the moved output"] < 1e-12
        assert (dense["away from the moved output"] > 1) is ((down, right) != (0, 0))
        assert local[f"at {n} × {n}"] == (2 * delta + 1) ** 2
        assert dense["at 1000 × 1000"] == 10**12


def test_operations_agree_with_torch_and_tell_how_many_steps_there_are():
    report = operations_lab.convolution_operations("output-channels", 4, 2, 1, 1)
    assert report.numbers["difference from torch's"] == 0
    assert len(report.tables["output-channels"]) == operations_lab.LISTED
    assert report.notes == [
        "An image of 2 × 4 × 4 gives 3 × 5 × 5 numbers.",
        "Listed are the first 24 of 75.",
    ]
    small = operations_lab.convolution_operations("1x1", size=1)
    assert small.numbers["output"] == [[[5.0]], [[8.0]]]


def test_edges_are_found_in_their_direction_only():
    report = kernel_labs.edge_detection("ankle boot", size=8)
    assert report.numbers["a row of edges"] == [0, 1, 0, 0, 0, -1, 0]
    rows = {row["kernel"]: row for row in report.tables["kernels"]}
    assert rows["Sobel, vertical"]["numbers"] == "1 0 −1 / 2 0 −2 / 1 0 −1"
    assert rows["Sobel, vertical"]["standing stripes"] == 4
    assert rows["Sobel, vertical"]["lying stripes"] == 0


@pytest.mark.parametrize("strict", [False, True])
def test_a_kernel_is_learnt_along_the_law(strict):
    report = kernel_labs.kernel_learning(steps=60, seed=5, strict=strict)
    assert report.numbers["farthest weight"] < 1e-3
    assert report.numbers["stable below"] == pytest.approx(1 / 30)
    for row in report.tables["steps"]:
        assert row["loss"] == pytest.approx(row["by its law"], abs=1e-9)
    sign = -1 if strict else 1
    assert report.numbers["kernel"] == pytest.approx([sign, -sign], abs=1e-3)
    assert any("flips" in note for note in report.notes) is strict


@pytest.mark.parametrize(("lr", "steps", "grows"), [(0.033, 50, False), (0.1, 100, True)])
def test_beyond_the_limit_the_loss_grows_and_the_lab_says_so(lr, steps, grows, tmp_path):
    report = kernel_labs.kernel_learning(lr, steps)
    losses = [row["loss"] for row in report.tables["steps"]]
    assert (losses[-1] > losses[0]) is grows
    assert any("does not fall" in note for note in report.notes) is grows
    report.save(tmp_path)  # numbers up to 10¹⁴⁰ can be drawn


def test_a_field_larger_than_the_image_and_one_with_holes_are_told():
    report = field_lab.receptive_field("3/1/1 3/1/2 3/1/4", image_size=12)
    assert report.numbers["receptive field"] == 15
    assert report.numbers["largest difference from gradients"] == 0
    assert [row["larger than the image"] for row in report.tables["fields"]] == ["no", "no", "yes"]
    assert "12 at most lie in the image" in report.notes[1]
    assert (
        field_lab.receptive_field("1/3 2").notes[1] == "Of 4 pixels a side the last layer misses 2."
    )


@pytest.mark.parametrize(
    ("n", "kernel", "padding"), [(1, 1, 0), (40, 40, 12), (7, 2, 0), (4, 5, 1)]
)
def test_the_size_lab_counts_what_both_formulas_say(n, kernel, padding):
    for stride, dilation in itertools.product((1, 3), (1, 2)):
        if dilation * (kernel - 1) + 1 > n + 2 * padding:
            continue
        report = size_lab.size_of_output(n, kernel, padding, stride, dilation)
        size = report.numbers["counted on an image"]
        assert report.numbers["output size"] == size
        assert [row["size"] for row in report.tables["two formulas, one answer"]] == [size] * 2
        assert len(report.tables["windows"]) == size


def test_the_size_lab_shows_what_is_never_seen_and_what_is_luck():
    report = size_lab.size_of_output(7, 2, 0, 3)
    assert report.numbers["pixels that no window sees"] == [2, 5, 6]
    assert report.numbers["cells left over at the end"] == 2
    assert not any("luck" in note for note in report.notes)  # without padding there is no mistake
    assert any("luck" in note for note in size_lab.size_of_output(8, 3, 1, 2).notes)
    assert not any("luck" in note for note in size_lab.size_of_output(8, 3, 1, 1).notes)


def test_feature_maps_of_chosen_classes():
    report = maps_lab.feature_maps("ankle boot, bag", num_train=2000, max_epochs=2)
    assert report.numbers["accuracy before training"] < 0.3
    assert report.numbers["accuracy after training"] > 0.6
    (rows,) = report.tables.values()
    assert [row["maps"] for row in rows] == ["6 × 28 × 28"] * 2 + ["16 × 10 × 10"] * 2
    with pytest.raises(UsageError, match="wanted are 1 to 5 classes, got 6"):
        maps_lab.feature_maps("bag, " * 6)


def test_maps_are_tiled_in_two_rows_with_nothing_between():
    maps = torch.arange(1.0, 4)[:, None, None].expand(3, 2, 2)
    picture = tiled(maps)
    assert picture.shape == (5, 5)
    assert picture[0].nan_to_num().tolist() == [1, 1, 0, 2, 2]
    assert picture[4].nan_to_num().tolist() == [3, 3, 0, 0, 0]
