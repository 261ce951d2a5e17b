import pickle
import re
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints.formats import recognise
from tb_filterviz.checkpoints.loading import load_model
from tb_filterviz.errors import CheckpointError

LEGACY = Path(__file__).parent.parent / "data" / "lenet12_keras213_weights.hdf5"


def _write_foreign_files(folder: Path) -> None:
    (folder / "text.h5").write_text("hello")
    (folder / "empty.keras").touch()
    (folder / "cut.h5").write_bytes(LEGACY.read_bytes()[:1000])
    (folder / "folder.keras").mkdir()
    (folder / "pickle.h5").write_bytes(pickle.dumps({"weights": [1, 2]}))
    np.save(folder / "array.npy", np.arange(3))
    with h5py.File(folder / "numbers.h5", "w") as file:
        file["numbers"] = np.arange(3)
    with zipfile.ZipFile(folder / "pictures.keras", "w") as archive:
        archive.writestr("a.png", b"no")
    with zipfile.ZipFile(folder / "torch.pt", "w") as archive:
        archive.writestr("model/data.pkl", b"no")
    build_lenet(12, 12).save(folder / "whole.keras")
    (folder / "cut.keras").write_bytes((folder / "whole.keras").read_bytes()[:-300])
    (folder / "whole.keras").unlink()


FOREIGN = {
    "absent.h5": "There is no file",
    "text.h5": "is not a model or weights that Keras saved: it begins with b'hello'",
    "empty.keras": "is not a model or weights that Keras saved: it is empty",
    "cut.h5": "is a damaged HDF5 file",
    "cut.keras": "it is a zip archive that breaks off; the file is truncated",
    "folder.keras": "is a folder, and neither a SavedModel nor that of a TensorFlow checkpoint",
    "pickle.h5": "it is a Python pickle, which may run code when it is opened",
    "array.npy": "it is a NumPy array",
    "numbers.h5": "it is HDF5 without any weights",
    "pictures.keras": "it is a zip archive",
    "torch.pt": "it is a PyTorch file",
}


def test_what_is_no_checkpoint_is_refused_with_what_it_is(tmp_path: Path) -> None:
    _write_foreign_files(tmp_path)
    for name, message in FOREIGN.items():
        with pytest.raises(CheckpointError, match=re.escape(message)) as raised:
            load_model(tmp_path / name, "lenet")
        assert name in str(raised.value)


def test_a_folder_of_a_tensorflow_checkpoint_needs_the_checkpoint_it_names(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "/somewhere/else/ckpt-9"\n')
    with pytest.raises(CheckpointError, match=r"There is no file '.*ckpt-9'"):
        recognise(tmp_path)
    (tmp_path / "checkpoint").write_text("nonsense")
    with pytest.raises(CheckpointError, match="is a folder, and neither"):
        recognise(tmp_path)
