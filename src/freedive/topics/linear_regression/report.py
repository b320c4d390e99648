"""What linear regression found, beside the law that made the data."""

from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from freedive.core.data import DataModule
from freedive.core.files import write_json

SHOWN = 4  # weights on the line; the file holds all


def parameter_report(
    w: Float[Tensor, " num_inputs"], b: Float[Tensor, ""], data: DataModule, folder: Path
) -> list[str]:
    """Write ``parameters.json`` and give its one line.

    Where the data know their true w and b, these and the errors stand beside what was found.
    """
    w, b = w.cpu(), b.cpu()
    found: dict[str, Any] = {"w": w.tolist(), "b": b.item()}
    line = f"w = {_numbers(found['w'])}  b = {b.item():.4g}"
    true_w, true_b = getattr(data, "w", None), getattr(data, "b", None)
    if true_w is not None and true_b is not None:
        true_w = true_w.reshape(-1)
        found |= {"true_w": true_w.tolist(), "true_b": float(true_b)}
        found |= {"error_w": (true_w - w).tolist(), "error_b": float(true_b) - b.item()}
        line += f"   true {_numbers(found['true_w'])}, {found['true_b']:.4g}"
    write_json(folder / "parameters.json", found)
    return [line]


def _numbers(values: list[float]) -> str:
    shown = [f"{value:.4g}" for value in values[:SHOWN]]
    return f"({', '.join(shown + ['…'] * (len(values) > SHOWN))})"
