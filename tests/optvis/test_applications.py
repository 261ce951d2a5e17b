"""Networks that people use: every convolution is found, first, middle and last ones are drawn."""

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.session import Session

NETWORKS = {
    "VGG16": keras.applications.VGG16,
    "ResNet50": keras.applications.ResNet50,
    "MobileNetV2": keras.applications.MobileNetV2,
    "EfficientNetB0": keras.applications.EfficientNetB0,
    "ConvNeXtTiny": keras.applications.ConvNeXtTiny,
    "Xception": keras.applications.Xception,
}


@pytest.mark.parametrize(
    "name", [name if name == "MobileNetV2" else pytest.param(name, marks=pytest.mark.slow) for name in NETWORKS]
)
def test_a_network_is_drawn(name: str) -> None:
    keras.utils.set_random_seed(0)
    model = NETWORKS[name](weights=None, include_top=False, input_shape=(96, 96, 3))
    layer_calls = select(model)
    by_name = [layer for layer in model._flatten_layers() if "Conv" in type(layer).__name__ and layer.weights]
    by_name = [layer for layer in by_name if not list(layer._flatten_layers(include_self=False))]
    assert {id(layer_call.layer) for layer_call in layer_calls} == {id(layer) for layer in by_name}
    chosen = [
        layer_calls[place].path for place in (0, len(layer_calls) // 3, 2 * len(layer_calls) // 3, len(layer_calls) - 1)
    ]
    before = model.get_weights()
    config = Config(max_filters=3, ascent=AscentConfig(steps=3))
    drawings = Session(model, layers=chosen, config=config).draw()
    assert [drawing.layer for drawing in drawings] == chosen
    assert drawings[0].objective == "center_unit"
    for drawing in drawings:
        assert np.isfinite(drawing.scores).all()
        assert drawing.tiles.std() > 5
        assert drawing.responsive.any()
    assert all(map(np.array_equal, before, model.get_weights()))
