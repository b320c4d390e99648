"""How an old name is found in its module when it is first asked for."""

import difflib
import importlib
from importlib.util import find_spec
from typing import Any

from freedive.d2l.names import BOTH, CHINESE, ENGLISH

# what the old file had imported, and old code reaches through it: "module" or "module:name"
MODULES = {
    "torch": "torch",
    "nn": "torch.nn",
    "F": "torch.nn.functional",
    "data": "torch.utils.data",
    "np": "numpy",
    "plt": "matplotlib.pyplot",
    "pd": "pandas",
    "Image": "PIL.Image",
    "defaultdict": "collections:defaultdict",
    **{name: name for name in ("collections", "hashlib", "inspect", "math", "os", "random")},
    **{name: name for name in ("re", "shutil", "sys", "tarfile", "time", "zipfile", "requests")},
}
NOTEBOOK = {"display": "IPython.display", "backend_inline": "matplotlib_inline.backend_inline"}
NOT_OURS = {  # there where its package is installed
    "torchvision": "torchvision",
    "transforms": "torchvision.transforms",
    "distance_matrix": "scipy.spatial:distance_matrix",
}
MODULES |= {name: place for name, place in NOT_OURS.items() if find_spec(place.split(".")[0])}
MODULES |= {
    name: place if find_spec(place.split(".")[0]) else "freedive.d2l.inline"
    for name, place in NOTEBOOK.items()
}
# old names of chapters that freedive does not cover
LATER = {
    "computer vision": """
        box_corner_to_center box_center_to_corner bbox_to_rect multibox_prior show_bboxes box_iou
        assign_anchor_to_bbox offset_boxes multibox_target offset_inverse nms multibox_detection
        read_data_bananas BananasDataset load_data_bananas VOC_COLORMAP VOC_CLASSES
        read_voc_images voc_colormap2label build_colormap2label voc_label_indices voc_rand_crop
        VOCSegDataset load_data_voc read_csv_labels copyfile reorg_train_valid reorg_test""",
    "natural language processing": """
        read_ptb subsample get_centers_and_contexts RandomGenerator get_negatives batchify
        load_data_ptb TokenEmbedding get_tokens_and_segments BERTEncoder MaskLM NextSentencePred
        BERTModel load_data_wiki read_imdb load_data_imdb predict_sentiment read_snli
        SNLIDataset load_data_snli predict_snli""",
    "reinforcement learning": """
        make_env frozen_lake show_value_function_progress show_Q_function_progress""",
    "hyperparameter optimization": """
        HPOSearcher RandomSearcher HPOScheduler BasicScheduler HPOTuner HPOTrainer
        SuccessiveHalvingScheduler hpo_objective_lenet""",
    "Gaussian processes": "rbfkernel",
    "generative adversarial networks": "update_D update_G",
}
HOMES = {
    name: module
    for table in (BOTH, ENGLISH, CHINESE)
    for module, names in table.items()
    for name in names.split()
}
ALL = sorted([*HOMES, *MODULES])


def found(name: str, older: bool = False) -> Any:
    """What an old name means.

    Args:
        name: the name.
        older: take the second edition's where the two disagree.

    Raises:
        AttributeError: in neither generation; says which name is nearest.
    """
    if name in MODULES:
        if name == "plt":
            without_display()
        module, _, attribute = MODULES[name].partition(":")
        value = importlib.import_module(module)
        return getattr(value, attribute) if attribute else value
    if name in HOMES:
        home = importlib.import_module(f"freedive.d2l.{HOMES[name]}")
        return (getattr(home, "OLDER", {}) if older else {}).get(name) or getattr(home, name)
    if name in NOT_OURS:
        package = NOT_OURS[name].split(".")[0]
        raise AttributeError(f"d2l.{name} is {package}'s, which is not here: pip install {package}")
    for chapter, names in LATER.items():
        if name in names.split():
            raise AttributeError(
                f"d2l.{name} belongs to the book's chapter on {chapter}, which freedive does not "
                "cover: define it in a cell, as the book does there"
            )
    near = difflib.get_close_matches(name, ALL, 1, 0.6)
    raise AttributeError(
        f"d2l has no {name!r} in either edition's chapters that freedive covers"
        + (f": did you mean {near[0]!r}?" if near else ": docs/d2l.md lists all names")
    )


def without_display() -> None:
    """Choose a backend that needs no display, where there is none and nobody has chosen."""
    import os
    import sys

    import matplotlib

    linux = sys.platform.startswith("linux")
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if linux and not shown and "MPLBACKEND" not in os.environ and "IPython" not in sys.modules:
        matplotlib.use("agg")
