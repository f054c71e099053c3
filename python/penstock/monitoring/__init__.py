"""What models predicted, what came true, and what changed: append-only Delta tables, and what is read from them."""

from penstock.monitoring.discovery import adjusted
from penstock.monitoring.distances import Histograms, drift
from penstock.monitoring.tails import chi2_sf, ks_sf, norm_sf

__all__ = ["Histograms", "adjusted", "chi2_sf", "drift", "ks_sf", "norm_sf"]
