"""Pictures and curves as those of a run of Weights & Biases."""

import html
import weakref
from collections.abc import MutableMapping, Sequence
from pathlib import Path
from typing import Any

from tb_filterviz.imaging.encode import to_image
from tb_filterviz.metadata import FAILURES_TAG, PLUGIN_NAME, RUN_NAME
from tb_filterviz.sinks.summaries import CurveSummary, PictureSummary
from tb_filterviz.trackers.tracker import TrackerSink

STEP_KEY = f"{PLUGIN_NAME}/step"
PAGE_KEY = f"{PLUGIN_NAME}/page"
# Others that number their rows by epochs lose what they number below the run's own count. At the end of epoch 0, there
# are two steps of ours, and none of their rows may have been written yet.
_MAY_WAIT = 2
_rows: MutableMapping[Any, int] = weakref.WeakKeyDictionary()  # of runs of others, the last that holds anything of ours


class WandbSink(TrackerSink[Any]):
    """Writes pictures and curves to Weights & Biases: to the run that is active, or else to one of its own.

    ```python
    with wandb.init():
        model.fit(x, y, epochs=5, callbacks=[FilterVisualizer("logs", sinks=[WandbSink()])])
    ```

    Steps are those of the log, under ``filterviz/step``, over which all of it is drawn. A run that is active when the
    first step is written is left open, and its own count of steps is not disturbed: what is written joins the rows that
    others write, for which up to two steps wait until the end of the training. One that is begun here ends with it.

    Args:
        config: how grids are laid out, and which statistics of one's own there are: as given to the callback.
        page: whether the run gets what was logged as one HTML page, at the end of the training.

    Raises:
        ConfigError: if wandb is missing.
    """

    _package = "wandb"

    def _forget_run(self) -> None:
        super()._forget_run()
        self._waiting: list[dict[str, Any]] = []

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind the run, and what waits for its rows."""
        return {name: value for name, value in super().__getstate__().items() if name != "_waiting"}

    def _active_run(self) -> Any:
        import wandb

        return None if wandb.run is None else _with_step(wandb.run)

    def _new_run(self) -> Any:
        import wandb

        return _with_step(wandb.init())

    def _complete(self, run: Any) -> None:
        self._write_waiting(run, leave=0)

    def _end(self, run: Any) -> None:
        run.finish()

    def _log(self, run: Any, step: int, pictures: Sequence[PictureSummary], curves: Sequence[CurveSummary]) -> None:
        import wandb

        images = {each.tag: wandb.Image(to_image(each.pixels), caption=each.description) for each in pictures}
        self._add(run, {STEP_KEY: step, **images, **{each.tag: float(each.value) for each in curves}})

    def _log_text(self, run: Any, step: int, text: str) -> None:
        import wandb

        page = wandb.Html(f"<pre>{html.escape(text)}</pre>", inject=False)
        self._add(run, {STEP_KEY: step, FAILURES_TAG: page})

    def _log_page(self, run: Any, path: str) -> None:
        import wandb

        self._add(run, {PAGE_KEY: wandb.Html(Path(path).read_text(encoding="utf-8"), inject=False)})

    def _add(self, run: Any, values: dict[str, Any]) -> None:
        """Write a row; in a run of somebody else's, have its next rows hold it as well."""
        if self._is_own:
            run.log(values)
        else:
            self._waiting.append(values)
            self._write_waiting(run, leave=_MAY_WAIT)

    def _write_waiting(self, run: Any, leave: int) -> None:
        while self._waiting:
            if run.step == _rows.get(run):  # what was written before would be replaced
                if len(self._waiting) <= leave:
                    return
                run.log({}, commit=True)
            run.log(self._waiting.pop(0), commit=False)
            _rows[run] = run.step


def _with_step(run: Any) -> Any:
    run.define_metric(STEP_KEY, hidden=True)
    for name in (RUN_NAME, f"{RUN_NAME}_maps", PLUGIN_NAME):
        run.define_metric(f"{name}/*", step_metric=STEP_KEY)
    return run
