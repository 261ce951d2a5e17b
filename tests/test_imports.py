import pytest

from tests.processes import run

HEAVY = ("tensorflow", "keras", "tensorboard", "torch", "jax", "h5py")
CHECK = f"import sys; loaded = [name for name in {HEAVY!r} if name in sys.modules]; assert not loaded, loaded"


@pytest.mark.parametrize(
    "use",
    [
        "import tb_filterviz; dir(tb_filterviz)",
        "import tb_filterviz; tb_filterviz.Config.classic()",
        "import tb_filterviz.config, tb_filterviz.errors, tb_filterviz.recipe, tb_filterviz.progress",
        "import tb_filterviz.metadata, tb_filterviz.snapshots, tb_filterviz.history",
        "import tb_filterviz.imaging.layout, tb_filterviz.imaging.encode",
        "import tb_filterviz.parts.objectives, tb_filterviz.parts.tones, tb_filterviz.parts.statistics",
        "import tb_filterviz.parts.ascent_parts, tb_filterviz.parts.registry",
        "from tb_filterviz import Objective, Statistic, ToneMapping, AscentPart, Comparison, LayerSnapshot",
        "from tb_filterviz import channel_mean as c, center_unit as u, Config\nConfig(objective=c - 0.5 * u)",
        "import tb_filterviz.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass",
        "import tb_filterviz.cli as c\ntry: c.main(['render', '--help'])\nexcept SystemExit: pass",
        "import tb_filterviz.cli as c\nassert c.main(['render', 'x.keras', '--steps', '0']) == 2",
    ],
)
def test_neither_tensorflow_nor_keras_is_loaded(use: str) -> None:
    run("-c", f"{use}\n{CHECK}")


def test_logs_are_written_and_read_without_tensorflow() -> None:
    use = """
import importlib, pkgutil, sys
import tb_filterviz.imaging, tb_filterviz.parts, tb_filterviz.plugin, tb_filterviz.sinks
packages = tb_filterviz.imaging, tb_filterviz.parts, tb_filterviz.sinks, tb_filterviz.plugin
names = [each.name for package in packages for each in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")]
assert len(names) > 20
for name in names:
    importlib.import_module(name)
    loaded = {"tensorflow", "keras", "torch", "jax"} & set(sys.modules)
    assert not loaded, (name, loaded)
"""
    run("-c", use)


def test_a_heavy_import_would_be_noticed() -> None:
    run("-c", f"import h5py\n{CHECK}", status=1)


def test_every_public_name_is_there() -> None:
    import tb_filterviz

    for name in tb_filterviz.__all__:
        assert getattr(tb_filterviz, name) is not None
    with pytest.raises(AttributeError, match="FilterVisualiser"):
        _ = tb_filterviz.FilterVisualiser  # type: ignore[attr-defined]
