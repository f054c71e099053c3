"""A metric request becomes a plan, and the plain SQL of one dialect. Pure: no I/O, no engine, no clock.

manifest + request -> resolve (names, entities, join paths, grains) -> leaves -> plan -> passes -> sqlglot tree -> SQL.
"""

from penstock.semantic.compile import compile_request
from penstock.semantic.metric_view import MetricView, metric_view, reasons_against
from penstock.semantic.request import CompiledQuery, Dialect, GroupBy, MetricName, MetricRequest, OrderBy

__all__ = [
    "CompiledQuery", "Dialect", "GroupBy", "MetricName", "MetricRequest", "MetricView", "OrderBy",
    "compile_request", "metric_view", "reasons_against",
]  # fmt: skip
