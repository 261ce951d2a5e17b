from pathlib import Path

import keras
import pytest

from tb_filterviz import build_lenet
from tb_filterviz.checkpoints.folders import find, find_any
from tb_filterviz.checkpoints.steps import steps_from_names
from tb_filterviz.errors import CheckpointError


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


def test_who_was_named_is_known(tmp_path: Path) -> None:
    for epoch in (1, 2):
        build_lenet(12, 12).save_weights(tmp_path / f"epoch-{epoch}.weights.h5")
    first = tmp_path / "epoch-1.weights.h5"
    for paths, named in (
        ([tmp_path], set()),
        ([tmp_path / "*.h5"], set()),
        ([first, tmp_path], {first}),
        ([tmp_path, first], {first}),
    ):
        found, _ = find(paths)
        assert {checkpoint.path for checkpoint in found if checkpoint.is_named} == named
        assert len(found) == 2


def test_where_no_checkpoint_is_it_is_said_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(CheckpointError, match=r"Nothing to log in '.*': there is no checkpoint in it\."):
        find_any([tmp_path])
    (tmp_path / "saved").mkdir()
    keras.Sequential([keras.Input((4, 4, 1)), keras.layers.Conv2D(1, 3)]).save(tmp_path / "saved" / "m.keras")
    with pytest.raises(CheckpointError, match=r"but there is in '.*saved': name that folder"):
        find_any([tmp_path])
    assert len(find_any([tmp_path / "saved"])[0]) == 1
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3\x00\x00")
    with pytest.raises(CheckpointError, match="there is no checkpoint in it, and 'model.tflite' is a TensorFlow Lite"):
        find_any([tmp_path])
