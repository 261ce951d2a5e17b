"""Watch a convolutional network's filters form, epoch by epoch, in TensorBoard."""

import importlib
from typing import TYPE_CHECKING

__version__ = "0.2.0.dev0"

if TYPE_CHECKING:
    from tb_filterviz.backfill.run import LogEntry, LogReport
    from tb_filterviz.callbacks import FilterVisualizer
    from tb_filterviz.checkpoints.loading import load_model, load_weights
    from tb_filterviz.config import AscentConfig, Config, GridConfig
    from tb_filterviz.datasets import digits, full_mnist
    from tb_filterviz.errors import (
        CheckpointError,
        CheckpointWarning,
        ConfigError,
        DatasetError,
        FilterVizError,
        LogDirError,
        ModelError,
        NoConvolutionError,
        SeriesError,
        StepError,
        UnbuiltModelError,
        UnknownLayerError,
        VisualizationWarning,
        WorkerError,
    )
    from tb_filterviz.examples.settings import Examples
    from tb_filterviz.filter_run import FilterRun, FilterRuns, LayerSeries, read_run, read_runs
    from tb_filterviz.history import Comparison
    from tb_filterviz.lenet import build_lenet
    from tb_filterviz.logger import FilterLogger
    from tb_filterviz.optvis.maximize import Maximized, maximize
    from tb_filterviz.optvis.revisit import Revisit
    from tb_filterviz.parts.ascent_part import AscentPart
    from tb_filterviz.parts.objectives import Objective, center_unit, channel_mean
    from tb_filterviz.parts.preconditioners import ColorDecorrelation, GradientBlur, SpectralDecay
    from tb_filterviz.parts.regularizers import L2, FixedContrast, TotalVariation
    from tb_filterviz.parts.statistics import Statistic
    from tb_filterviz.parts.tones import ToneMapping
    from tb_filterviz.parts.transformations import Jitter
    from tb_filterviz.session import draw
    from tb_filterviz.sinks import Sink
    from tb_filterviz.sinks.files import FileSink
    from tb_filterviz.sinks.live_view import LiveView
    from tb_filterviz.sinks.memory import MemorySink
    from tb_filterviz.snapshots import LayerResponses, LayerSnapshot
    from tb_filterviz.trackers.mlflow import MlflowSink
    from tb_filterviz.trackers.wandb import WandbSink
else:  # hidden from the type checker, so that a misspelt name stays an error
    _HOMES = {
        "LogEntry": "backfill.run",
        "LogReport": "backfill.run",
        "FilterVisualizer": "callbacks",
        "load_model": "checkpoints.loading",
        "load_weights": "checkpoints.loading",
        "AscentConfig": "config",
        "Config": "config",
        "GridConfig": "config",
        "digits": "datasets",
        "full_mnist": "datasets",
        "CheckpointError": "errors",
        "CheckpointWarning": "errors",
        "ConfigError": "errors",
        "DatasetError": "errors",
        "FilterVizError": "errors",
        "LogDirError": "errors",
        "ModelError": "errors",
        "NoConvolutionError": "errors",
        "SeriesError": "errors",
        "StepError": "errors",
        "UnbuiltModelError": "errors",
        "UnknownLayerError": "errors",
        "VisualizationWarning": "errors",
        "WorkerError": "errors",
        "Examples": "examples.settings",
        "FilterRun": "filter_run",
        "FilterRuns": "filter_run",
        "LayerSeries": "filter_run",
        "read_run": "filter_run",
        "read_runs": "filter_run",
        "Comparison": "history",
        "build_lenet": "lenet",
        "FilterLogger": "logger",
        "Maximized": "optvis.maximize",
        "maximize": "optvis.maximize",
        "AscentPart": "parts.ascent_part",
        "ColorDecorrelation": "parts.preconditioners",
        "FixedContrast": "parts.regularizers",
        "GradientBlur": "parts.preconditioners",
        "Jitter": "parts.transformations",
        "L2": "parts.regularizers",
        "SpectralDecay": "parts.preconditioners",
        "TotalVariation": "parts.regularizers",
        "Objective": "parts.objectives",
        "center_unit": "parts.objectives",
        "channel_mean": "parts.objectives",
        "Revisit": "optvis.revisit",
        "Statistic": "parts.statistics",
        "ToneMapping": "parts.tones",
        "draw": "session",
        "Sink": "sinks",
        "FileSink": "sinks.files",
        "LiveView": "sinks.live_view",
        "MemorySink": "sinks.memory",
        "MlflowSink": "trackers.mlflow",
        "WandbSink": "trackers.wandb",
        "LayerResponses": "snapshots",
        "LayerSnapshot": "snapshots",
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
    "L2",
    "AscentConfig",
    "AscentPart",
    "CheckpointError",
    "CheckpointWarning",
    "ColorDecorrelation",
    "Comparison",
    "Config",
    "ConfigError",
    "DatasetError",
    "Examples",
    "FileSink",
    "FilterLogger",
    "FilterRun",
    "FilterRuns",
    "FilterVisualizer",
    "FilterVizError",
    "FixedContrast",
    "GradientBlur",
    "GridConfig",
    "Jitter",
    "LayerResponses",
    "LayerSeries",
    "LayerSnapshot",
    "LiveView",
    "LogDirError",
    "LogEntry",
    "LogReport",
    "Maximized",
    "MemorySink",
    "MlflowSink",
    "ModelError",
    "NoConvolutionError",
    "Objective",
    "Revisit",
    "SeriesError",
    "Sink",
    "SpectralDecay",
    "Statistic",
    "StepError",
    "ToneMapping",
    "TotalVariation",
    "UnbuiltModelError",
    "UnknownLayerError",
    "VisualizationWarning",
    "WandbSink",
    "WorkerError",
    "build_lenet",
    "center_unit",
    "channel_mean",
    "digits",
    "draw",
    "full_mnist",
    "load_model",
    "load_weights",
    "maximize",
    "read_run",
    "read_runs",
]
