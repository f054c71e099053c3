"""The edge: a metric view as the YAML that Spark reads, version 0.1."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping


def yaml_of(*, source: str, dimensions: Mapping[str, str], measures: Mapping[str, str]) -> str:
    """The text of a metric view; it may stand between two `$$`.

    Args:
        source: The select whose rows are measured.
        dimensions: By name, an expression over the source's columns.
        measures: By name, an aggregate over them.
    """
    lines = ['version: "0.1"', f"source: {_block(source)}"]
    for kind, columns in (("dimensions", dimensions), ("measures", measures)):
        lines.append(f"{kind}:")
        lines += [f"  - {{name: {_quoted(name)}, expr: {_quoted(value)}}}" for name, value in columns.items()]
    return "\n".join(lines)


def _block(text: str) -> str:
    """The text over several lines, as long as YAML would give back every character of it."""
    if "$$" in text or not all(c == "\n" or c.isprintable() for c in text):
        return _quoted(text)
    return "|-\n" + textwrap.indent(text, "  ")


def _quoted(text: str) -> str:
    """JSON's strings are YAML's, but for what YAML takes as an end of line. Two dollars would end the text in Spark."""
    shown = (c if c.isprintable() else f"\\U{ord(c):08x}" for c in json.dumps(text, ensure_ascii=False))
    return "".join(shown).replace("$$", "\\u0024\\u0024")
