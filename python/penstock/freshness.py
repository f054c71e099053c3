"""Whether the project still is what dbt parsed: its files against `target/manifest.json`.

A file is judged by its time first, for that costs one `stat`. One that is newer than the parse is then compared with
what the manifest holds of it, so that a fresh checkout is no change; of YAML and macros the manifest holds no whole
text, and their time decides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

_PROJECT_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml", "vars.yml")
# The folders that dbt reads, by their key in dbt_project.yml: the default, and what it reads there beside YAML.
_PATHS = {
    "model-paths": ("models", {".sql", ".py"}),
    "seed-paths": ("seeds", {".csv"}),
    "macro-paths": ("macros", {".sql"}),
    "snapshot-paths": ("snapshots", {".sql"}),
    "analysis-paths": ("analyses", {".sql"}),
    "test-paths": ("tests", {".sql"}),
    "function-paths": ("functions", {".sql", ".py"}),
}
_YAML = {".yml", ".yaml"}
# What stands in a file of its own, the whole of which the manifest holds.
_WHOLE = {"model", "test", "analysis", "function"}


def changed_since_parse(manifest: Mapping[str, Any], folder: Path) -> str | None:
    """The first file found that is not as dbt parsed it: changed, new, or gone.

    Args:
        manifest: dbt's `manifest.json`.
        folder: The folder of `dbt_project.yml`.

    Returns:
        The file as dbt names it with what became of it ("models/orders.yml has changed"), None when all is as it was.
    """
    parsed = datetime.fromisoformat(manifest["metadata"]["generated_at"]).timestamp()
    known = _known_files(manifest, folder)
    for file, (name, entries) in known.items():
        try:
            time = file.stat().st_mtime
        except OSError:
            return f"{name} is gone"
        if time > parsed and not _same(file, entries):
            return f"{name} has changed"
    for file in _files(folder):
        if file not in known and max(file.stat().st_mtime, file.stat().st_ctime) > parsed:
            return f"{file.relative_to(folder)} is new"
    return None


def _known_files(manifest: Mapping[str, Any], folder: Path) -> dict[Path, tuple[str, list[Mapping[str, Any]]]]:
    """The files of this project and of the packages under it that the manifest was made from, each with its entries."""
    roots: dict[str, Path | None] = {manifest["metadata"]["project_name"]: folder}
    found: dict[Path, tuple[str, list[Mapping[str, Any]]]] = {}
    for entry in _entries(manifest):
        package = entry["package_name"]
        if package not in roots:
            root = folder / "dbt_packages" / package
            roots[package] = root if root.exists() else None  # dbt's own, and adapters'
        base = roots[package]
        if base is None:
            continue
        name = entry["original_file_path"]
        found.setdefault(base / name, (name, []))[1].append(entry)
        patch = (entry.get("patch_path") or "").partition("://")[2]
        if patch:
            found.setdefault(base / patch, (patch, []))
    for name in _PROJECT_FILES:
        if (folder / name).exists():
            found.setdefault(folder / name, (name, []))
    return found


def _entries(manifest: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for kind in manifest.values():
        for entry in kind.values() if isinstance(kind, dict) else ():
            # A disabled node may be there more than once.
            for each in entry if isinstance(entry, list) else [entry]:
                if isinstance(each, dict) and each.get("original_file_path"):
                    yield each


def _same(file: Path, entries: list[Mapping[str, Any]]) -> bool:
    """Whether the file's content is what the manifest holds of it, if it holds the whole of it."""
    if len(entries) != 1:
        return False
    [entry] = entries
    if entry["resource_type"] == "seed":
        held: str = entry["checksum"]["checksum"]
        return hashlib.sha256(file.read_text().strip().encode()).hexdigest() == held
    whole = entry["resource_type"] in _WHOLE and "test_metadata" not in entry
    return whole and file.read_text().strip() == str(entry.get("raw_code")).strip()


def _files(folder: Path) -> Iterator[Path]:
    """The files of this project that dbt would read now."""
    import yaml

    project = yaml.safe_load((folder / "dbt_project.yml").read_text())
    for key, (default, suffixes) in _PATHS.items():
        for path in project.get(key, [default]):
            files = sorted((folder / path).rglob("*"))
            yield from (file for file in files if file.suffix in suffixes | _YAML and file.is_file())
