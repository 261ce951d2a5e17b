"""What a fuzzer has found, replayed; and a short search for more, from there."""

import importlib.util
import os
from pathlib import Path

import pytest

from tests.fuzz import corpus
from tests.fuzz.__main__ import MOST_BYTES
from tests.fuzz.targets import TARGETS
from tests.processes import run


def test_every_target_has_a_size_and_a_corpus_that_stays_small() -> None:
    assert MOST_BYTES.keys() == TARGETS.keys() == {path.stem for path in corpus.FOLDER.iterdir()}
    for target in TARGETS:
        assert 10 < len(corpus.read(target)) <= corpus.MOST_INPUTS
        assert (corpus.FOLDER / f"{target}.zip").stat().st_size <= corpus.MOST_BYTES


@pytest.mark.parametrize("target", TARGETS)
def test_what_was_found_is_read_or_refused(target: str) -> None:
    for data in corpus.read(target):
        TARGETS[target](data)


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris, which guides the search, is not installed: no wheel"
)
@pytest.mark.parametrize("target", TARGETS)
def test_a_short_search_finds_nothing(target: str, root: Path, tmp_path: Path) -> None:
    arguments = ["-m", "tests.fuzz", target, "-runs=3000", "-seed=1", f"-artifact_prefix={tmp_path}/"]
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_BACKEND"}
    done = run(*arguments, cwd=root, env=environment)
    assert "Done 3000 runs" in done.stderr, done.stderr[-4000:]
    assert not list(tmp_path.iterdir())


def test_unknown_targets_are_refused_with_those_that_there_are() -> None:
    done = run("-m", "tests.fuzz", "x", status=2)
    assert "Targets: recogniser, configuration, metadata, tiles, events" in done.stderr
