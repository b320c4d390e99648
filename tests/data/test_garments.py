"""garments: the same bytes for the same call, at any size, and ten classes that differ."""

import hashlib

import pytest
import torch
from torch.nn.functional import avg_pool2d

from freedive.core.errors import UsageError
from freedive.data import garments
from freedive.data.garment_shapes import SILHOUETTES, Canvas, Dice, bar, ellipse, profile
from freedive.data.garments import CLASSES, VERSION, draw_garments, garment_labels


@pytest.mark.parametrize("size", [8, 27, 64])
@pytest.mark.parametrize("n", [0, 1, 3])
def test_shape_and_dtype_at_the_edges(n, size):
    pictures = draw_garments(garment_labels(n), size=size)
    assert pictures.shape == (n, 1, size, size)
    assert pictures.dtype == torch.uint8


@pytest.mark.parametrize("size", [7, 0, -28])
def test_a_size_too_small_is_refused_in_one_line(size):
    with pytest.raises(UsageError, match=f"at least 8 pixels, got {size}$"):
        draw_garments(torch.tensor([0]), size=size)


@pytest.mark.parametrize("wrong", [-1, 10])
def test_an_unknown_label_is_named(wrong):
    with pytest.raises(UsageError, match=rf"0 to 9, got {wrong}$"):
        draw_garments(torch.tensor([0, wrong, 9]))


@pytest.mark.parametrize("labels", [torch.zeros(2, 2, dtype=torch.int64), torch.zeros(2)])
def test_labels_that_are_no_row_of_integers_are_refused(labels):
    with pytest.raises(UsageError, match=r"one row of integers, got (int64|float32)"):
        draw_garments(labels)


def test_a_negative_number_of_labels_is_refused():
    with pytest.raises(UsageError, match="n=-1"):
        garment_labels(-1)


@pytest.mark.parametrize("n", [0, 1, 9, 10, 101, 1000])
def test_labels_are_balanced(n):
    labels = garment_labels(n, seed=5)
    assert labels.shape == (n,)
    assert labels.dtype == torch.int64
    counts = labels.bincount(minlength=len(CLASSES))
    assert len(counts) == len(CLASSES)
    assert counts.max() - counts.min() <= 1


def test_labels_are_shuffled_by_their_seed():
    labels = garment_labels(200, seed=1)
    assert torch.equal(labels, garment_labels(200, seed=1))
    assert not torch.equal(labels, garment_labels(200, seed=2))
    assert (labels[1:] == labels[:-1]).float().mean() < 0.25  # neither sorted nor in turn


def test_the_same_call_gives_the_same_bytes_and_another_seed_others():
    labels = garment_labels(60)
    pictures = draw_garments(labels, seed=1)
    assert torch.equal(pictures, draw_garments(labels, seed=1))
    others = draw_garments(labels, seed=2)
    assert all(not torch.equal(a, b) for a, b in zip(pictures, others, strict=True))


def test_the_bytes_do_not_depend_on_the_number_of_threads():
    labels = torch.tensor([2, 5, 9])
    threads, drawn = torch.get_num_threads(), set()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            pictures = draw_garments(labels, size=256)  # enough pixels to be shared out
            drawn.add(pictures.numpy().tobytes())
    finally:
        torch.set_num_threads(threads)
    assert len(drawn) == 1


def test_the_bytes_do_not_depend_on_the_chunks(monkeypatch):
    labels = torch.tensor([4, 8]).repeat(15)
    whole = draw_garments(labels)
    monkeypatch.setattr(garments, "_PIXELS", 4 * 28 * 28)
    assert torch.equal(draw_garments(labels), whole)


def test_a_picture_depends_on_its_place_and_label_only():
    labels = garment_labels(300, seed=7)
    pictures = draw_garments(labels, seed=3)
    assert torch.equal(pictures[:37], draw_garments(labels[:37], seed=3))
    changed = labels.clone()
    changed[4] = (labels[4] + 1) % 10
    same = (draw_garments(changed, seed=3) == pictures).flatten(1).all(1)
    assert same.nonzero().flatten().tolist() == [i for i in range(300) if i != 4]


def test_drawing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    draw_garments(garment_labels(5))
    assert torch.equal(before, torch.get_rng_state())


def test_labels_may_be_of_any_integer_type():
    labels = garment_labels(20)
    assert torch.equal(draw_garments(labels), draw_garments(labels.to(torch.uint8)))


def test_a_larger_size_draws_the_same_garment_finer():
    labels = garment_labels(100, seed=2)
    coarse = draw_garments(labels, size=28).float()
    pooled = avg_pool2d(draw_garments(labels, size=56).float(), 2)
    both = [
        torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        for a, b in zip(coarse, pooled, strict=True)
    ]
    assert min(both) > 0.9


def test_every_class_is_drawn_and_differs_from_every_other():
    labels = torch.arange(10).repeat_interleave(80)
    pictures = draw_garments(labels).float().div(255)
    assert pictures.flatten(1).mean(1).min() > 0.01  # no picture is empty
    halves = pictures.view(10, 2, 40, -1).mean(2)
    between = torch.cdist(halves[:, 0], halves[:, 1])
    own = between.diagonal()
    others = between + torch.eye(10) * 100
    assert (others.min(1).values > own).all()  # a class's mean is nearest to its own other half


def test_no_two_pictures_of_a_class_are_equal():
    pictures = draw_garments(torch.full((200,), 8)).flatten(1)
    assert len(pictures.unique(dim=0)) == 200


def test_the_random_numbers_suffice_for_every_silhouette():
    drawn = draw_garments(torch.arange(10))  # a silhouette that asks for more raises StopIteration
    assert len(SILHOUETTES) == len(CLASSES) == len(drawn)


def test_the_version_names_the_bytes():
    labels = torch.arange(10).repeat(5)
    digest = hashlib.sha256(draw_garments(labels, seed=11).numpy().tobytes()).hexdigest()
    assert (VERSION, digest[:16]) == ("garments-1", "a8beefdb2962190d")


def test_profile_is_linear_between_knots_and_flat_outside():
    t = torch.tensor([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]).view(1, 1, -1)
    value = profile(t, (-1.0, 2.0), (0.0, 4.0), (1.0, 3.0)).flatten()
    torch.testing.assert_close(value, torch.tensor([2.0, 2.0, 4.0, 3.5, 3.0, 3.0]))


def test_painted_areas_agree_with_geometry():
    centres = (torch.arange(200) + 0.5) / 100 - 1
    x, y = centres.expand(1, 200, 200), centres.view(1, -1, 1).expand(1, 200, 200)
    one = torch.ones(1, 1, 1)
    for part, area in (
        (ellipse(x, y, one * 0.6, one * 0.6), torch.pi * 0.36),
        (bar(x, y, (one * -0.5, one * -0.3), (one * 0.5, one * 0.4), 0.2, 0.2), 1.49**0.5 * 0.4),
    ):
        canvas = Canvas(x, y, torch.ones_like(x), 100)
        canvas.paint(part, 1.0)
        assert canvas.tone.sum().item() / 1e4 == pytest.approx(area, rel=0.01)


def test_dice_draw_between_their_bounds_in_their_share():
    dice = Dice(torch.rand(4000, 2, generator=torch.Generator().manual_seed(0)))
    drawn = dice.between(-0.5, 2.0)
    assert drawn.shape == (4000, 1, 1)
    assert -0.5 <= drawn.min() < -0.49 < 1.99 < drawn.max() <= 2.0
    assert dice.chance(0.3).mean().item() == pytest.approx(0.3, abs=0.03)
