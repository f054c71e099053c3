"""A metric request becomes a plan, and the plain SQL of one dialect. Pure: no I/O, no engine, no clock."""

from penstock.semantic.compile import compile_request
from penstock.semantic.request import CompiledQuery, GroupBy, MetricName, MetricRequest, OrderBy

__all__ = ["CompiledQuery", "GroupBy", "MetricName", "MetricRequest", "OrderBy", "compile_request"]
