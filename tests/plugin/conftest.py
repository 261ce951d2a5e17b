from collections.abc import Iterator

import pytest

from tests.plugin import serving
from tests.plugin.browser import Browser, view
from tests.plugin.windows import fox, window
from tests.tensorboard import TensorBoard

__all__ = ["fox", "window"]


@pytest.fixture
def tab(server: TensorBoard, window: Browser) -> Iterator[Browser]:
    """The grid of a layer of a module's server; whatever a test does, the console stays silent."""
    window.open(view(server, view="grid"))
    window.loaded()
    yield window
    assert window.complaints() == []


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Tab]:
    """The routes on one layer of two steps."""
    log_dir = tmp_path_factory.mktemp("small")
    serving.write(log_dir, [0, 1])
    with serving.tab(log_dir, "python-loader") as served:
        yield served
