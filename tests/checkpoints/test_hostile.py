"""Files that are broken, or made to do harm: refused with a sentence, bounded, never executed."""

import json
import resource
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints import load_model, load_weights
from tb_filterviz.errors import CheckpointError


def _small() -> keras.Model:
    layers = [keras.Input((6, 6, 1)), keras.layers.Conv2D(3, 3, name="conv"), keras.layers.Flatten()]
    return keras.Sequential([*layers, keras.layers.Dense(2, name="dense")], name="small")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one small model in every format."""
    folder = tmp_path_factory.mktemp("saved")
    model = _small()
    model.save(folder / "m.keras")
    model.save_weights(folder / "m.weights.h5")
    shutil.copy(Path(__file__).parent.parent / "data" / "lenet12_keras213_model.h5", folder / "legacy.h5")
    tf.train.Checkpoint(model=model).write(str(folder / "m"))
    return folder


def _execute_marker(path: str) -> Callable[[Any], Any]:
    return lambda x: (__import__("pathlib").Path(path).write_text("run"), x)[1]


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_code_in_a_file_runs_only_if_asked_for(tmp_path: Path, suffix: str) -> None:
    marker, path = tmp_path / "marker", tmp_path / f"lambda{suffix}"
    layers = [keras.Input((6, 6, 1)), keras.layers.Lambda(_execute_marker(str(marker))), keras.layers.Conv2D(2, 3)]
    keras.Sequential(layers).save(path)
    marker.unlink()
    with pytest.raises(CheckpointError, match=r"holds Python code \(a Lambda layer\), which was not run\..*--unsafe"):
        load_model(path)
    assert not marker.exists()
    load_model(path, unsafe=True)
    assert marker.exists()


def _with_config(source: Path, target: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        config = json.loads(old.read("config.json"))
        change(config)
        new.writestr("config.json", json.dumps(config))
        new.writestr("metadata.json", old.read("metadata.json"))
        new.writestr("model.weights.h5", old.read("model.weights.h5"))
    return target


def _set_units(config: dict[str, Any]) -> None:
    config["config"]["layers"][-1]["config"]["units"] = 2_000_000_000


def _set_filters(config: dict[str, Any]) -> None:
    config["config"]["layers"][1]["config"]["filters"] = 2_000_000_000
    del config["config"]["layers"][2:]


def _set_size(config: dict[str, Any]) -> None:
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 60_000, 60_000, 1]
    del config["config"]["layers"][2:]


def _set_function(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] = {"module": "builtins", "class_name": "exec", "config": {"name": "conv"}}


def _set_name(config: dict[str, Any]) -> None:
    config["config"]["layers"][1]["config"]["name"] = "../../../conv"


def _set_nothing(config: dict[str, Any]) -> None:
    config.clear()


CONFIGS = {
    "units": (_set_units, r"describes a model of [\d,]+ weights, and there are values for [\d,]+\."),
    "filters": (_set_filters, r"describes a model of [\d,]+ weights, and there are values for [\d,]+\."),
    "size": (_set_size, "describes a model of images of .*60000, 1.* That is too large"),
    "function": (_set_function, "Keras cannot build the model that"),
    "name": (_set_name, "Keras cannot build the model that|do not fit"),
    "nothing": (_set_nothing, "describes a dict, not a model"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_that_asks_for_too_much_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    change, message = CONFIGS[name]
    path = _with_config(saved / "m.keras", tmp_path / "m.keras", change)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError, match=message):
        load_model(path)
    with keras.StatelessScope():  # at its end Keras allocates what it had put off
        pass
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # KiB


def test_zip_bombs_are_not_unpacked(saved: Path, tmp_path: Path) -> None:
    for member in ("config.json", "model.weights.h5"):
        path = tmp_path / f"{member}.keras"
        with zipfile.ZipFile(saved / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, b" " * (300 << 20) if name == member else old.read(name))
        assert path.stat().st_size < 1 << 20
        with pytest.raises(CheckpointError, match=rf"would unpack '{member}' from [\d,]+ bytes to 314,572,800"):
            load_model(path, None if member == "config.json" else saved / "m.keras")


def _external_link(file: h5py.File, secret: Path) -> None:
    file["layers/dense/vars/0"] = h5py.ExternalLink(str(secret), "/secret")


def _soft_link(file: h5py.File, secret: Path) -> None:  # noqa: ARG001  stays inside, but Keras writes none
    file["layers/dense/vars/0"] = h5py.SoftLink("/layers/conv/vars/0")


def _external_storage(file: h5py.File, secret: Path) -> None:
    file.create_dataset("layers/dense/vars/0", (48, 2), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])


def _virtual(file: h5py.File, secret: Path) -> None:
    layout = h5py.VirtualLayout((48, 2), "f4")
    layout[:] = h5py.VirtualSource(str(secret), "secret", (48, 2))
    file.create_virtual_dataset("layers/dense/vars/0", layout)


def _declared_only(file: h5py.File, secret: Path) -> None:  # noqa: ARG001
    file.create_dataset("layers/dense/vars/0", (1 << 20, 1 << 16), "f4", chunks=(1024, 1024))


ELSEWHERE = {
    "external link": (_external_link, "holds a link at '/layers/dense/vars/0'"),
    "soft link": (_soft_link, "holds a link at '/layers/dense/vars/0'"),
    "external storage": (_external_storage, "keeps '/layers/dense/vars/0' in another file"),
    "virtual": (_virtual, "keeps '/layers/dense/vars/0' in another file"),
    "declared only": (_declared_only, r"declares 274,877,906,944 bytes at '/layers/dense/vars/0' and stores 0"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_arrays_are_read_from_the_file_itself_or_not_at_all(saved: Path, tmp_path: Path, name: str) -> None:
    secret, path = tmp_path / "secret.h5", tmp_path / "m.weights.h5"
    with h5py.File(secret, "w") as file:
        file["secret"] = np.ones((48, 2), np.float32)
    shutil.copy(saved / "m.weights.h5", path)
    add, message = ELSEWHERE[name]
    with h5py.File(path, "a") as file:
        del file["layers/dense/vars/0"]
        add(file, secret)
    model = _small()
    before = model.get_weights()
    with pytest.raises(CheckpointError, match=message):
        load_weights(model, path)
    assert all(map(np.array_equal, model.get_weights(), before))


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "legacy.h5", "m.index", "m.data-00000-of-00001"])
def test_a_file_that_breaks_off_anywhere_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    for path in saved.iterdir():
        shutil.copy(path, tmp_path)
    whole = (saved / name).read_bytes()
    model = build_lenet(12, 12) if name == "legacy.h5" else _small()
    before = model.get_weights()
    for length in (0, 1, 7, 8, 9, 100, *np.linspace(101, len(whole) - 1, 12).astype(int)):
        (tmp_path / name).write_bytes(whole[:length])
        with pytest.raises(CheckpointError):
            load_weights(model, tmp_path / name)
        assert all(map(np.array_equal, model.get_weights(), before))


_DAMAGE = """
import sys, random
from pathlib import Path
import keras
from tb_filterviz.checkpoints import load_model
from tb_filterviz.errors import CheckpointError

