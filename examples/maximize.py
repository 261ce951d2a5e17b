"""Any filters of a trained network, as arrays and as one picture: no log, no TensorBoard.

Run it with a folder for what it makes (default: pictures), then look at filters.png in it.
"""

import sys
from pathlib import Path

import numpy as np

from tb_filterviz import GridConfig, build_lenet, digits, maximize

FILTERS = [42, 3, 17, 8]


def main(folder: str) -> None:
    """Train for two epochs, then find what four filters respond to most."""
    data = digits()
    model = build_lenet()
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(data.x_train, data.y_train, batch_size=128, epochs=2, verbose=2)

    found = maximize(model, "conv2d_2", FILTERS)

    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    np.savez(target / "filters.npz", filters=found.filters, images=found.images, scores=found.scores)
    (target / "filters.png").write_bytes(found.png(GridConfig(columns=4, scale=8)))
    for index, first, last in zip(found.filters, found.scores[0], found.scores[-1], strict=True):
        print(f"filter {index:2}: its score rose from {first:.3f} to {last:.3f}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "pictures")
