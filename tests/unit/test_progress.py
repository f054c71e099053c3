"""The progress line on a real pseudo-terminal, and its absence anywhere else."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from terminals import said_on_a_terminal

STEP = """
import os, sys, time
from penstock.progress import on_terminal
doing = on_terminal(quiet="quiet" in sys.argv)
with doing("counting", lambda: "stage 1 of 2"):
    # As while a JVM starts: standard error goes to a file.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    time.sleep(1.2)
with doing("ending"):
    pass
print("done")
"""


def on_a_terminal(*arguments: str, term: str = "xterm") -> str:
    command = [sys.executable, "-c", STEP, *arguments]
    code, said = said_on_a_terminal(command, environment={**os.environ, "TERM": term})
    assert code == 0
    return said


def test_a_line_tells_the_step_how_far_and_how_long_and_is_gone_at_the_end() -> None:
    said = on_a_terminal()
    assert "counting: stage 1 of 2, 0 s" in said
    assert "counting: stage 1 of 2, 1 s" in said
    assert "ending … 0 s" in said
    after = said.rpartition("ending … 0 s")[2]
    assert "\x1b[2K" in after, "the line is not erased"
    assert after.rstrip().endswith("done")


@pytest.mark.parametrize(("arguments", "term"), [(("quiet",), "xterm"), ((), "dumb")])
def test_quiet(arguments: tuple[str, ...], term: str) -> None:
    assert on_a_terminal(*arguments, term=term).strip() == "done"


def test_nothing_where_there_is_no_terminal() -> None:
    # In CI this variable asks for colour, and rich takes it for a terminal.
    environment = {**os.environ, "FORCE_COLOR": "1"}
    done = subprocess.run([sys.executable, "-c", STEP], env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
