"""The line that tells, while a long step runs, what it does, how far it is and how long it has taken.

It stands on a terminal only, and is gone when the step ends: what a program reads has none of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from penstock.steps import Doing, silently


def on_terminal(*, quiet: bool = False) -> Doing:
    """Steps as a line on standard error, or silent steps where that is no terminal.

    Args:
        quiet: Show nothing on a terminal either.
    """
    if quiet or not os.isatty(2):
        return silently
    # A descriptor of its own: while a JVM starts, standard error points to its log.
    return on_console(Console(file=os.fdopen(os.dup(2), "w")))


def on_console(console: Console) -> Doing:
    """Steps as a line under what this console prints meanwhile, or silent ones where it is no terminal."""
    if not console.is_terminal:
        return silently

    @contextmanager
    def doing(step: str, how_far: Callable[[], str] = str) -> Iterator[None]:
        began = time.monotonic()

        def line() -> Text:
            far = how_far()
            return Text(f"{step}{f': {far},' if far else ' …'} {time.monotonic() - began:.0f} s", no_wrap=True)

        # What else the process prints goes where it went: `console` alone knows of the line.
        with Live(get_renderable=line, console=console, transient=True, redirect_stdout=False, redirect_stderr=False):
            yield

    return doing
