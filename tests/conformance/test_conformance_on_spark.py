"""The conformance cases, answered by our SQL on Spark."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conformance import HOME, failing, where_they_are

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = where_they_are


def test_every_case_passes_on_spark(tmp_path: Path) -> None:
    engine = f"{sys.executable} {HOME / 'spark_engine.py'} {HOME / 'parquet'}"
    assert failing(tmp_path, "--dialect", "spark", "--engine", engine) == []
