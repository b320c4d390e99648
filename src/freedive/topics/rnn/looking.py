"""What a model looks at when it reads, as files of a run."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from freedive.core.figures import figure_bytes
from freedive.core.files import write_json, write_whole
from freedive.core.module import Module
from freedive.core.predicting import predicting
from freedive.insight.attention import attended
from freedive.insight.attention_figures import attention_record, heatmaps


def write_attention(
    model: Module, inputs: Sequence[Tensor], axes: Mapping[str, Sequence[str]], folder: Path
) -> list[str]:
    """Write ``attention.svg`` and ``attention.json``; nothing for a model in which nothing attends.

    Args:
        model: is called once, as it predicts.
        inputs: the arguments of the call.
        axes: the tokens of each sequence, by its name.
        folder: of the files.

    Returns:
        A line on them.
    """
    with predicting(model):
        attentions = attended(model, inputs, axes)
    if not attentions:
        return []
    write_json(folder / "attention.json", attention_record(attentions))
    write_whole(folder / "attention.svg", figure_bytes(heatmaps(attentions)))
    heads = sum(attention.weights.shape[1] for attention in attentions)
    return [f"what it looks at, {heads} heads in {len(attentions)} layers: samples/attention.svg"]
