"""Penstock: metrics, training sets and models as SQL, defined once as dbt models over Delta tables."""

__version__ = "0.1.0"
