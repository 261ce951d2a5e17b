"""What is measured of filters that were made by hand is what they were made for, on whatever backend Keras runs."""

import keras
import numpy as np
import pytest

from tb_filterviz import Examples
from tb_filterviz.session import Session
from tb_filterviz.snapshots import LayerDrawing
from tests.responses import planted
from tests.responses.planted import ALWAYS, BLOB, BLOBS, DEAD, DOT, DOTS, EDGE, EDGES, OF_EACH


@pytest.fixture(scope="module")
def drawing() -> LayerDrawing:
    (found,) = Session(planted.network(), examples=Examples(planted.images(), maps=3, ablation=True)).draw()
    return found


def test_the_examples_that_excite_most_are_found_with_place_and_value(drawing: LayerDrawing) -> None:
    responses = drawing.responses
    assert responses is not None
    strongest = np.arange(OF_EACH)[::-1][:9]
    strength, place = 0.8 + strongest / 100, 1 + strongest % 7
    assert responses.patches[BLOB].tolist() == (3 * strongest + BLOBS).tolist()
    np.testing.assert_allclose(responses.values[BLOB], 9 * strength - 6.9, rtol=1e-5)
    assert responses.units[BLOB].tolist() == [[at, 2] for at in place]
    assert responses.patches[DOT].tolist() == (3 * strongest + DOTS).tolist()
    np.testing.assert_allclose(responses.values[DOT], 2 * strength - 1.5, rtol=1e-5)
    assert responses.units[DOT].tolist() == [[at - 1, 6] for at in place]
    assert responses.patches[EDGE].tolist() == (3 * strongest + EDGES).tolist()
    np.testing.assert_allclose(responses.values[EDGE], 3 * (strength + 0.2) - 2.75, rtol=1e-5)
    assert responses.units[EDGE].tolist() == [[0, at] for at in place]
    assert responses.patches[DEAD].tolist() == [-1] * 9
    assert responses.patches[ALWAYS].tolist() == list(range(9))  # all alike: of equals, the first


def test_what_a_unit_sees_is_cut_where_it_looks(drawing: LayerDrawing) -> None:
    responses = drawing.responses
    assert responses is not None
    shown, _ = planted.images()
    for example, (row, column) in zip(responses.patches[BLOB], responses.units[BLOB], strict=True):
        top, left, height, width = responses.footprint.of_unit(int(row), int(column))
        patch = shown[example, top : top + height, left : left + width]
        assert patch.shape == (3, 3, 1)
        assert (patch > 0.7).all()


def test_dead_and_always_on_are_told_from_selective(drawing: LayerDrawing) -> None:
    excited, on = drawing.statistics["excited"], drawing.statistics["on"]
    assert excited[DEAD] == on[DEAD] == 0
    assert excited[ALWAYS] == on[ALWAYS] == 1
    np.testing.assert_allclose(excited[[EDGE, BLOB, DOT]], 1 / 3)
    np.testing.assert_allclose(on[[EDGE, BLOB, DOT]], np.array([20, 1, 1]) / 100 / 3, rtol=1e-5)


def test_each_filter_serves_the_class_that_it_was_made_for(drawing: LayerDrawing) -> None:
    best, selectivity = drawing.statistics["best_class"], drawing.statistics["selectivity"]
    assert best[[EDGE, BLOB, DOT]].tolist() == [EDGES, BLOBS, DOTS]
    np.testing.assert_allclose(selectivity[[EDGE, BLOB, DOT]], 1)
    np.testing.assert_allclose(selectivity[ALWAYS], 0, atol=1e-6)
    assert np.isnan([selectivity[DEAD], best[DEAD]]).all()
    responses = drawing.responses
    assert responses is not None
    assert responses.class_means is not None
    np.testing.assert_allclose(responses.class_means[ALWAYS], 0.5)


def test_the_network_loses_a_class_without_its_filter_and_nothing_without_the_others(drawing: LayerDrawing) -> None:
    lost = drawing.statistics["ablation"]
    # without its detector, a class is told by the constants: all of them say "edges"
    np.testing.assert_allclose(lost[[EDGE, BLOB, DOT, DEAD, ALWAYS]], [0, 1 / 3, 1 / 3, 0, 0], atol=1e-6)


def test_importance_is_the_slope_of_the_loss(drawing: LayerDrawing) -> None:
    shown, labels = planted.images()
    model = planted.network()
    importance = drawing.statistics["importance"]
    assert importance[DEAD] == importance[ALWAYS] == 0

    def losses(factor: float, filter_: int) -> np.ndarray:
        kernel, bias = model.get_layer("made").get_weights()
        kernel[..., filter_] *= factor  # scales what passes the ReLU alike
        bias[filter_] *= factor
        scaled = planted.network()
        scaled.get_layer("made").set_weights([kernel, bias])
        told = scaled.predict(shown, verbose=0).astype(np.float64)
        return np.asarray(-np.log(told[np.arange(len(labels)), labels]))

    for filter_ in (EDGE, BLOB, DOT):
        slopes = (losses(1.01, filter_) - losses(0.99, filter_)) / 0.02
        np.testing.assert_allclose(importance[filter_], np.abs(slopes).mean(), rtol=2e-2)


def test_labels_of_any_kind_and_losses_of_any_reduction_give_the_same(drawing: LayerDrawing) -> None:
    shown, labels = planted.images()
    names = np.array(["a bar", "a dot", "a square"])[[0, 2, 1]]  # in another order than the classes
    for targets, loss in (
        (labels.astype(np.float32), "sparse_categorical_crossentropy"),
        (np.eye(3)[labels], "categorical_crossentropy"),
        (labels, keras.losses.SparseCategoricalCrossentropy(reduction="sum")),
        (labels[:, None], None),
    ):
        model = planted.network()
        model.compile("sgd", loss)
        (found,) = Session(model, examples=Examples((shown, targets), ablation=True)).draw()
        for name in ("importance", "ablation", "selectivity"):
            np.testing.assert_allclose(found.statistics[name], drawing.statistics[name], rtol=1e-4, err_msg=str(loss))
    (named,) = Session(planted.network(), examples=Examples((shown, names[labels]), importance="never")).draw()
    assert named.statistics["best_class"][[EDGE, BLOB, DOT]].tolist() == [0, 2, 1]  # as the names are sorted


def test_maps_are_what_the_layer_passes_on(drawing: LayerDrawing) -> None:
    responses = drawing.responses
    assert responses is not None
    assert responses.maps is not None
    assert responses.map_scales is not None
    assert responses.maps.shape == (5, 3, 10, 10)  # one of each class
    np.testing.assert_allclose(
        responses.map_scales[[EDGE, BLOB, DOT, DEAD, ALWAYS]], [0.25, 0.3, 0.1, 0, 0.5], rtol=1e-4
    )
    assert (responses.maps[ALWAYS] == 255).all()
    assert (responses.maps[DEAD] == 0).all()
    assert np.argwhere(responses.maps[DOT] > 0).tolist() == [[DOTS, 0, 6]]
    columns = np.argwhere(responses.maps[EDGE, EDGES].min(axis=0) == 255)
    assert columns.tolist() == [[1], [2]]
