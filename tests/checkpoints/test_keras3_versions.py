"""Files that the minors of Keras 3 wrote themselves: the same predictions, or a sentence that says what helps."""

import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tb_filterviz.checkpoints.architecture import as_architecture
from tb_filterviz.checkpoints.keras2_config import to_keras3
from tb_filterviz.checkpoints.keras3_config import LostCallError, to_newest
from tb_filterviz.checkpoints.loading import load_model
from tb_filterviz.cli import main
from tb_filterviz.errors import CheckpointError
from tests.checkpoints import keras3

DATA = Path(__file__).parent.parent / "data" / "keras3"
FILES = [path.relative_to(DATA).as_posix() for path in sorted(DATA.glob("3.*/*")) if path.suffix in (".keras", ".h5")]
IN_PYTHON = (
    r"uild it in Python, and say --model package\.module:factory \(model=\.\.\. in Python\), with the same file for "
    r"its weights\."
)
REFUSED = {
    "3.2.1/shared_in_chain.keras": r"Keras 3\.2\.1 wrote '.*' without saying which of the 2 calls of its layer "
    rf"'conv2d_\d+' makes what; no Keras can build that model\. B{IN_PYTHON}$",
    "3.8.0/own_layer.keras": r"layer 'squared' is of a class that is none of Keras: Squared\. If it is yours, register "
    rf"it in Python before \(keras\.saving\.register_keras_serializable\)\. Or b{IN_PYTHON}$",
}
FOR_WEIGHTS = [file for file in FILES if file.endswith(".weights.h5") or file in REFUSED]


def _difference(model: keras.Model, file: str) -> float:
    path = DATA / file
    name = path.name.partition(".")[0]
    with np.load(path.with_name(f"{name}.npz")) as arrays:
        images, *outputs = arrays.values()
    return keras3.difference(keras3.predicted_by(model, name, images), outputs)


@pytest.mark.parametrize("file", [file for file in FILES if file not in FOR_WEIGHTS])
def test_what_a_minor_wrote_predicts_the_same(file: str) -> None:
    assert _difference(load_model(DATA / file), file) < 1e-5


@pytest.mark.parametrize("file", FOR_WEIGHTS)
def test_a_file_is_one_of_weights_where_its_model_is_built_in_python(file: str) -> None:
    name = Path(file).name.partition(".")[0]
    assert _difference(load_model(DATA / file, keras3.MODELS[name]()), file) < 1e-5


@pytest.mark.parametrize("file", REFUSED)
def test_what_cannot_be_repaired_is_refused_with_what_helps(
    file: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(CheckpointError, match=f"(?s){REFUSED[file]}"):
        load_model(DATA / file)
    factory = f"tests.checkpoints.keras3:{Path(file).stem}"
    assert _difference(load_model(DATA / file, factory), file) < 1e-5
    monkeypatch.chdir(Path(__file__).parent.parent.parent)
    assert main(["layers", str(DATA / file)]) == 1
    assert re.search(REFUSED[file], capsys.readouterr().err.strip(), re.DOTALL)


@pytest.fixture(scope="module")
def configured() -> Callable[[str], Any]:
    """The configuration of a model of that name as today's Keras writes it."""

    def configuration(name: str) -> Any:
        return json.loads(json.dumps(keras.saving.serialize_keras_object(keras3.MODELS[name]())))

    return configuration


@pytest.mark.parametrize("name", [name for name in keras3.MODELS if name != "subclassed"])
@pytest.mark.parametrize("version", ["3.11.0", keras.__version__, None])
def test_what_the_latest_wrote_is_left_as_it_is(
    configured: Callable[[str], Any], name: str, version: str | None
) -> None:
    config = configured(name)
    is_as_before = version is None and name == "lists_of_one"  # nothing tells it from what 3.10 wrote of one tensor
    assert to_newest(to_keras3(config), version) == (to_newest(config, "3.10.0") if is_as_before else config)


CALLS = re.compile(r'("keras_history": \["([^"]+)", )(\d+)')


def _renumbered(config: Any, number: Callable[[str, int], int]) -> Any:
    text = CALLS.sub(lambda found: f"{found[1]}{number(found[2], int(found[3]))}", json.dumps(config))
    return json.loads(text)


@settings(max_examples=30)
@given(
    name=st.sampled_from(
        ["shared_in_chain", "shared_backbone_in_chain", "shared_by_two", "output_of_nested", "functions"]
    ),
    elsewhere=st.lists(st.integers(0, 3), min_size=2, max_size=2),
)
def test_calls_elsewhere_are_counted_no_more(name: str, elsewhere: list[int]) -> None:
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(keras3.MODELS[name]())))
    before = [elsewhere[0], elsewhere[0] + elsewhere[1]]
    written = _renumbered(config, lambda _, call: call + before[call])
    assert to_newest(written, "3.1.1") == config
    assert to_newest(written, None) == config


@pytest.mark.parametrize("version", ["3.2.0", "3.2.1"])
def test_calls_that_were_not_written_are_not_guessed(configured: Callable[[str], Any], version: str) -> None:
    for name in ("functional", "functional_in_functional", "output_of_nested"):
        config = configured(name)
        assert to_newest(_renumbered(config, lambda *_: 0), version) == config
    for name in ("shared_in_chain", "shared_by_two"):
        for known in (version, None):
            with pytest.raises(LostCallError, match="which of the 2 calls of its layer '.*' makes what"):
                to_newest(_renumbered(configured(name), lambda *_: 0), known)
    long = json.loads(json.dumps(configured("shared_in_chain")).replace('"conv', f'"{"long" * 10_000}'))
    with pytest.raises(LostCallError) as raised:
        to_newest(_renumbered(long, lambda *_: 0), version)
    assert len(str(raised.value)) < 200


def test_a_call_that_only_one_can_be_is_found() -> None:
    convolution = keras.layers.Conv2D(2, 3, padding="same")
    images = keras.Input((8, 8, 2))
    model = keras.Model(images, convolution(keras.layers.ReLU()(convolution(images))))
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(model)))
    assert to_newest(_renumbered(config, lambda *_: 0), "3.2.1") == config


@pytest.mark.parametrize(
    "metadata", [None, b"", b"[]", b"\xff", b'{"keras_version": 3}', b'{"keras_version": "{x} 9"}']
)
def test_an_archive_need_not_say_which_keras_wrote_it(tmp_path: Path, metadata: bytes | None) -> None:
    path, file = tmp_path / "m.keras", "3.8.0/functional_in_sequential.keras"
    with zipfile.ZipFile(DATA / file) as old, zipfile.ZipFile(path, "w") as new:
        for name in ("config.json", "model.weights.h5"):
            new.writestr(name, old.read(name))
        if metadata is not None:
            new.writestr("metadata.json", metadata)
    assert _difference(load_model(path), file) < 1e-5
    assert as_architecture(path).written_by is None
