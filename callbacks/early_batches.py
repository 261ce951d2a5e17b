"""Often at first, when filters change most, then ever more rarely: after 1, 2, 3, 5, 8, 11 ... batches.

Each interval is about a third of the training so far, so a training of any length has a few dozen pictures. Steps are
batches here, as in `keras.callbacks.TensorBoard(update_freq=...)`.
"""

import keras

from tb_filterviz import FilterVisualizer

GROWTH = 4 / 3  # of the training from one picture to the next


def is_due(batches: int) -> bool:
    """Tell whether the network is drawn after this many batches."""
    due = 1
    while due < batches:
        due = max(due + 1, round(due * GROWTH))
    return due == batches


def build(log_dir: str) -> keras.callbacks.Callback:
    """Make a callback for `model.fit`."""
    return FilterVisualizer(log_dir, update_freq=is_due)
