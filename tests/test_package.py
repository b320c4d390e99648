"""What installing and importing freedive brings with it."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def requirements() -> list[str]:
    """All requirements of the distribution, its extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return [*project["dependencies"], *(line for extra in extras for line in extra)]


def test_r01_only_lower_bounds_no_jupyter_and_a_tested_constraint_file() -> None:
    for line in requirements():
        assert re.fullmatch(r"[\w-]+(>=[\d.]+|\[test\])", line), line
        assert not re.search("jupyter|ipython|notebook", line)
    pinned = dict(
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    )
    assert pinned["torch"] == "2.13.0"
    wanted = {re.split(r"[>\[]", line)[0] for line in requirements()} - {"freedive", "pre-commit"}
    assert wanted <= set(pinned)


def test_r01_any_python_from_311_on_will_do() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"


def test_r02_importing_freedive_imports_nothing_heavy() -> None:
    code = (
        "import sys; before = set(sys.modules); import freedive; "
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"torch", "torchvision", "numpy", "pandas", "scipy", "IPython", "matplotlib"}
    assert not heavy & set(done.stdout.split())


def test_r02_training_imports_neither_pandas_nor_scipy_nor_ipython() -> None:
    code = (
        "import sys, freedive\n"
        "data = freedive.SyntheticRegressionData(num_train=8, num_val=8)\n"
        "freedive.Trainer(max_epochs=1).fit(freedive.LinearRegression(), data)\n"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    assert not {"torchvision", "pandas", "scipy", "IPython", "matplotlib"} & found


def test_every_public_name_is_there() -> None:
    import freedive

    for name in freedive._HOMES:
        assert getattr(freedive, name).__name__ == name
    assert {"LeNet", "Trainer", "FashionMNIST"} <= set(dir(freedive))


def test_every_dependency_has_its_reason() -> None:
    table = (ROOT / "docs/dependencies.md").read_text()
    tools = {"ruff", "mypy", "import-linter", "pre-commit", "freedive", "pytest"}
    for line in requirements():
        name = re.split(r"[>\[]", line)[0]
        assert name in tools or name in table, name
