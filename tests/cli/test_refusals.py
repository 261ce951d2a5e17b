"""What is refused is refused at once and leaves nothing behind; and what a message advises, works."""

import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras

from tb_filterviz import FilterLogger, build_lenet, cli, maximize
from tb_filterviz.errors import CheckpointWarning
from tests.backfill import networks
from tests.event_reader import series, steps
from tests.processes import run

# of Keras, which `pytest.warns` says once more, where it is nobody's
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
PLAIN = "tests.backfill.networks:plain"
DATA = Path(__file__).parent.parent / "data"

RUN = """
import sys
from tb_filterviz import cli
status = cli.main(sys.argv[1:])
heavy = {"keras", "tensorflow", "jax", "torch"} & set(sys.modules)
print("status", status, "loaded", sorted(heavy))
"""


def _folder(path: Path, *names: str, make: Callable[[], keras.Model] = networks.plain) -> Path:
    """Whole models under these names, each with other weights."""
    path.mkdir(parents=True, exist_ok=True)
    model = make()
    for seed, name in enumerate(names):
        rng = np.random.default_rng(seed)
        model.set_weights([rng.normal(0, 0.3, value.shape) for value in model.get_weights()])
        model.save(path / name) if name.endswith(".keras") else model.save_weights(path / name)
    return path


def _log(*arguments: object, log_dir: Path) -> int:
    return cli.main(["log", *map(str, arguments), "--logdir", str(log_dir)])


REFUSED: list[tuple[tuple[str, ...], list[str], int, str]] = [
    (("best.keras", "final.keras"), ["FOLDER"], 1, "do not say clearly of which epoch"),
    (("model_fold_1.keras", "model_fold_2.keras"), ["FOLDER"], 1, "'fold' tell trainings apart"),
    (("epoch-1.keras", "best.keras"), ["FOLDER/epoch-1.keras", "FOLDER/best.keras"], 1, "Leave them out"),
    (("epoch-1.keras",), ["FOLDER", "--steps-from", "x-(\\d+)"], 1, "does not find an epoch in"),
    (("epoch-1.keras",), ["FOLDER", "--steps-from", "("], 2, "must be a regular expression"),
    (("epoch-1.keras",), ["FOLDER", "--steps-from", "(", "--watch"], 2, "must be a regular expression"),
    (("epoch-1.keras", "epoch-2.keras"), ["FOLDER", "--step", "1"], 2, "are for single checkpoints"),
    (("epoch-1.weights.h5",), ["FOLDER"], 1, "holds weights only"),
    (("epoch-1.weights.h5",), ["FOLDER", "--model", "vgg"], 2, "`model` must be 'lenet', a file"),
    (("epoch-1.weights.h5",), ["FOLDER", "--model", "absent.keras"], 2, "names a file that is not there"),
    (("epoch-1.weights.h5",), ["FOLDER", "--model", "FOLDER/epoch-1.weights.h5"], 1, "holds weights only, and says"),
    (("epoch-1.keras",), ["FOLDER", "--watch", "--idle", "0"], 2, "must be above 0"),
    (("epoch-1.keras",), ["FOLDER", "--filters", "0"], 2, "max_filters"),
    ((), ["FOLDER"], 1, "Nothing to log in"),
    ((), ["FOLDER/absent"], 1, "There is no file"),
    ((), [str(DATA / "lenet12_keras213_weights.hdf5"), "--model", "lenet"], 1, "images of 12 x 12"),
]


@pytest.mark.parametrize(("names", "arguments", "status", "message"), REFUSED, ids=[each[3] for each in REFUSED])
def test_a_refused_log_leaves_nothing_and_loads_nothing(
    tmp_path: Path, names: tuple[str, ...], arguments: list[str], status: int, message: str
) -> None:
    folder = _folder(tmp_path / "saved", *names)
    given = [argument.replace("FOLDER", str(folder)) for argument in arguments]
    done = run("-c", RUN, "log", *given, "--logdir", tmp_path / "new" / "logs")
    assert done.stdout == f"status {status} loaded []\n"
    assert message in done.stderr
    assert "Loading Keras" not in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["log", ".", "--model", "lenet", "--logdir", ""], "A log directory needs a name"),
        (["log", "", "--model", "lenet"], "A path of checkpoints needs a name"),
        (["demo", "--logdir", ""], "A log directory needs a name"),
        (["board", ""], "A log directory needs a name"),
    ],
)
def test_an_empty_name_does_not_stand_for_the_folder_one_is_in(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    _folder(tmp_path, "epoch-1.weights.h5")
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) != 0
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["epoch-1.weights.h5"]


