"""dbt Python models in this process: `dbt.config(submission_method="session")`."""

from __future__ import annotations

import linecache
from typing import Any

from dbt.adapters.base import PythonJobHelper
from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError


class SessionJobHelper(PythonJobHelper):
    """Runs a compiled Python model with the session of this process as `spark`."""

    def __init__(self, parsed_model: dict[str, Any], credentials: Any) -> None:
        self._name = f"{parsed_model['schema']}.{parsed_model['alias']}"
        self._file = f"<dbt model {parsed_model['original_file_path']}>"

    def submit(self, compiled_code: str) -> None:
        """Run the code; a user's error becomes dbt's with the same message."""
        from penstock.engines.spark import running_session

        # With its text in linecache the code has readable tracebacks, and `inspect.getsource` works on it.
        linecache.cache[self._file] = (len(compiled_code), None, compiled_code.splitlines(keepends=True), self._file)
        namespace = {"__name__": f"dbt_model_{self._name}", "spark": running_session()}
        try:
            exec(compile(compiled_code, self._file, "exec"), namespace)
        except PenstockError as error:
            raise DbtRuntimeError(f"{self._name}: {error}") from error
