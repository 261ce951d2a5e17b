"""What can go wrong, as one tree.

```
FilterVizError
├── ConfigError          (ValueError)  a setting that cannot work
├── ModelError           (ValueError)  the model cannot be shown
│   ├── UnbuiltModelError              it has no weights yet
│   ├── NoConvolutionError             it has nothing to show
│   └── UnknownLayerError              it has no such layer
├── CheckpointError      (ValueError)  a file of weights that cannot be used
├── DatasetError         (ValueError)  a file of images that cannot be used
├── StepError            (ValueError)  a step that does not rise
├── SeriesError          (ValueError)  a series of an event file that cannot be shown
├── WorkerError          (RuntimeError) a process that died
└── LogDirError          (OSError)     nothing can be written there
VisualizationWarning     (UserWarning) a picture failed; the training goes on
CheckpointWarning        (UserWarning) a file was loaded that may not hold what it seems to
```
"""


class FilterVizError(Exception):
    """Root of everything that tb_filterviz raises on purpose."""


class ConfigError(FilterVizError, ValueError):
    """A setting that cannot work."""


class ModelError(FilterVizError, ValueError):
    """The model cannot be shown."""


class UnbuiltModelError(ModelError):
    """The model has no weights yet."""


class NoConvolutionError(ModelError):
    """The model has no convolutional layer."""


class UnknownLayerError(ModelError):
    """The model, or the run, has no layer of this name."""


class CheckpointError(FilterVizError, ValueError):
    """A file of weights that cannot be used."""


class DatasetError(FilterVizError, ValueError):
    """A file of images that cannot be used."""


class StepError(FilterVizError, ValueError):
    """A step that is not above the last one, or that was not logged."""


class SeriesError(FilterVizError, ValueError):
    """A series of an event file cannot be shown."""


class WorkerError(FilterVizError, RuntimeError):
    """A process that draws checkpoints died, or cannot start."""


class LogDirError(FilterVizError, OSError):
    """The log directory cannot be written, or not be read."""


class VisualizationWarning(UserWarning):
    """A picture could not be drawn; the training goes on."""


class CheckpointWarning(UserWarning):
    """A file was loaded, but may not hold what it seems to."""
