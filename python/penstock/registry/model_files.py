"""A version's files beside the tables: wherever executors read Delta tables, they read models."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

from penstock.scoring.functions import SCHEMA


def store_files(spark: Any, model: str, version: int, folder: Path) -> str:
    """Copy a logged model into the folder of the schema `ml`, unless it is there.

    MLflow's own place for artefacts may be a folder of the machine that trained, or need a login that executors lack.

    Args:
        spark: A session that can write to the lakehouse.
        model: The registered name.
        version: The version whose files these are.
        folder: The logged model's files.

    Returns:
        The URI of the copy.
    """
    jvm: Any = spark._jvm
    path = jvm.org.apache.hadoop.fs.Path
    target = path(f"{spark.catalog.getDatabase(SCHEMA).locationUri}/model_files/{model}/{version}")
    files = target.getFileSystem(spark._jsc.hadoopConfiguration())
    if not files.exists(target):
        # Under another name first: a copy that was cut short must not look like a whole one.
        partial = path(f"{target}.partial")
        files.delete(partial, True)
        files.mkdirs(target.getParent())
        with tempfile.TemporaryDirectory() as scratch:
            local = Path(scratch) / "model"
            shutil.copytree(folder, local, ignore=shutil.ignore_patterns("__pycache__"))
            files.copyFromLocalFile(False, True, path(local.as_uri()), partial)
        files.rename(partial, target)
    return str(target)
