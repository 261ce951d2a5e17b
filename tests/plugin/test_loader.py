import argparse
from pathlib import Path
from typing import Any

import pytest
from tensorboard import default, program
from tensorboard.plugins.core.core_plugin import CorePluginLoader

import tb_filterviz
from tb_filterviz.plugin.loader import FiltersLoader
from tests.processes import run
from tests.tensorboard import tensorboard

HEAVY = ("tensorflow", "keras", "torch", "jax", "h5py", "PIL", "numpy")


def test_tensorboard_finds_the_tab() -> None:
    assert FiltersLoader in default.get_dynamic_plugins()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([], {"filterviz": 0, "images": 100}),
        (["--samples_per_plugin", "images=7,filterviz=3"], {"filterviz": 3, "images": 7}),
        (["--samples_per_plugin", "images=0"], {"filterviz": 0, "images": 0}),
        (["--samples_per_plugin", "scalars=5"], {"filterviz": 0, "images": 100, "scalars": 5}),
    ],
)
def test_every_epoch_is_kept_unless_the_user_says_otherwise(given: list[str], kept: dict[str, int]) -> None:
    server = program.TensorBoard(plugins=[CorePluginLoader, FiltersLoader])
    server.configure(argv=["tensorboard", "--logdir", "logs", *given])
    assert server.flags.samples_per_plugin == kept


def test_it_is_so_for_those_who_start_tensorboard_from_python() -> None:
    server = program.TensorBoard(plugins=[CorePluginLoader, FiltersLoader])
    server.configure(logdir="logs")
    assert server.flags.samples_per_plugin == {"filterviz": 0, "images": 100}
    server.configure(logdir="logs", samples_per_plugin={"filterviz": 9})
    assert server.flags.samples_per_plugin == {"filterviz": 9, "images": 100}


@pytest.mark.parametrize("flags", [argparse.Namespace(), argparse.Namespace(samples_per_plugin=None), None])
def test_flags_of_another_tensorboard_do_not_matter(flags: Any) -> None:
    FiltersLoader().fix_flags(flags)


def test_what_tensorboard_imports_at_its_start_is_light() -> None:
    check = f"import sys; heavy = [name for name in {HEAVY!r} if name in sys.modules]; assert not heavy, heavy"
    before = "import tensorboard.plugins.base_plugin"
    use = "import tb_filterviz.plugin.loader as loader; loader.FiltersLoader().define_flags(None)"
    run("-c", f"{before}\n{use}\n{check}")


def test_the_tab_itself_needs_neither_tensorflow_nor_keras() -> None:
    check = "import sys; assert not {'tensorflow', 'keras'} & set(sys.modules)"
    run("-c", f"import tb_filterviz.plugin.plugin\n{check}")


@pytest.mark.slow
@pytest.mark.parametrize("broken", ["plugin/plugin.py", "reading/store.py", "metadata.py", "errors.py"])
def test_tensorboard_starts_with_a_broken_installation(broken: str, tmp_path: Path) -> None:
    package = Path(tb_filterviz.__file__).parent
    for path in package.rglob("*.py"):
        copy = tmp_path / "tb_filterviz" / path.relative_to(package)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "tb_filterviz" / broken).write_text("import nothing_of_this_name\n")
    (tmp_path / "logs").mkdir()
    with tensorboard(tmp_path / "logs", package_from=tmp_path) as server:
        listed = server.get_json("data/plugins_listing")
    assert "scalars" in listed
    assert "filterviz" not in listed
