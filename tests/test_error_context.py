from pathlib import Path

import keras
import pytest

from tb_filterviz import FilterLogger
from tb_filterviz.errors import ModelError


@pytest.mark.parametrize(
    ("model_name", "layer_name", "refused"),
    [("m", "мой слой", "мой слой"), ("m", "my conv", "my conv"), ("моя модель", "c", "моя модель"), ("m", "_c", "_c")],
)
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends take any name")
def test_a_name_that_tensorflow_refuses_is_told_and_renaming_helps(
    tmp_path: Path, model_name: str, layer_name: str, refused: str
) -> None:
    layers = [keras.Input((8, 8, 1)), keras.layers.Conv2D(2, 3, name=layer_name)]
    model = keras.Sequential(layers, name=model_name)
    with FilterLogger(tmp_path, verbose=0) as logger:
        with pytest.raises(ModelError, match=f"does not take the name '{refused}'.*Rename it in Keras") as raised:
            logger.log(model, 0)
        assert "memory" not in str(raised.value)
        model.name, model.layers[0].name = "model", "conv"
        assert [snapshot.layer for snapshot in logger.log(model, 0)] == ["conv"]
    later = keras.layers.Dense(1, name="later")
    later.build((None, 2))
    assert [variable.path for variable in later.weights] == ["later/kernel", "later/bias"]
