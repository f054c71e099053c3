"""`penstock training`: the project's training sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.errors import InvalidRequestError
from penstock.project import Project

if TYPE_CHECKING:
    from penstock.project_training import InputAge
    from penstock.semantic.request import Dialect


@click.group()
def training() -> None:
    """Training sets: list, compile, explain, and make again what was made."""


def _request_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.argument("name", required=False),
            click.option("--spine", help="Without NAME: a table, or a query in the dialect."),
            click.option("--at", help="The spine's column of times."),
            click.option("--entity", multiple=True, help="entity=column of the spine, or columns by commas; repeated."),
            click.option("--feature", multiple=True, help="'carrier.flights over 7 days' and the like; repeated."),
            click.option("--predict", help="A predictive query: PREDICT flights OVER NEXT 7 days FOR carrier AT …"),
            click.option("--part", help="Of a predictive query: training_set (the default), features or label."),
            click.option("--label", multiple=True, help="'carrier.flights over next 7 days' and the like; repeated."),
            click.option("--columns", default="", help="Columns of the spine to keep, by commas; all by default."),
            click.option("--inclusive", is_flag=True, help="Count what becomes known at the very time of a row."),
            click.option("--dialect", type=click.Choice(["spark", "duckdb"]), default="spark", show_default=True),
        )
    ):
        command = option(command)
    return command


@training.command("list")
@click.option("--target", help="The profile's target.")
@json_option
def list_(target: str | None, as_json: bool) -> None:
    """The project's training sets, each with its rows, its version and what it was made from; Spark is started."""
    found = Project(target=target, doing=progress.on_terminal(quiet=as_json)).training_sets.all_built()
    rows = [
        {
            "name": each.name,
            "table": each.table,
            "version": each.version,
            "rows": each.rows,
            "built_at": each.built_at.isoformat(" ", "seconds") if each.built_at else None,
            "inputs": dict(each.record.inputs) if each.record else None,
            "written_since": each.written_since,
        }
        for each in found
    ]
    if as_json:
        click.echo(of_objects(rows))
        return
    shown = [{**row, "inputs": _inputs(row["inputs"]), "written_since": row["written_since"] or ""} for row in rows]
    names = ("name", "table", "version", "rows", "built_at", "inputs", "written_since")
    show.console().print(show.columns({n: [row[n] for row in shown] for n in names}))


def _inputs(versions: Any) -> str:
    if versions is None:
        return "not recorded"
    return ", ".join(f"{name} {'without versions' if v is None else f'version {v}'}" for name, v in versions.items())


@training.command("compile")
@_request_options
def compile_(dialect: Dialect, **parts: Any) -> None:
    """Print the SQL of a dbt model's training set, or of one that the options describe; nothing runs."""
    click.echo(Project().training_sets.compile(_asked(**parts), dialect).sql)


@training.command()
@_request_options
@click.option(
    "--versions",
    is_flag=True,
    help="Start Spark, to tell versions, freshness and matured labels.",
)
@click.option("--target", help="The profile's target.")
@json_option
def explain(dialect: Dialect, versions: bool, target: str | None, as_json: bool, **parts: Any) -> None:
    """Tell how a training set is answered: how each feature is computed, what is read, and when that is known."""
    project = Project(target=target, doing=progress.on_terminal(quiet=as_json))
    asked = _asked(**parts)
    told = project.training_sets.explain(asked, dialect)
    known = project.versions(told.query.relations) if versions else {}
    ages = {each.semantic_model: each for each in project.training_sets.ages(asked)} if versions else {}
    mature = project.training_sets.maturity(asked) if versions else None
    if as_json:
        measured = {name: _in_seconds(each) for name, each in ages.items()}
        click.echo(of_objects([{**asdict(told), "versions": known, "freshness": measured, "maturity": mature}]))
        return
    click.echo(f"spine\n  {_at(told.spine, known)}, at {told.at}")
    for entity, key in told.entities.items():
        click.echo(f"  {entity}: by {key if isinstance(key, str) else ', '.join(key)}")
    click.echo("\nfeatures")
    for feature in told.features:
        click.echo(f"  {feature.name}: {feature.text}")
        for shape, choice in feature.shapes.items():
            click.echo(f"    {shape}{choice and ': '}{choice}")
    click.echo("\nshapes")
    for shape, what in told.shapes.items():
        click.echo(f"  {shape}: {what}")
    click.echo("\nreads")
    for each in told.inputs:
        click.echo(f"  {_at(each.relation, known)}: rows of {each.semantic_model}, known {each.known}")
        if each.semantic_model in ages:
            click.echo(f"    {_age(ages[each.semantic_model])}")
    if mature is not None:
        click.echo(f"\nlabels\n  {mature['mature']} of {mature['spine_rows']} rows are mature")
    click.echo("\nSQL")
    show.console().print(show.sql(told.query.sql))


def _in_seconds(each: InputAge) -> dict[str, float | None]:
    return {
        "promised_seconds": None if each.promised is None else each.promised.microseconds / 1_000_000,
        "age_seconds": None if each.age is None else each.age.total_seconds(),
    }


def _age(each: InputAge) -> str:
    """`the newest is 3:04:05 old, and at most 6 hours are promised`."""
    newest = "no row is known" if each.age is None else f"the newest is {str(each.age).split('.')[0]} old"
    if each.promised is None:
        return f"{newest}, and nothing is promised"
    told = f"{each.promised.count} {each.promised.unit}s"
    return f"{newest}, {'and' if each.is_kept else 'but'} at most {told} are promised"


