"""How a dbt model calls a macro of Penstock: read from its code, as Jinja parses it, so that nobody says it twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, TemplateSyntaxError, nodes

# dbt knows these too.
_JINJA = Environment(extensions=["jinja2.ext.do", "jinja2.ext.loopcontrols"], autoescape=False)
DRIFT = ("tiles", "baseline", "edges", "window", "bucket")
LABELS = ("kind", "horizon", "of", "window", "model")


@dataclass(frozen=True)
class Ref:
    """A `ref` of a dbt model."""

    name: str


def call_of(node: Mapping[str, Any], macro: str, names: Sequence[str]) -> dict[str, Any] | None:
    """The arguments of the one call of a macro in a dbt model's code; None where it calls it not once.

    Args:
        node: The model as dbt's manifest has it.
        macro: The macro's name, without `penstock.`
        names: Its arguments in order.

    Returns:
        The arguments that are given, by name: literals and lists of them as they are, a `ref` as `Ref`, None of
        anything else, of which only dbt knows what it is.

    Example:
        >>> code = "{{ penstock.drift(ref('tiles'), ref('base'), ref('edges'), window='4 weeks') }}"
        >>> call_of({"raw_code": code, "language": "sql"}, "drift", DRIFT)["window"]
        '4 weeks'
    """
    if node.get("language") != "sql" or f"penstock.{macro}" not in (node.get("raw_code") or ""):
        return None
    try:
        tree = _JINJA.parse(node["raw_code"])
    except TemplateSyntaxError:  # a tag that Jinja has from dbt alone
        return None
    calls = [each for each in tree.find_all(nodes.Call) if _is(each.node, macro)]
    if len(calls) != 1:
        return None
    given = dict(zip(names, calls[0].args, strict=False)) | {each.key: each.value for each in calls[0].kwargs}
    return {name: _value(value) for name, value in given.items()}


def _is(called: nodes.Node, macro: str) -> bool:
    return (
        isinstance(called, nodes.Getattr)
        and called.attr == macro
        and isinstance(called.node, nodes.Name)
        and called.node.name == "penstock"
    )


def _value(given: nodes.Node) -> Any:
    if isinstance(given, nodes.Const):
        return given.value
    if isinstance(given, nodes.List):
        return [_value(each) for each in given.items]
    if isinstance(given, nodes.Call) and isinstance(given.node, nodes.Name) and given.node.name == "ref" and given.args:
        name = _value(given.args[-1])
        return Ref(name) if isinstance(name, str) else None
    return None
