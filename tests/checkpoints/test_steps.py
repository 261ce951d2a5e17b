import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz.checkpoints.epochs import epochs_of, what_tells_apart
from tb_filterviz.checkpoints.formats import Checkpoint, Kind
from tb_filterviz.checkpoints.steps import place, steps_from_names
from tb_filterviz.errors import ConfigError, StepError


def _named(*names: str, kind: Kind = Kind.WEIGHTS) -> list[Checkpoint]:
    return [Checkpoint(Path(name), kind) for name in names]


def _in_a_folder(*names: str) -> list[Checkpoint]:
    return [Checkpoint(Path(name), Kind.WEIGHTS, is_named=False) for name in names]


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["epoch-01.weights.h5", "epoch-02.weights.h5"], [0, 1]),
        (["epoch-00.weights.h5", "epoch-01.weights.h5"], [-1, 0]),
        (["weights.07-0.12.h5", "weights.10-0.08.h5", "weights.9-0.10.h5"], [6, 9, 8]),
        (["weights.07-0.12.h5"], [6]),
        (["weights.07-1.25e-05.h5", "weights.08-3.00.h5"], [6, 7]),
        (["model2_epoch7_val_loss0.3.keras", "model2_epoch12_val_loss0.25.keras"], [6, 11]),
        (["lenet5-1.h5", "lenet5-2.h5"], [0, 1]),
        (["run1/epoch_3.h5", "run1/epoch_4.h5"], [2, 3]),
        (["3/weights.h5", "12/weights.h5"], [2, 11]),
        (["w.01.0.52.h5", "w.02.0.31.h5"], [0, 1]),
        (["w.09.0.52.h5", "w.10.0.31.h5"], [8, 9]),
        (["epoch_01.0.52.h5", "epoch_02.0.31.h5"], [0, 1]),
        (["epoch_12.0.52.h5"], [11]),
        (["w.01-1.h5", "w.02-0.98.h5"], [0, 1]),
        (["20240131_epoch-3.h5", "20240201_epoch-4.h5"], [2, 3]),
        (["Epoch=004-step=1000.h5", "Epoch=005-step=2000.h5"], [3, 4]),
    ],
)
def test_the_epoch_is_told_from_the_name(names: list[str], steps: list[int]) -> None:
    assert steps_from_names(_named(*names)) == steps


def test_tensorflow_counts_its_checkpoints() -> None:
    assert steps_from_names(_named("ckpt-7", "ckpt-10", kind=Kind.TF_CHECKPOINT)) == [6, 9]


@pytest.mark.parametrize(
    "names",
    [
        ["best.h5", "final.h5"],
        ["epoch-01.h5", "best.h5"],
        ["a1b2.h5", "a2b3.h5"],
        ["epoch-1-of-epoch-3.h5", "epoch-2-of-epoch-4.h5"],
        ["weights-0.12.h5", "weights-0.08.h5"],
        ["w.11.0.52.h5", "w.12.0.31.h5"],
        ["w.1.52.01.h5", "w.0.98.02.h5"],
        ["epoch_0.52.h5", "epoch_0.31.h5"],
        ["w-01-52.h5", "w-02-31.h5"],
        ["weights-01-loss12.h5", "weights-01-loss13.h5"],
        ["resnet-50-1.h5", "resnet-50-2.h5"],
        ["model_2024-01-31_10-00-01.h5", "model_2024-01-31_10-05-01.h5"],
        ["model_2024-01-31.h5", "model_2025-01-31.h5"],
        ["model_31-01-2024.h5", "model_30-01-2024.h5"],
        ["model_20240131.h5", "model_20240201.h5"],
        ["model_1706659200.h5", "model_1706659260.h5"],
        ["model_99999999999999999998.h5", "model_99999999999999999999.h5"],
    ],
)
def test_doubtful_names_are_refused_with_the_list(names: list[str]) -> None:
    with pytest.raises(StepError, match="do not say clearly of which epoch these are") as raised:
        steps_from_names(_named(*names))
    assert all((f"\n  {name}" in str(raised.value)) != (name == "epoch-01.h5") for name in names)


def test_a_step_has_to_fit_an_event_file() -> None:
    assert steps_from_names(_named(f"epoch-{2**63}.h5")) == [2**63 - 1]
    for name, pattern in ((f"epoch-{2**63 + 1}.h5", None), ("model-99999999999999999999.h5", r"model-(\d+)")):
        with pytest.raises(StepError, match=f"would be of step 9.*, and 9223372036854775807 is the highest:\n  {name}"):
            steps_from_names(_named(name), pattern)


