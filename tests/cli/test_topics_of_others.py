"""Topics that other distributions bring through the entry point `freedive.topics`."""

import json
import os
from pathlib import Path

from tests.cli.conftest import Call

ROOM = """
from freedive.catalog import claim
from freedive.data.fashion_mnist import FashionMNIST
from freedive.catalog import system
from freedive.topics.softmax_regression.concise import SoftmaxRegression


@system("linear-twin", section="99.1", data=FashionMNIST, trainer={"max_epochs": 1})
class LinearTwin(SoftmaxRegression):
    \"\"\"A linear classifier of somebody else's.\"\"\"


@claim("99.1", "two and two make four", source="arithmetic")
def sum_of_twos():
    yield 2 + 2, 4
"""


def install(folder: Path, name: str, source: str) -> None:
    """What pip would leave in site-packages: a module, and a distribution that names it."""
    (folder / f"{name}.py").write_text(source)
    info = folder / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[freedive.topics]\n{name} = {name}\n")


def test_a_room_of_another_distribution_is_found_and_a_broken_one_hides_nothing(
    command: Call, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    install(site, "somebodys_room", ROOM)
    install(site, "broken_room", "import nothing_of_that_name")
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    listed = command("list", "--json", PYTHONPATH=path)
    rows = {row["system"]: row for row in json.loads(listed.out)["systems"]}
    assert rows["linear-twin"]["topic"] == "somebodys_room"
    assert "lenet" in rows
    assert "broken_room" in listed.err
    assert "nothing_of_that_name" in listed.err
    verified = command("verify", "somebodys_room", "--json", PYTHONPATH=path)
    assert json.loads(verified.out)["checked"] == 1
