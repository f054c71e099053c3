"""Penstock's own code on executors that run in other processes than the driver."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import penstock

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


_ARCHIVE = "penstock.zip"


def ship_code(spark: SparkSession) -> None:
    """Give each Python worker of a cluster this very version of Penstock; in local mode workers have it already.

    The libraries that it needs (MLflow, pandas, a model's own) must be in the Python that the executors run,
    `spark.pyspark.python`. Functions that were made before this call do not get the code.
    """
    context = spark.sparkContext
    if context._jsc.isLocal() or _ARCHIVE in context._python_includes:
        return
    package = Path(penstock.__file__).parent
    # Executors fetch it from the driver whenever they start, so it stays as long as Spark does.
    archive = Path(context._temp_dir) / _ARCHIVE
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        for file in sorted(package.rglob("*.py")):
            out.write(file, file.relative_to(package.parent))
    context.addPyFile(str(archive))
