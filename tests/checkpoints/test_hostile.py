"""Files that are broken, or made to do harm: refused with a sentence, bounded, never executed."""

import json
import os
import shutil
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
from tb_filterviz.checkpoints import hdf5
from tb_filterviz.checkpoints.formats import Kind, recognise
from tb_filterviz.checkpoints.loading import load_model, load_weights
from tb_filterviz.error_context import raising_checkpoint_error
from tb_filterviz.errors import CheckpointError
from tests.memory import forget_peak, peak_mib
from tests.processes import run

needs_peak = pytest.mark.skipif(
    not Path("/proc/self/clear_refs").exists(), reason="only Linux tells the peak of a process by itself"
)


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
    with pytest.raises(CheckpointError, match=r"layer 'lambda\w*' is a Lambda: its code is not run without --unsafe"):
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
    config["config"]["layers"][-1]["config"]["units"] = 10_000_000


def _set_filters(config: dict[str, Any]) -> None:
    config["config"]["layers"][1]["config"]["filters"] = 2_000_000
    del config["config"]["layers"][2:]


def _set_size(config: dict[str, Any]) -> None:
    config["config"]["layers"][0]["config"]["batch_shape"] = [None, 60_000, 60_000, 1]
    del config["config"]["layers"][2:]


def _set_function(config: dict[str, Any]) -> None:
    config["config"]["layers"][1] = {"module": "builtins", "class_name": "exec", "config": {"name": "conv"}}


def _set_name(config: dict[str, Any]) -> None:
    config["config"]["layers"][1]["config"]["name"] = "../../../conv"


def _set_layers(config: dict[str, Any]) -> None:
    layers = config["config"]["layers"]
    layers[1:1] = [
        {"module": "keras.layers", "class_name": "ReLU", "config": {"name": f"r{i}"}, "registered_name": None}
        for i in range(3000)
    ]


def _set_calls(config: dict[str, Any]) -> None:
    model = keras.Sequential([keras.Input((6, 6, 1)), keras.layers.ReLU()])
    for _ in range(9):  # each calls the last one twice
        images = keras.Input((6, 6, 1))
        model = keras.Model(images, model(model(images)))
    config["config"]["layers"].insert(1, keras.saving.serialize_keras_object(model))


def _set_activations(config: dict[str, Any]) -> None:
    upsampling = keras.saving.serialize_keras_object(keras.layers.UpSampling2D(1500))
    config["config"]["layers"].insert(1, upsampling)
    config["config"]["layers"].insert(2, keras.saving.serialize_keras_object(keras.layers.GlobalAveragePooling2D()))
    del config["config"]["layers"][3:]


def _set_nothing(config: dict[str, Any]) -> None:
    config.clear()


CONFIGS = {
    "units": (_set_units, r"describes a model of [\d,]+ weights, and there are values for [\d,]+\."),
    "filters": (_set_filters, r"describes a model of [\d,]+ weights, and there are values for [\d,]+\."),
    "size": (_set_size, "'batch_shape', asks for more than 67,108,864 numbers at once. That is too large"),
    "layers": (_set_layers, r"describes a model that calls 3,00\d layers, far more than there are weights for"),
    "calls": (_set_calls, r"describes a model that calls \d,\d\d\d layers, far more than there are weights for"),
    "activations": (_set_activations, r"in which 'up_sampling2d\w*' makes \(9000, 9000, 1\) of an image"),
    "function": (_set_function, "layer 'conv' is of a class that is none of Keras: exec"),
    "name": (_set_name, "Keras cannot build the model that|do not fit"),
    "nothing": (_set_nothing, "describes a dict, not a model"),
}


@needs_peak
@pytest.mark.parametrize("name", CONFIGS)
def test_a_configuration_that_asks_for_too_much_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    change, message = CONFIGS[name]
    path = _with_config(saved / "m.keras", tmp_path / "m.keras", change)
    forget_peak()
    before = peak_mib()
    with pytest.raises(CheckpointError, match=message):
        load_model(path)
    with keras.StatelessScope():  # at its end Keras allocates what it had put off
        pass
    assert peak_mib() - before < 488


