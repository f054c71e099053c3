"""Which version scores a row, as a text that travels to the workers: alias, number, engine, digest and folder of the
version."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from penstock.scoring.contract import Description
from penstock.scoring.linear.formula import Formula


@dataclass(frozen=True)
class Live:
    """One version: the alias it was found under, its number and engine, the digest of its files, their folder."""

    alias: str
    version: int
    engine: str
    digest: str
    source: str

    @classmethod
    def parse(cls, text: str) -> Live:
        """The inverse of `str`."""
        alias, version, engine, digest, source = text.split("|", 4)
        return cls(alias, int(version), engine, digest, source)

    def __str__(self) -> str:
        return f"{self.alias}|{self.version}|{self.engine}|{self.digest}|{self.source}"


@dataclass(frozen=True)
class Held:
    """What an alias points to.

    Attributes:
        live: The version, as workers need it.
        description: What it takes and gives.
        used: The inputs that its engine reads.
        formula: The linear formula that was proven equal to it; None where there is none.
    """

    live: Live
    description: Description
    used: tuple[str, ...]
    formula: Formula | None = None


def digest_of(folder: Path) -> str:
    """The digest of all files in a folder, their names with them; the order in which a disk lists them counts not."""
    whole = hashlib.sha256()
    for file in sorted(each for each in folder.rglob("*") if each.is_file() and not _is_by_product(each)):
        whole.update(f"{file.relative_to(folder).as_posix()}\0{file.stat().st_size}\0".encode())
        with file.open("rb") as content:
            while block := content.read(1 << 20):
                whole.update(block)
    return whole.hexdigest()[:32]


def _is_by_product(file: Path) -> bool:
    """Whether Python or Hadoop made it beside the file that counts; Hadoop leaves its checksums behind in a copy."""
    return "__pycache__" in file.parts or (file.name.startswith(".") and file.name.endswith(".crc"))
