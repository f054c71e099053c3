"""The dbt plugin: found by dbt because this module's name starts with `dbt_` and it has a list `plugins`.

dbt imports it for every command of every project in the environment, so it imports nothing heavy and only sets hooks.
"""

from dbt.plugins.manager import dbtPlugin


class PenstockPlugin(dbtPlugin):
    """Sets Penstock's hooks before dbt parses the project."""

    def initialize(self) -> None:
        from dbt_penstock import hooks

        hooks.install()


plugins = [PenstockPlugin]
