"""A run in which every filter forms in a known way."""

import numpy as np
import numpy.typing as npt

SHAPE = (8, 9, 9, 1)
STEPS = range(-1, 12)
OUTCOMES = ("stuck", "unmoved", "changing", "settled", "settled", "changing", "stuck", "settled")
SINCE = (3, None, None, 5, 2, None, -1, 8)
STUCK: tuple[list[list[int]], ...] = ([[3, 11]], [], [], [], [], [], [[-1, 11]], [[2, 4]])


def _levels(step: int) -> tuple[int, ...]:
    """How bright each filter's tile is: what moves by one level rests, 5 % of what is between filters being 3."""
    return (
        100 + 10 * step if step < 3 else 0,  # dies at 3
        120,  # never moves
        (60 if step < 0 else 160) + 10 * (step % 2),  # changes most at the beginning, then jitters by as much for ever
        20 * min(step, 5) + step % 2,  # settles at 5, but for what another machine rounds differently
        50 * min(step, 2),  # settles at 2
        50 + 2 * step,  # drifts, never fast
        0,  # stuck from the beginning
        0 if 2 <= step < 5 else 15 * min(step, 8),  # stuck, and free again; settles at 8
    )


def tiles() -> npt.NDArray[np.uint8]:
    """uint8 ``[13, *SHAPE]``."""
    noise = np.random.default_rng(0).integers(30, 60, SHAPE)
    moved = [noise + np.array(_levels(step))[:, None, None, None] for step in STEPS]
    return np.asarray(np.clip(moved, 0, 255), np.uint8)


def stuck() -> npt.NDArray[np.bool_]:
    """Bool ``[13, 8]``."""
    return np.array([[step >= 3, *[False] * 5, True, 2 <= step <= 4] for step in STEPS])