def test_a_model_that_nothing_says_is_refused_without_keras(tmp_path: Path) -> None:
    path = _folder(tmp_path, "m.weights.h5") / "m.weights.h5"
    for arguments in (["render", str(path)], ["layers", str(path)], ["render", str(tmp_path / "absent")]):
        done = run("-c", RUN, *arguments)
        assert done.stdout == "status 1 loaded []\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layer", "conv_c"], "no layer 'conv_c'"),
        (["--model", "lenet"], "Failed: 2 checkpoints"),
        (["--model", "tests.backfill.networks:absent"], "There is no 'tests.backfill.networks:absent'"),
    ],
)
def test_what_turns_out_wrong_later_leaves_nothing_either(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.weights.h5", "epoch-2.weights.h5")
    model = [] if "--model" in arguments else ["--model", PLAIN]
    assert _log(folder, *model, *arguments, log_dir=tmp_path / "new" / "logs") != 0
    assert message in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_is_refused_in_python_leaves_nothing(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "saved", "best.keras", "final.keras")
    with FilterLogger(tmp_path / "logs") as logger:
        assert not (tmp_path / "logs").exists()
        with pytest.raises(ValueError, match="of which epoch"):
            logger.log_checkpoints(folder)
    assert not (tmp_path / "logs").exists()


def test_a_failed_log_leaves_the_folder_and_the_runs_of_others(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.weights.h5")
    (tmp_path / "empty").mkdir()
    with FilterLogger(tmp_path / "empty") as logger:
        report = logger.log_checkpoints(folder, "lenet")
    assert (len(report.failed), report.run) == (1, "")
    assert list((tmp_path / "empty").iterdir()) == []
    with FilterLogger(tmp_path / "logs") as logger:
        assert logger.log_checkpoints(folder, PLAIN).logged
        before = sorted((tmp_path / "logs").rglob("*"))
        assert not logger.log_checkpoints(folder, "lenet").logged
    assert sorted((tmp_path / "logs").rglob("*")) == before


# What is left out


def test_a_folder_with_best_is_logged_and_best_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-01.keras", "epoch-02.keras", "best.keras", "final.weights.h5")
    for number, more in enumerate(([], ["--steps-from", r"epoch-(\d+)"])):
        assert _log(folder, *more, log_dir=tmp_path / str(number)) == 0
        printed = capsys.readouterr()
        assert "Logged: 2 checkpoints (steps 0 to 1)" in printed.out
        assert "Left out: 2 checkpoints\n" in printed.err
        assert printed.err.count("best.keras") == printed.err.count("final.weights.h5") == 1
        assert steps(tmp_path / str(number) / "filters", "filters/conv_a") == [0, 1]
    assert _log(folder / "*.keras", "--json", log_dir=tmp_path / "pattern") == 0
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert [entry["step"] for entry in said["logged"]] == [0, 1]
    (best,) = said["left_out"]
    assert Path(best["checkpoint"]).name == "best.keras"
    assert best["error"] == "its name does not say clearly of which epoch it is"
    assert said["failed"] == []


def test_a_stranger_in_a_folder_does_not_decide_for_the_others(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "saved", "epoch-01.keras", "epoch-02.keras")
    keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(2, 3, name="other")]).save(folder / "epoch-00.keras")
    with FilterLogger(tmp_path / "logs") as logger:
        report = logger.log_checkpoints(folder)
    assert [entry.step for entry in report.logged] == [0, 1]
    ((step, error),) = [(entry.step, entry.error or "") for entry in report.failed]
    assert step == -1
    assert "do not fit 'network'" in error


def test_a_small_stranger_does_not_decide_how_large_the_model_may_be(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "saved", "epoch-01.weights.h5", "epoch-02.weights.h5")
    small = keras.Sequential([keras.Input((9, 9, 1)), keras.layers.Conv2D(1, 1)])
    small.save_weights(folder / "epoch-00.weights.h5")
    networks.plain().save(tmp_path / "architecture.keras")
    with FilterLogger(tmp_path / "logs") as logger:
        report = logger.log_checkpoints(folder, tmp_path / "architecture.keras")
    assert [entry.step for entry in report.logged] == [0, 1]
    assert [entry.step for entry in report.failed] == [-1]


