"""`penstock validate`: what of the project's definitions would fail when it is asked for."""

from __future__ import annotations

from dataclasses import asdict

import click

from penstock import progress
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project


@click.command()
@click.option("--keys", is_flag=True, help="Start Spark, and look whether keys are as unique as they are declared.")
@click.option("--target", help="The profile's target.")
@json_option
def validate(keys: bool, target: str | None, as_json: bool) -> None:
    """Find what would fail: columns, grains, paths, time axes, metrics, saved queries; exit code 1 if anything does."""
    problems = Project(target=target, doing=progress.on_terminal(quiet=as_json)).problems(keys=keys)
    if as_json:
        click.echo(of_objects({**asdict(problem), "near": list(problem.near)} for problem in problems))
    for problem in () if as_json else problems:
        click.echo(f"{problem.where}: {problem.what}")
        if problem.near:
            click.echo(f"  did you mean: {', '.join(problem.near)}")
        if problem.fix:
            click.echo(f"  fix: {problem.fix}")
    if not as_json:
        click.echo(f"{len(problems)} problems" if problems else "no problems")
    if problems:
        raise SystemExit(1)
