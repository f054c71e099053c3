"""Every line of the tables in docs/errors.md, produced by the real parts."""

from __future__ import annotations

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
from outcomes import Commands, Interrupted, Outcome, jvm_of, outcome

from places import ROOT, Place, gone, make_place


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


ROWS = rows()
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


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The project after `dbt parse`: enough for what fails before Spark starts."""
    place = make_place(tmp_path_factory.mktemp("parsed"), Path(__file__).parent / "project")
    done = place.dbt("parse")
    assert done.returncode == 0, done.stdout
    return place


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


@scenario("no jars and no network", "no jars for a server")
def no_jars(row: Row, request: pytest.FixtureRequest) -> Outcome:
    place = fresh(request)
    profile = place.folder / "profiles.yml"
    ivy = f"spark.jars.ivy: {place.folder / 'ivy'}\n        spark.jars.packages:"
    profile.write_text(profile.read_text().replace("spark.jars.packages:", ivy))
    nowhere = " ".join(f"-D{scheme}.proxyHost=127.0.0.1 -D{scheme}.proxyPort=9" for scheme in ("http", "https"))
    variables = {"JAVA_TOOL_OPTIONS": nowhere, "PENSTOCK_HOME": str(place.folder / "home")}
    return outcome(place.with_variables(variables).penstock(*row.arguments()))


@scenario("the port is taken")
def port_taken(row: Row, request: pytest.FixtureRequest) -> Outcome:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        return outcome(request.getfixturevalue("parsed").penstock(*row.arguments(), "--port", str(port)))


@scenario("the disk is full")
def disk_full(row: Row, request: pytest.FixtureRequest) -> Outcome:
    full: DiskFull = request.getfixturevalue("disk_full_build")
    return full.first


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
    actions = [line for line in commits[0].read_text().splitlines() if '"metaData"' in line]

    def commit() -> None:
        # As another engine would, by Delta's protocol: the table's own metadata once more.
        (log / f"{len(commits):020}.json").write_text("\n".join(actions) + "\n")

    return commands.run(*row.arguments(), meanwhile=commit)


# SQL, models and functions


@scenario(
    "a version that never was", "no SQL", "an unknown table", "an unknown column", "an unknown function",
    "an unknown model", "a missing argument", "an unknown argument", "an argument of another type",
    "too many arguments", "a function fails", "a missing file",
)  # fmt: skip
def in_spark(row: Row, request: pytest.FixtureRequest) -> Outcome:
    return request.getfixturevalue("commands").run(*row.arguments())


@scenario("a model's file is damaged")
def damaged_model(row: Row, request: pytest.FixtureRequest) -> Outcome:
    commands: Commands = request.getfixturevalue("commands")
    [file] = (request.getfixturevalue("built").folder / "home" / "mlflow").rglob("model.pkl")
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

# The tables


def test_each_line_has_a_scenario_and_each_scenario_a_line() -> None:
    page = (ROOT / "docs" / "errors.md").read_text()
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| situation")]
    assert len(lines) == len(ROWS)
    assert set(SCENARIOS) == set(ROWS)


# The JVM is killed last: it is the one that the other commands run in.
@pytest.mark.parametrize("situation", sorted(ROWS, key=lambda name: name == "Spark's JVM is killed"))
def test_the_message(situation: str, request: pytest.FixtureRequest) -> None:
    row = ROWS[situation]
    found = SCENARIOS[situation](row, request)
    said = " ".join(found.said.split())
    assert found.code not in (0, None)
    assert re.search(pattern(row.message), said), found.said
    assert re.search(pattern(f"fix: {row.fix}") if row.fix else "", said), found.said
    assert "Traceback" not in found.said
    assert "\tat " not in found.said, "frames of Java"


def pattern(text: str) -> str:
    return ".*?".join(re.escape(part.strip()) for part in text.split("…"))


# What the tables say around them


def test_debug_prints_the_traceback_too(parsed: Place) -> None:
    done = parsed.penstock("--debug", *ROWS["an unknown metric"].arguments())
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback (most recent call last):")
    assert "\nError: unknown metric 'revenu'\n" in done.stderr


def test_ctrl_c_ends_the_build_and_its_jvm(interrupted: Interrupted) -> None:
    assert interrupted.parts > 0, "nothing of the table was written yet"
    assert interrupted.seconds < 20
    assert gone(interrupted.jvm)


def test_after_ctrl_c_the_next_build_is_right(next_build: Outcome) -> None:
    assert "OK created sql table model penstock.written" in next_build.said, next_build.said
    assert re.search(r"PASS written_is_whole", next_build.said), next_build.said


@dataclass(frozen=True)
class DiskFull:
    """A build on a full disk, what it left of its table's log, and the build after there was room again."""

    first: Outcome
    commits: list[str]
    second: Outcome


# A disk of its own, small and then larger; the commands that follow see it, and nobody else does.
SMALL_DISK = """
mount -t tmpfs -o size=12m none "$PENSTOCK_HOME" || exit 77
"$0" "$@"; echo "code $?"
find "$PENSTOCK_HOME/warehouse" -path '*/large/_delta_log/*.json'
mount -o remount,size=300m "$PENSTOCK_HOME"
echo "with room"
"$0" "$@"; echo "code $?"
"""


@pytest.fixture(scope="module")
def disk_full_build(tmp_path_factory: pytest.TempPathFactory) -> DiskFull:
    place = make_place(tmp_path_factory.mktemp("full"), Path(__file__).parent / "project")
    (place.folder / "home").mkdir()
    build = place.dbt_command("build", "--select", "large", "--no-use-colors")
    done = place.run("unshare", "-rm", "sh", "-c", SMALL_DISK, *build)
    if "code " not in done.stdout:
        pytest.skip(f"no disk of our own can be had here: {done.stderr.strip()}")
    first, _, second = done.stdout.partition("with room")
    said, _, left = first.rpartition("code ")
    return DiskFull(
        Outcome(int(left.split()[0]), said), left.split()[1:], Outcome(int(second.rpartition("code ")[2]), second)
    )


def test_after_a_full_disk_nothing_is_visible_and_the_next_build_is_right(disk_full_build: DiskFull) -> None:
    assert disk_full_build.commits == []
    assert disk_full_build.second.code == 0, disk_full_build.second.said
    assert "PASS large_is_whole" in disk_full_build.second.said
