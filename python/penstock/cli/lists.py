"""`penstock list dimensions` and `penstock list values`: what may be asked, and what there is."""

from __future__ import annotations

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects, of_rows
from penstock.project import Project
from penstock.semantic import MetricRequest


@click.command("dimensions")
@click.option("--for", "metrics", default="", help="Metrics, by commas: what all of them can be grouped by.")
@json_option
def list_dimensions(metrics: str, as_json: bool) -> None:
    """The dimensions and entities to group and filter by."""
    from penstock.semantic.listing import dimensions_for

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    found = dimensions_for(Project().definitions, names)
    columns = ("name", "kind", "grain", "model", "description")
    if as_json:
        click.echo(of_objects({c: getattr(d, c) for c in columns} for d in found))
        return
    show.console().print(show.columns({c: [getattr(d, c) or "" for d in found] for c in columns}))


@click.command("values")
@click.argument("dimension")
@click.option("--where", multiple=True, help="A filter, such as \"{{ Dimension('carrier__name') }} = 'X'\".")
@click.option("--limit", type=int, default=100, show_default=True, help="At most so many values.")
@click.option("--target", help="The profile's target.")
@json_option
def list_values(dimension: str, where: tuple[str, ...], limit: int, target: str | None, as_json: bool) -> None:
    """The values of a dimension, in order."""
    request = MetricRequest((), (dimension,), where=where, order_by=(dimension,), limit=limit)
    found = Project(target=target, doing=progress.on_terminal(quiet=as_json)).query(request)
    if as_json:
        click.echo(of_rows(found))
    else:
        show.console().print(show.rows(found))
