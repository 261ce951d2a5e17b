"""The filters of every convolutional layer, once before the training and after each epoch.

The usual case: the pictures stand on the same steps as the curves of `keras.callbacks.TensorBoard`.
"""

import keras

from tb_filterviz import FilterVisualizer


def build(log_dir: str) -> keras.callbacks.Callback:
    """Make a callback for `model.fit`."""
    return FilterVisualizer(log_dir)
