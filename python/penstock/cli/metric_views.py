"""`penstock metric-views`: which metrics Spark's metric views express, where they are, and why others are not."""

from __future__ import annotations

import click

from penstock import show
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project


@click.command("metric-views")
@json_option
def metric_views(as_json: bool) -> None:
    """Each semantic model's metrics: the metric views that have them, or why none can."""
    found = Project().metric_views()
    if as_json:
        click.echo(
            of_objects(
                {"semantic_model": model, "metric": metric.name, "views": list(metric.views), "reason": metric.reason}
                for model, metrics in found.items()
                for metric in metrics
            )
        )
        return
    out = show.console()
    for model, metrics in found.items():
        columns = {
            "metric": [metric.name for metric in metrics],
            "expressed": ["no" if metric.reason else "yes" for metric in metrics],
            "in": [", ".join(metric.views) for metric in metrics],
            "reason": [metric.reason or "" for metric in metrics],
        }
        out.print(show.columns(columns, title=model))
