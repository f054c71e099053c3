"""Compiling kernels once per machine: numba's cache, with a folder for it where the usual ones cannot be written."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

# Its types know neither a list of signatures nor its settings.
njit: Any = numba.njit
config: Any = numba.config


def compiled(*signatures: str) -> Callable[[Callable[..., Any]], Any]:
    """A decorator: the function as numba's machine code for these types, which releases the GIL, divides as
    numpy does and is kept on disk.

    numba keeps the machine code beside the source or in the user's cache folder; its index knows the source's age, the
    processor and numba's version. Where neither can be written, as in a container without a home, the folder is one of
    this user's own under the system's temporary folder, and where that is not safe either, each process compiles anew.
    """

    def compile_function(function: Callable[..., Any]) -> Any:
        return _compile(function, list(signatures))

    return compile_function


def _compile(function: Callable[..., Any], signatures: list[str]) -> Any:
    options = {"nogil": True, "error_model": "numpy"}
    try:
        return njit(signatures, cache=True, **options)(function)
    except RuntimeError:  # numba: no locator available
        folder = private_folder(Path(tempfile.gettempdir()) / f"penstock-numba-{os.getuid()}")
        if folder is None:
            return njit(signatures, **options)(function)
    before = config.CACHE_DIR
    config.CACHE_DIR = str(folder)
    try:
        return njit(signatures, cache=True, **options)(function)
    finally:
        config.CACHE_DIR = before


def private_folder(path: Path) -> Path | None:
    """The folder, made if need be, or nothing if another user could write to it: what is in a cache is run."""
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
    except OSError:
        return None
    mine = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
    return path if mine else None
