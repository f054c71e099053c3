"""The command `penstock`: one module a group of commands."""

from __future__ import annotations

import sys

import click

from penstock import __version__
from penstock.errors import PenstockError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="penstock")
def _penstock() -> None:
    """Metrics, training sets and models as SQL, defined once as dbt models over Delta tables."""


def command_line() -> click.Group:
    """The command with all its subcommands."""
    from penstock.cli import demo, doctor, metric_views, metrics, package_path, serve, sql

    asking = (metrics.query, metrics.compile_, metrics.list_, metric_views.metric_views, sql.sql)
    for command in (*asking, serve.serve, doctor.doctor, demo.demo, package_path.package_path):
        _penstock.add_command(command)
    return _penstock


def main() -> None:
    """Run the command line; a user's error becomes its message and exit code 1."""
    try:
        command_line()()
    except PenstockError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
