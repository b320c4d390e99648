"""``freedive show``: one system, from its settings to its source."""

import inspect
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import tyro

from freedive import catalog
from freedive.catalog import Claim, System
from freedive.cli.parsing import parse
from freedive.cli.screen import example_inputs, print_json, print_layers
from freedive.core.data import DataModule
from freedive.core.errors import unknown
from freedive.core.module import Module
from freedive.experiment import Experiment, data_at_hand


@dataclass
class Show:
    """What is to be shown of a system."""

    system: Annotated[str, tyro.conf.Positional]
    """Name of the system."""
    impl: str | None = None
    """scratch or concise."""
    preset: str | None = None
    """Settings by name."""
    source: bool = False
    """Print the program itself."""
    json: bool = False
    """One JSON object instead of text."""


def show(args: list[str]) -> int:
    """One system: settings, layers, claims; or its source."""
    asked = parse(Show, args, "freedive show", "A system: settings, layers, claims, source.")
    system = catalog.find_system(asked.system)
    if asked.impl not in (None, "scratch", "concise"):
        raise unknown("form", str(asked.impl), ["scratch", "concise"])
    form: Any = asked.impl
    model_class = system.model(form)
    if asked.source:
        print(inspect.getsource(inspect.getmodule(model_class) or model_class), end="")
        return 0
    experiment = Experiment.of(system, form, data_at_hand(system), asked.preset)
    data = experiment.build_data()
    # of images, shapes are all that is shown, and the largest networks are large
    with torch.device("meta" if "image_size" in data.model_arguments() else "cpu"):
        model = experiment.build_model(data)
    if asked.json:
        print_json(_facts(system, model, experiment, data))
    else:
        _tell(system, model, experiment, data)
    return 0


def _facts(
    system: System, model: Module, experiment: Experiment, data: DataModule
) -> dict[str, Any]:
    """All that is known of a system, for programs."""
    from freedive.insight.summary import summary

    found = summary(model, example(data))
    return {
        "system": system.id,
        "section": system.section,
        "what": system.title,
        "forms": {f: m.__qualname__ for f, m in system.forms.items()},
        "preset": experiment.preset,
        "settings": _settings(model, experiment),
        "presets": system.presets,
        "data": system.data.name,
        "layers": [vars(layer) for layer in found.layers],
        "blocks": [vars(block) for block in found.blocks],
        "parameters": found.parameters,
        "trainable": found.trainable,
        "macs": found.macs,
        "memory": found.memory,
        "claims": [c.statement for c in _claims_beside(system)],
    }


def _tell(system: System, model: Module, experiment: Experiment, data: DataModule) -> None:
    """The same for people."""
    print(f"{system.id} · section {system.section} · {' and '.join(sorted(system.forms))}")
    print(f"{inspect.cleandoc(type(model).__doc__ or '')}\n")
    chosen = f" of preset {experiment.preset}" if experiment.preset else ""
    print(f"settings{chosen}: {_settings_text(_settings(model, experiment))}")
    for name, changes in system.presets.items():
        if name != experiment.preset:
            print(f"preset {name}: {_settings_text(changes) or 'as above'}")
    same = data.name == system.data.name
    print(f"data: {data.label if same else f'{system.data.name}; sizes are those of {data.label}'}")
    print_layers(model, example(data))
    print(f"{len(_claims_beside(system))} claims in its room: freedive verify {system.topic}")
    print(f"its program: freedive show {system.id} --source")


def _settings(model: Module, experiment: Experiment) -> dict[str, Any]:
    return {**model.hparams, **experiment.data_arguments, **experiment.trainer}


def _settings_text(settings: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())


def _claims_beside(system: System) -> list[Claim]:
    return [claim for claim in catalog.claims() if claim.topic == system.topic]


def example(data: DataModule) -> tuple[Any, ...]:
    """The shape of a batch of one example, or such a batch, whatever can be had with less work."""
    facts = data.model_arguments()
    if "image_size" in facts:
        return (1, facts["in_channels"], facts["image_size"], facts["image_size"])
    return (1, facts["num_inputs"]) if "num_inputs" in facts else example_inputs(data)
