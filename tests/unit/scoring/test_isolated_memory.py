"""What the process of an isolated version holds: its own memory, however much the one has that started it."""

from __future__ import annotations

import subprocess
import sys

MANY = 400 << 20
ASKED = "from penstock.scoring.isolated.serve import _memory; print(_memory())"


def test_the_memory_of_the_process_that_started_it_counts_not() -> None:
    held = bytearray(b"1") * MANY
    told = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, check=True)
    assert len(held) == MANY
    assert 1 << 20 < int(told.stdout) < MANY
