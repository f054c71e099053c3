"""`dbt build` through `penstock serve`: no Spark in the client, Python in the server, the same rows as embedded."""

from __future__ import annotations

import json
import shutil
import stat
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from places import Server

CHECKSUMS = """
SELECT 'numbers' AS t, count(*) AS n, sum(xxhash64(*)) AS h FROM penstock.numbers
UNION ALL SELECT 'seen', count(*), sum(xxhash64(*)) FROM penstock.seen
"""


@pytest.fixture(scope="module")
def built(server: Server) -> Server:
    """The server after a build through it, in an environment in which no JVM can start."""
    done = build(server)
    assert done.returncode == 0, done.stdout
    return server


def build(server: Server, *arguments: str):
    place = server.place
    variables = {"PENSTOCK_SERVER_PORT": str(server.port), "JAVA_HOME": "/no/java", "PATH": "/usr/sbin"}
    return place.with_variables(variables).dbt("build", "--target", "cluster", *arguments)


def test_sql_and_python_models_are_built(built: Server) -> None:
    cursor = built.session()
    cursor.execute("SELECT sum(y), sum(z), count(*) FROM penstock.numbers JOIN penstock.seen USING (id)")
    assert cursor.fetchall() == [(72.0, 720.0, 9)]


def test_a_changed_function_is_used_by_the_next_build(built: Server) -> None:
    file = built.place.folder / "udfs" / "doubled.py"
    before = file.read_text()
    file.write_text(before.replace("2.0", "3.0"))
    try:
        done = build(built)
        assert done.returncode == 0, done.stdout
        cursor = built.session()
        cursor.execute("SELECT penstock.doubled(1), max(y) FROM penstock.numbers")
        assert cursor.fetchall() == [(3.0, 24.0)]
    finally:
        file.write_text(before)


def test_an_error_of_a_python_model_reaches_the_build(built: Server) -> None:
    file = built.place.folder / "models" / "seen.py"
    before = file.read_text()
    file.write_text(before.replace("dbt.config(", "print(no_such_name); dbt.config("))
    try:
        done = build(built, "--select", "seen")
    finally:
        file.write_text(before)
    assert done.returncode == 1
    assert "NameError: name 'no_such_name' is not defined" in done.stdout


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("select id from no_such_table", "The table or view `no_such_table` cannot be found."),
        ("select cast(raise_error('no more') as string) as y", "no more\n"),
        ("select id from range(9", "Syntax error at or near"),
    ],
)
def test_an_error_of_a_statement_is_one_message(built: Server, model: str, message: str) -> None:
    file = built.place.folder / "models" / "numbers.sql"
    before = file.read_text()
    file.write_text(model)
    try:
        done = build(built, "--select", "numbers")
    finally:
        file.write_text(before)
    assert done.returncode == 1
    assert message in done.stdout
    assert "\tat " not in done.stdout
    assert "Exception" not in done.stdout


def test_only_the_servers_user_may_send_python(server: Server) -> None:
    file = server.place.folder / "home" / "servers" / f"{server.port}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    address = json.loads(file.read_text())
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        request = urllib.request.Request(address["url"] + "/functions", data=b'{"functions": []}', headers=headers)
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(request)


def test_a_server_of_another_home_is_told(server: Server, tmp_path: Path) -> None:
    place = server.place.with_variables({"PENSTOCK_SERVER_PORT": str(server.port), "PENSTOCK_HOME": str(tmp_path)})
    done = place.dbt("build", "--target", "cluster")
    assert done.returncode != 0
    assert f"no penstock serve runs Python for port {server.port}" in done.stdout
    assert "with the same PENSTOCK_HOME as here" in done.stdout


def test_rows_equal_those_of_an_embedded_build(built: Server, tmp_path: Path) -> None:
    assert build(built).returncode == 0  # from the files as they are, whatever another test built before
    cursor = built.session()
    cursor.execute(CHECKSUMS)
    through_the_server = sorted(cursor.fetchall())
    folder = tmp_path / "embedded"
    shutil.copytree(built.place.folder, folder, ignore=shutil.ignore_patterns("home", "target", "logs"))
    place = built.place.moved(folder)
    done = place.dbt("build")
    assert done.returncode == 0, done.stdout
    said = place.penstock("sql", CHECKSUMS)
    assert said.returncode == 0, said.stderr
    for row in through_the_server:
        assert any(all(str(part) in line for part in row) for line in said.stdout.splitlines()), said.stdout
