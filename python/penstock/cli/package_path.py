"""`penstock package-path`: where the dbt package lies that belongs to this Python package."""

from __future__ import annotations

from pathlib import Path

import click

import penstock
from penstock.errors import EnvironmentProblem


@click.command("package-path")
def package_path() -> None:
    """Print the folder of the dbt package, for `packages: - local:`."""
    click.echo(_folder())


def _folder() -> Path:
    """The copy inside an installed wheel, or the checkout that is installed as editable.

    Raises:
        EnvironmentProblem: when there is neither, as after a copy of the Python files alone.
    """
    here = Path(penstock.__file__).parent
    found = next((f for f in (here / "_project", here.parents[1]) if (f / "dbt_project.yml").exists()), None)
    if found is None:
        raise EnvironmentProblem(
            "the dbt package is not beside the Python package", where=str(here), fix="install the wheel"
        )
    return found
