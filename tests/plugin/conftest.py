from collections.abc import Iterator

import pytest

from tests.plugin import serving
from tests.plugin.browser import Browser, browser, view
from tests.plugin.firefox import Firefox, firefox
from tests.tensorboard import TensorBoard


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    downloads = tmp_path_factory.mktemp("downloads")
    with browser(tmp_path_factory.mktemp("profile"), downloads=downloads) as opened:
        opened.downloads = downloads
        yield opened


@pytest.fixture(scope="module")
def fox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    with firefox(tmp_path_factory.mktemp("profile"), downloads=tmp_path_factory.mktemp("downloads")) as opened:
        yield opened


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
