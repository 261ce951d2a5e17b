"""In a search with KerasTuner: the filters of each trial beside its curves, as in `logs/0/execution0/filters`.

```python
tuner = keras_tuner.RandomSearch(build_model, objective="val_loss", max_trials=20)  # or any other tuner
tuner.search(x, y, validation_data=(x_val, y_val), epochs=5, callbacks=build("logs"))
```

A tuner copies its callbacks, all at once, for each training, and moves Keras' TensorBoard callback into a folder of
that trial and execution; ours looks where that one went. With Keras on JAX or PyTorch, KerasTuner moves nothing: each
training's filters are then a run of their own, `logs/filters`, `logs/filters_2`, and the curves of all are in one.
"""

from typing import Any

import keras

from tb_filterviz import FilterVisualizer


class FiltersBesideCurves(FilterVisualizer):
    """Draws into the log directory of Keras' TensorBoard callback, wherever it has been moved."""

    def __init__(self, board: keras.callbacks.TensorBoard, **settings: Any) -> None:
        super().__init__(board.log_dir, **settings)
        self.board = board

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Look where the curves of this training go."""
        self.log_dir = str(self.board.log_dir)
        super().on_train_begin(logs)


def build(log_dir: str) -> list[keras.callbacks.Callback]:
    """Make the callbacks for `tuner.search`: both, since one follows the other."""
    curves = keras.callbacks.TensorBoard(log_dir)
    return [curves, FiltersBesideCurves(curves)]