def test_zip_bombs_are_not_unpacked(saved: Path, tmp_path: Path) -> None:
    for member in ("config.json", "model.weights.h5"):
        path = tmp_path / f"{member}.keras"
        with zipfile.ZipFile(saved / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
            for name in old.namelist():
                new.writestr(name, b" " * (300 << 20) if name == member else old.read(name))
        assert path.stat().st_size < 1 << 20
        with pytest.raises(CheckpointError, match=rf"would unpack '{member}' from [\d,]+ bytes to 314,572,800"):
            load_model(path, None if member == "config.json" else saved / "m.keras")


def test_an_archive_that_lies_about_its_packing_is_not_unpacked(saved: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(saved / "m.keras") as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("config.json", old.read("config.json"))
        new.writestr("model.weights.h5", bytes(300 << 20))
    packed = bytearray(path.read_bytes())
    listed = packed.rindex(b"PK\x01\x02")  # of the last member, whose packed size is 20 bytes on
    packed[listed + 20 : listed + 24] = (100 << 20).to_bytes(4, "little")
    path.write_bytes(packed)
    with pytest.raises(CheckpointError, match=r"would unpack 'model.weights.h5' from [\d,]{7} bytes to 314,572,800"):
        load_model(path, saved / "m.keras")


_LOAD = """
import sys
import keras
from tb_filterviz.checkpoints.loading import load_model
from tb_filterviz.errors import CheckpointError
from tests.memory import peak_mib

before = peak_mib()
try:
    load_model(*sys.argv[1:])
except CheckpointError as error:
    print(error)
print(peak_mib() - before)
"""


def _refusal(*arguments: Path) -> tuple[str, float]:
    """What a process of its own says to a file, and how much memory it takes for it, in MiB."""
    done = run("-c", _LOAD, *arguments)
    *said, memory = done.stdout.splitlines()
    return "\n".join(said), float(memory)


def _many_units(path: Path, units: int) -> Path:
    config = keras.saving.serialize_keras_object(_small())
    _set_units(config)
    config["config"]["layers"][-1]["config"]["units"] = units
    path.write_text(json.dumps(config))
    return path


@pytest.mark.slow
@needs_peak
def test_arrays_of_zeros_are_not_unpacked(saved: Path, tmp_path: Path) -> None:
    units = 1 << 22  # times 48 inputs, times 4 bytes
    weights, path = tmp_path / "m.weights.h5", tmp_path / "m.keras"
    shutil.copy(saved / "m.weights.h5", weights)
    with h5py.File(weights, "a") as file:
        for name, shape in (("0", (48, units)), ("1", (units,))):
            del file[f"layers/dense/vars/{name}"]
            chunks = (1,) * (len(shape) - 1) + (1 << 20,)
            array = file.create_dataset(f"layers/dense/vars/{name}", shape, "f4", chunks=chunks, compression=9)
            for start in range(0, units, 1 << 20):
                array[..., start : start + (1 << 20)] = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(_many_units(tmp_path / "m.json", units), "config.json")
        archive.write(weights, "model.weights.h5")
    for arguments in ((path,), (weights, tmp_path / "m.json")):
        said, memory = _refusal(*arguments)
        assert f"{str(arguments[0])!r} has " in said
        assert "declares arrays of 805,3" in said
        assert memory < 292


@pytest.mark.slow
@needs_peak
def test_an_index_may_not_declare_more_than_its_data(tmp_path: Path) -> None:
    units = 1 << 22
    tf.train.Checkpoint(v=tf.Variable(tf.zeros((48, units)))).write(str(tmp_path / "c"))
    (tmp_path / "c.data-00000-of-00001").write_bytes(b"0" * 100)
    said, memory = _refusal(tmp_path / "c", _many_units(tmp_path / "m.json", units))
    assert "declares arrays of 805,306,368 bytes, and its data files have 100" in said
    assert memory < 292


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no such files")
@pytest.mark.timeout(20)
def test_what_is_no_regular_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "epoch-01.h5")
    for path in (tmp_path / "epoch-01.h5", "/dev/zero"):
        with pytest.raises(CheckpointError, match="is neither a file nor a folder"):
            load_model(path, "lenet")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no such files")
@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "name", ["keras_metadata.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_no_part_of_a_folder_is_opened_that_is_no_file(saved: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").touch()
    for suffix in ("index", "data-00000-of-00001"):
        shutil.copy(saved / f"m.{suffix}", tmp_path / "variables" / f"variables.{suffix}")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(CheckpointError, match="is not a file, and was not opened|holds weights only"):
        load_model(tmp_path)


@pytest.mark.parametrize("name", [".", "..", "/", "not-there", "\\303\\244", "\\x"])
def test_whatever_a_folder_calls_its_latest_checkpoint_the_answer_is_a_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / "checkpoint").write_text(f'model_checkpoint_path: "{name}"')
    with pytest.raises(CheckpointError, match="neither a SavedModel nor|There is no file"):
        load_model(tmp_path, "lenet")


