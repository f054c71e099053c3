"""`penstock alerts`: what came of dbt's tests, to a table, to a webhook and to the exit code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.monitoring.alerts.webhook import VARIABLE, object_of
from penstock.project import Project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from penstock.monitoring.alerts.states import Alert
    from penstock.project_alerts import Told


@click.command(
    help="Keep what came of dbt's last tests in ml.alerts, and post what is new to the webhook in the environment"
    f" variable {VARIABLE}; exit code 1 if there is an error that somebody has to hear of."
)
@click.option("--target", help="The profile's target.")
@json_option
@click.pass_context
def alerts(ctx: click.Context, target: str | None, as_json: bool) -> None:
    """Keep and send the alerts of dbt's last tests."""
    told = Project(target=target, doing=progress.on_terminal(quiet=as_json)).alerts.tell()
    if as_json:
        click.echo(of_objects(map(object_of, told.alerts)))
    else:
        _show(told)
    ctx.exit(1 if told.is_urgent else 0)


def _show(told: Told) -> None:
    if told.alerts:
        show.console().print(show.columns(table(told.alerts)))
    still = [each for each in told.alerts if each.state == "open"]
    quiet = sum(each.reason is None for each in still)
    parts = [f"{len(still)} open" + (f", {quiet} of them told before" if quiet else "")]
    if over := len(told.alerts) - len(still):
        parts.append(f"{over} resolved")
    parts.append("no webhook" if told.sent is None else f"{told.sent} sent")
    click.echo("; ".join(parts))


def table(alerts: Sequence[Alert]) -> dict[str, list[Any]]:
    """Alerts as columns."""
    return {
        "state": [f"{each.state} {each.severity}" if each.state == "open" else each.state for each in alerts],
        "told": [each.reason or "" for each in alerts],
        "monitor": [each.monitor for each in alerts],
        "about": [each.subject for each in alerts],
        "effect": ["" if each.effect is None else show.cell(each.effect) for each in alerts],
        "p": ["" if each.p is None else show.cell(each.p) for each in alerts],
        "owner": [each.owner or "none" for each in alerts],
    }
