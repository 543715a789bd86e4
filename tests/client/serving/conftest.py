"""One served shop for all tests that only ask it."""

from collections.abc import Iterator

import pytest

from served_shop import Serving, make_served_shop, serving


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(make_served_shop(tmp_path_factory.mktemp("served") / "shop")) as running:
        running.await_edition()
        yield running
