"""The deep-learning textbook as working software."""

import importlib
import importlib.util
from typing import Any

__version__ = "0.1.0"

# Nothing is imported until it is used: `import freedive` costs no torch.
_HOMES = {
    "HyperParameters": "core.hyperparameters",
    "Module": "core.module",
    "Classifier": "core.module",
    "Regressor": "core.module",
    "DataModule": "core.data",
    "TensorLoader": "core.loader",
    "Trainer": "core.trainer",
    "History": "core.history",
    "ProgressBoard": "core.board",
    "Callback": "core.callbacks",
    "EarlyStopping": "core.callbacks",
    "LRSchedule": "core.callbacks",
    "CosineSchedule": "core.callbacks",
    "GradientClipping": "core.callbacks",
    "WeightAveraging": "core.callbacks",
    "Checkpointing": "core.saving",
    "find_lr": "core.lr_finder",
    "save_checkpoint": "core.checkpoint",
    "load_checkpoint": "core.checkpoint",
    "accuracy": "core.metrics",
    "perplexity": "core.metrics",
    "confusion_matrix": "core.metrics",
    "seed_everything": "core.random",
    "cpu": "core.device",
    "gpu": "core.device",
    "num_gpus": "core.device",
    "try_gpu": "core.device",
    "try_all_gpus": "core.device",
    "FreediveError": "core.errors",
    "UsageError": "core.errors",
    "FashionMNIST": "data.fashion_mnist",
    "Garments": "data.fashion_mnist",
    "OwnImages": "data.own_images",
    "SyntheticRegressionData": "data.synthetic",
    "TextData": "data.text",
    "TimeMachine": "data.time_machine",
    "Tales": "data.time_machine",
    "OwnText": "data.time_machine",
    "TranslationData": "data.translation",
    "MTFraEng": "data.fra_eng",
    "Phrasebook": "data.fra_eng",
    "OwnPairs": "data.fra_eng",
    "Vocab": "data.vocab",
    "Codec": "data.codec",
    "system": "catalog",
    "lab": "catalog",
    "claim": "catalog",
    "erratum": "catalog",
    "summary": "insight.summary",
    "graph": "insight.trace",
    "doctor": "insight.doctor",
    "DoctorCallback": "doctor_callback",
    "gradients": "insight.gradients",
    "features": "insight.features",
    "attention_weights": "insight.attention",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"freedive.{_HOMES[name]}"), name)
    if name.startswith("_"):  # a dunder that Python looks for is no model
        raise AttributeError(name)
    if importlib.util.find_spec(f"freedive.{name}") is not None:
        return importlib.import_module(f"freedive.{name}")
    for model in importlib.import_module("freedive.catalog").classes():
        if model.__name__ == name:
            return model
    raise AttributeError(f"module 'freedive' has no attribute {name!r}")


def __dir__() -> list[str]:
    models = importlib.import_module("freedive.catalog").classes()
    return sorted({*globals(), *_HOMES, *(model.__name__ for model in models)})
