"""`penstock list dimensions` and `penstock list values`: what may be asked, and what there is."""

from __future__ import annotations

import click

from penstock import show
from penstock.project import Project
from penstock.semantic import MetricRequest


@click.command("dimensions")
@click.option("--for", "metrics", default="", help="Metrics, by commas: what all of them can be grouped by.")
def list_dimensions(metrics: str) -> None:
    """The dimensions and entities to group and filter by."""
    from penstock.semantic.listing import dimensions_for

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    found = dimensions_for(Project().definitions, names)
    columns = ("name", "kind", "grain", "model", "description")
    show.console().print(show.columns({c: [getattr(d, c) or "" for d in found] for c in columns}))


@click.command("values")
@click.argument("dimension")
@click.option("--where", multiple=True, help="A filter, such as \"{{ Dimension('carrier__name') }} = 'X'\".")
@click.option("--limit", type=int, default=100, show_default=True, help="At most so many values.")
@click.option("--target", help="The profile's target.")
def list_values(dimension: str, where: tuple[str, ...], limit: int, target: str | None) -> None:
    """The values of a dimension, in order."""
    request = MetricRequest((), (dimension,), where=where, order_by=(dimension,), limit=limit)
    show.console().print(show.rows(Project(target=target).query(request)))
