"""`penstock explain`: how a metric request is answered; nothing runs but the look for table versions."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.cli.metrics import as_of_option, request_of, request_options
from penstock.project import Project

if TYPE_CHECKING:
    from collections.abc import Mapping

    from penstock.semantic.request import Dialect


@click.command()
@request_options
@click.option("--dialect", type=click.Choice(["spark", "duckdb"]), default="spark", show_default=True)
@click.option("--versions", is_flag=True, help="Start Spark, to tell the Delta version of each table.")
@json_option
def explain(
    target: str | None, dialect: Dialect, versions: bool, as_of: tuple[str, ...], as_json: bool, **parts: Any
) -> None:
    """Tell how a metric request is answered: grain, metrics, joins and why they don't multiply rows, filters, SQL."""
    project = Project(target=target, doing=progress.on_terminal(quiet=as_json))
    told = project.explain(request_of(**parts), dialect, as_of=as_of_option(as_of))
    known = project.versions(told.query.relations) if versions else {}
    if as_json:
        click.echo(of_objects([{**asdict(told), "versions": known}]))
        return
    _section("grain", {told.query.grain or "not grouped by time": ""})
    _section("metrics", told.metrics)
    _section("made of", told.parts)
    _section("groups", told.keys)
    _section("joins", told.joins or {"none": "no rows are multiplied"})
    _section("reads", _scans(told.scans, known))
    click.echo("SQL")
    show.console().print(show.sql(told.query.sql))


def _scans(scans: Any, versions: Mapping[str, int | None]) -> dict[str, str]:
    found: dict[str, str] = {}
    for scan in scans:
        version = versions.get(scan.table)
        name = scan.table if version is None else f"{scan.table} version {version}"
        found.setdefault(name, "")
        text = " AND ".join(scan.filters)
        if text and text not in found[name].split("; "):
            found[name] = "; ".join(filter(None, (found[name], text)))
    return {name: f"where {text}" if text else "all rows" for name, text in found.items()}


def _section(title: str, lines: Mapping[str, str]) -> None:
    if lines:
        click.echo(title)
    for name, text in lines.items():
        click.echo(f"  {name}: {text}" if text else f"  {name}")
    if lines:
        click.echo()
