"""`penstock sql`: a statement, with predict() and the project's functions in it."""

from __future__ import annotations

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_rows
from penstock.project import Project


@click.command()
@click.argument("statement")
@click.option("--target", help="The profile's target.")
@click.option("--limit", type=int, help="Rows to print, of a result that is not cut: 100; with --json all.")
@json_option
def sql(statement: str, target: str | None, limit: int | None, as_json: bool) -> None:
    """Run one SQL statement, in which predict('model', …) may stand."""
    table = Project(target=target, doing=progress.on_terminal(quiet=as_json)).sql(statement)
    if as_json:
        click.echo(of_rows(table.slice(0, limit)))
    else:
        show.console().print(show.rows(table, limit=100 if limit is None else limit))
