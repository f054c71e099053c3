"""What tells that data has changed: statistics of two histograms as plain SQL, for Spark and for DuckDB.

Pure: no engine, no I/O, no clock. It needs only sqlglot and the standard library.
"""

from penstock.monitoring.discovery import adjusted
from penstock.monitoring.distances import Histograms, drift
from penstock.monitoring.tails import chi2_sf, ks_sf, norm_sf

__all__ = ["Histograms", "adjusted", "chi2_sf", "drift", "ks_sf", "norm_sf"]
