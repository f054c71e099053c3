"""The page of a report: its template, and what that shows of what was collected."""

from penstock.monitoring.report.page.render import render

__all__ = ["render"]
