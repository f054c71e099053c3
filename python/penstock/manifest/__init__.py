"""dbt's artifacts as typed, frozen objects."""
