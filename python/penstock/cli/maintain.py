"""`penstock maintain`: the declared upkeep of the project's tables."""

from __future__ import annotations

from dataclasses import asdict

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project


@click.command()
@click.option("--dry-run", is_flag=True, help="Tell what would be done; nothing is changed.")
@click.option("--target", help="The profile's target.")
@json_option
def maintain(dry_run: bool, target: str | None, as_json: bool) -> None:
    """OPTIMIZE, clustering and VACUUM, as the models declare; no version that a training set was made from is taken."""
    done = Project(target=target, doing=progress.on_terminal(quiet=as_json)).maintain(dry_run=dry_run)
    if as_json:
        click.echo(of_objects(map(asdict, done)))
        return
    rows = [(each.table, what, kept) for each in done for what, kept in _paired(each.done, each.kept)]
    columns = zip(*rows, strict=True) if rows else ((), (), ())
    title = "would do" if dry_run else "did"
    show.console().print(show.columns(dict(zip(("table", title, "kept"), map(list, columns), strict=True))))


def _paired(done: list[str], kept: list[str]) -> list[tuple[str, str]]:
    """What was kept stands beside the last statement, which is VACUUM."""
    return [*((what, "") for what in done[:-1]), *((what, "\n".join(kept)) for what in done[-1:])]
