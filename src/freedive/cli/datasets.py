"""``freedive data list|get|check``."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import tyro

from freedive.cli.parsing import parse
from freedive.cli.screen import print_json, print_table
from freedive.core.errors import DataError, UsageError
from freedive.data import DATASETS, find_dataset
from freedive.experiment import named_data


@dataclass
class Data:
    """What is to be done with which data set."""

    verb: Annotated[Literal["list", "get", "check"], tyro.conf.Positional] = "list"
    """list: what there is; get: fetch or make it now; check: read it and count."""
    name: Annotated[str | None, tyro.conf.Positional] = None
    """Name of the data set; for check also a folder of images, text:, pairs: or table:FILE."""
    json: bool = False
    """One JSON object instead of a table."""


def data(args: list[str]) -> int:
    """List, get or check data sets."""
    asked = parse(Data, args, "freedive data", "The data sets: list, get, check.")
    if asked.verb == "list":
        return _list(asked.json)
    if asked.name is None:
        raise UsageError(f"data {asked.verb} wants a name: one of {', '.join(DATASETS)}")
    return _check(asked.name, asked.json)


def _list(as_json: bool) -> int:
    rows = [{"data": name, "kind": _kind(find_dataset(name)), "where": _where(name)}
            for name in DATASETS]  # fmt: skip
    if as_json:
        print_json({"data": rows})
        return 0
    print_table(("data", "kind", "where"), [tuple(row.values()) for row in rows])
    print("FREEDIVE_DATA names a folder of files that you have, one folder a data set")
    print(
        "your own are called by their path: FOLDER (of images), text:FILE, pairs:FILE, table:FILE"
    )
    return 0


def _kind(data_set: Any) -> str:
    return "synthetic" if data_set.synthetic else "real"


def _where(name: str) -> str:
    data_set: Any = find_dataset(name)
    if not hasattr(data_set, "availability"):
        return "made by code"
    try:
        source = data_set.availability()
    except DataError as error:
        return f"unusable: {error}"
    words = {"given": "in FREEDIVE_DATA", "cached": "in the cache", "download": "to be fetched"}
    return words.get(source, "made by code")


def _check(name: str, as_json: bool) -> int:
    kind: Any
    kind, path = named_data(name)
    data_set = kind(**path)
    counts = {
        split: sum(
            len(batch[-1]) for batch in data_set.get_dataloader(train=split == "train") or ()
        )
        for split in ("train", "val")
    }
    row = {"data": name, "kind": _kind(data_set), **counts, "fingerprint": data_set.fingerprint()}
    if as_json:
        print_json(row)
    else:
        print(f"{name} ({row['kind']}): {counts['train']} training and {counts['val']} validation "
              "examples, all whole")  # fmt: skip
    return 0
