"""`penstock metric-views`: which metrics Spark's metric views express, where they are, and why others are not."""

from __future__ import annotations

import click

from penstock import show
from penstock.project import Project


@click.command("metric-views")
def metric_views() -> None:
    """Each semantic model's metrics: the metric views that have them, or why none can."""
    out = show.console()
    for model, metrics in Project().metric_views().items():
        columns = {
            "metric": [metric.name for metric in metrics],
            "expressed": ["no" if metric.reason else "yes" for metric in metrics],
            "in": [", ".join(metric.views) for metric in metrics],
            "reason": [metric.reason or "" for metric in metrics],
        }
        out.print(show.columns(columns, title=model))
