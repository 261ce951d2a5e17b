import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "tensorboard", "torch", "jax", "h5py")
CHECK = f"import sys; loaded = [name for name in {HEAVY!r} if name in sys.modules]; assert not loaded, loaded"


@pytest.mark.parametrize(
    "use",
    [
        "import tb_filterviz; dir(tb_filterviz)",
        "import tb_filterviz; tb_filterviz.Config.classic()",
        "import tb_filterviz.records, tb_filterviz.imaging.layout, tb_filterviz.imaging.tone, tb_filterviz.errors",
        "import tb_filterviz.cli as c\ntry: c.main(['--help'])\nexcept SystemExit: pass",
        "import tb_filterviz.cli as c\ntry: c.main(['render', '--help'])\nexcept SystemExit: pass",
        "import tb_filterviz.cli as c\nassert c.main(['render', 'x.keras', '--steps', '0']) == 2",
    ],
)
def test_neither_tensorflow_nor_keras_is_loaded(use: str) -> None:
    subprocess.run([sys.executable, "-c", f"{use}\n{CHECK}"], check=True, timeout=60)


def test_a_heavy_import_would_be_noticed() -> None:
    done = subprocess.run([sys.executable, "-c", f"import h5py\n{CHECK}"], timeout=60, stderr=subprocess.PIPE)
    assert done.returncode == 1


def test_every_public_name_is_there() -> None:
    import tb_filterviz

    for name in tb_filterviz.__all__:
        assert getattr(tb_filterviz, name) is not None
    with pytest.raises(AttributeError, match="FilterVisualiser"):
        _ = tb_filterviz.FilterVisualiser  # type: ignore[attr-defined]
