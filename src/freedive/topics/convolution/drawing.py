"""What the figures of this room are put together from: images, and cells with numbers in them."""

from collections.abc import Set
from typing import TYPE_CHECKING, Any

from torch import Tensor

from freedive.topics.tensors.drawing import NONE as NONE
from freedive.topics.tensors.drawing import Place
from freedive.topics.tensors.drawing import draw_matrix as draw_matrix
from freedive.topics.tensors.drawing import short as short
from freedive.topics.tensors.drawing import whole as whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def show_image(axes: "Axes", X: Tensor, title: str = "", **look: Any) -> None:
    """An image, or a matrix in any other colours, without ticks."""
    axes.imshow(X.numpy(), **{"cmap": "gray", **look})
    axes.set(xticks=[], yticks=[])
    axes.set_title(title, fontsize=9)


def show_signed(axes: "Axes", Y: Tensor, title: str = "", reach: float | None = None) -> None:
    """Numbers with signs: red positive, blue negative, white zero; ``reach`` has the full tone."""
    reach = reach or float(Y.abs().max()) or 1.0
    show_image(axes, Y, title, cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")


def rim(M: Tensor, padding: int) -> Set[Place]:
    """The places of the outermost rows and columns."""
    height, width = M.shape
    rows, columns = range(padding, height - padding), range(padding, width - padding)
    return {(i, j) for i, j in whole(M) if i not in rows or j not in columns}
