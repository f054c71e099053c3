"""The dbt profile, read by dbt's own code, so that the command line and `dbt` never differ on it."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import EnvironmentProblem, PenstockError, UnknownNameError


@dataclass(frozen=True)
class Target:
    """One output of a profile.

    Attributes:
        name: The target's name.
        method: dbt-spark's connection method.
        schema: The schema that dbt builds into.
        settings: Spark's settings (`server_side_parameters`).
    """

    name: str
    method: str
    schema: str
    settings: Mapping[str, str]


def load_target(folder: Path, target: str | None = None) -> Target:
    """The target of the project in `folder`.

    Args:
        folder: The folder of `dbt_project.yml`.
        target: Its name; the profile's default when None.

    Raises:
        EnvironmentProblem: when the project or the profile is missing or broken.
        UnknownNameError: when the profile has no such target.
    """
    from argparse import Namespace

    from dbt.config.profile import Profile
    from dbt.config.project import PartialProject
    from dbt.config.renderer import DbtProjectYamlRenderer, ProfileRenderer
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context

    if not (folder / "dbt_project.yml").exists():
        raise no_project(folder)
    profiles = _profiles_folder(folder)
    file = profiles / "profiles.yml"
    if not file.exists():
        raise EnvironmentProblem(
            "there is no dbt profile",
            where=str(file),
            fix="copy profiles.example.yml to profiles.yml beside dbt_project.yml",
        )
    set_invocation_context(os.environ)
    set_from_args(Namespace(PROFILES_DIR=str(profiles), PROFILE=None, TARGET=target), None)
    try:
        name = PartialProject.from_project_root(str(folder)).render_profile_name(DbtProjectYamlRenderer())
        profile = Profile.render(ProfileRenderer({}), name, target_override=target)
    except Exception as error:
        raise _of_dbt(str(error), target, file) from error
    credentials = profile.credentials
    return Target(profile.target_name, str(credentials.method), credentials.schema, credentials.server_side_parameters)


def table_folder(target: Target, relation: str) -> Path:
    """Where an embedded Spark keeps a Delta table, found without its metastore, which takes a JVM to read.

    Args:
        target: A target of method `session`.
        relation: `table`, of the target's schema, or `schema.table`.

    Raises:
        EnvironmentProblem: when the target connects to a Spark elsewhere.
        UnknownNameError: when there is no such table, or it has a location of its own.
    """
    by_path = "penstock.readers.open_training_set takes its path, which DESCRIBE DETAIL tells"
    if target.method != "session":
        raise EnvironmentProblem(
            f"target '{target.name}' connects to a server (method {target.method}), which knows where its tables lie",
            where=relation,
            fix=by_path,
        )
    warehouse = Path(target.settings.get("spark.sql.warehouse.dir", "spark-warehouse").removeprefix("file:")).absolute()
    *_, schema, table = (target.schema, *relation.split("."))
    folder = warehouse / f"{schema.lower()}.db" if schema.lower() != "default" else warehouse
    if not (folder / table.lower() / "_delta_log").is_dir():
        known = [log.parent.name for log in folder.glob("*/_delta_log")]
        fix = f"dbt build --select {table}; or, for a table with a location of its own, {by_path}"
        raise UnknownNameError.of("Delta table", relation, known, where=str(folder), fix=fix)
    return folder / table.lower()


def no_project(folder: Path) -> EnvironmentProblem:
    """The error for a folder that is no dbt project."""
    return EnvironmentProblem(
        "there is no dbt project here", where=str(folder), fix="run it in the folder of dbt_project.yml"
    )


def _profiles_folder(folder: Path) -> Path:
    """Where dbt looks for profiles.yml, first to last."""
    named = os.environ.get("DBT_PROFILES_DIR")
    if named:
        return Path(named)
    return folder if (folder / "profiles.yml").exists() else Path.home() / ".dbt"


def _of_dbt(message: str, target: str | None, file: Path) -> PenstockError:
    """dbt's own message, without the headings of its nested errors and the raw text of the YAML parser."""
    if target and f"does not have a target named '{target}'" in message:
        return UnknownNameError.of("target", target, re.findall(r"^\s*- (\S+)", message, re.M), where=str(file))
    lines = [line.strip() for line in message.partition("Raw Error:")[0].splitlines()]
    said = [line for line in lines if line and not line.startswith(("Runtime Error", "dbt encountered", "---"))]
    return EnvironmentProblem(
        f"the dbt profile cannot be used: {said[0].removesuffix(': Runtime Error') if said else message}",
        where="; ".join((str(file), *said[1:4])),
        fix="compare it with profiles.example.yml",
    )
