"""How each line of the tables in docs/errors.md comes about: one function a situation, with the real parts."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from outcomes import Commands, Outcome, jvm_of, outcome

from places import ROOT, Place


@dataclass(frozen=True)
class Row:
    """One line of the tables."""

    situation: str
    command: str
    message: str
    fix: str

    def arguments(self) -> list[str]:
        return shlex.split(self.command)[1:]


def rows() -> dict[str, Row]:
    page = (ROOT / "docs" / "errors.md").read_text()
    lines = re.findall(r"^\| (.+?) \| `(.+)` \| `(.+?)` \| (?:`(.+)` )?\|$", page, re.M)
    return {line[0]: Row(*line) for line in lines}


Scenario = Callable[[Row, pytest.FixtureRequest], Outcome]
SCENARIOS: dict[str, Scenario] = {}


def scenario(*situations: str) -> Callable[[Scenario], Scenario]:
    def register(produce: Scenario) -> Scenario:
        SCENARIOS.update(dict.fromkeys(situations, produce))
        return produce

    return register


def copy_of(place: Place, folder: Path) -> Place:
    """The project with its artifacts elsewhere, to be broken there; its home stays."""
    shutil.copytree(place.folder, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("home", "logs"))
    return Place(folder, place.environment)


def fresh(request: pytest.FixtureRequest) -> Place:
    return copy_of(request.getfixturevalue("parsed"), request.getfixturevalue("tmp_path"))


# The machine


@scenario("no Java", "no Java in a build")
def no_java(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place: Place = request.getfixturevalue("parsed").with_variables({"JAVA_HOME": "", "PATH": "/usr/sbin"})
    run = place.penstock if row.command.startswith("penstock") else place.dbt
    return outcome(run(*row.arguments()))


@scenario("an old Java")
def old_java(row: Row, request: pytest.FixtureRequest) -> Outcome:
    java = request.getfixturevalue("tmp_path") / "bin" / "java"
    java.parent.mkdir()
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\"' >&2\n")
    java.chmod(0o755)
    place = request.getfixturevalue("parsed").with_variables({"JAVA_HOME": str(java.parents[1])})
    return outcome(place.penstock(*row.arguments()))


def without_jars(request: pytest.FixtureRequest) -> Place:
    """The project with an empty Ivy folder, and a JVM that takes a closed port for its proxy."""
    place = fresh(request)
    profile = place.folder / "profiles.yml"
    ivy = f"spark.jars.ivy: {place.folder / 'ivy'}\n        spark.jars.packages:"
    profile.write_text(profile.read_text().replace("spark.jars.packages:", ivy))
    nowhere = " ".join(f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort=9" for scheme in ("http", "https"))
    return place.with_variables({"JAVA_TOOL_OPTIONS": nowhere, "PENSTOCK_HOME": str(place.folder / "home")})


@scenario("no jars and no network", "no jars for a server")
def no_jars(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return outcome(without_jars(request).penstock(*row.arguments()))


@scenario("the port is taken")
def port_taken(row: Row, request: pytest.FixtureRequest) -> Outcome:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        return outcome(request.getfixturevalue("parsed").penstock(*row.arguments(), "--port", str(port)))


@scenario("the disk is full")
def disk_full(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return request.getfixturevalue("disk_full_build").first


@scenario("Spark's JVM is killed")
def jvm_killed(row: Row, request: pytest.FixtureRequest) -> Outcome:
    commands: Commands = request.getfixturevalue("commands")
    jvm = jvm_of(commands.process.pid)
    return commands.run(*row.arguments(), meanwhile=lambda: os.kill(jvm, signal.SIGKILL))


# The project


@scenario("another folder")
def another_folder(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place = Place(request.getfixturevalue("tmp_path"), dict(os.environ))
    return outcome(place.penstock(*row.arguments()))


def with_profile(row: Row, request: pytest.FixtureRequest, change: Callable[[str], str]) -> Outcome:
    place = fresh(request)
    file = place.folder / "profiles.yml"
    file.write_text(change(file.read_text()))
    return outcome(place.penstock(*row.arguments()))


@scenario("a broken profile")
def broken_profile(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return with_profile(row, request, lambda text: text + "  more: [")


@scenario("a number in the profile")
def number_in_profile(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return with_profile(row, request, lambda text: text.replace('partitions: "4"', "partitions: 4"))


@scenario("no profile")
def no_profile(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place = fresh(request)
    (place.folder / "profiles.yml").unlink()
    return outcome(place.with_variables({"HOME": str(place.folder)}).penstock(*row.arguments()))


@scenario("never parsed")
def never_parsed(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place = fresh(request)
    shutil.rmtree(place.folder / "target")
    return outcome(place.penstock(*row.arguments()))


@scenario("changed since it was parsed")
def changed(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place = fresh(request)
    file = place.folder / "models" / "orders.yml"
    file.write_text(file.read_text().replace("agg: sum", "agg: max"))
    return outcome(place.penstock(*row.arguments()))


@scenario("a model was deleted")
def deleted(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place = fresh(request)
    (place.folder / "models" / "shops.sql").unlink()
    return outcome(place.penstock(*row.arguments()))


@scenario(
    "an unknown target", "a target without Spark", "an unknown metric", "an unknown dimension", "a request for nothing",
    "no time",
)  # fmt: skip
def before_spark(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return outcome(request.getfixturevalue("parsed").penstock(*row.arguments()))


@scenario("a text where a list belongs")
def not_a_list(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return outcome(request.getfixturevalue("parsed").dbt(*row.arguments(), "--vars", "{not_a_list: true}"))


# Two at once, and Ctrl-C


@scenario("two builds at once")
def two_builds(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return request.getfixturevalue("interrupted").second


@scenario("Ctrl-C in a build")
def ctrl_c(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return request.getfixturevalue("interrupted").first


@scenario("another writer commits first")
def conflict(row: Row, request: pytest.FixtureRequest) -> Outcome:
    commands: Commands = request.getfixturevalue("commands")
    log = request.getfixturevalue("built").folder / "home" / "warehouse" / "penstock.db" / "written" / "_delta_log"
    commits = sorted(log.glob("*.json"))
    actions = [json.loads(line) for line in commits[0].read_text().splitlines()]
    [metadata] = [action for action in actions if "metaData" in action]
    metadata["metaData"]["configuration"]["written.by"] = "another writer"

    def commit() -> None:
        # As another engine would, by Delta's protocol.
        (log / f"{len(commits):020}.json").write_text(json.dumps(metadata) + "\n")

    return commands.run(*row.arguments(), meanwhile=commit)


# SQL, models and functions


@scenario(
    "a version that never was", "no SQL", "an unknown table", "an unknown column", "an unknown function",
    "an unknown model", "a missing argument", "an unknown argument", "an argument of another type",
    "an argument that cannot be cast",
    "too many arguments", "a model without a gate", "a promotion of no version", "nothing to go back to",
    "a function fails", "a missing file",
)  # fmt: skip
def in_spark(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return request.getfixturevalue("commands").run(*row.arguments())


@scenario("a model's file is damaged")
def damaged_model(row: Row, request: pytest.FixtureRequest) -> Outcome:
    commands: Commands = request.getfixturevalue("commands")
    [file] = (request.getfixturevalue("built").folder / "home" / "warehouse" / "ml.db").rglob("model.pkl")
    whole = file.read_bytes()
    file.write_bytes(whole[:300])
    try:
        return commands.run(*row.arguments())
    finally:
        file.write_bytes(whole)


@scenario("an unknown model in a build", "a function fails in a build", "a Python model fails")
def in_a_build(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return request.getfixturevalue("next_build")


@scenario("a bug of ours")
def bug(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place: Place = request.getfixturevalue("parsed")
    return outcome(place.run(sys.executable, "-c", BUG, *row.arguments()))


BUG = """
from penstock.cli import main
from penstock.project import Project
Project.compile = lambda *arguments, **more: 1 / 0
main()
"""