def test_two_of_one_epoch_are_refused() -> None:
    with pytest.raises(StepError, match=r"of the same step, 6:\n  epoch-07\.h5\n  epoch-7\.keras\n"):
        steps_from_names(_named("epoch-07.h5", "epoch-08.h5", "epoch-7.keras"))


def test_a_long_list_is_cut() -> None:
    with pytest.raises(StepError, match=r"\n  name_7\n  \.\.\. and 92 more"):
        steps_from_names(_named(*(f"name_{i}" for i in range(100))), pattern=r"epoch-(\d+)")


def test_a_pattern_says_where_the_epoch_is() -> None:
    checkpoints = _named("a/v2_0007_x3.h5", "a/v2_0010_x4.h5")
    assert steps_from_names(checkpoints, r"_(\d+)_") == [6, 9]
    assert steps_from_names(checkpoints, r"v(\d)_(?P<epoch>\d+)") == [6, 9]
    assert steps_from_names(checkpoints, r"v(?P<other>\d)_(?P<step>\d+)") == [7, 10]
    with pytest.raises(ConfigError, match=r"must be a regular expression: .* Received: '\('"):
        steps_from_names(checkpoints, "(")
    with pytest.raises(ConfigError, match="must have a group around the epoch"):
        steps_from_names(checkpoints, r"\d+")
    with pytest.raises(StepError, match=r"finds what is not a whole number: 'v2'"):
        steps_from_names(checkpoints, r"a/(\w\d)")
    with pytest.raises(StepError, match=r"does not find an epoch in the name of:\n  a/v2_0007_x3\.h5"):
        steps_from_names(checkpoints, r"_0(\d+)_x4")


_words = st.from_regex(re.compile(r"[a-z]{1,8}[-_.]", re.ASCII), fullmatch=True).filter(
    lambda word: not re.search("epoch|ckpt|nan|inf", word) and epochs_of([f"{word}1", f"{word}2"]) == [1, 2]
)


@given(
    epochs=st.lists(st.integers(0, 10_000), min_size=2, max_size=20, unique=True),
    before=_words,
    width=st.integers(1, 5),
    suffix=st.sampled_from([".h5", ".keras", ".weights.h5", ""]),
    losses=st.none() | st.lists(st.floats(0, 9), min_size=20, max_size=20),
    separator=st.sampled_from("-_."),
)
def test_any_epochs_are_recovered(
    epochs: list[int], before: str, width: int, suffix: str, losses: list[float] | None, separator: str
) -> None:
    names = [
        f"{before}{epoch:0{width}d}{'' if losses is None else f'{separator}{losses[i]:.3f}'}{suffix}"
        for i, epoch in enumerate(epochs)
    ]
    try:
        assert steps_from_names(_named(*names)) == [epoch - 1 for epoch in epochs]
    except StepError:  # of 12.0.52 the epoch may as well be 52
        assert separator == "."
        assert losses is not None
        assert not any(len(str(epoch)) < width for epoch in epochs)


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["model_fold_1.h5", "model_fold_2.h5", "model_fold_3.h5"], "fold"),
        (["model_seed_0.h5", "model_seed_1.h5"], "seed"),
        (["run1.h5", "run2.h5"], "run"),
        (["trial_01.h5", "trial_02.h5"], "trial"),
        (["model_v1.h5", "model_v2.h5"], "v"),
        (["modelFold1.h5", "modelFold2.h5"], "fold"),
        (["cv-1.h5", "cv-2.h5"], "cv"),
        (["weights.rank0.h5", "weights.rank1.h5"], "rank"),
        (["gpu:0.h5", "gpu:1.h5"], "gpu"),
        (["weights (1).h5", "weights (2).h5"], ""),
        (["net_bs32.h5", "net_bs64.h5"], "bs"),
        (["batch_size_32.h5", "batch_size_64.h5"], "size"),
        (["img224.h5", "img299.h5"], "img"),
        (["ensemble_1.h5", "ensemble_2.h5"], "ensemble"),
        (["member-01.h5", "member-02.h5"], "member"),
        (["exp3.h5", "exp4.h5"], "exp"),
        (["part1.h5", "part2.h5"], "part"),
        (["model1.h5", "model2.h5"], ""),
        (["vgg16.h5", "vgg19.h5"], ""),
        (["vgg16_1.h5", "vgg19_2.h5"], ""),
        (["net_224x224.h5", "net_256x256.h5"], ""),
        (["lr0.1.h5", "lr0.01.h5"], ""),
        (["acc_93.h5", "acc_95.h5"], ""),
        (["weights-loss-3.h5", "weights-loss-2.h5"], ""),
        (["batch-100.h5", "batch-200.h5"], ""),
        (["fold_1_epoch_05.h5", "fold_2_epoch_07.h5"], "fold"),
        (["seed_1/epoch_05.h5", "seed_2/epoch_07.h5"], "seed"),
        (["version_0/epoch=1.h5", "version_1/epoch=2.h5"], "version"),
    ],
)
def test_unrelated_networks_are_no_epochs(names: list[str], word: str) -> None:
    with pytest.raises(StepError, match="do not say clearly of which epoch these are") as raised:
        steps_from_names(_named(*names))
    assert all(name in str(raised.value) for name in names)
    assert (f"after '{word}' tell trainings apart: log each into a --logdir of its own" in str(raised.value)) == bool(
        word
    )


