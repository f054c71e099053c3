"""The progress line on a real pseudo-terminal, and its absence anywhere else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

import pytest

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
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", STEP, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": term},
    )  # fmt: skip
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux's end of file for a terminal
            break
        said += part
    os.close(ours)
    assert process.wait() == 0
    return said.decode()


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
    done = subprocess.run([sys.executable, "-c", STEP], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("done\n", "")