def test_a_folder_of_a_checkpoints_name_does_not_stand_for_it(saved: Path, tmp_path: Path) -> None:
    for suffix in ("index", "data-00000-of-00001"):
        shutil.copy(saved / f"m.{suffix}", tmp_path / f"m.{suffix}")
    other, model = _small(), _small()
    tf.train.Checkpoint(model=other).write(str(tmp_path / "secret"))
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "checkpoint").write_text(f'model_checkpoint_path: "{tmp_path / "secret"}"')
    load_weights(model, tmp_path / "m.index")
    assert not np.array_equal(model.get_weights()[0], other.get_weights()[0])


def test_a_configuration_of_many_small_things_is_not_unpacked(saved: Path, tmp_path: Path) -> None:
    path = _with_config(saved / "m.keras", tmp_path / "m.keras", lambda config: config.update(x=[{}] * (1 << 20)))
    with pytest.raises(CheckpointError, match="a model with more than 1,048,576 settings"):
        load_model(path)


_SAVE = """
import sys
import h5py

with h5py.File(sys.argv[1], "w") as file:
    file["layers/a/vars/0"] = [1.0, 2.0]
"""


def test_looking_does_not_keep_a_training_from_writing(saved: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(saved / "m.weights.h5", tmp_path))
    with hdf5.opened(path):
        run("-c", _SAVE, path)
    shutil.copy(saved / "m.weights.h5", path)
    with hdf5.private_copy(path, ".weights.h5") as copy:
        run("-c", _SAVE, path)
        assert load_weights(_small(), copy) == 4


def test_what_is_being_written_is_not_read(saved: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(saved / "m.weights.h5", tmp_path))
    with h5py.File(path, "a"), pytest.raises(CheckpointError, match="is being written: another process holds it open"):
        load_weights(_small(), path)
    assert load_weights(_small(), path) == 4


def test_what_the_machine_refuses_is_not_called_damage() -> None:
    for error, message in (
        (PermissionError(13, "x"), "'f' cannot be read: Permission denied"),
        (OSError(28, "x"), "'f' cannot be read: No space left on device"),
        (OSError(24, "x"), "'f' cannot be read: Too many open files"),
        (MemoryError(), "'f' cannot be read: There is not enough memory"),
        (OSError("truncated"), "'f' is a damaged thing: truncated"),
    ):
        with pytest.raises(CheckpointError, match=message), raising_checkpoint_error(Path("f"), "thing"):
            raise error


def test_a_path_that_the_system_refuses_is_an_error_of_the_checkpoint() -> None:
    with pytest.raises(CheckpointError, match="cannot be read: File name too long"):
        recognise("x" * 300)


