import shutil
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints import Kind, load_model, recognise
from tb_filterviz.errors import CheckpointError

LEGACY = Path(__file__).parent / "data" / "lenet12_keras213_weights.hdf5"


def _same_weights(model: keras.Model, other: keras.Model) -> bool:
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", ["x.keras", "x.weights.h5", "x.h5", "x.hdf5", "x"])
def test_a_file_is_recognised_by_content_whatever_its_name(tmp_path: Path, name: str) -> None:
    saved = build_lenet(12, 12)
    for kind in (Kind.MODEL, Kind.WEIGHTS):
        source = tmp_path / f"source{kind.value}"
        saved.save(source) if kind.has_architecture else saved.save_weights(source)
        shutil.copy(source, tmp_path / name)
        assert recognise(tmp_path / name) is kind
        loaded = load_model(tmp_path / name, None if kind.has_architecture else build_lenet(12, 12))
        assert _same_weights(loaded, saved)
    shutil.copy(LEGACY, tmp_path / name)
    assert recognise(tmp_path / name) is Kind.LEGACY_WEIGHTS
    assert _same_weights(load_model(tmp_path / name, build_lenet(12, 12)), build_lenet(12, 12, weights=LEGACY))


def test_what_cannot_be_loaded_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    (tmp_path / "empty.keras").touch()
    (tmp_path / "cut.h5").write_bytes(LEGACY.read_bytes()[:1000])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["numbers"] = np.arange(3)
    for name, message in (
        ("absent.h5", "There is no file"),
        (".", "is a folder"),
        ("text.h5", "is not a model or weights that Keras saved"),
        ("empty.keras", "is not a model or weights that Keras saved"),
        ("other.h5", "is not a model or weights that Keras saved"),
        ("cut.h5", "is a damaged HDF5 file"),
    ):
        with pytest.raises(CheckpointError, match=message):
            load_model(tmp_path / name, build_lenet(12, 12))
    with pytest.raises(CheckpointError, match=r"holds weights only.*--model lenet"):
        load_model(LEGACY)
    with pytest.raises(CheckpointError, match="Keras could not load"):
        load_model(LEGACY, build_lenet(16, 16))
