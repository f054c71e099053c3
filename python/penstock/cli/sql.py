"""`penstock sql`: a statement, with predict() and the project's functions in it."""

from __future__ import annotations

import click

from penstock import show
from penstock.project import Project


@click.command()
@click.argument("statement")
@click.option("--target", help="The profile's target.")
@click.option("--limit", type=int, default=100, show_default=True, help="Rows to print; the result is not cut.")
def sql(statement: str, target: str | None, limit: int) -> None:
    """Run one SQL statement, in which predict('model', …) may stand."""
    show.console().print(show.rows(Project(target=target).sql(statement), limit=limit))
