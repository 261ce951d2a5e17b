"""A window of each browser, for all tests of a module."""

from collections.abc import Iterator

import pytest

from tests.plugin.browser import Browser, browser
from tests.plugin.firefox import Firefox, firefox


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
