"""Pictures as files: equal ones have equal bytes, and what they refer to is there."""

import re

import pytest
import torch

from freedive.core.figures import confusion_figure, curves_figure, figure_bytes, gallery_figure

FIGURES = {
    "curves": lambda n: curves_figure({"loss": [(0, n), (1, 2)], "one": [(0, 1)]}, title="t"),
    "gallery": lambda n: gallery_figure(torch.full((n, 1, 6, 5), 0.5), ["a\n→ b"] * n, "wrong"),
    "confusion": lambda n: confusion_figure(n * torch.eye(3, dtype=torch.int64), list("abc")),
}


@pytest.mark.parametrize("name", FIGURES)
def test_equal_figures_give_equal_bytes_and_every_reference_is_met(name):
    first, again, other = (figure_bytes(FIGURES[name](n)).decode() for n in (1, 1, 3))
    assert first == again != other
    ids, others = (re.findall(r'\bid="([^"]+)"', text) for text in (first, other))
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'url\(#([^)]+)\)|href="#([^"]+)"', first)) <= {
        pair for id in ids for pair in ((id, ""), ("", id))
    }
    made = {id for id in ids if re.fullmatch(r"f[0-9a-f]{8}-\d+", id)}
    assert made
    assert not made & set(others)  # two figures in one page do not take each other's parts


@pytest.mark.parametrize(
    ("n", "channels", "shape"), [(0, 1, (4, 4)), (1, 3, (1, 1)), (9, 1, (7, 3))]
)
def test_a_gallery_of_any_number_and_shape_is_drawn(n, channels, shape):
    figure = gallery_figure(torch.rand(n, channels, *shape), ["x"] * n)
    assert figure_bytes(figure, "png").startswith(b"\x89PNG")
    assert [text.get_text() for text in figure.axes[0].texts] == ["x"] * n
    shown = figure.axes[0].images[0].get_array()
    assert shown.shape[2] == 3
