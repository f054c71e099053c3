"""Pipelines of Spark ML, scored as expressions of the query's own plan: no worker, and Spark's own values."""
