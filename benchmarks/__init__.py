"""Penstock beside its peers: one module for each `make bench-…`, its goals in claims.toml."""
