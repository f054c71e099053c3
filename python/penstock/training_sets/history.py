"""What the history of a training set's table tells: which commit built it, and whether its rows are still those."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Operations that leave a table's rows as they are.
_NO_CHANGE = re.compile(
    r"OPTIMIZE|VACUUM (START|END)|(UN)?SET TBLPROPERTIES|CHANGE COLUMNS?|CLUSTER BY|(ADD|DROP) CONSTRAINT|REORG|"
    r"UPGRADE PROTOCOL|COMPUTE STATS|SET TABLE COMMENT|UPDATE COLUMN METADATA"
)
_BUILT = re.compile(r"(CREATE( OR REPLACE)?|REPLACE) TABLE AS SELECT|CLONE")


def last_build(history: Iterable[tuple[int, str]], merged: int | None = None) -> tuple[int | None, str | None]:
    """The version of the last build, and the first change of rows after it in words; None where there is none.

    Args:
        history: Versions and operations as `DESCRIBE HISTORY` tells them, newest first.
        merged: The version that the record names as the last refresh of the set.

    Example:
        >>> last_build([(3, "OPTIMIZE"), (2, "MERGE"), (1, "CREATE OR REPLACE TABLE AS SELECT"), (0, "MERGE")])
        (1, 'version 2, MERGE')
    """
    since = None
    for version, operation in history:
        if version == merged or _BUILT.fullmatch(operation):
            return version, since
        if not _NO_CHANGE.fullmatch(operation):
            since = f"version {version}, {operation}"
    return None, since
