"""The dbt profile, read by dbt's own code, so that the command line and `dbt` never differ on it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.errors import EnvironmentProblem


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
    """
    from argparse import Namespace

    from dbt.config.profile import Profile
    from dbt.config.project import PartialProject
    from dbt.config.renderer import DbtProjectYamlRenderer, ProfileRenderer
    from dbt.flags import set_from_args
    from dbt_common.context import set_invocation_context

    fix = "copy profiles.example.yml to profiles.yml beside dbt_project.yml"
    profiles = folder if (folder / "profiles.yml").exists() else Path.home() / ".dbt"
    set_invocation_context(os.environ)
    set_from_args(Namespace(PROFILES_DIR=str(profiles), PROFILE=None, TARGET=target), None)
    try:
        name = PartialProject.from_project_root(str(folder)).render_profile_name(DbtProjectYamlRenderer())
        profile = Profile.render(ProfileRenderer({}), name, target_override=target)
    except Exception as error:
        raise EnvironmentProblem(f"the dbt profile cannot be used: {error}", where=str(profiles), fix=fix) from error
    credentials = profile.credentials
    return Target(profile.target_name, str(credentials.method), credentials.schema, credentials.server_side_parameters)
