"""State of the whole test run lies in one temporary folder, so that no test sees or touches the project's own."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Set before anything starts Spark: one JVM serves the whole run, and its folders are fixed when it starts.
_STATE = Path(tempfile.mkdtemp(prefix="penstock-tests-"))
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
os.environ["PENSTOCK_HOME"] = str(_STATE / "home")
for _name in [name for name in os.environ if name.startswith(("DBT_", "MLFLOW_"))]:
    del os.environ[_name]


@pytest.fixture(scope="session")
def project_folder() -> Path:
    """A copy of the dbt project with a profile, so that `target/` and logs stay out of the checkout."""
    folder = _STATE / "project"
    folder.mkdir()
    for name in ("models", "macros", "seeds", "udfs", "tests/data"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dbt_project.yml", "vars.yml"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "profiles.example.yml", folder / "profiles.yml")
    return folder
