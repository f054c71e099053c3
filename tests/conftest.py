"""State of the whole test run lies in one temporary folder, so that no test sees or touches the project's own."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from penstock.project import Project

ROOT = Path(__file__).parents[1]

# Set before anything starts Spark: one JVM serves the whole run, and its folders are fixed when it starts.
_STATE = Path(tempfile.mkdtemp(prefix="penstock-tests-"))
atexit.register(shutil.rmtree, _STATE, ignore_errors=True)
os.environ["PENSTOCK_HOME"] = str(_STATE / "home")
for _name in [name for name in os.environ if name.startswith(("DBT_", "MLFLOW_"))]:
    del os.environ[_name]


ON_DEMO = ("tests/dbt/", "tests/servers/test_standalone.py")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """In several processes, a folder's tests stay together, and so do all that use the tables of the demo."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "demo" if nodeid.startswith(ON_DEMO) else nodeid.partition("::")[0].rpartition("/")[0]

    return ByFolder(config, log)


@pytest.fixture(scope="session")
def project_folder() -> Path:
    """A copy of the dbt project with a profile, so that `target/` and logs stay out of the checkout."""
    return copy_project(_STATE / "project")


def copy_project(folder: Path) -> Path:
    """Copy the dbt project into a new folder, with a profile."""
    folder.mkdir()
    for name in ("models", "macros", "seeds", "udfs", "tests/data"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("dbt_project.yml", "vars.yml"):
        shutil.copy(ROOT / name, folder)
    shutil.copy(ROOT / "profiles.example.yml", folder / "profiles.yml")
    return folder


@pytest.fixture(scope="session")
def second_project(project_folder: Path) -> Path:
    """The same project once more, in a folder of its own."""
    return copy_project(project_folder.with_name("second"))


@pytest.fixture(scope="session")
def flights(project_folder: Path) -> Iterator[Project]:
    """The demo project, loaded with all flights and built by plain `dbt build`, which is the working folder."""
    from penstock.demo.build import build
    from penstock.demo.load import load
    from penstock.profile import load_target
    from penstock.project import Project
    from penstock.sessions import start_spark

    with contextlib.chdir(project_folder):
        load(start_spark(load_target(project_folder).settings, []))
        build()
        yield Project(project_folder)
