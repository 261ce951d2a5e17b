"""How filters answer to each class of examples."""

import numpy as np
import numpy.typing as npt

from tb_filterviz.snapshots import Values


def class_means(means: Values, labels: npt.NDArray[np.int32], classes: int) -> Values:
    """Average what filters answer over the examples of each class.

    Args:
        means: float32 ``[examples, filters]``.
        labels: int32 ``[examples]``.
        classes: how many there are.

    Returns:
        float32 ``[filters, classes]``; not a number for a class without examples.
    """
    counts = np.bincount(labels, minlength=classes)
    sums = np.zeros((classes, means.shape[1]))
    np.add.at(sums, labels, means)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((sums / counts[:, None]).T, np.float32)
