"""`penstock doctor`: what Penstock needs from the machine, each with its fix."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from penstock import progress, show
from penstock.cli.as_json import json_option, of_objects
from penstock.engines.spark import java_version
from penstock.errors import EnvironmentProblem, PenstockError
from penstock.home import home
from penstock.steps import Doing

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
@json_option
def doctor(target: str | None, as_json: bool) -> None:
    """Check Java, versions, profile, jars and folders; say how to mend what is wrong."""
    doing = progress.on_terminal(quiet=as_json)
    checks: list[tuple[str, Callable[[], str]]] = [
        ("python", _python),
        ("versions", _versions),
        ("java", _java),
        ("profile", lambda: _profile(target)),
        ("folders", _folders),
        ("jars", lambda: _jars(target, doing)),
    ]
    found = []
    for name, check in checks:
        try:
            found.append({"check": name, "ok": True, "what": check(), "where": "", "fix": ""})
        except PenstockError as problem:
            found.append({"check": name, "ok": False, "what": problem.what, "where": problem.where, "fix": problem.fix})
        if not as_json:
            _print(found[-1])
    if as_json:
        click.echo(of_objects(found))
    if not all(each["ok"] for each in found):
        raise SystemExit(1)


def _print(found: Mapping[str, Any]) -> None:
    out = show.console()
    # Text, for a message may hold what looks like rich's markup.
    out.print(
        Text.assemble(("ok  ", "green") if found["ok"] else ("FAIL", "red"), f" {found['check']:9} {found['what']}")
    )
    if not found["ok"]:
        if found["where"]:
            out.print(Text(f"       where: {found['where']}"))
        out.print(Text(f"       fix:   {found['fix']}"))


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


def _jars(target: str | None, doing: Doing) -> str:
    from penstock.profile import load_target
    from penstock.sessions import start_spark

    settings = load_target(Path.cwd(), target).settings
    with doing("starting Spark"):
        spark = start_spark(settings, [])
        spark.sql("SELECT 1").collect()
    return f"Spark {spark.version} starts with Delta"
