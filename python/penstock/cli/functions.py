"""`penstock functions`: the SQL functions of models that the project declares."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.project import Project


@click.group()
def functions() -> None:
    """The SQL functions of models."""


@functions.command()
@click.option("--target", help="The profile's target.")
@json_option
def sync(target: str | None, as_json: bool) -> None:
    """Make the functions that the models' YAML declares, as `dbt build` does; one without a version waits for it."""
    synced = Project(target=target, doing=progress.on_terminal(quiet=as_json)).sync_functions()
    if as_json:
        click.echo(of_objects(map(asdict, synced)))
        return
    columns: dict[str, list[Any]] = {
        "function": [f"ml.{each.name}" for each in synced],
        "model": [each.model for each in synced],
        "alias": [each.alias for each in synced],
        "version": [each.version if each.version is not None else "waits for one" for each in synced],
        "returns": [each.returns for each in synced],
    }
    show.console().print(show.columns(columns))