# The article's own file


def test_one_file_without_an_epoch_is_step_0_and_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "lenet_weights.hdf5"
    weights.write_bytes((DATA / "lenet12_keras213_weights.hdf5").read_bytes())
    with pytest.warns(CheckpointWarning, match="LeNet for images of 12 x 12 pixels"):
        assert _log(weights, "--model", "lenet", "--image-shape", "12x12", log_dir=tmp_path / "logs") == 0
    printed = capsys.readouterr()
    assert "Logged: 1 checkpoint (step 0)" in printed.out
    assert "does not say clearly in its name of which epoch it is, so it is step 0" in printed.err
    assert steps(tmp_path / "logs" / "filters", "filterviz/conv2d_2/tiles") == [0]
    model = build_lenet(12, 12, weights=weights)
    with FilterLogger(tmp_path / "direct", verbose=0) as logger:
        (_, second) = logger.log(model, 0)
    assert np.array_equal(series(tmp_path / "logs" / "filters", "filterviz/conv2d_2/tiles")[0], second.tiles)


def test_the_articles_own_weights_are_logged_as_they_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = tf_keras.layers
    article = tf_keras.Sequential(
        [
            layers.Conv2D(20, 5, padding="same", input_shape=(28, 28, 1)),
            layers.Activation("relu"),
            layers.MaxPooling2D(2, strides=2),
            layers.Conv2D(50, 5, padding="same"),
            layers.Activation("relu"),
            layers.MaxPooling2D(2, strides=2),
            layers.Flatten(),
            layers.Dense(500),
            layers.Activation("relu"),
            layers.Dense(10),
            layers.Activation("softmax"),
        ]
    )
    article.save_weights(tmp_path / "lenet_weights.hdf5", save_format="h5")
    assert _log(tmp_path / "lenet_weights.hdf5", "--model", "lenet", log_dir=tmp_path / "logs") == 0
    printed = capsys.readouterr()
    assert "Logged: 1 checkpoint (step 0)" in printed.out
    assert "so it is step 0" in printed.err
    drawn = series(tmp_path / "logs" / "filters", "filterviz/conv2d_2/tiles")
    assert list(drawn) == [0]
    model = build_lenet()
    model.set_weights(article.get_weights())
    assert np.array_equal(drawn[0], maximize(model, "conv2d_2").tiles())


# The way out


def _advised(text: str, option: str) -> str:
    found = re.search(rf"{option} ('[^']*'|\S+)", text)
    assert found, text
    return shlex.split(found[1])[0].rstrip(".,;")


def test_the_ways_out_of_doubtful_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "a", "model1.keras", "model2.keras")
    assert _log(folder, log_dir=tmp_path / "logs") == 1
    said = capsys.readouterr().err
    assert _log(folder, "--steps-from", _advised(said, "--steps-from"), log_dir=tmp_path / "pattern") == 0
    assert steps(tmp_path / "pattern" / "filters", "filters/conv_a") == [0, 1]
    assert _log(folder / "model1.keras", log_dir=tmp_path / "one") == 0
    assert _log(folder / "model2.keras", "--step", "7", log_dir=tmp_path / "other") == 0
    assert "so it is step 0. Another step: --step N" in capsys.readouterr().err
    assert steps(tmp_path / "one" / "filters", "filters/conv_a") == [0]
    assert steps(tmp_path / "other" / "filters", "filters/conv_a") == [7]


def test_the_way_out_for_several_trainings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = [f"fold_{fold}_epoch_{epoch}.keras" for fold in (1, 2) for epoch in (1, 2)]
    folder = _folder(tmp_path / "folds", *names)
    assert _log(folder, log_dir=tmp_path / "logs") == 1
    assert (
        "The numbers after 'fold' tell trainings apart: log each into a --logdir of its own." in capsys.readouterr().err
    )
    for fold in (1, 2):
        assert _log(folder / f"fold_{fold}_*", log_dir=tmp_path / f"fold_{fold}") == 0
        assert steps(tmp_path / f"fold_{fold}" / "filters", "filters/conv_a") == [0, 1]