@pytest.mark.parametrize(
    ("names", "steps"),
    [
        (["weights.01-nan.h5", "weights.02-0.41.h5"], [0, 1]),
        (["weights.01-inf.h5", "weights.02--0.41.h5", "weights.03-1.2e-05.h5"], [0, 1, 2]),
        (["w01-lossnan.h5", "w02-loss0.5.h5"], [0, 1]),
        (["epoch-01-nan.h5", "epoch-02-0.41.h5"], [0, 1]),
        (["weights1.h5", "weights2.h5"], [0, 1]),
        (["e05.h5", "e06.h5"], [4, 5]),
        (["cp-0001.h5", "cp-0002.h5"], [0, 1]),
        (["checkpoint_3.h5", "checkpoint_4.h5"], [2, 3]),
        (["lenet_1.h5", "lenet_2.h5"], [0, 1]),
        (["fold_1_epoch_05.h5", "fold_1_epoch_07.h5"], [4, 6]),
        (["vgg16-1.h5", "vgg16-2.h5"], [0, 1]),
        (["w-acc-93-01.h5", "w-acc-95-02.h5"], [0, 1]),
        (["epoch_1_batch_500.h5", "epoch_2_batch_250.h5"], [0, 1]),
        (["10epochs.h5", "20epochs.h5"], [9, 19]),
        (["model_3.h5"], [2]),
        (["net_03.h5"], [2]),
        (["ckpt-7.h5"], [6]),
    ],
)
def test_what_says_an_epoch_clearly_is_one(names: list[str], steps: list[int]) -> None:
    assert steps_from_names(_named(*names)) == steps


@pytest.mark.parametrize(
    "name",
    [
        "lenet_weights",
        "vgg16",
        "resnet50",
        "keras_cifar10_trained_model",
        "lenet5",
        "my_cnn_v3",
        "model_fold_1",
        "seed_0",
        "run2",
        "trial_01",
        "v3",
        "resnet-50",
        "cnn_3",
        "model_20240131",
        "model_1706659200",
        "model_99999999999999999999",
        "weights-0.12",
        "best",
    ],
)
def test_one_file_without_an_epoch_in_its_name_is_step_0_and_that_is_said(name: str) -> None:
    placement = place(_named(f"{name}.hdf5"))
    assert list(placement.steps.values()) == [0]
    assert f"'{name}.hdf5' does not say clearly in its name of which epoch it is, so it is step 0." in placement.remark
    assert place(_in_a_folder(f"{name}.hdf5")).steps == placement.steps
    growing = place(_in_a_folder(f"{name}.hdf5"), may_grow=True)
    assert (len(growing.steps), len(growing.left_out), growing.remark) == (0, 1, "")


def _placed(*names: str, pattern: str | None = None) -> tuple[dict[str, int], dict[str, str]]:
    placement = place(_in_a_folder(*names), pattern)
    return {path.stem: step for path, step in placement.steps.items()}, {
        path.stem: why for path, why in placement.left_out.items()
    }


NO_EPOCH = "its name does not say clearly of which epoch it is"


