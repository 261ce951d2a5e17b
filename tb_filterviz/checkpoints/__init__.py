"""Any saved model or file of weights, to a model with its weights. What names and files say is read without Keras."""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tb_filterviz.checkpoints.architecture import Architecture
    from tb_filterviz.checkpoints.formats import Checkpoint, Kind, recognise
    from tb_filterviz.checkpoints.loading import architecture_of, load_model, load_weights
    from tb_filterviz.checkpoints.sources import ModelSource
else:  # hidden from the type checker, so that a misspelt name stays an error
    _HOMES = {
        "Architecture": "architecture",
        "Checkpoint": "formats",
        "Kind": "formats",
        "ModelSource": "sources",
        "architecture_of": "loading",
        "load_model": "loading",
        "load_weights": "loading",
        "recognise": "formats",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value


__all__ = [
    "Architecture",
    "Checkpoint",
    "Kind",
    "ModelSource",
    "architecture_of",
    "load_model",
    "load_weights",
    "recognise",
]
