"""A Spark standalone cluster: a master and two workers, each a process with a working folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import time
import venv
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from places import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The master's URL, once both workers have registered; each offers one core."""
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as running:
        master = folder / "master"
        running.enter_context(_daemon(master, "master.Master", "--port", str(port)))
        for name in ("worker1", "worker2"):
            options = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / name / "applications"), url)
            running.enter_context(_daemon(folder / name, "worker.Worker", *options))
        until = time.monotonic() + 60
        while (master / "log").read_text().count("Registering worker") < 2:
            assert time.monotonic() < until, (master / "log").read_text()
            time.sleep(0.2)
        yield url


@contextmanager
def _daemon(folder: Path, name: str, *options: str) -> Iterator[None]:
    import pyspark

    folder.mkdir()
    command = [str(Path(pyspark.__file__).parent / "bin" / "spark-class"), f"org.apache.spark.deploy.{name}"]
    environment = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PENSTOCK_HOME"}}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--webui-port", "0", *options],
            cwd=folder, env=environment, stdout=log, stderr=log,
        )  # fmt: skip
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def python_without_penstock(folder: Path) -> Path:
    """A Python with every library of this one and no Penstock: `.pth` files that one leads to are not read."""
    venv.create(folder, with_pip=False)
    site = next(folder.glob("lib/python*/site-packages"))
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    python = folder / "bin" / "python"
    tried = subprocess.run(
        [str(python), "-c", "import mlflow; import penstock.scoring"],
        cwd=folder, env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "No module named 'penstock" in tried.stderr, tried.stderr
    assert sys.version_info[:2] == (3, int(site.parent.name.removeprefix("python3.")))
    return python
