"""The charts of a report as SVG, one file a kind: no number is computed here but its place."""
