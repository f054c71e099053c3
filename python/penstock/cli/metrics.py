"""`penstock query` and `penstock compile`: a metric request as rows or as SQL."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects, of_rows
from penstock.errors import InvalidRequestError
from penstock.project import Project
from penstock.semantic import MetricRequest

if TYPE_CHECKING:
    from penstock.manifest.model import SemanticManifest
    from penstock.semantic.as_of import AsOf
    from penstock.semantic.request import Dialect


def request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of a command that takes a metric request."""
    for option in reversed(
        (
            click.option("--metrics", default="", help="Metrics by commas: flights, flights over 7 days, …"),
            click.option("--group-by", default="", help="Dimensions, entities, metric_time__month, …, by commas."),
            click.option(
                "--where", multiple=True, help="A filter, such as \"{{ Dimension('carrier__name') }} = 'X'\"."
            ),
            click.option(
                "--subtotal", multiple=True, help="Items to keep, by commas, in rows over all else; 'total' for none."
            ),
            click.option("--between", nargs=2, help="The first and the last moment of metric time, both inclusive."),
            click.option("--saved-query", help="A saved query to start from; other options add to it."),
            click.option("--known-at", help="A moment: count only what was known before it."),
            click.option("--order-by", default="", help="Names, by commas; -name for descending."),
            click.option("--limit", type=int, help="At most so many rows."),
            click.option(
                "--as-of", multiple=True, help="A timestamp for all tables, or table=version; may be repeated."
            ),
            click.option("--target", help="The profile's target."),
        )
    ):
        command = option(command)
    return command


@click.command()
@request_options
@click.option("--show-sql", is_flag=True, help="Print the SQL too, on standard error with --json.")
@json_option
def query(target: str | None, show_sql: bool, as_of: tuple[str, ...], as_json: bool, **parts: Any) -> None:
    """Answer a metric request."""
    project = Project(target=target, doing=progress.on_terminal(quiet=as_json))
    compiled = project.compile(request_of(**parts), as_of=as_of_option(as_of))
    if as_json:
        if show_sql:
            click.echo(compiled.sql, err=True)
        click.echo(of_rows(project.sql(compiled.sql)))
        return
    out = show.console()
    if show_sql:
        out.print(show.sql(compiled.sql))
    out.print(show.rows(project.sql(compiled.sql)))


@click.command("compile")
@request_options
@click.option("--dialect", type=click.Choice(["spark", "duckdb"]), default="spark", show_default=True)
@click.option("--batch", is_flag=True, help="Read a JSON list of requests from standard input, print one of answers.")
def compile_(target: str | None, dialect: Dialect, as_of: tuple[str, ...], batch: bool, **parts: Any) -> None:
    """Print the SQL of a metric request; nothing runs."""
    if batch:
        click.echo(json.dumps([_answer(request) for request in json.load(sys.stdin)]))
        return
    compiled = Project(target=target).compile(request_of(**parts), dialect, as_of=as_of_option(as_of))
    click.echo(compiled.sql)


@click.group("list")
def list_() -> None:
    """What the project defines."""


@list_.command("metrics")
@json_option
def list_metrics(as_json: bool) -> None:
    """Every metric: its name, type and description."""
    metrics = [m for m in Project().definitions.metrics.values() if not m.private]
    columns = {"metric": "name", "type": "type", "description": "description"}
    rows = {title: [getattr(m, field) for m in metrics] for title, field in columns.items()}
    if as_json:
        click.echo(of_objects(dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)))
    else:
        show.console().print(show.columns(rows))


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """One answer of a batch; a request may name the file of another project's semantic manifest."""
    from penstock.semantic.batch import answer

    path = request.get("manifest")
    return answer(request, _manifest_at(path) if path else _own_manifest())


@cache
def _own_manifest() -> SemanticManifest:
    return Project().definitions


@cache
def _manifest_at(path: str) -> SemanticManifest:
    from penstock.manifest.load import load_manifest

    return load_manifest(json.loads(Path(path).read_text()))


def request_of(
    metrics: str,
    group_by: str,
    where: tuple[str, ...],
    subtotal: tuple[str, ...],
    between: tuple[str, str] | None,
    saved_query: str | None,
    known_at: str | None,
    order_by: str,
    limit: int | None,
) -> MetricRequest:
    """The request of the command's options."""
    return MetricRequest(
        metrics=_names(metrics),
        group_by=_names(group_by),
        where=where,
        subtotals=tuple(() if kept == "total" else _names(kept) for kept in subtotal),
        known_at=known_at,
        time_constraint=between,
        saved_query=saved_query,
        order_by=_names(order_by),
        limit=limit,
    )


def _names(text: str) -> tuple[str, ...]:
    # a comma within Metric('flights', group_by=['carrier']) is not one between names
    return tuple(name.strip() for name in re.split(r",(?![^(]*\))", text) if name.strip())


def as_of_option(texts: tuple[str, ...]) -> AsOf | None:
    """`2013-06-01T00:00` for every table, or `fct_flights=3` and the like for some."""
    if len(texts) == 1 and "=" not in texts[0]:
        return _moment(texts[0])
    tables: dict[str, int | datetime] = {}
    for text in texts:
        table, equals, moment = text.partition("=")
        if not equals:
            raise InvalidRequestError(f"'{text}' is neither one timestamp nor table=version", where="--as-of")
        tables[table] = int(moment) if moment.isdigit() else _moment(moment)
    return tables or None


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError(
            f"'{text}' is no timestamp", where="--as-of", fix="write it as 2013-06-01 or 2013-06-01T12:00"
        ) from None
