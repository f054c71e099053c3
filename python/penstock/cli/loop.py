"""`penstock loop`: train, decide and promote, for a scheduler."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project

if TYPE_CHECKING:
    from penstock.monitoring.loop.runs import Run


@click.command()
@click.argument("model")
@click.option("--now", is_flag=True, help="Whether or not it is time.")
@click.option("--approved-by", metavar="NAME", help="Who approves the version that waits for that, or will.")
@click.option("--target", help="The profile's target.")
@json_option
@click.pass_context
def loop(ctx: click.Context, model: str, now: bool, approved_by: str | None, target: str | None, as_json: bool) -> None:
    """If it is time, train a version, decide on it, and let it go live; what was begun is brought to its end.

    Exit code 0: promoted, or nothing was to be done. 1: refused, or an error. 3: it waits for approval.
    """
    from penstock.monitoring.loop.runs import REFUSED, WAITING

    loops = Project(target=target, doing=progress.on_terminal(quiet=as_json)).loops
    run = loops.run(model, now=now, approved_by=approved_by)
    if as_json:
        click.echo(of_objects([run.as_json]))
    else:
        _show(run)
    ctx.exit({REFUSED: 1, WAITING: 3}.get(run.state, 0))


def _show(run: Run) -> None:
    told = {"step": ["start" if each.due else "" for each in run.triggers], "came to": [e.told for e in run.triggers]}
    told["step"] += [each.step for each in run.steps]
    told["came to"] += [each.told for each in run.steps]
    show.console().print(show.columns(told))
    loop = f", loop {run.loop_id}" if run.loop_id else ""
    click.echo(f"{run.model}: {run.state}{loop}")
    if run.state == "waits for approval":
        click.echo(f"penstock loop {run.model} --approved-by NAME goes on")
