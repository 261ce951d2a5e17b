import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints.formats import Checkpoint, Kind
from tb_filterviz.checkpoints.steps import find, steps_from_names
from tb_filterviz.errors import ConfigError, StepError


def _named(*names: str, kind: Kind = Kind.WEIGHTS) -> list[Checkpoint]:
    return [Checkpoint(Path(name), kind) for name in names]


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
        ["lenet.h5"],
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
        ["model_20240131.h5"],
        ["model_1706659200.h5", "model_1706659260.h5"],
        ["model_99999999999999999999.h5"],
    ],
)
def test_doubtful_names_are_refused_with_the_list(names: list[str]) -> None:
    with pytest.raises(StepError, match="do not say clearly of which epoch these are") as raised:
        steps_from_names(_named(*names))
    assert all((f"\n  {name}" in str(raised.value)) != (name == "epoch-01.h5") for name in names)
    assert "--steps-from" in str(raised.value)


def test_a_step_has_to_fit_an_event_file() -> None:
    assert steps_from_names(_named(f"epoch-{2**63}.h5")) == [2**63 - 1]
    for name, pattern in ((f"epoch-{2**63 + 1}.h5", None), ("model-99999999999999999999.h5", r"model-(\d+)")):
        with pytest.raises(StepError, match=f"'{name}' would be of step 9.*, and 9223372036854775807 is the highest"):
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
    lambda word: not re.search("epoch|ckpt", word)
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


def test_a_folder_stands_for_the_checkpoints_in_it(tmp_path: Path) -> None:
    model = build_lenet(12, 12)
    for epoch in (1, 2, 10):
        model.save_weights(tmp_path / f"epoch-{epoch}.weights.h5")
    (tmp_path / "notes.txt").write_text("not looked at")
    (tmp_path / "broken.h5").write_text("said so")
    (tmp_path / "deeper").mkdir()
    model.save_weights(tmp_path / "deeper" / "epoch-3.weights.h5")
    found, wrong = find([tmp_path, tmp_path / "epoch-1.weights.h5"])
    assert {checkpoint.path.name for checkpoint in found} == {f"epoch-{epoch}.weights.h5" for epoch in (1, 2, 10)}
    assert [path.name for path in wrong] == ["broken.h5"]
    _, wrong = find([tmp_path / "notes.txt", tmp_path / "absent"])
    assert len(wrong) == 2


def test_the_files_of_a_tensorflow_checkpoint_are_one(tmp_path: Path) -> None:
    import tensorflow as tf

    manager = tf.train.CheckpointManager(tf.train.Checkpoint(model=build_lenet(12, 12)), str(tmp_path), max_to_keep=9)
    for _ in range(3):
        manager.save()
    found, wrong = find([tmp_path])
    assert steps_from_names(found) == [0, 1, 2]
    assert not wrong
    found, wrong = find(sorted(tmp_path.iterdir()))  # what a shell makes of a star
    assert steps_from_names(found) == [0, 1, 2]
    assert not wrong


def test_what_cannot_be_read_does_not_hide_the_others(tmp_path: Path) -> None:
    model = build_lenet(12, 12)
    model.save_weights(tmp_path / "epoch-1.weights.h5")
    (tmp_path / "._epoch-1.weights.h5").write_bytes(b"of macOS")
    (tmp_path / "epoch-2.weights.h5").symlink_to(tmp_path / "gone")
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    found, wrong = find([tmp_path, "x" * 300])
    assert [checkpoint.path.name for checkpoint in found] == ["epoch-1.weights.h5"]
    assert [path.name for path in wrong] == ["epoch-2.weights.h5", "x" * 300]
    assert "only a link to where it was" in str(wrong[tmp_path / "epoch-2.weights.h5"])


def test_patterns_are_expanded(tmp_path: Path) -> None:
    model = build_lenet(12, 12)
    for name in ("a/epoch-1", "b/epoch-2", "b/epoch-3"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        model.save_weights(tmp_path / f"{name}.weights.h5")
    (tmp_path / "b" / "epoch-[3].weights.h5").write_bytes((tmp_path / "b" / "epoch-3.weights.h5").read_bytes())
    for pattern, epochs in (("*/*.h5", 4), ("b/epoch-?.weights.h5", 2), ("**/*-[12].*", 2), ("*", 4)):
        found, wrong = find([str(tmp_path / pattern)])
        assert len(found) == epochs
        assert not wrong
    found, _ = find([tmp_path / "b" / "epoch-[3].weights.h5"])  # there is a file of this name
    assert [checkpoint.path.name for checkpoint in found] == ["epoch-[3].weights.h5"]
    _, wrong = find([tmp_path / "c*.h5"])
    assert len(wrong) == 1


def test_the_shards_of_a_model_are_refused_with_what_to_do(tmp_path: Path) -> None:
    build_lenet().save_weights(tmp_path / "epoch-1.weights.json", max_shard_size=0.00457)
    assert len(list(tmp_path.iterdir())) > 2
    found, wrong = find([tmp_path])
    assert not found
    assert len(wrong) == len(list(tmp_path.iterdir()))
    assert all("one of several files of weights" in str(error) for error in wrong.values())
    assert all("Load it in Keras and save it as one file" in str(error) for error in wrong.values())