def _at(relation: str, versions: Any) -> str:
    version = versions.get(relation)
    return relation if version is None else f"{relation} version {version}"


@training.command()
@click.argument("name")
@click.option("--from", "first", required=True, help="The first moment: 2013-01-01.")
@click.option("--to", "after", required=True, help="The first moment after it: 2013-12-01.")
@click.option("--step", default="30 days", show_default=True, help="The length of a slice.")
@click.option("--target", help="The profile's target.")
@json_option
def backfill(name: str, first: str, after: str, step: str, target: str | None, as_json: bool) -> None:
    """Write a training set's rows of a range of time in slices, a commit each; run again, it writes what is missing."""
    from penstock.semantic.durations import parse_duration
    from penstock.semantic.time_range import moment_of

    ends = (moment_of(first, where="--from"), moment_of(after, where="--to"))
    sets = Project(target=target, doing=progress.on_terminal(quiet=as_json)).training_sets
    made = sets.backfill(name, *ends, parse_duration(step, where="--step"))
    if as_json:
        click.echo(of_objects([asdict(made)]))
        return
    click.echo(f"{made.table}: {made.written} slices written, {made.found} were there")
    if not made.recorded:
        click.echo("  no record: the set has rows outside of the range, so that its next build is a whole one")


@training.command()
@click.argument("name")
@click.option("--verify", is_flag=True, help="Compare it with the table; exit code 1 when it is another one.")
@click.option("--into", help="A new table for what is made.")
@click.option("--target", help="The profile's target.")
@json_option
def rebuild(name: str, verify: bool, into: str | None, target: str | None, as_json: bool) -> None:
    """Make a training set again from what its table says it was made from."""
    if not verify and into is None:
        raise click.UsageError("nothing would come of it: --verify, --into TABLE, or both")
    project = Project(target=target, doing=progress.on_terminal(quiet=as_json))
    made = project.training_sets.rebuild(name, verify=verify, into=into)
    if as_json:
        click.echo(of_objects([asdict(made)]))
        return
    if into is not None:
        click.echo(f"{into} holds what {made.table} version {made.version} was made of")
    if made.checksum is not None:
        click.echo(f"{made.table} version {made.version}: {made.rows} rows, checksum {made.checksum}")
        click.echo(f"made again: {made.rows} rows, checksum {made.rebuilt}")
    for column, count in made.last_digits.items():
        click.echo(f"  {count} values of {column} differ in their last digits: doubles, added in another order")
    for definition in made.changed:
        click.echo(f"  {definition} has changed since: a new build would be another set")


@training.command("compare-log")
@click.argument("name")
@click.option("--feature-set", required=True, help="The feature set that was logged.")
@click.option("--without", multiple=True, help="A feature that is not compared; repeated.")
@click.option("--label", help="The column of the set that is its label; with --kind and --horizon.")
@click.option("--kind", help="The kind of feedback that the label is.")
@click.option("--horizon", help="How old a prediction is when its label is final: '2 days'.")
@click.option("--target", help="The profile's target.")
@json_option
@click.pass_context
def compare_log(
    ctx: click.Context,
    name: str,
    feature_set: str,
    without: tuple[str, ...],
    label: str | None,
    kind: str | None,
    horizon: str | None,
    target: str | None,
    as_json: bool,
) -> None:
    """Compare a training set with the same set as the log has it; exit code 1 where they differ unexplained."""
    from penstock.monitoring.record.labels import Labels

    if len({value is None for value in (label, kind, horizon)}) > 1:
        raise click.UsageError("--label, --kind and --horizon go together")
    labels = Labels(kind, horizon) if kind and horizon else None
    project = Project(target=target, doing=progress.on_terminal(quiet=as_json))
    found = project.training_sets.compare_log(name, feature_set, without=without, label=label, labels=labels)
    if as_json:
        click.echo(of_objects([asdict(found)]))
    else:
        click.echo(f"{found.table} version {found.version}, beside what was logged as {feature_set}")
        rows = [{**each, "example": _example(each["example"])} for each in found.columns]
        if rows:
            show.console().print(show.columns({key: [row[key] for row in rows] for key in rows[0]}))
    ctx.exit(0 if found.is_explained else 1)


def _example(cell: Mapping[str, Any] | None) -> str:
    """`p1: seen 7.5, the set has 8.0`."""
    if cell is None:
        return ""
    return f"{cell['prediction_id']}: seen {cell['seen']}, the set has {cell['given']}"


def _asked(
    name: str | None,
    spine: str | None,
    at: str | None,
    entity: tuple[str, ...],
    feature: tuple[str, ...],
    predict: str | None,
    part: str | None,
    label: tuple[str, ...],
    columns: str,
    inclusive: bool,
) -> Mapping[str, Any] | str:
    """The arguments of the macro, as the options give them; a model by its name."""
    entities = {}
    for text in entity:
        key, equals, columns_of_key = text.partition("=")
        if not equals:
            raise InvalidRequestError(f"'{text}' is not entity=column", where="--entity", fix="--entity shop=shop_id")
        entities[key.strip()] = [c.strip() for c in columns_of_key.split(",")]
    given = {
        "spine": spine,
        "at": at,
        "entities": entities,
        "features": feature,
        "predict": predict,
        "part": part,
        "labels": label,
        "columns": tuple(column.strip() for column in columns.split(",") if column.strip()),
        "inclusive": inclusive,
    }
    if name is not None:
        if any(given.values()):
            raise click.UsageError("a training set is asked for by NAME or by options, not by both")
        return name
    if not predict and (not spine or not at):
        raise click.UsageError("name a training set of the project, or give --spine and --at, or --predict")
    return given
