"""`penstock training check`: what in the SQL of a training set lets the future in, told without starting Spark."""

from __future__ import annotations

from dataclasses import asdict

import click

from penstock import progress
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project


@click.command()
@click.argument("model")
@click.option("--spine", multiple=True, help="What its rows come from: a common table expression, alias or relation.")
@click.option("--target", help="The profile's target.")
@json_option
def check(model: str, spine: tuple[str, ...], target: str | None, as_json: bool) -> None:
    """Find in the SQL of MODEL what looks past a row's time or gives other rows each time; exit code 1 if anything is.

    The SQL is that of the last `dbt compile`, `dbt run` or `dbt build`.
    """
    findings = Project(target=target, doing=progress.on_terminal(quiet=as_json)).findings(model, spine)
    if as_json:
        click.echo(of_objects(asdict(finding) for finding in findings))
    for finding in () if as_json else findings:
        click.echo(f"{finding.place}\n  {finding.kind}: {finding.what}\n  fix: {finding.fix}")
    if not as_json:
        click.echo(f"{len(findings)} findings" if findings else "no findings")
    if findings:
        raise SystemExit(1)
