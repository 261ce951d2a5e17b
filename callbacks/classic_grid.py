"""The article's picture at every epoch: the best 36 filters of the second layer, best first, 6 x 6.

Filters change places as their scores change, and stuck ones are left out. The grid is also saved as a PNG of 193 x 193
pixels (for 28 x 28 images) under ``<log_dir>/classic``.
"""

import dataclasses
from pathlib import Path

import keras

from tb_filterviz import Config, FileSink, FilterVisualizer


def build(log_dir: str) -> keras.callbacks.Callback:
    """Make a callback for `model.fit`; the model's second layer must be named ``conv2d_2``, as in `build_lenet`."""
    classic = Config.classic()
    pictures = FileSink(Path(log_dir) / "classic", dataclasses.replace(classic.grid, scale=1))
    return FilterVisualizer(log_dir, layers="conv2d_2", config=classic, sinks=[pictures])
