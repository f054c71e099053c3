"""What a logged model requires, and how that differs from what is installed in this session."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.requirements import Requirement

REQUIREMENTS, CONSTRAINTS, PYTHON = "requirements.txt", "constraints.txt", "python_env.yaml"


@dataclass(frozen=True)
class Difference:
    """One package that is not here as a version wants it.

    Attributes:
        package: Its name, or `python`.
        wanted: The versions that would do, as in `==1.5.2`; empty for any.
        here: The version that is installed; empty for none.
    """

    package: str
    wanted: str
    here: str

    def __str__(self) -> str:
        return f"{self.package}{self.wanted}, {f'here {self.here}' if self.here else 'not installed here'}"


def differences(folder: Path) -> tuple[Difference, ...]:
    """What this session has not as a logged model wants it: packages, those that its extras bring, and Python.

    Args:
        folder: The logged model's files. Of its requirements.txt, options, paths and URLs say no version to compare;
            of Python, 3.11.4 and 3.11.9 are the same.
    """
    found = {}
    wanted = python_wanted(folder)
    if wanted and wanted != minor_of(platform.python_version()):
        found["python"] = Difference("python", f"=={wanted}", platform.python_version())
    waiting = [each for each in requirements_of(folder) if each.marker is None or each.marker.evaluate()]
    seen = set()
    while waiting:
        each = waiting.pop(0)
        if str(each) in seen:
            continue
        seen.add(str(each))
        try:
            installed = metadata.distribution(each.name)
        except metadata.PackageNotFoundError:
            found[each.name] = Difference(each.name, str(each.specifier), "")
            continue
        if not each.specifier.contains(installed.version, prereleases=True):
            found[each.name] = Difference(each.name, str(each.specifier), installed.version)
        waiting += _of_extras(installed, each)
    return tuple(found.values())


def requirements_of(folder: Path) -> list[Requirement]:
    """The requirements of a logged model that name a package; none where it has no file of them."""
    from packaging.requirements import InvalidRequirement, Requirement

    found = []
    for line in text_of(folder, REQUIREMENTS).replace("\\\n", " ").splitlines():
        # A comment, and what pip alone takes beside a requirement, as in --hash=….
        plain = re.split(r"(?:^|\s)(?:#|--?\w)", line)[0].strip()
        try:
            found += [Requirement(plain)] if plain else []
        except InvalidRequirement:  # a path or a URL
            continue
    return found


def python_wanted(folder: Path) -> str:
    """The minor version of Python that a logged model was made with, as in `3.11`; empty where nothing says it."""
    import yaml

    told = yaml.safe_load(text_of(folder, PYTHON)) or {}
    return minor_of(str(told.get("python") or ""))


def minor_of(version: str) -> str:
    """A version of Python without its last number.

    Example:
        >>> minor_of("3.11.7")
        '3.11'
    """
    return ".".join(version.split(".")[:2])


def text_of(folder: Path, name: str) -> str:
    """The text of a file of a logged model; empty where there is none."""
    file = folder / name
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _of_extras(installed: metadata.Distribution, wanted: Requirement) -> list[Requirement]:
    from packaging.requirements import Requirement

    needed = [Requirement(each) for each in installed.requires or ()] if wanted.extras else []
    return [
        each
        for each in needed
        if each.marker
        and not each.marker.evaluate({"extra": ""})
        and any(each.marker.evaluate({"extra": extra}) for extra in wanted.extras)
    ]
