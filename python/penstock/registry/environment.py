"""The environment of an isolated version: a virtual environment with what it requires, made once and kept."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from penstock.errors import EnvironmentProblem
from penstock.home import home
from penstock.registry.requirements import (
    CONSTRAINTS,
    REQUIREMENTS,
    minor_of,
    python_wanted,
    requirements_of,
    text_of,
)
from penstock.scoring.isolated.process import python_of
from penstock.scoring.live import digest_of

_log = logging.getLogger(__name__)

_OLDEST = (3, 11)  # of Python, for Penstock's own code
_READY = "ready"  # a file that is written last: without it an environment is half built
_LONGEST = 600  # of what pip says


def environment_for(folder: Path) -> Path:
    """The environment of a logged model, made if there is none of the same requirements yet.

    Args:
        folder: The logged model's files.

    Returns:
        The environment's folder, under the home folder.

    Raises:
        EnvironmentProblem: when its Python is not on this machine, or pip cannot install its requirements.
    """
    added = _added(folder)
    version = python_wanted(folder) or minor_of(platform.python_version())
    python = _python(version)
    at = home() / "environments" / _key(folder, version, added)
    at.parent.mkdir(parents=True, exist_ok=True)
    with at.with_name(f"{at.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed, also by the end of this process
        if not (at / _READY).exists():
            _log.info("making an environment of %s in %s", REQUIREMENTS, at)
            shutil.rmtree(at, ignore_errors=True)
            _run([python, "-m", "venv", str(at)], folder)
            file = ["-r", REQUIREMENTS] if (folder / REQUIREMENTS).is_file() else []
            pip = [str(python_of(at)), "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check"]
            # In the model's folder: its files may name others of it.
            _run([*pip, *file, *added], folder)
            (at / _READY).touch()
    return at


def _added(folder: Path) -> list[str]:
    """What Penstock's own code needs in the environment, and the model does not name."""
    import mlflow
    from packaging.utils import canonicalize_name

    named = {canonicalize_name(each.name) for each in requirements_of(folder)}
    needs = {"mlflow-skinny": f"=={mlflow.__version__}", "pandas": "<3", "pyarrow": "", "sqlglot": ">=30"}
    if "mlflow" in named:
        del needs["mlflow-skinny"]
    return [f"{name}{versions}" for name, versions in needs.items() if name not in named]


def _python(wanted: str) -> str:
    """The interpreter of that version: this session's, or one on the path."""
    if wanted == minor_of(platform.python_version()):
        return sys.executable
    old = tuple(map(int, wanted.split("."))) < _OLDEST
    found = None if old else shutil.which(f"python{wanted}")
    if found is None:
        oldest = ".".join(map(str, _OLDEST))
        raise EnvironmentProblem(
            f"the model was made with Python {wanted}"
            + (f", and is scored by {oldest} or newer" if old else ", which is not on this machine"),
            where="PATH",
            fix="train it anew with a newer Python" if old else f"install python{wanted}",
        )
    return found


def _key(folder: Path, version: str, added: list[str]) -> str:
    texts = [text_of(folder, REQUIREMENTS), text_of(folder, CONSTRAINTS)]
    named = [line for line in texts[0].splitlines() if line.strip() and not line.lstrip().startswith(("#", "-"))]
    # A path is a file of the model, and may hold other code under the same name.
    files = digest_of(folder) if len(named) > len(requirements_of(folder)) else ""
    told = json.dumps([version, *texts, added, files])
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _run(command: list[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()
        errors = [line for line in said.splitlines() if line.startswith("ERROR")]
        raise EnvironmentProblem(
            f"the environment of the model cannot be made: {'; '.join(errors)[:_LONGEST] or said[-_LONGEST:]}",
            where=str(folder / REQUIREMENTS),
            fix="log the model with requirements that pip can install here; pip's own settings and PIP_… are heeded",
        )
