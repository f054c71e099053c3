"""`penstock doctor`: what Penstock needs from the machine, each with its fix."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import click

from penstock import show
from penstock.engines.spark import java_version
from penstock.errors import EnvironmentProblem, PenstockError
from penstock.home import home

# Pairs that must fit: Delta's jar is built for one minor version of Spark.
_VERSIONS = {
    "pyspark": "4.2.",
    "delta-spark": "4.4.0",
    "dbt-core": "1.12.",
    "dbt-spark": "1.",
    "mlflow": "3.",
    "pandas": "2.",
}


@click.command()
@click.option("--target", help="The profile's target.")
def doctor(target: str | None) -> None:
    """Check Java, versions, profile, jars and folders; say how to mend what is wrong."""
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("versions", _versions),
        ("java", _java),
        ("profile", lambda: _profile(target)),
        ("folders", _folders),
        ("jars", lambda: _jars(target)),
    ]
    out = show.console()
    failed = 0
    for name, check in checks:
        try:
            out.print(f"[green]ok  [/] {name:9} {check()}", highlight=False)
        except PenstockError as problem:
            failed += 1
            out.print(f"[red]FAIL[/] {name:9} {problem.what}", highlight=False)
            if problem.where:
                out.print(f"       where: {problem.where}", highlight=False)
            out.print(f"       fix:   {problem.fix}", highlight=False)
    if failed:
        raise SystemExit(1)


def _python() -> str:
    return f"{platform.python_version()} at {sys.executable}"


def _versions() -> str:
    found = []
    for package, wanted in _VERSIONS.items():
        try:
            installed = version(package)
        except PackageNotFoundError:
            raise EnvironmentProblem(f"{package} is not installed", fix="make setup") from None
        if not installed.startswith(wanted):
            raise EnvironmentProblem(f"{package} is {installed}, tried with {wanted}x", fix="make setup")
        found.append(f"{package} {installed}")
    return ", ".join(found)


def _java() -> str:
    major, path = java_version()
    return f"{major} at {path}"


def _profile(target: str | None) -> str:
    from penstock.profile import load_target

    found = load_target(Path.cwd(), target)
    return f"target {found.name}, method {found.method}, schema {found.schema}"


def _folders() -> str:
    folder = home()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise EnvironmentProblem(
            f"state cannot be written: {error.strerror}", where=str(folder), fix="make it writable or set PENSTOCK_HOME"
        ) from None
    free = os.statvfs(folder)
    return f"{folder} is writable, {free.f_bavail * free.f_frsize / 1e9:.0f} GB free"


def _jars(target: str | None) -> str:
    from penstock.profile import load_target
    from penstock.project import start_spark

    spark = start_spark(load_target(Path.cwd(), target).settings, [])
    spark.sql("SELECT 1").collect()
    return f"Spark {spark.version} starts with Delta"
