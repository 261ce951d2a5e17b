"""Watch a convolutional network's filters form, epoch by epoch, in TensorBoard."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from tb_filterviz.callbacks import FilterVisualizer
    from tb_filterviz.checkpoints import load_model, load_weights
    from tb_filterviz.config import AscentConfig, Config, GridConfig
    from tb_filterviz.datasets import digits, full_mnist
    from tb_filterviz.errors import CheckpointWarning, FilterVizError, VisualizationWarning
    from tb_filterviz.lenet import build_lenet
    from tb_filterviz.logger import FilterLogger
    from tb_filterviz.posthoc.log import LogReport
    from tb_filterviz.records import LayerSnapshot
    from tb_filterviz.sinks.files import FileSink
    from tb_filterviz.sinks.memory import MemorySink
else:  # hidden from the type checker, so that a misspelt name stays an error
    _HOMES = {
        "FilterVisualizer": "callbacks",
        "load_model": "checkpoints",
        "load_weights": "checkpoints",
        "AscentConfig": "config",
        "Config": "config",
        "GridConfig": "config",
        "digits": "datasets",
        "full_mnist": "datasets",
        "CheckpointWarning": "errors",
        "FilterVizError": "errors",
        "VisualizationWarning": "errors",
        "build_lenet": "lenet",
        "FilterLogger": "logger",
        "LogReport": "posthoc.log",
        "LayerSnapshot": "records",
        "FileSink": "sinks.files",
        "MemorySink": "sinks.memory",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *_HOMES})


__all__ = [
    "AscentConfig",
    "CheckpointWarning",
    "Config",
    "FileSink",
    "FilterLogger",
    "FilterVisualizer",
    "FilterVizError",
    "GridConfig",
    "LayerSnapshot",
    "LogReport",
    "MemorySink",
    "VisualizationWarning",
    "build_lenet",
    "digits",
    "full_mnist",
    "load_model",
    "load_weights",
]