path, model, rounds = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
whole, dice = path.read_bytes(), random.Random(0)
refused = 0
for _ in range(rounds):
    damaged = bytearray(whole)
    for _ in range(dice.choice([1, 4, 64])):
        damaged[dice.randrange(len(damaged))] = dice.randrange(256)
    path.write_bytes(damaged)
    try:
        load_model(path, model)
    except CheckpointError:
        refused += 1
print(refused)
"""


@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.index", "m.data-00000-of-00001"])
def test_whatever_bytes_are_damaged_the_answer_is_a_sentence(saved: Path, tmp_path: Path, name: str) -> None:
    for path in saved.iterdir():
        shutil.copy(path, tmp_path)
    done = subprocess.run(  # a process of its own, since a library in C might take it down
        [sys.executable, "-c", _DAMAGE, str(tmp_path / name), str(saved / "m.keras"), "100"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout) > 0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{"]))
def test_any_bytes_are_refused_with_a_sentence(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "bytes.keras"
    path.write_bytes(start + content)
    with pytest.raises(CheckpointError, match=r"bytes\.keras"):
        load_model(path, "lenet")


@settings(max_examples=40, deadline=None)
@given(
    value=st.recursive(
        st.none() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["class_name", "config", "layers", "module", "name"]), inner, max_size=4)
        ),
        max_leaves=8,
    )
)
def test_any_configuration_is_refused_with_a_sentence(value: Any) -> None:
    from tb_filterviz.checkpoints.architecture import Architecture

    with pytest.raises(CheckpointError, match="Keras cannot build|describes a"):
        Architecture("'x.json'", config=json.dumps(value)).build()
    with pytest.raises(CheckpointError, match="Keras cannot build"):
        Architecture("'x.json'", config="[" * 100_000).build()
