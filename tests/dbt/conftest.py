from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from penstock.demo.build import build
from penstock.demo.load import load
from penstock.profile import load_target
from penstock.project import Project, start_spark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def flights(project_folder: Path) -> Iterator[Project]:
    """The demo project, loaded with all flights and built by plain `dbt build`, which is the working folder."""
    with contextlib.chdir(project_folder):
        load(start_spark(load_target(project_folder).settings, []))
        build()
        yield Project(project_folder)
