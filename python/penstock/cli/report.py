"""`penstock report`: one page of HTML that tells how a model does."""

from __future__ import annotations

from pathlib import Path

import click

from penstock import progress
from penstock.errors import EnvironmentProblem
from penstock.project import Project


@click.command()
@click.argument("model")
@click.option("--to", type=click.Path(path_type=Path, dir_okay=False), help="The file; MODEL.html by default.")
@click.option("--target", help="The profile's target.")
def report(model: str, to: Path | None, target: str | None) -> None:
    """Draw what is known of a model: performance, calibration, slices, drift, versions, lineage, tests, use."""
    file = to or Path(f"{model}.html")
    if not file.parent.is_dir():
        raise EnvironmentProblem(
            "there is no such folder", where=str(file.parent), fix="--to FILE in a folder that is there"
        )
    page = Project(target=target, doing=progress.on_terminal()).report(model)
    file.write_text(page, encoding="utf-8")
    click.echo(f"{file}: {len(page.encode()) // 1024:,} KB, open it in a browser")
