"""The engines that run SQL. Only `project` and the dbt plugin import this package."""
