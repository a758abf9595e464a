"""Pages, a browser for them, and where pictures of what it showed are kept."""

import os
from pathlib import Path

import pytest

from tests.lessons.browser import chromium
from tests.lessons.modules import pages


@pytest.fixture(scope="package")
def folder(tmp_path_factory) -> Path:
    """The pages of all lessons."""
    place = tmp_path_factory.mktemp("lessons")
    pages.write_pages(place)
    return place


@pytest.fixture(scope="package")
def window():
    """A browser without a network."""
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def pictures(tmp_path_factory) -> Path:
    """A folder for pictures."""
    return Path(os.environ.get("CLASSICSEG_PICTURES") or tmp_path_factory.mktemp("pictures"))
