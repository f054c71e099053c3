"""`penstock demo`: the guided tour."""

from __future__ import annotations

from pathlib import Path

import click

from penstock import show


@click.command()
def demo() -> None:
    """Load real flights, build the project, and show metrics, training set, model and predictions."""
    from penstock.demo.tour import run_tour

    run_tour(show.console(), Path.cwd())
