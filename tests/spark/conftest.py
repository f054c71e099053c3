from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from penstock.profile import load_target
from penstock.sessions import start_spark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession


@pytest.fixture(scope="session")
def spark(project_folder: Path) -> SparkSession:
    """The session of the shipped profile, with the model dispatchers in it."""
    return start_spark(load_target(project_folder).settings, [])


@pytest.fixture(params=["true", "false"], ids=["ansi", "not_ansi"])
def ansi(spark: SparkSession, request: pytest.FixtureRequest) -> Iterator[None]:
    """ANSI mode on and off."""
    before = spark.conf.get("spark.sql.ansi.enabled")
    spark.conf.set("spark.sql.ansi.enabled", request.param)
    yield
    spark.conf.set("spark.sql.ansi.enabled", before)
