"""What the YAML of a node, a test or a metric says to Penstock: `meta: {penstock: {…}}`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def declared_in(meta: Mapping[str, Any] | None, key: str) -> Any:
    """What a `config.meta` declares under `penstock` and a key; None where that is nothing.

    Example:
        >>> declared_in({"penstock": {"log": "predictions"}}, "log")
        'predictions'
    """
    section = (meta or {}).get("penstock")
    return section.get(key) if isinstance(section, Mapping) else None
