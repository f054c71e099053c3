"""One home, built once, then broken in many ways: each fixture is the state after one of them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from outcomes import Commands, DiskFull, Interrupted, Outcome, jvm_of, outcome, until

from places import SHORT_LIVED, Place, make_place

HERE = Path(__file__).parent
CONSUMER = HERE.parent / "dbt" / "consumers" / "shops" / "models"


def make_project(folder: Path) -> Place:
    """The project to be broken; the model that it trains is that of the package's consumer."""
    place = make_place(folder, HERE / "project")
    for name in ("buyers.py", "examples.sql"):
        shutil.copy(CONSUMER / name, place.folder / "models")
    return place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    project = make_project(tmp_path_factory.mktemp("errors"))
    return project.with_variables(SHORT_LIVED)


@pytest.fixture(scope="session")
def first_build(place: Place) -> Outcome:
    """The build of all but what other fixtures make."""
    return outcome(place.dbt("build", "--no-use-colors", "--exclude", "wrong", "written", "large"))


@pytest.fixture(scope="session")
def built(place: Place, first_build: Outcome) -> Place:
    """The project with its tables and its model."""
    assert first_build.code == 0, first_build.said
    return place


@pytest.fixture(scope="session")
def interrupted(built: Place, tmp_path_factory: pytest.TempPathFactory) -> Interrupted:
    mark = tmp_path_factory.mktemp("mark") / "slowly"
    slow = built.with_variables({"SLOWLY_FROM_200": str(mark)})
    process = subprocess.Popen(
        slow.dbt_command("build", "--select", "written", "--no-use-colors"), cwd=slow.folder, env=slow.environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    table = built.folder / "home" / "warehouse" / "penstock.db" / "written"
    until(lambda: mark.exists() and any(table.glob("*.parquet")))
    parts = len(list(table.glob("*.parquet")))
    second = outcome(built.dbt("build", "--select", "shops"))
    jvm = jvm_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    said, _ = process.communicate(timeout=100)
    return Interrupted(Outcome(process.returncode, said), second, jvm, parts)


@pytest.fixture(scope="session")
def next_build(built: Place, interrupted: Interrupted) -> Outcome:
    """The build after the interrupted one, together with all models that are wrong."""
    return outcome(built.dbt("build", "--no-use-colors", "--select", "written", "wrong"))


@pytest.fixture(scope="session")
def commands(built: Place, next_build: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    running = Commands(built, tmp_path_factory.mktemp("mark") / "slowly")
    yield running
    running.end()


@pytest.fixture(scope="session")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The project after `dbt parse`: enough for what fails before Spark starts."""
    place = make_project(tmp_path_factory.mktemp("parsed"))
    done = place.dbt("parse")
    assert done.returncode == 0, done.stdout
    return place


# A disk of 12 MB for the home, later with room: one of its own where a mount is allowed, which nobody else sees, or the
# small shared memory of a container, filled up and freed again.
OWN_DISK = ('mount -t tmpfs -o size=12m none "$PENSTOCK_HOME"', 'mount -o remount,size=300m "$PENSTOCK_HOME"')
SHARED_MEMORY = (
    """export PENSTOCK_HOME=/dev/shm/penstock-$$ && mkdir "$PENSTOCK_HOME" && trap 'rm -rf "$PENSTOCK_HOME"*' EXIT &&
    free=$(df --output=avail -k /dev/shm | tail -1) && [ "$free" -lt 262144 ] &&
    head -c $(((free - 12288) * 1024)) /dev/zero > "$PENSTOCK_HOME-filler"
    """.strip(),
    'rm "$PENSTOCK_HOME-filler"',
)
WAYS = ((["unshare", "-rm"], OWN_DISK), (["unshare", "-m"], OWN_DISK), ([], SHARED_MEMORY))
ON_A_SMALL_DISK = """
{small} || exit 77
"$0" "$@"; echo "code $?"
find "$PENSTOCK_HOME/warehouse" -path '*/large/_delta_log/*.json'
{room}
echo "with room"
"$0" "$@"; echo "code $?"
"""


@pytest.fixture(scope="session")
def disk_full_build(tmp_path_factory: pytest.TempPathFactory) -> DiskFull:
    place = make_project(tmp_path_factory.mktemp("full"))
    (place.folder / "home").mkdir()
    build = place.dbt_command("build", "--select", "large", "--no-use-colors")
    refused = []
    for prefix, (small, room) in WAYS:
        script = ON_A_SMALL_DISK.format(small=small, room=room)
        done = place.run(*prefix, "sh", "-c", script, *build)
        if "code " in done.stdout:
            first, _, second = done.stdout.partition("with room")
            said, _, left = first.rpartition("code ")
            code, *commits = left.split()
            return DiskFull(Outcome(int(code), said), commits, Outcome(int(second.rpartition("code ")[2]), second))
        refused.append(done.stderr.strip() or "/dev/shm is large")
    pytest.skip(f"no small disk can be had here: {'; '.join(refused)}")