def test_messages_name_the_file_that_was_given(saved: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(saved / "m.keras") as old, zipfile.ZipFile(tmp_path / "m.keras", "w") as new:
        new.writestr("config.json", old.read("config.json"))
        new.writestr("model.weights.h5", old.read("model.weights.h5")[:3000])
    with pytest.raises(CheckpointError, match=r"m\.keras' is a damaged HDF5 file") as raised:
        load_model(tmp_path / "m.keras")
    assert "model.weights.h5" not in str(raised.value)


def _overwrite_behind_texts(path: Path, header: bytes = bytes(16)) -> None:
    """Leave zeros where HDF5's texts go on, as a crash does that loses a block; or something else."""
    content = bytearray(path.read_bytes())
    heap = content.index(b"GCOL")
    first_bytes = int.from_bytes(content[heap + 24 : heap + 32], "little")
    behind = heap + 32 + (first_bytes + 7) // 8 * 8
    content[behind : behind + 16] = header
    path.write_bytes(content)


@pytest.mark.timeout(60)  # HDF5 would read such a heap for ever, deaf to Ctrl-C
@pytest.mark.parametrize(
    "header", [bytes(16), b"\1" + bytes(7) + (2**64 - 16).to_bytes(8, "little")], ids=["0", "2**64"]
)
def test_texts_that_are_overwritten_are_not_read(saved: Path, tmp_path: Path, header: bytes) -> None:
    weights, legacy = Path(shutil.copy(saved / "m.weights.h5", tmp_path)), tmp_path / "legacy.h5"
    with h5py.File(legacy, "w") as file:
        file.attrs["model_config"] = "{}"
        file["model_weights/dense"] = np.zeros(3, np.float32)
    assert hdf5.attribute(legacy, "model_config") == "{}"
    for path in (weights, legacy):
        _overwrite_behind_texts(path, header)
    for act in (
        lambda: load_weights(_small(), weights),
        lambda: hdf5.attribute(legacy, "model_config"),
        lambda: load_model(legacy),
    ):
        with pytest.raises(CheckpointError, match="is a damaged HDF5 file: its texts are overwritten"):
            act()


@pytest.mark.timeout(60)
def test_where_a_virtual_array_is_kept_is_not_looked_up(tmp_path: Path) -> None:
    path = tmp_path / "m.weights.h5"
    layout = h5py.VirtualLayout((48, 2), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "array", (48, 2))
    with h5py.File(path, "w") as file:
        file.create_virtual_dataset("layers/dense/vars/0", layout)
    _overwrite_behind_texts(path)
    assert recognise(path).kind is Kind.WEIGHTS
    with pytest.raises(CheckpointError, match="is a damaged HDF5 file: its texts are overwritten"):
        load_weights(_small(), path)


def test_a_heap_is_found_wherever_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file.attrs["text"] = "a"
    _overwrite_behind_texts(path)
    for block_bytes in (1, 7, 8, 9, 1000):
        monkeypatch.setattr(hdf5, "_BLOCK_BYTES", block_bytes)
        with pytest.raises(CheckpointError, match="texts are overwritten"):
            hdf5.attribute(path, "text")


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


def _texts(file: h5py.File, secret: Path) -> None:  # noqa: ARG001  all could be one, as long as the file
    file.create_dataset("layers/dense/vars/0", (48, 2), h5py.string_dtype())


def _huge_chunk(file: h5py.File, secret: Path) -> None:  # noqa: ARG001  which is unpacked for the least of it
    settings = {"maxshape": (None, None), "chunks": (1 << 14, 1 << 14), "compression": 9}
    file.create_dataset("layers/dense/vars/0", (48, 2), "f4", **settings)


ELSEWHERE = {
    "texts": (_texts, "holds no numbers in '/layers/dense/vars/0', but object; not read"),
    "huge chunk": (_huge_chunk, r"declares arrays of 1,073,7[\d,]+ up to '/layers/dense/vars/0'"),
    "external link": (_external_link, "holds a link at '/layers/dense/vars/0'"),
    "soft link": (_soft_link, "holds a link at '/layers/dense/vars/0'"),
    "external storage": (_external_storage, "keeps '/layers/dense/vars/0' in another file"),
    "virtual": (_virtual, "keeps '/layers/dense/vars/0' in another file"),
    "declared only": (_declared_only, r"declares arrays of 274,877,[\d,]+ up to '/layers/dense/vars/0'"),
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
from tb_filterviz.checkpoints.loading import load_model
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


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m.keras", "m.weights.h5", "m.index", "m.data-00000-of-00001"])
def test_whatever_bytes_are_damaged_the_answer_is_a_sentence(saved: Path, tmp_path: Path, name: str) -> None:
    for path in saved.iterdir():
        shutil.copy(path, tmp_path)
    done = run("-c", _DAMAGE, tmp_path / name, saved / "m.keras", 100)  # a library in C might take its process down
    assert int(done.stdout) > 0


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(content=st.binary(max_size=300), start=st.sampled_from([b"", b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"{"]))
def test_any_bytes_are_refused_with_a_sentence(tmp_path: Path, content: bytes, start: bytes) -> None:
    path = tmp_path / "bytes.keras"
    path.write_bytes(start + content)
    with pytest.raises(CheckpointError, match=r"bytes\.keras"):
        load_model(path, "lenet")


@settings(max_examples=40)
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

    with pytest.raises(CheckpointError, match="Keras cannot build|describes a|is not built"):
        Architecture("'x.json'", config=json.dumps(value)).build()
    with pytest.raises(CheckpointError, match="Keras cannot build"):
        Architecture("'x.json'", config="[" * 100_000).build()
