"""Commands on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path


def said_on_a_terminal(command: list[str], *, cwd: Path | None = None, environment: dict[str, str]) -> tuple[int, str]:
    """The exit code of a command, and all that it wrote to its terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command, cwd=cwd, env={"TERM": "xterm", **environment}, stdin=theirs, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # Linux's end of file for a terminal
            break
        said += part
    os.close(ours)
    return process.wait(), said.decode()
