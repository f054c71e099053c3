"""`penstock validate`: what of the project's definitions would fail when it is asked for."""

from __future__ import annotations

import click

from penstock.project import Project


@click.command()
@click.option("--keys", is_flag=True, help="Start Spark, and look whether keys are as unique as they are declared.")
@click.option("--target", help="The profile's target.")
def validate(keys: bool, target: str | None) -> None:
    """Find what would fail: columns, grains, paths, time axes, metrics, saved queries; exit code 1 if anything does."""
    project = Project(target=target)
    problems = project.problems(keys=keys)
    for problem in problems:
        click.echo(f"{problem.where}: {problem.what}")
        if problem.near:
            click.echo(f"  did you mean: {', '.join(problem.near)}")
        if problem.fix:
            click.echo(f"  fix: {problem.fix}")
    click.echo(f"{len(problems)} problems" if problems else "no problems")
    if problems:
        raise SystemExit(1)
