"""The command `penstock`: one module a group of commands."""

from __future__ import annotations

import traceback
from typing import Any

import click

from penstock import __version__
from penstock.cli import as_json
from penstock.errors import PenstockError


class _Commands(click.Group):
    """Commands whose errors become one message on stderr and exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it raises is shown, with its traceback only after `--debug`."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if ctx.params["debug"]:
                click.echo(traceback.format_exc(), err=True)
            shown = _told(error)
            click.echo(as_json.of_error(shown) if as_json.is_asked_for(ctx) else f"Error: {shown}", err=True)
            ctx.exit(1)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="penstock")
@click.option("--debug", is_flag=True, help="With an error, print its traceback too.")
def _penstock(debug: bool) -> None:
    """Metrics, training sets and models as SQL, defined once as dbt models over Delta tables."""


def _told(error: Exception) -> PenstockError:
    """The error to show: a user's as it is, what Spark or the system says in our words, a bug as a bug."""
    from penstock.engines.told import told

    return told(error) or PenstockError(
        f"this is a bug of Penstock: {type(error).__name__}: {error}",
        fix="penstock --debug … prints the traceback: please report it with that",
    )


def command_line() -> click.Group:
    """The command with all its subcommands."""
    from penstock.cli import (
        alerts,
        demo,
        doctor,
        explain,
        functions,
        gates,
        lists,
        loop,
        maintain,
        metric_views,
        metrics,
        package_path,
        predict,
        report,
        serve,
        sql,
        training,
        training_check,
        validate,
        watch,
    )

    training.training.add_command(training_check.check)
    for command in (lists.list_dimensions, lists.list_values):
        metrics.list_.add_command(command)
    asking = (metrics.query, metrics.compile_, metrics.list_, metric_views.metric_views, sql.sql)
    telling = (explain.explain, predict.predict, validate.validate, doctor.doctor, package_path.package_path)
    doing = (serve.serve, serve.add_user, training.training, functions.functions, maintain.maintain, demo.demo)
    deciding = (gates.gate, gates.behaviour, gates.promote, gates.rollback, gates.ledger, loop.loop)
    watching = (report.report, alerts.alerts, watch.watch)
    for command in (*asking, *telling, *doing, *deciding, *watching):
        _penstock.add_command(command)
    return _penstock


def main() -> None:
    """Run the command line."""
    command_line()()
