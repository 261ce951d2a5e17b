"""A log directory in S3: a training writes it, goes on in it, and TensorBoard shows it."""

from pathlib import Path
from typing import Any

import boto3
import keras
import numpy as np
import pytest

from tb_filterviz import FilterLogger, FilterVisualizer, LogDirError, MemorySink
from tests.tensorboard import tensorboard

pytest_plugins = ["tests.logs.s3"]

X, Y = np.random.default_rng(0).random((16, 12, 12, 1)).astype(np.float32), np.zeros((16, 2), np.float32)


def _model(filters: int = 3) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((12, 12, 1)),
            keras.layers.Conv2D(filters, 3, name="conv_a"),
            keras.layers.ReLU(),
            keras.layers.Conv2D(4, 3, name="conv_b"),
            keras.layers.Flatten(),
            keras.layers.Dense(2),
        ]
    )
    model.compile("adam", "mse")
    return model


def test_a_training_writes_to_s3_goes_on_there_and_tensorboard_shows_it(
    bucket: str,
) -> None:
    log_dir, memory, model = f"s3://{bucket}/logs", MemorySink(), _model()
    for initial in (0, 2):
        callback = FilterVisualizer(log_dir, sinks=[memory], on_error="raise")
        model.fit(X, Y, initial_epoch=initial, epochs=initial + 2, verbose=0, callbacks=[callback])
    _model(5).fit(X, Y, epochs=1, verbose=0, callbacks=[FilterVisualizer(log_dir, on_error="raise")])  # another network
    with tensorboard(None, command=["-m", "tb_filterviz", "board", log_dir]) as server:

        def statistics(run: str, layer: str) -> Any:
            return server.get_json("data/plugin/filterviz/statistics", run=run, layer=layer)

        def everything_is_served() -> None:
            runs = server.get_json("data/plugin/filterviz/layers")["runs"]
            assert [run["run"] for run in runs] == ["filters", "filters_2"]
            answer = statistics("filters", "conv_b")
            assert answer["steps"] == [-1, 0, 1, 2, 3]
            for at, snapshot in enumerate(snapshot for snapshot in memory.snapshots if snapshot.layer == "conv_b"):
                np.testing.assert_allclose(answer["statistics"]["score"][at], snapshot.scores, rtol=1e-3)
            assert statistics("filters_2", "conv_a")["steps"] == [-1, 0]

        server.until(everything_is_served)


def test_a_path_means_the_same_and_makes_no_folder(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with FilterLogger(Path(f"s3://{bucket}/path"), "conv_a") as logger:
        logger.log(_model(), 0)
    keys = [each["Key"] for each in boto3.client("s3").list_objects_v2(Bucket=bucket)["Contents"]]
    assert {key.rpartition("/")[0] for key in keys if "tfevents" in key} == {"path/filters"}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("s3://no-such-bucket-at-all/logs", "Cannot write to the log directory 's3://no-such-bucket-at-all/logs': "),
        ("odd://somewhere", "nothing is known of odd://"),
    ],
)
def test_what_cannot_be_reached_is_said_before_the_first_epoch(bucket: str, address: str, message: str) -> None:
    assert bucket
    trained: list[Any] = []
    watch = keras.callbacks.LambdaCallback(on_epoch_begin=lambda *given: trained.append(given))
    with pytest.raises(LogDirError, match=message):
        _model().fit(X, Y, verbose=0, callbacks=[watch, FilterVisualizer(address)])
    assert not trained
