"""Penstock: metrics, training sets and models as SQL, defined once as dbt models over Delta tables.

`log`, `log_features` and `log_feedback` add to the record what was predicted, from what, and what came true of it.
"""

TYPE_CHECKING = False  # not typing's own, whose import is most of what importing this would cost
if TYPE_CHECKING:
    from typing import Any

    from penstock.monitoring.record.log import log_features, log_feedback
    from penstock.monitoring.record.log import log_predictions as log

__all__ = ["__version__", "log", "log_features", "log_feedback"]
__version__ = "0.1.0"

_LAZY = {"log": "log_predictions", "log_features": "log_features", "log_feedback": "log_feedback"}


def __getattr__(name: str) -> "Any":
    if name not in _LAZY:
        raise AttributeError(f"module 'penstock' has no attribute '{name}'")
    from penstock.monitoring.record import log as door

    return getattr(door, _LAZY[name])


def __dir__() -> list[str]:
    return sorted({*globals(), *_LAZY})