def test_the_way_out_for_one_that_was_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.keras", "epoch-2.keras", "best.keras")
    assert _log(*sorted(folder.iterdir()), log_dir=tmp_path / "logs") == 1  # as a shell expands a star
    said = capsys.readouterr().err
    assert "best.keras\nLeave them out of the command, or name their folder or a pattern in quotes" in said
    for number, paths in enumerate(
        ([folder / "epoch-1.keras", folder / "epoch-2.keras"], [folder], [folder / "*.keras"])
    ):
        assert _log(*paths, log_dir=tmp_path / str(number)) == 0
        assert steps(tmp_path / str(number) / "filters", "filters/conv_a") == [0, 1]


def test_the_way_out_for_two_of_one_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1-0.5.keras", "epoch-2-0.4.keras", "epoch-2-0.3.keras")
    assert _log(folder, log_dir=tmp_path / "logs") == 1
    assert "Name one of them; or if they are of several trainings" in capsys.readouterr().err
    assert _log(folder / "epoch-1-0.5.keras", folder / "epoch-2-0.3.keras", log_dir=tmp_path / "one") == 0
    assert steps(tmp_path / "one" / "filters", "filters/conv_a") == [0, 1]
    assert _log(folder, folder / "epoch-2-0.3.keras", log_dir=tmp_path / "both") == 0
    assert "epoch-2-0.4.keras: it is of the same step as" in capsys.readouterr().err


def test_the_ways_out_for_weights_without_a_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.weights.h5")
    networks.plain().save(tmp_path / "whole.keras")
    (tmp_path / "m.json").write_text(networks.plain().to_json())
    assert _log(folder, log_dir=tmp_path / "logs") == 1
    assert "Say which: --model lenet, --model FILE or --model package.module:factory" in capsys.readouterr().err
    assert _log(folder, "--model", folder / "epoch-1.weights.h5", log_dir=tmp_path / "logs") == 1
    assert "Name a file of the whole model, 'lenet', or package.module:factory" in capsys.readouterr().err
    for number, model in enumerate((tmp_path / "whole.keras", tmp_path / "m.json", PLAIN)):
        assert _log(folder, "--model", model, log_dir=tmp_path / str(number)) == 0
        assert steps(tmp_path / str(number) / "filters", "filters/conv_a") == [0]
    build_lenet().save_weights(tmp_path / "epoch-1.weights.h5")
    assert _log(tmp_path / "epoch-1.weights.h5", "--model", "lenet", log_dir=tmp_path / "lenet") == 0


def small_factory() -> keras.Model:
    return build_lenet(20, 20, 1, 3)


def test_the_ways_out_for_another_lenet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build_lenet(20, 20, 1, 3).save_weights(tmp_path / "lenet.weights.h5")
    file = tmp_path / "lenet.weights.h5"
    assert _log(file, "--model", "lenet", log_dir=tmp_path / "logs") == 1
    said = capsys.readouterr().err
    assert "is of a LeNet with 1 channel and 3 classes, and not for images of 28 x 28 pixels" in said
    shape = _advised(said, "--image-shape")
    with pytest.warns(CheckpointWarning, match="20 x 20 pixels and 1 channel, with 3 classes"):
        assert _log(file, "--model", "lenet", "--image-shape", shape, log_dir=tmp_path / "shape") == 0
    assert _log(file, "--model", f"{__name__}:small_factory", log_dir=tmp_path / "factory") == 0
    for name in ("shape", "factory"):
        assert steps(tmp_path / name / "filters", "filters/conv2d_2") == [0]
    for command in (["render", "-o", str(tmp_path / "f.png")], ["layers"]):
        with pytest.warns(CheckpointWarning):
            assert cli.main([*command, str(file), "--model", "lenet", "--image-shape", shape]) == 0


