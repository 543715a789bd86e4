import pytest

import slowest


def test_the_files_that_begin_first_are_there() -> None:
    assert [path for path in slowest.paths() if not path.is_file()] == []


def test_they_begin_before_all_others_in_their_order(request: pytest.FixtureRequest) -> None:
    files = list(dict.fromkeys(item.path for item in request.session.items))
    first = [path for path in slowest.paths() if path in files]
    assert files[: len(first)] == first
