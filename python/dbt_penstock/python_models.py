"""dbt Python models where Spark is: `dbt.config(submission_method="session")`."""

from __future__ import annotations

from typing import Any

from dbt.adapters.base import PythonJobHelper
from dbt_common.exceptions import DbtRuntimeError

from penstock.errors import PenstockError


class SessionJobHelper(PythonJobHelper):
    """Runs a compiled Python model with the session of this process, or in the server that the target connects to."""

    def __init__(self, parsed_model: dict[str, Any], credentials: Any) -> None:
        self._name = f"{parsed_model['schema']}.{parsed_model['alias']}"
        self._file = parsed_model["original_file_path"]
        self._settings = credentials.server_side_parameters
        self._node = parsed_model["unique_id"]

    def submit(self, compiled_code: str) -> None:
        """Run the code; a user's error becomes dbt's with the same message."""
        from dbt_penstock import session
        from penstock.engines.python_models import run_model
        from penstock.engines.spark import running_session

        server = session.server()
        try:
            if server is not None:
                server.run_python_model(
                    compiled_code, name=self._name, file=self._file, settings=self._settings, node=self._node
                )
            else:
                spark: Any = running_session()
                run_model(spark, compiled_code, name=self._name, file=self._file)
        except PenstockError as error:
            raise DbtRuntimeError(f"{self._name}: {error}") from error
