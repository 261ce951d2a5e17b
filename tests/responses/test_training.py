"""A training with examples is the one without, to the bit, from whatever it is fed; and what is logged of it."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

from tb_filterviz import Config, ConfigError, Examples, FilterLogger, FilterVisualizer, MemorySink
from tests.event_reader import difference, series, steps
from tests.rounding import same

RNG = np.random.default_rng(0)
X = RNG.random((48, 10, 10, 1), np.float32)
Y = (np.arange(48) % 3).astype(np.int32)


class _Batches(keras.utils.PyDataset):
    def __init__(self, *, noise: float, **keywords: Any) -> None:
        super().__init__(**keywords)
        self._noise = noise
        self._own = np.random.default_rng(8)

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> Any:
        noise = self._noise * np.random.random((8, 1, 1, 1))  # noqa: NPY002  of the global state, as many do
        if self._noise:
            noise = noise + self._own.random() + float(keras.random.uniform(()))
        return (X[8 * index : 8 * index + 8] + noise).astype(np.float32), Y[8 * index : 8 * index + 8]


def make_model() -> keras.Model:
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((10, 10, 1)),
            layers.RandomFlip(seed=1),
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(),
            layers.Dropout(0.3),
            layers.Flatten(),
            layers.Dense(3),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss, metrics=["accuracy"])
    return model


def _tensorflow_data(*, endless: bool) -> Any:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed here")
    data = tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(48)
    noisy = data.map(lambda x, y: (x + tf.random.uniform([]), y)).batch(8)
    return noisy.repeat() if endless else noisy


def _cached() -> Any:
    tf = pytest.importorskip("tensorflow", reason="TensorFlow is not installed here")
    return tf.data.Dataset.from_tensor_slices((X, Y)).shuffle(48).cache().batch(8)


def _loader() -> Any:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed here")
    torch.manual_seed(4)  # which Keras does only where it runs on PyTorch
    data = torch.utils.data.TensorDataset(torch.tensor(X), torch.tensor(Y))
    return torch.utils.data.DataLoader(data, batch_size=8, shuffle=True)


def _generated() -> Any:
    rng = np.random.default_rng(5)
    while True:
        chosen = rng.integers(0, 48, 8)
        yield X[chosen], Y[chosen]


Feed = tuple[Callable[[], Any], dict[str, Any]]
FEEDS: dict[str, Feed] = {
    "arrays": (lambda: (X, Y), {"batch_size": 8}),
    "tf.data": (lambda: _tensorflow_data(endless=False), {"shuffle": False}),
    "endless tf.data": (lambda: _tensorflow_data(endless=True), {"steps_per_epoch": 6, "shuffle": False}),
    "cached tf.data": (_cached, {"shuffle": False}),
    "PyDataset": (lambda: _Batches(noise=1), {}),
    "PyDataset with workers": (lambda: _Batches(noise=0, workers=2), {}),  # noise would be drawn in any order
    "generator": (_generated, {"steps_per_epoch": 6, "shuffle": False}),  # others are its examples
    "DataLoader": (_loader, {"shuffle": False}),
}


def _fit(feed: Feed, callbacks: Callable[[Any], list[keras.callbacks.Callback]]) -> keras.Model:
    make, options = feed
    keras.utils.set_random_seed(4)
    model, fed = make_model(), make()
    given = {"x": fed[0], "y": fed[1]} if isinstance(fed, tuple) else {"x": fed}
    model.fit(**given, epochs=2, verbose=0, callbacks=callbacks(fed), **options)
    return model


@pytest.mark.parametrize("name", FEEDS)
def test_weights_are_the_same_with_and_without(name: str, tmp_path: Path) -> None:
    feed, memory = FEEDS[name], MemorySink()

    def with_ours(fed: Any) -> list[keras.callbacks.Callback]:
        examples = Examples((X, Y) if name == "generator" else fed, max_examples=48, importance="always", ablation=True)
        return [FilterVisualizer(tmp_path, examples=examples, sinks=[memory], on_error="raise")]

    without, drawn = _fit(feed, lambda _: []), _fit(feed, with_ours)
    assert len(memory.snapshots) == 3
    assert all(snapshot.responses is not None for snapshot in memory.snapshots)
    assert all(map(same, without.get_weights(), drawn.get_weights()))


def test_the_end_of_a_training_is_measured_with_the_weights_that_it_leaves(tmp_path: Path) -> None:
    memory = MemorySink()
    model = _fit(
        FEEDS["arrays"],
        lambda _: [FilterVisualizer(tmp_path, examples=Examples((X, Y), ablation=True), sinks=[memory])],
    )
    *before, last = memory.snapshots
    assert all("importance" not in snapshot.statistics for snapshot in before)
    accuracy = model.evaluate(X, Y, verbose=0)[1]
    kernel, bias = model.get_layer("conv").get_weights()
    for filter_ in range(4):  # a ReLU of nothing is nothing
        silent_kernel, silent_bias = kernel.copy(), bias.copy()
        silent_kernel[..., filter_], silent_bias[filter_] = 0, -1
        model.get_layer("conv").set_weights([silent_kernel, silent_bias])
        lost = accuracy - model.evaluate(X, Y, verbose=0)[1]
        np.testing.assert_allclose(last.statistics["ablation"][filter_], lost, atol=1e-6)
    assert ((last.statistics["importance"] > 0) == (last.statistics["excited"] > 0)).all()
    assert steps(tmp_path / "filters", "filterviz/conv/statistics/importance") == [1]
    assert steps(tmp_path / "filters", "filterviz/conv/responses/patches") == [-1, 0, 1]


def test_chosen_filters_are_measured_at_the_end_each_as_itself(tmp_path: Path) -> None:
    found = {}
    for filters in (None, [3, 0]):
        memory = MemorySink()
        visualizer = FilterVisualizer(
            tmp_path / str(filters),
            config=Config(filters=filters),
            examples=Examples((X, Y), ablation=True),
            sinks=[memory],
        )
        _fit(FEEDS["arrays"], lambda _, callback=visualizer: [callback])  # type: ignore[misc]
        found[filters is None] = memory.snapshots[-1].statistics
    for name in ("importance", "ablation", "on"):
        assert same(found[False][name], found[True][name][[3, 0]])


def test_the_end_is_measured_where_batches_are_drawn(tmp_path: Path) -> None:
    memory = MemorySink()
    callback = FilterVisualizer(tmp_path, update_freq=3, examples=Examples((X, Y), ablation=True), sinks=[memory])
    _fit(FEEDS["arrays"], lambda _: [callback])
    measured = {each.step: "ablation" in each.statistics for each in memory.snapshots}
    assert measured == {0: False, 3: False, 6: False, 9: False, 12: True}
    assert steps(tmp_path / "filters", "filterviz/conv/statistics/importance") == [12]


def test_a_run_without_examples_gets_them_as_a_run_of_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = make_model()
    with FilterLogger(tmp_path) as logger:
        logger.log(model, 0)
    with FilterLogger(tmp_path, examples=(X, Y)) as logger:
        logger.log(model, 1)
    assert "filters_2" in capsys.readouterr().err
    assert steps(tmp_path / "filters_2", "filterviz/conv/responses/patches") == [1]
    with FilterLogger(tmp_path, examples=(X, Y)) as logger:
        logger.log(model, 2)
    assert steps(tmp_path / "filters_2", "filterviz/conv/responses/patches") == [1, 2]
    with FilterLogger(tmp_path, examples=(X, 2 - Y)) as logger:
        logger.log(model, 3)
    assert steps(tmp_path / "filters_3", "filterviz/conv/responses/patches") == [3]
    with FilterLogger(tmp_path, examples=Examples((X, Y), maps=[7, 3])) as logger:  # other pictures for other examples
        logger.log(model, 4)
    assert steps(tmp_path / "filters_4", "filterviz/conv/responses/patches") == [4]


def test_checkpoints_are_measured_as_the_training_was(tmp_path: Path) -> None:
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "epoch-{epoch}.weights.h5"), save_weights_only=True)
    during, after = MemorySink(), MemorySink()
    examples = Examples((X, Y), importance="always")
    _fit(
        FEEDS["arrays"],
        lambda _: [
            save,
            FilterVisualizer(tmp_path / "logs", examples=examples, sinks=[during], write_initial=False),
        ],
    )
    with FilterLogger(tmp_path / "after", examples=examples, sinks=[after]) as logger:
        logger.log_checkpoints([tmp_path], make_model)
    for one, other in zip(during.snapshots, after.snapshots, strict=True):
        assert one.responses is not None
        assert other.responses is not None
        assert np.array_equal(one.responses.patches, other.responses.patches)
        assert same(one.responses.values, other.responses.values)
        assert same(one.statistics["importance"], other.statistics["importance"])


def test_maps_are_in_the_images_tab_on_request(tmp_path: Path) -> None:
    memory = MemorySink()
    with FilterLogger(tmp_path, examples=Examples((X, Y), maps=[5, 0], maps_as_images=True), sinks=[memory]) as logger:
        logger.log(make_model(), 0)
    responses = memory.snapshots[0].responses
    assert responses is not None
    assert responses.maps is not None
    for place, example in enumerate((5, 0)):
        (stored,) = series(tmp_path / "filters", f"filters_maps/conv/example_{example}").values()
        shown = np.asarray(Image.open(io.BytesIO(stored[2])))
        map_ = responses.maps[0, place]
        enlarged = (np.kron(map_, np.ones((scale, scale), np.uint8)) for scale in range(1, 17))
        assert any(np.array_equal(shown[: len(one), : len(one)], one) for one in enlarged)  # the first filter's


@pytest.mark.slow
def test_several_processes_measure_the_same(tmp_path: Path) -> None:
    save = keras.callbacks.ModelCheckpoint(str(tmp_path / "epoch-{epoch}.weights.h5"), save_weights_only=True)
    _fit(FEEDS["arrays"], lambda _: [save])
    for executor in (None, 2):
        with FilterLogger(tmp_path / f"logs_{executor}", examples=(X, Y)) as logger:
            report = logger.log_checkpoints(
                sorted(tmp_path.glob("*.weights.h5")), "tests.responses.test_training:make_model", executor=executor
            )
            assert len(report.logged) == 2, report.failed
    assert difference(tmp_path / "logs_None" / "filters", tmp_path / "logs_2" / "filters") == ""


def test_the_end_of_a_training_names_what_is_dead(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make_model()
    kernel, bias = model.get_layer("conv").get_weights()
    bias[1], bias[3], kernel[..., 3] = -100, 5, 0
    model.get_layer("conv").set_weights([kernel, bias])
    model.get_layer("conv").trainable = False
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    callback = FilterVisualizer(tmp_path, examples=Examples((X, Y), ablation=True), verbose=1)
    model.fit(X, Y, verbose=0, callbacks=[callback])
    said = capsys.readouterr().out
    assert "conv: filter 1 dead: none of 48 examples switches them on; filter 3 always on." in said
    assert "and its 48 examples" in said
    assert "Now each of 4 filters is left out in turn, on 48 examples." in said


def test_what_cannot_work_is_said_before_the_first_epoch(tmp_path: Path) -> None:
    def fit(examples: Any, model: keras.Model | None = None) -> None:
        seen: list[int] = []
        model = model or make_model()
        watch = keras.callbacks.LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(batch))  # noqa: ARG005
        try:
            model.fit(X, Y, verbose=0, callbacks=[FilterVisualizer(tmp_path / "none", examples=examples), watch])
        finally:
            assert not seen

    with pytest.raises(ConfigError, match="images of 9 x 10 pixels and 1 channel, and the model takes"):
        fit((X[:, 1:], Y))
    with pytest.raises(ConfigError, match="48 images and 3 labels"):
        fit((X, Y[:3]))
    with pytest.raises(ConfigError, match=r"Importance is measured by the loss, and `examples` has no labels"):
        fit(Examples(X, importance="always"))
    scaled = keras.Sequential([keras.Input((10, 10, 1)), keras.layers.Rescaling(1 / 255), *make_model().layers[1:]])
    scaled.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    with pytest.raises(ConfigError, match=r"`examples` are from 0\.\d+ to 0\.99\d*, and the model takes 0 to 255"):
        fit(X, scaled)
    with pytest.raises(ConfigError, match=r"`examples` are from 0\.\d+ to 25\d.*, and the model takes 0 to 1"):
        FilterLogger(tmp_path, config=Config(input_range=(0, 1)), examples=255 * X).log(make_model(), 0)
    with pytest.raises(ConfigError, match="`ablation` measures how much accuracy is lost"):
        fit(Examples((X, X.mean((1, 2, 3))), ablation=True))
    with pytest.raises(ConfigError, match="`maps` names example 48, and there are 48"):
        fit(Examples(X, maps=[0, 48]))
    with pytest.raises(ConfigError, match="The statistic 'excited' is measured on real images"):
        FilterVisualizer(tmp_path, config=Config(statistics=["excited"]))