def test_the_way_out_for_a_step_that_comes_too_late(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.keras", "epoch-2.keras", "epoch-3.keras")
    assert _log(folder / "epoch-1.keras", folder / "epoch-3.keras", log_dir=tmp_path / "logs") == 0
    assert _log(folder, log_dir=tmp_path / "logs") == 1
    said = capsys.readouterr().err
    assert "The run goes on to step 2 without step 1" in said
    assert "log all of them again, or log them into another directory" in said
    assert _log(folder, log_dir=tmp_path / "another") == 0
    assert steps(tmp_path / "another" / "filters", "filters/conv_a") == [0, 1, 2]

    shutil.rmtree(tmp_path / "logs" / "filters")
    assert _log(folder, log_dir=tmp_path / "logs") == 0
    assert steps(tmp_path / "logs" / "filters", "filters/conv_a") == [0, 1, 2]


def test_the_way_out_for_one_that_failed_meanwhile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.keras", "epoch-2.keras", "epoch-3.keras")
    whole = (folder / "epoch-2.keras").read_bytes()
    (folder / "epoch-2.keras").write_bytes(whole[:-300])
    assert _log(folder, log_dir=tmp_path / "logs") == 1
    assert (
        "Steps only rise: to add one of these later, log all again into another directory." in capsys.readouterr().err
    )
    (folder / "epoch-2.keras").write_bytes(whole)
    assert _log(folder, log_dir=tmp_path / "another") == 0
    assert steps(tmp_path / "another" / "filters", "filters/conv_a") == [0, 1, 2]


def test_the_way_out_for_code_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    layers = [keras.Input((8, 8, 1)), keras.layers.Lambda(lambda images: images * 2), keras.layers.Conv2D(2, 3)]
    keras.Sequential(layers).save(tmp_path / "epoch-1.keras")
    assert _log(tmp_path / "epoch-1.keras", log_dir=tmp_path / "logs") == 1
    assert (
        "If you trust whoever made the file, --unsafe (unsafe=True in Python) builds it all the same."
        in capsys.readouterr().err
    )
    assert _log(tmp_path / "epoch-1.keras", "--unsafe", log_dir=tmp_path / "logs") == 0


def test_the_ways_out_for_options(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.keras")
    assert _log(folder, "--idle", "1", log_dir=tmp_path / "logs") == 2
    assert "--idle goes with --watch." in capsys.readouterr().err
    assert _log(folder, "--idle", "0.1", "--watch", log_dir=tmp_path / "logs") == 0
    assert steps(tmp_path / "logs" / "filters", "filters/conv_a") == [0]
    assert _log(folder, "--steps-from", "epoch", log_dir=tmp_path / "logs") == 2
    said = capsys.readouterr().err
    pattern = re.search(r"a group around the epoch, as in '(.*?)'", said)
    assert pattern
    assert _log(folder, "--steps-from", pattern[1], log_dir=tmp_path / "logs") == 0


def test_the_way_out_for_a_folder_above(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = _folder(tmp_path / "training" / "checkpoints", "epoch-1.keras")
    assert _log(tmp_path / "training", log_dir=tmp_path / "logs") == 1
    said = re.search(
        r"there is no checkpoint in it, but there is in '(.*?)': name that folder", capsys.readouterr().err
    )
    assert said
    assert said[1] == str(folder)
    assert _log(said[1], log_dir=tmp_path / "logs") == 0


def test_the_ways_out_of_render(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, output = tmp_path / "m.keras", str(tmp_path / "f.png")
    networks.plain().save(model)
    assert cli.main(["render", str(model), "-o", output, "--layer", "conv*"]) == 2
    assert "names 2 layers; render draws one." in capsys.readouterr().err
    assert cli.main(["render", str(model), "-o", output, "--layer", "conv_a"]) == 0
    said = "Most are flat: this objective shows nothing in this layer. Try --preset clean."
    assert said in capsys.readouterr().err
    assert cli.main(["render", str(model), "-o", output, "--layer", "conv_a", "--preset", "clean"]) == 0
    assert said not in capsys.readouterr().err


@pytest.mark.slow
def test_dask_is_asked_for_by_its_extra(tmp_path: Path) -> None:
    folder = _folder(tmp_path / "saved", "epoch-1.keras")
    without = f"import sys; sys.modules['distributed'] = None\n{RUN}"
    arguments = ["log", str(folder), "--dask", "tcp://127.0.0.1:9", "--logdir", str(tmp_path / "logs")]
    for code, message in ((without, "--dask needs Dask: pip install 'tb_filterviz[dask]'"), (RUN, "No Dask scheduler")):
        done = run("-c", code, *arguments)
        assert message in done.stderr
        assert done.stdout.endswith("loaded []\n")
        assert not (tmp_path / "logs").exists()


@pytest.mark.slow
def test_warnings_are_one_line_without_code(tmp_path: Path) -> None:
    build_lenet(28, 28, 3, 4).save_weights(tmp_path / "w.weights.h5")
    done = run("-m", "tb_filterviz", "layers", tmp_path / "w.weights.h5", "--model", "lenet")
    (line,) = [line for line in done.stderr.splitlines() if "is taken for a LeNet" in line]
    assert line.startswith("tb-filterviz: '")
    assert ".py" not in done.stderr
