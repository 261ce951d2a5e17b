"""Pictures and curves as those of an MLflow run."""

import re
import time
from collections.abc import Sequence
from typing import Any

from tb_filterviz.imaging.encode import to_image
from tb_filterviz.metadata import FAILURES_TAG, PLUGIN_NAME
from tb_filterviz.sinks.summaries import CurveSummary, PictureSummary
from tb_filterviz.trackers.tracker import TrackerSink


class MlflowSink(TrackerSink[str]):
    """Writes pictures and curves to MLflow: to the run that is active, or else to one of its own for each training.

    ```python
    with mlflow.start_run():
        model.fit(x, y, epochs=5, callbacks=[FilterVisualizer("logs", sinks=[MlflowSink()])])
    ```

    Steps are those of the log, so -1 is before training. A run that is active when the first step is written, because
    of `mlflow.start_run` or `mlflow.autolog`, is left open; one that is begun here ends with the training.

    Args:
        config: how grids are laid out, and which statistics of one's own there are: as given to the callback.
        page: whether the run gets what was logged as one HTML file, at the end of the training.

    Raises:
        ConfigError: if MLflow is missing.
    """

    _package = "mlflow"

    def _active_run(self) -> str | None:
        import mlflow

        active = mlflow.active_run()
        return None if active is None else str(active.info.run_id)

    def _new_run(self) -> str:
        import mlflow

        return str(mlflow.start_run().info.run_id)

    def _end(self, run: str) -> None:
        import mlflow

        if self._active_run() == run:
            mlflow.end_run()
        else:  # somebody else has ended it, or another thread began it
            _client().set_terminated(run)

    def _log(self, run: str, step: int, pictures: Sequence[PictureSummary], curves: Sequence[CurveSummary]) -> None:
        from mlflow.entities import Metric

        now_ms, client = round(time.time() * 1000), _client()
        for picture in pictures:
            image, key = to_image(picture.pixels), safe_key(picture.tag)
            client.log_image(run, image, key=key, step=step, timestamp=now_ms, synchronous=True)
        points = [Metric(safe_key(curve.tag), float(curve.value), now_ms, step) for curve in curves]
        client.log_batch(run, metrics=points, synchronous=True)

    def _log_text(self, run: str, step: int, text: str) -> None:
        _client().log_text(run, text, f"{FAILURES_TAG}/step_{step}.txt")

    def _log_page(self, run: str, path: str) -> None:
        _client().log_artifact(run, path, PLUGIN_NAME)


def _client() -> Any:
    import mlflow

    return mlflow.MlflowClient()


def safe_key(tag: str) -> str:
    """Replace the characters that MLflow refuses in names: the second call of a shared layer is ``shared-2``."""
    return re.sub(r"[^A-Za-z0-9_\-./ ]", "-", tag)
