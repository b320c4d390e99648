"""What an experiment found: numbers, tables, figures, and a sentence on each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from freedive.core.figures import figure_bytes
from freedive.core.files import write_json, write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Table = Sequence[Mapping[str, Any]]


@dataclass
class Report:
    """The outcome of a lab.

    Attributes:
        numbers: what was measured, by name.
        tables: rows of equal columns, by title.
        figures: by name; an SVG text stands for itself.
        notes: what to see in them, a sentence each.
    """

    numbers: dict[str, Any] = field(default_factory=dict)
    tables: dict[str, Table] = field(default_factory=dict)
    figures: "dict[str, Figure | str]" = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def save(self, folder: Path) -> list[Path]:
        """Write numbers and tables to ``report.json``, each figure to an SVG; gives the paths."""
        written = [folder / "report.json"]
        write_json(
            written[0], {"numbers": self.numbers, "tables": self.tables, "notes": self.notes}
        )
        for name, figure in self.figures.items():
            path = folder / f"{name}.svg"
            write_whole(path, figure if isinstance(figure, str) else figure_bytes(figure))
            written.append(path)
        return written
