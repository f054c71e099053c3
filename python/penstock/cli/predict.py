"""`penstock predict`: what scoring in a statement will take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project

if TYPE_CHECKING:
    from penstock.engines.price import Priced


@click.group()
def predict() -> None:
    """Calls of models in SQL."""


@predict.command()
@click.argument("statement")
@click.option("--target", help="The profile's target.")
@json_option
def explain(statement: str, target: str | None, as_json: bool) -> None:
    """Tell what scores in a statement, how many rows, and how much CPU time that takes; it does not run."""
    calls = Project(target=target, doing=progress.on_terminal(quiet=as_json)).price(statement)
    if as_json:
        click.echo(of_objects(map(asdict, calls)))
    elif calls:
        show.console().print(show.columns(_columns(calls)))
        click.echo(f"CPU seconds in all: {_total(calls)}")
    else:
        click.echo("No model scores in this statement.")


def _columns(calls: list[Priced]) -> dict[str, list[Any]]:
    return {
        "function": [f"ml.{each.function}" for each in calls],
        "model": [each.model for each in calls],
        "version": [f"{each.version} ({each.alias})" for each in calls],
        "engine": [each.engine for each in calls],
        "rows": _to_the_right([_bounded(each.bound, each.rows) for each in calls]),
        "µs a row": ["not measured" if each.microseconds is None else each.microseconds for each in calls],
        "CPU seconds": ["unknown" if each.seconds is None else each.seconds for each in calls],
    }


def _to_the_right(texts: list[str]) -> list[str]:
    return [text.rjust(max(map(len, texts))) for text in texts]


def _bounded(bound: str, number: float | None) -> str:
    if number is None:
        return "unknown"
    text = f"{number:,}" if isinstance(number, int) else show.cell(number)
    return text if bound == "exact" else f"{bound} {text}"


def _total(calls: list[Priced]) -> str:
    from penstock.engines.price import total

    seconds, bound = total(calls)
    return _bounded(bound, seconds)
