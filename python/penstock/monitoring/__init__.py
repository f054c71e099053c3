"""What models predicted, what came true, and what changed: append-only Delta tables, and what is read from them."""

from penstock.monitoring.bin_edges import Baseline, edges
from penstock.monitoring.discovery import adjusted
from penstock.monitoring.distances import Histograms, drift
from penstock.monitoring.tails import chi2_sf, ks_sf, norm_sf
from penstock.monitoring.tiling import Feature, Tiling, tiles
from penstock.monitoring.windows import Window, compared, moments, moving

__all__ = [
    "Baseline",
    "Feature",
    "Histograms",
    "Tiling",
    "Window",
    "adjusted",
    "chi2_sf",
    "compared",
    "drift",
    "edges",
    "ks_sf",
    "moments",
    "moving",
    "norm_sf",
    "tiles",
]
