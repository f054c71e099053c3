from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from places import Server, make_place, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server over the parsed project, for all tests that leave it running."""
    place = make_place(tmp_path_factory.mktemp("served"))
    parsed = place.dbt("parse")
    assert parsed.returncode == 0, parsed.stdout
    with serving(place, ends_by=signal.SIGINT) as running:
        yield running
