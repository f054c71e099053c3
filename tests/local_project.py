"""A dbt project of a test that is built in this process, on the session that its builds start."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parents[1]

# For `dbt_project.yml`. The project has the package's name, for its macros.
PROJECT_FILE = """
name: penstock
version: 0.1.0
profile: penstock
test-paths: [tests/data]
flags: {partial_parse: false, send_anonymous_usage_stats: false}
models: {+file_format: delta}
"""


class LocalProject:
    """A project in a folder, and what its builds left.

    Args:
        folder: An empty folder.
        files: The text of each of its files.
        schema: The schema of its relations.
    """

    def __init__(self, folder: Path, files: Mapping[str, str], schema: str) -> None:
        self.folder = folder
        for name in ("macros", "tests/data/generic"):
            shutil.copytree(ROOT / name, folder / name)
        for name, text in {"dbt_project.yml": PROJECT_FILE, **files}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        profile = (ROOT / "profiles.example.yml").read_text().replace("schema: penstock", f"schema: {schema}")
        (folder / "profiles.yml").write_text(profile)

    @cached_property
    def spark(self) -> SparkSession:
        """The session of this process, of the project's profile where there is none yet."""
        from penstock.profile import load_target
        from penstock.sessions import start_spark

        return start_spark(load_target(self.folder).settings, [])

    def dbt(self, *arguments: str) -> Any:
        """What dbt says of a command."""
        from dbt.cli.main import dbtRunner

        place = ["--project-dir", str(self.folder), "--profiles-dir", str(self.folder)]
        return dbtRunner().invoke(["--quiet", *arguments, *place])

    def build(self, *models: str) -> dict[str, str]:
        """Run these models; the message of each."""
        done = self.dbt("run", "--select", *models)
        assert done.success, done.exception or [r.message for r in done.result.results]
        return {result.node.name: result.message for result in done.result.results}

    def sql(self, statement: str) -> list[Any]:
        """The rows of a statement."""
        return list(self.spark.sql(statement).collect())
