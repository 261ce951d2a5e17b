"""Networks that people use: every convolution is found, first, middle and last ones are drawn."""

from pathlib import Path

import keras
import numpy as np
import pytest

from tb_filterviz import AscentConfig, Config, FilterVisualizer
from tb_filterviz.optvis.layer_calls import select
from tb_filterviz.session import Session
from tests.event_reader import steps

NETWORKS = {
    "VGG16": keras.applications.VGG16,
    "ResNet50": keras.applications.ResNet50,
    "MobileNetV2": keras.applications.MobileNetV2,
    "EfficientNetB0": keras.applications.EfficientNetB0,
    "ConvNeXtTiny": keras.applications.ConvNeXtTiny,
    "Xception": keras.applications.Xception,
}


MARKS = {"MobileNetV2": [], "ResNet50": [pytest.mark.slow], "ConvNeXtTiny": [pytest.mark.slow]}


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, [pytest.mark.stress])) for name in NETWORKS])
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


HALVES = [
    pytest.param("MobileNetV2", "mixed_bfloat16", marks=pytest.mark.slow),
    pytest.param("MobileNetV2", "mixed_float16", marks=pytest.mark.slow),
    pytest.param("EfficientNetB0", "mixed_float16", marks=pytest.mark.stress),
    pytest.param("Xception", "mixed_float16", marks=pytest.mark.stress),
]


@pytest.mark.parametrize(("name", "policy"), HALVES)
def test_a_network_is_drawn_while_it_trains_in_mixed_precision(name: str, policy: str, tmp_path: Path) -> None:
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        side = 75 if name == "Xception" else 32
        backbone = NETWORKS[name](weights=None, include_top=False, input_shape=(side, side, 3))
        top = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(2, activation="softmax", dtype="float32")]
        model = keras.Sequential([keras.Input((side, side, 3)), backbone, *top])
    finally:
        keras.config.set_dtype_policy("float32")
    model.compile("adam", "sparse_categorical_crossentropy")
    images, labels = np.random.default_rng(0).uniform(-1, 1, (16, side, side, 3)), np.arange(16) % 2
    paths = [call.path for call in select(backbone)]
    chosen = [paths[0], *[path for path in paths if path.endswith(("depthwise", "dwconv", "sepconv1"))][1:3]]
    config = Config(max_filters=2, ascent=AscentConfig(steps=2))
    visualizer = FilterVisualizer(tmp_path, [f"*/{path}" for path in chosen], config=config, on_error="raise")
    model.fit(images, labels, batch_size=8, epochs=1, verbose=0, callbacks=[visualizer])
    assert len(chosen) == 3
    for path in chosen:
        assert steps(tmp_path / "filters", f"filters/{backbone.name}/{path}") == [-1, 0]
