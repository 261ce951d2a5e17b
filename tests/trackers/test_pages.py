"""The page of a run that trackers are given at the end of a training."""

import gc
from pathlib import Path

import mlflow
import pytest
import wandb
from mlflow import MlflowClient

import tb_filterviz
from tb_filterviz import MlflowSink, WandbSink
from tests.plugin.serving import snapshot
from tests.trackers.tracked import TINY, train, visualizer
from tests.trackers.wandb_records import written

pytestmark = [
    pytest.mark.filterwarnings("ignore:The filesystem tracking backend:FutureWarning"),  # of mlflow-skinny 3.11
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


def _save_page(run_dir: Path, path: Path) -> None:
    tb_filterviz.read_run(run_dir.parent, run_dir.name).save(path)


def test_mlflow_has_the_page_of_each_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    sink = MlflowSink(TINY, page=True)
    with mlflow.start_run() as active:
        for _ in range(2):
            train(visualizer(tmp_path / "logs", sink), epochs=1)
    files = [file.path for file in MlflowClient().list_artifacts(active.info.run_id, "filterviz")]
    assert files == ["filterviz/logs-filters.html", "filterviz/logs-filters_2.html"]
    for file, name in zip(files, ("filters", "filters_2"), strict=True):
        _save_page(tmp_path / "logs" / name, tmp_path / "page.html")
        page = mlflow.artifacts.load_text(f"{active.info.artifact_uri}/{file}")
        assert page == (tmp_path / "page.html").read_text(encoding="utf-8")
    mlflow.set_tracking_uri(None)


def test_wandb_has_the_page_of_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    train(visualizer(tmp_path / "logs", WandbSink(TINY, page=True)), epochs=1)
    wandb.teardown()
    gc.collect()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    run = written(folder)
    (row,) = (row for row in run.rows if "filterviz/page" in row)
    _save_page(tmp_path / "logs" / "filters", tmp_path / "page.html")
    page = (run.files / row["filterviz/page"]["path"]).read_text(encoding="utf-8")
    assert page == (tmp_path / "page.html").read_text(encoding="utf-8")


def test_what_waits_for_rows_is_written_before_a_page_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path)}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    sink = WandbSink(page=True)
    with wandb.init():
        sink.begin(str(tmp_path / "nowhere" / "filters"))
        for step in range(3):
            sink.write(step, [snapshot(step)])
        with pytest.raises(tb_filterviz.LogDirError, match="There is no log directory"):
            sink.close()
    wandb.teardown()
    gc.collect()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    assert [row["filterviz/step"] for row in written(folder).rows] == [0, 1, 2]
