"""How a training was set, as far as its callback can see: what runs of a sweep differ by."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from tb_filterviz.training.fit import Fit


def hyperparameters(model: keras.Model, params: Mapping[str, Any], fit: Fit) -> dict[str, Any]:
    """List the optimizer, its learning rate and the batch size, in JSON; what is not known is left out.

    Args:
        model: that is trained.
        params: of the callback.
        fit: that calls it; Keras' `params` leave out the batch size that it is given.
    """
    optimizer = getattr(model, "optimizer", None)
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)  # of one that scales losses for half precision
    given = params.get("batch_size")
    if given is None and fit.frame is not None:
        given = fit.frame.f_locals.get("batch_size")
    found = {
        "optimizer": None if optimizer is None else type(optimizer).__name__,
        "learning_rate": _learning_rate(optimizer),
        "schedule": _schedule(optimizer),
        "batch_size": int(given) if isinstance(given, int | np.integer) and not isinstance(given, bool) else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _learning_rate(optimizer: Any) -> float | None:
    """Read the learning rate as it is now, to the digits of float32; of a schedule, too."""
    try:
        value = float(str(np.float32(float(optimizer.learning_rate))))
    except Exception:  # whatever an optimizer of one's own does: no training is to end by what its recipe would say
        return None
    return value if np.isfinite(value) else None


def _schedule(optimizer: Any) -> str | None:
    given = getattr(optimizer, "_learning_rate", None)  # what is public has the value alone
    return type(given).__name__ if isinstance(given, keras.optimizers.schedules.LearningRateSchedule) else None
