import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tb_filterviz import build_lenet, cli, load_model
from tests.processes import run


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "lenet12.keras"
    build_lenet(12, 12, weights=Path(__file__).parent.parent / "data" / "lenet12_keras213_weights.hdf5").save(path)
    return path


def test_render_draws_the_articles_picture(saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["render", str(saved), "-o", str(tmp_path / "new" / "f.png")]) == 0
    with Image.open(tmp_path / "new" / "f.png") as picture:
        assert picture.size == (6 * 12 + 5 * 5, 6 * 12 + 5 * 5)
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "new" / "f.png")
    assert "in conv2d_2: 50 filters of 12 x 12 px, gray" in printed.err


ARTICLE = Path(__file__).parent.parent.parent.parent / "shared" / "legacy"


@pytest.mark.skipif(not ARTICLE.exists(), reason="the article's weights for 28 x 28 images (5 MB) are not at hand")
def test_render_draws_the_articles_picture_from_the_articles_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ARTICLE / "lenet28_keras213_weights.hdf5"
    assert cli.main(["render", str(weights), "--model", "lenet", "-o", str(tmp_path / "f.png")]) == 0
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.size == (193, 193)
        cells = [np.asarray(picture)[row : row + 28, column : column + 28] for row, column in _cells()]
    said = capsys.readouterr().err
    assert "20 stuck, 0 flat; gain -0.0" in said
    assert "Shown: 30." in said
    assert [bool(cell.any()) for cell in cells] == [True] * 30 + [False] * 6
    with np.load(ARTICLE / "lenet28_keras213_reference.npz") as reference:
        predicted = load_model(weights, "lenet").predict(reference["x"], verbose=0)
        assert np.abs(predicted - reference["y"]).max() < 1e-5


def _cells() -> list[tuple[int, int]]:
    return [(33 * row, 33 * column) for row in range(6) for column in range(6)]


def test_render_takes_weights_and_settings(tmp_path: Path) -> None:
    weights = tmp_path / "w"  # no extension: recognised by content
    build_lenet().save_weights(tmp_path / "w.weights.h5")
    (tmp_path / "w.weights.h5").rename(weights)
    out = tmp_path / "f.png"
    assert cli.main(["render", str(weights), "--model", "lenet", "-o", str(out)]) == 0
    with Image.open(out) as picture:
        assert picture.size == (193, 193)
    options = ["--layer", "conv2d_1", "--preset", "clean", "--columns", "10", "--scale", "4", "--steps", "3"]
    assert cli.main(["render", str(weights), "--model", "lenet", "-o", str(out), *options]) == 0
    with Image.open(out) as picture:
        assert picture.size == (10 * 20 + 9 * 5, 2 * 20 + 5)
        assert np.asarray(picture).std() > 0


def test_layers_lists_what_can_be_shown(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["layers", str(saved), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["layer"], first["filters"], first["objective"], first["tile"]) == (
        "conv2d_1",
        20,
        "center_unit",
        [5, 5],
    )
    assert (second["layer"], second["output"], second["objective"]) == ("conv2d_2", [6, 6, 50], "center_unit")
    assert cli.main(["layers", str(saved)]) == 0
    assert "conv2d_2  Conv2D                 50  6 x 6 x 50" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["render", "absent.keras"], 1, "There is no file 'absent.keras'."),
        (["render", "SAVED", "--steps", "0"], 2, "`steps` must be None or a positive integer. Received: steps=0"),
        (["render", "SAVED", "--scale", "0"], 2, "`scale` must be None or a positive integer. Received: scale=0"),
        (["render", "SAVED", "--layer", "conv2d_3"], 1, "no layer 'conv2d_3'"),
        (["render", "SAVED", "--layer", "conv*"], 2, "--layer 'conv*' names 2 layers; render draws one."),
        (["render", "SAVED", "-o", "/proc/no/f.png"], 1, "/proc/no"),
        (["layers", __file__], 1, "is not a model or weights that Keras saved"),
        (["demo", "--epochs", "0", "--log-dir", "TMP"], 2, "`epochs` must be a positive integer"),
        (["demo", "--log-dir", "/proc/no"], 1, "Cannot write to the log directory '/proc/no'"),
        (["demo", "--data", "absent.npz", "--log-dir", "TMP"], 1, "absent.npz cannot be read as an .npz archive"),
    ],
)
def test_mistakes_get_one_sentence_and_a_status(
    saved: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, message: str
) -> None:
    named = {"SAVED": str(saved), "TMP": str(tmp_path)}
    assert cli.main([named.get(argument, argument) for argument in arguments]) == status
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert "Traceback" not in printed.err


def test_demo_does_not_overwrite_a_training_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "train").mkdir()
    assert cli.main(["demo", "--log-dir", str(tmp_path)]) == 2
    assert "already holds a training (train). Give another --log-dir, or --overwrite it." in capsys.readouterr().err
    assert (tmp_path / "train").exists()


def test_the_module_runs_as_a_command() -> None:
    assert "demo" in run("-m", "tb_filterviz", "--help").stdout
    run("-m", "tb_filterviz", "nonsense", status=2)
    run("-m", "tb_filterviz", status=2)
