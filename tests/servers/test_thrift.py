"""`penstock serve` as clients and as the shell see it: sessions, signals, and what is in its way."""

from __future__ import annotations

import signal
import subprocess
import time
from pathlib import Path

import pytest

from places import Server, free_port, gone, is_running, make_place, start


def rows(cursor: object, statement: str) -> list[tuple[object, ...]]:
    cursor.execute(statement)
    return cursor.fetchall()


def test_the_ready_line_is_an_address(server: Server) -> None:
    assert server.ready.startswith(f"ready: jdbc:hive2://127.0.0.1:{server.port} ")


def test_a_session_calls_python_functions(server: Server) -> None:
    assert rows(server.session(), "SELECT penstock_py_doubled(21)") == [(42.0,)]


def test_sessions_do_not_see_each_others_state(server: Server) -> None:
    from pyhive.exc import OperationalError

    mine, yours = server.session(), server.session()
    mine.execute("CREATE TEMPORARY VIEW private AS SELECT 1 AS x")
    mine.execute("SET spark.sql.shuffle.partitions = 7")
    assert rows(mine, "SELECT x FROM private") == [(1,)]
    with pytest.raises(OperationalError, match="TABLE_OR_VIEW_NOT_FOUND"):
        yours.execute("SELECT x FROM private")
    assert rows(yours, "SET spark.sql.shuffle.partitions") == [("spark.sql.shuffle.partitions", "4")]


def test_delta_outlives_a_session(server: Server) -> None:
    first = server.connect()
    assert rows(first.cursor(), "SELECT 1") == [(1,)]
    first.close()  # Hive closes class loaders here
    later = server.session()
    later.execute("CREATE OR REPLACE TABLE default.kept USING DELTA AS SELECT 3 AS x")
    assert rows(later, "SELECT x FROM default.kept VERSION AS OF 0") == [(3,)]


def test_a_taken_port_is_told_before_spark_starts(server: Server, tmp_path: Path) -> None:
    place = make_place(tmp_path)
    done = place.penstock("serve", "--port", str(server.port))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: the server cannot listen there: address already in use",
        f"  where: 127.0.0.1:{server.port}",
        f"  fix: stop what uses that port, or choose another: penstock serve --port {server.port + 2}",
    ]
    assert not (tmp_path / "home").exists()


def test_a_held_metastore_is_told_in_one_message(server: Server) -> None:
    assert server.place.dbt("parse").returncode == 0  # other tests change models, build, and change them back
    done = server.place.penstock("sql", "SELECT 1")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Error: another process holds the metastore, which takes one at a time",
        f"  where: {server.place.folder}/home/metastore",
        "  fix: stop that process (a build, or a server), or build through the server: dbt build --target cluster",
    ]


def test_sigterm_ends_server_and_jvm(tmp_path: Path) -> None:
    server = start(make_place(tmp_path))  # never parsed: a server without functions
    jvm = child(server.process.pid)
    waiting = server.session()
    assert rows(waiting, "SELECT 1") == [(1,)]
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(300) == 0
    assert not is_running(jvm)
    assert (tmp_path / "serve.err").read_text() == ""


def test_a_signal_while_spark_starts(tmp_path: Path) -> None:
    place = make_place(tmp_path)
    command = place.command("serve", "--port", str(free_port()))
    process = subprocess.Popen(
        command, cwd=place.folder, env=place.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    jvms = set()
    while process.poll() is None:
        jvms.add(child(process.pid))
        if len(jvms) == 3:  # none, the one that finds the jars (or asks Java's version), the next
            process.send_signal(signal.SIGTERM)
            break
        time.sleep(0.05)
    assert process.communicate(timeout=300) == (b"", b"")
    assert process.returncode == 0
    assert all(gone(jvm) for jvm in jvms - {0})


def child(pid: int) -> int:
    """The process's first child, 0 when it has none."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(children[0]) if children else 0
