"""What Penstock tells while a node runs (a training node: reading, fitting, logging), as lines of dbt's log."""

from __future__ import annotations

import logging


class _ToDbt(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        from dbt_common.events.functions import fire_event
        from dbt_common.events.types import Note

        fire_event(Note(msg=self.format(record)))


def show_in_dbt() -> None:
    """From now on, information that Penstock logs goes to dbt's terminal and file, in dbt's format and at its level."""
    logger = logging.getLogger("penstock")
    logger.addHandler(_ToDbt())
    logger.setLevel(logging.INFO)
    logger.propagate = False  # or MLflow's set-up of the root logger prints each line once more
