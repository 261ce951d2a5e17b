import pickle
import re
import shutil
import struct
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf

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
    (tmp_path / "below").mkdir()
    for note in ("nonsense", 'model_checkpoint_path: "\\x"', *(f'model_checkpoint_path: "{at}"' for at in NOWHERE)):
        (tmp_path / "checkpoint").write_text(note)
        with pytest.raises(CheckpointError, match="is a folder, and neither"):
            recognise(tmp_path)


NOWHERE = ("", ".", "..", "/", "below")  # the folder itself, those above and below it


def test_a_tensorflow_checkpoint_has_a_name(tmp_path: Path) -> None:
    tf.train.Checkpoint(v=tf.Variable(1.0)).write(str(tmp_path / "c"))
    for name in (".index", "..index"):
        shutil.copy(tmp_path / "c.index", tmp_path / name)
        with pytest.raises(CheckpointError, match=r"under another name.*its own, NAME\.index"):
            recognise(tmp_path / name)
    (tmp_path / "..data-00000-of-00001").touch()
    with pytest.raises(CheckpointError, match=r"under another name"):
        recognise(tmp_path / "..data-00000-of-00001")


def test_a_zip_archive_of_several_disks_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    whole = path.read_bytes()
    locator = struct.pack("<LLQL", 0x07064B50, 0, len(whole) - 22, 2)  # of two disks
    path.write_bytes(whole[:-22] + locator + whole[-22:])
    with pytest.raises(CheckpointError, match="a zip archive that breaks off"):
        recognise(path)
