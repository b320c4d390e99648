"""Every example runs to its end, as a script, in an empty folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[1] / "examples").glob("*.py"))


def run(example: Path, folder: Path) -> str:
    """What a script prints."""
    done = subprocess.run(
        [sys.executable, str(example)], cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_the_example_runs_and_learns(example: Path, tmp_path: Path) -> None:
    out = run(example, tmp_path)
    match example.stem:
        case "own_model":
            (share,) = re.findall(r"([\d.]+)% of the garments", out)
            assert float(share) > 50
            assert (tmp_path / "runs/bottleneck/example/curves.svg").exists()
        case "own_data":
            linear, deep = map(float, re.findall(r": ([\d.]+)% right", out))
            assert deep > linear + 20
        case "own_loop":
            w1, w2, b = map(
                float, re.findall(r"-?\d+\.\d+(?=[,\]\n])", out.splitlines()[-1] + "\n")
            )
            assert (w1, w2, b) == pytest.approx((2.0, -3.4, 4.2), abs=0.01)
        case other:
            pytest.fail(f"the example {other} wants a check here")
