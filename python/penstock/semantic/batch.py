"""The conformance protocol: a plain dict in, a plain dict out."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

from penstock.errors import PenstockError
from penstock.manifest.model import SemanticManifest
from penstock.semantic.compile import compile_request
from penstock.semantic.request import Dialect, GroupBy, MetricName, MetricRequest, OrderBy


def answer(request: Mapping[str, Any], manifest: SemanticManifest) -> dict[str, Any]:
    """Compile one request of the conformance protocol.

    Args:
        request: {"id", "dialect", "metrics", "group_by", "where", "order_by", "limit", "time_constraint",
            "subtotals", "known_at", "saved_query", "min_max_only", "apply_group_by"}.
        manifest: The loaded manifest that the request names.

    Returns:
        {"id", "sql", "ms"}, or {"id", "error"} where the request has no answer.
    """
    began = time.perf_counter()
    try:
        compiled = compile_request(manifest, request_of(request), cast("Dialect", request.get("dialect") or "spark"))
    except PenstockError as refused:
        return {"id": request.get("id"), "error": str(refused)}
    return {"id": request.get("id"), "sql": compiled.sql, "ms": (time.perf_counter() - began) * 1000}


def request_of(raw: Mapping[str, Any]) -> MetricRequest:
    """The typed request of a plain dict."""
    constraint = raw.get("time_constraint")
    return MetricRequest(
        metrics=tuple(
            MetricName(m["name"], m.get("alias")) if isinstance(m, Mapping) else m for m in raw.get("metrics") or ()
        ),
        group_by=tuple(
            GroupBy(g["name"], g.get("grain"), g.get("date_part"), g.get("alias")) if isinstance(g, Mapping) else g
            for g in raw.get("group_by") or ()
        ),
        where=tuple(raw.get("where") or ()),
        order_by=tuple(
            OrderBy(o["name"], o.get("grain"), o.get("date_part"), bool(o.get("descending")))
            if isinstance(o, Mapping)
            else o
            for o in raw.get("order_by") or ()
        ),
        limit=raw.get("limit"),
        subtotals=tuple(tuple(kept) for kept in raw.get("subtotals") or ()),
        known_at=raw.get("known_at"),
        time_constraint=(str(constraint[0]), str(constraint[1])) if constraint else None,
        saved_query=raw.get("saved_query"),
        min_max_only=bool(raw.get("min_max_only")),
        apply_group_by=raw.get("apply_group_by", True) is not False,
    )
