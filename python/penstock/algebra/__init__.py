"""The aggregates and their laws, and lifetimes: what can be added, merged and taken back."""
