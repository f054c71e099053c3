"""Counts of any time, and how far two of them are apart."""

from penstock.monitoring.drift.bin_edges import Baseline, edges
from penstock.monitoring.drift.distances import Histograms, drift
from penstock.monitoring.drift.tiling import Feature, Tiling, features_of, tiles
from penstock.monitoring.drift.windows import Window, compared, moments, moving

__all__ = [
    "Baseline",
    "Feature",
    "Histograms",
    "Tiling",
    "Window",
    "compared",
    "drift",
    "edges",
    "features_of",
    "moments",
    "moving",
    "tiles",
]
