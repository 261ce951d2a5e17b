from collections.abc import Iterator

import pytest

from tests.plugin.browser import Browser, browser


@pytest.fixture(scope="module")
def window(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    downloads = tmp_path_factory.mktemp("downloads")
    with browser(tmp_path_factory.mktemp("profile"), downloads=downloads) as opened:
        opened.downloads = downloads
        yield opened
