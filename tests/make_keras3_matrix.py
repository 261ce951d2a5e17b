"""Write the models of tests/checkpoints/keras3.py with every minor of Keras 3, load all files here, and print a table.

Run: python tests/make_keras3_matrix.py FOLDER [MINOR ...]

Each minor gets an environment of its own in FOLDER, with the TensorFlow of its time, which goes once it has written
(1.5 GB for three minutes). Files that are there are not written again.
"""

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import keras
import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tb_filterviz.checkpoints.loading import load_model  # noqa: E402  of this clone
from tb_filterviz.errors import CheckpointError  # noqa: E402
from tests.checkpoints import keras3  # noqa: E402

MINORS = {
    **dict.fromkeys(range(6), "2.16"),
    **dict.fromkeys(range(6, 11), "2.18"),
    **dict.fromkeys(range(11, 15), "2.20"),
}
ALLOWED = 1e-5


def write(minor: int, folder: Path) -> Path:
    """Return the folder with the files of a minor."""
    written = sorted(folder.glob(f"3.{minor}.*/sequential.npz"))
    if not written:
        environment = folder / f"environment_3_{minor}"
        venv.create(environment, with_pip=True)
        python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
        wanted = [f"keras==3.{minor}.*", f"tensorflow-cpu=={MINORS[minor]}.*"]
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-cache-dir", *wanted], check=True)
        subprocess.run([python, ROOT / "tests/checkpoints/keras3.py", folder], check=True)
        shutil.rmtree(environment)
        written = sorted(folder.glob(f"3.{minor}.*/sequential.npz"))
    return written[-1].parent


def outcome(path: Path, name: str) -> str:
    """Load a file, and say in a word what came of it; what was refused is printed, and tried with its factory."""
    if not path.exists():
        return "not written"
    whole = path.with_name(f"{name}.keras")
    is_whole = path.suffixes != [".weights", ".h5"]
    try:
        model = load_model(path, None if is_whole else whole if whole.exists() else keras3.MODELS[name]())
    except CheckpointError as error:
        print(f"{path}: {error}", file=sys.stderr)
        return f"refused, with a factory {_compared(load_model(path, keras3.MODELS[name]()), path, name)}"
    compared = _compared(model, path, name)
    return "repaired" if compared == "same" and is_whole and _with_keras_alone(path, name) != "same" else compared


def _with_keras_alone(path: Path, name: str) -> str:
    try:
        return _compared(keras.saving.load_model(path, compile=False), path, name)
    except Exception as error:  # whatever it stumbles over
        return str(error)


def _compared(model: keras.Model, path: Path, name: str) -> str:
    with np.load(path.with_name(f"{name}.npz")) as arrays:
        images, *outputs = arrays.values()
    apart = keras3.difference(keras3.predicted_by(model, name, images), outputs)
    return "same" if apart <= ALLOWED else f"differs by {apart:.1g}"


def main() -> None:
    """Print a row for each shape of model, and a column for each minor: what came of .keras, .h5, .weights.h5.

    What was repaired, today's Keras alone refuses, or makes another model of.
    """
    folder = Path(sys.argv[1])
    folders = [write(minor, folder) for minor in (map(int, sys.argv[2:]) if sys.argv[2:] else MINORS)]
    print("| model |", " | ".join(written.name for written in folders), "|")
    print("| --- |", "--- |" * len(folders))
    for name in keras3.MODELS:
        cells = []
        for written in folders:
            keras.backend.clear_session()
            outcomes = [outcome(written / f"{name}{suffix}", name) for suffix in keras3.FORMATS]
            cells.append(outcomes[0] if len(set(outcomes)) == 1 else ", ".join(outcomes))
        print(f"| {name} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
