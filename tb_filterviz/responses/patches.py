"""Which examples excite a filter most."""

import numpy as np
import numpy.typing as npt

from tb_filterviz.snapshots import Values

Places = npt.NDArray[np.int32]


def strongest(peaks: Values, threshold: float, count: int) -> Places:
    """List the examples that excite each filter most, the strongest first; of equals, the first.

    Args:
        peaks: float32 ``[examples, filters]``, of the strongest unit of each filter.
        threshold: what does not exceed it does not excite; ``-inf`` where all does.
        count: how many to list.

    Returns:
        int32 ``[filters, count]``, -1 where fewer excite the filter.
    """
    listed = np.argsort(-peaks, axis=0, kind="stable")[:count]
    excites = np.take_along_axis(peaks, listed, axis=0) > threshold
    found = np.where(excites, listed, -1).T.astype(np.int32)
    return np.pad(found, ((0, 0), (0, count - found.shape[1])), constant_values=-1)


def taken(values: npt.NDArray[np.generic], examples: Places) -> npt.NDArray[np.generic]:
    """Take of values ``[examples, filters]`` the listed examples', ``[filters, count]``; 0 where there is none."""
    found = np.take_along_axis(values.T, np.maximum(examples, 0).astype(np.int64), axis=1)
    return np.where(examples >= 0, found, np.zeros((), values.dtype))