def test_what_says_no_epoch_in_a_folder_is_left_out() -> None:
    steps, left_out = _placed("epoch-01.keras", "epoch-02.keras", "best.keras", "final.h5")
    assert steps == {"epoch-01": 0, "epoch-02": 1}
    assert left_out == {"best": NO_EPOCH, "final": NO_EPOCH}
    steps, left_out = _placed("weights.07-0.12.h5", "best.h5")
    assert steps == {"weights.07-0.12": 6}
    assert left_out == {"best": NO_EPOCH}
    steps, left_out = _placed("w.01-0.3.h5", "w.02-0.2.h5", "w.03-0.1.h5", "best_epoch_02.h5", "fold_1.h5", "fold_2.h5")
    assert steps == {"w.01-0.3": 0, "w.02-0.2": 1, "w.03-0.1": 2}
    assert set(left_out) == {"best_epoch_02", "fold_1", "fold_2"}


def test_with_a_pattern_what_does_not_match_in_a_folder_is_left_out() -> None:
    steps, left_out = _placed("epoch-01.keras", "epoch-x.keras", "best.keras", pattern=r"epoch-(\w+)\.")
    assert steps == {"epoch-01": 0}
    assert left_out == {
        "epoch-x": r"'epoch-(\w+)\.' finds what is not a whole number: 'x'",
        "best": r"'epoch-(\w+)\.' does not find an epoch in its name",
    }


def test_of_two_of_one_epoch_in_a_folder_one_is_left_out_if_it_is_clear_which() -> None:
    steps, left_out = _placed("best_epoch_02.h5", "epoch_01.h5", "epoch_02.h5", "epoch_03.h5")
    assert steps == {"epoch_01": 0, "epoch_02": 1, "epoch_03": 2}
    assert left_out == {"best_epoch_02": "it is of the same step as 'epoch_02.h5', 1"}
    steps, left_out = _placed("epoch-7.keras", "epoch-08.keras", "epoch-07.weights.h5")
    assert steps == {"epoch-7": 6, "epoch-08": 7}
    assert left_out == {"epoch-07.weights": "it is of the same step as 'epoch-7.keras', 6"}
    with pytest.raises(StepError, match="of the same step, 1:"):  # one of these was trained again
        _placed("epoch-01-0.5.h5", "epoch-02-0.4.h5", "epoch-02-0.3.h5")
    with pytest.raises(StepError, match="log each training into a --logdir of its own"):
        _placed("a_epoch-01.h5", "a_epoch-02.h5", "b_epoch-01.h5", "b_epoch-02.h5")


def test_what_was_named_is_refused_and_the_way_is_said() -> None:
    checkpoints = [*_in_a_folder("epoch-01.h5", "epoch-02.h5"), *_named("best.h5")]
    with pytest.raises(StepError, match="of which epoch these are:\n  best.h5\nLeave them out of the command, or name"):
        place(checkpoints)
    with pytest.raises(StepError, match="of the same step, 0:"):
        place([*_named("epoch-01.h5", "epoch-1.keras"), *_in_a_folder("epoch-02.h5")])
    placement = place([*_in_a_folder("a/epoch-01.h5", "a/epoch-02.h5"), *_named("a/best_epoch-02.h5")])
    assert placement.steps == {Path("a/epoch-01.h5"): 0, Path("a/best_epoch-02.h5"): 1}
    with pytest.raises(StepError, match="do not say clearly of which epoch these are:\n  best.h5\n  last.h5"):
        place(_in_a_folder("best.h5", "last.h5"))


def test_a_pattern_that_is_advised_works() -> None:
    for names, steps in (
        (("model1", "model2", "model10"), [0, 1, 9]),
        (("fold_1/epoch_05", "fold_2/epoch_07"), [4, 6]),
        (("resnet-50-1", "resnet-50-2"), [0, 1]),
        (("a.b(1)c3", "a.b(1)c4"), [2, 3]),
    ):
        checkpoints = _named(*(f"{name}.h5" for name in names))
        with pytest.raises(StepError, match="epochs of one training: --steps-from '") as raised:
            steps_from_names(checkpoints)
        advised = re.search(r"--steps-from '(.*?)' \(", str(raised.value))
        assert advised
        assert steps_from_names(checkpoints, advised[1]) == steps
    with pytest.raises(StepError) as raised:
        steps_from_names(_named("best.h5", "final.h5"))
    assert "--steps-from" not in str(raised.value)


def test_which_word_tells_trainings_apart() -> None:
    assert what_tells_apart(["fold_1", "fold_1"]) == ""
    assert what_tells_apart(["a_run-1_fold_1", "b_run-2_fold_1"]) == "run"
