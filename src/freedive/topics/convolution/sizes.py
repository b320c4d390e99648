"""How large an output is, and which window sees which pixel (section 7.3)."""

from dataclasses import dataclass

from freedive.core.errors import UsageError

Size = int | tuple[int, ...]  # one number stands for height and width


def pair(size: Size) -> tuple[int, int]:
    """The size of height and width.

    Raises:
        UsageError: neither one number nor two.
    """
    if isinstance(size, int):
        return size, size
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        raise UsageError(f"a size wants one whole number, or two (height, width), got {size!r}")
    return size[0], size[1]


def at_least(low: int, **sizes: Size) -> None:
    """Raise `UsageError` for the first size below ``low``, by its name."""
    for name, size in sizes.items():
        if min(pair(size)) < low:
            raise UsageError(f"{name} wants whole numbers of at least {low}, got {size}")


def span(n: int, kernel: int, dilation: int = 1) -> int:
    """How many of n pixels lie between the ends of a window, both counted: d(k − 1) + 1.

    Raises:
        UsageError: more than n.
    """
    at_least(1, kernel=kernel, dilation=dilation)
    spanned = dilation * (kernel - 1) + 1
    if spanned > n:
        raise UsageError(
            f"a kernel of {kernel} at dilation {dilation} spans {spanned} pixels, got {n} with the "
            "padding: pass more padding, a smaller kernel or less dilation"
        )
    return spanned


def output_size(n: int, kernel: int, padding: int = 0, stride: int = 1, dilation: int = 1) -> int:
    """How often a window fits: ⌊(n + 2P − d(k − 1) − 1)/s⌋ + 1 (section 7.3).

    >>> output_size(8, kernel=3, padding=1, stride=2)
    4

    Args:
        n: pixels.
        kernel: pixels of a window.
        padding: P, pixels added on each side, as in torch.
        stride: step between windows.
        dilation: distance of the pixels in a window.
    """
    at_least(1, stride=stride)
    at_least(0, padding=padding)
    room = n + 2 * padding
    return (room - span(room, kernel, dilation)) // stride + 1


def size_by_total(n: int, kernel: int, total: int, stride: int = 1, dilation: int = 1) -> int:
    """The same as the book writes it, ⌊(n − k + p + s)/s⌋: p pixels are added on both sides in all.

    A dilated kernel counts with all that it spans, k ← d(k − 1) + 1.
    """
    return (n - span(n + total, kernel, dilation) + total + stride) // stride


@dataclass(frozen=True)
class Axis:
    """Height or width of an image under a kernel; its cells are its pixels and the padding's.

    Attributes:
        n: pixels.
        kernel: pixels of a window.
        padding: pixels added on each side.
        stride: step between windows.
        dilation: distance of the pixels in a window.
    """

    n: int
    kernel: int
    padding: int = 0
    stride: int = 1
    dilation: int = 1

    @property
    def size(self) -> int:
        """How many windows there are."""
        return output_size(self.n, self.kernel, self.padding, self.stride, self.dilation)

    @property
    def cells(self) -> int:
        """Pixels and padding."""
        return self.n + 2 * self.padding

    def windows(self) -> list[range]:
        """The cells that each window sees, counted from the first one."""
        spanned = span(self.cells, self.kernel, self.dilation)
        starts = range(0, self.size * self.stride, self.stride)
        return [range(start, start + spanned, self.dilation) for start in starts]

    def uses(self) -> list[int]:
        """How many windows see each cell."""
        counts = [0] * self.cells
        for window in self.windows():
            for cell in window:
                counts[cell] += 1
        return counts

    @property
    def left_over(self) -> int:
        """The cells behind the last window."""
        return (self.cells - span(self.cells, self.kernel, self.dilation)) % self.stride

    def is_pixel(self, cell: int) -> bool:
        """Whether a cell belongs to the image and not to the padding."""
        return self.padding <= cell < self.padding + self.n

    def unseen(self) -> list[int]:
        """The pixels, counted from the image's first, that no window sees."""
        counts = self.uses()[self.padding : self.padding + self.n]
        return [pixel for pixel, count in enumerate(counts) if count == 0]
