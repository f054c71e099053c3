"""`penstock serve`: Spark behind a Thrift server, for dbt, BI tools and people with a SQL client."""

from __future__ import annotations

from pathlib import Path

import click

from penstock import progress
from penstock.servers import thrift


@click.command()
@click.option("--target", help="The profile's target to start Spark from.")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=int, default=10000, show_default=True, help="The port to listen on.")
def serve(target: str | None, host: str, port: int) -> None:
    """Serve the lakehouse over Spark's Thrift protocol until SIGTERM or Ctrl-C."""
    # click.echo flushes: who waits for the line reads it through a pipe.
    thrift.serve(Path.cwd(), target=target, host=host, port=port, ready=click.echo, doing=progress.on_terminal())
