"""What a model requires, held against packages that are installed: real ones, and metadata in a folder on the path."""

from __future__ import annotations

import platform
from importlib.metadata import version
from pathlib import Path

import pytest

from penstock.registry.requirements import differences, minor_of, requirements_of

HERE = minor_of(platform.python_version())


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    def installed(name: str, number: str, *requires: str) -> None:
        folder = tmp_path / "site" / f"{name}-{number}.dist-info"
        folder.mkdir(parents=True)
        lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {number}", "Provides-Extra: gpu"]
        (folder / "METADATA").write_text("\n".join([*lines, *(f"Requires-Dist: {each}" for each in requires), ""]))

    return installed


def told(folder: Path, requirements: str, python: str = "") -> list[str]:
    (folder / "requirements.txt").write_text(requirements)
    if python:
        (folder / "python_env.yaml").write_text(f"python: {python}\ndependencies:\n- -r requirements.txt\n")
    return [str(each) for each in differences(folder)]


def test_what_is_here_as_wanted_is_no_difference(tmp_path: Path) -> None:
    lines = [f"numpy=={version('numpy')}", f"scikit_learn>={version('scikit-learn')}  # as trained", "mlflow"]
    assert told(tmp_path, "\n".join(lines), platform.python_version()) == []


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("scores==1.5.2", ["scores==1.5.2, here 1.9.1"]),
        ("scores<1.9", ["scores<1.9, here 1.9.1"]),
        ("Scores>=1.9", []),
        ("scores==1.9.*", []),
        ("scores~=1.9.0", []),
        ("absent==0.5\nscores==2", ["absent==0.5, not installed here", "scores==2, here 1.9.1"]),
        ("absent", ["absent, not installed here"]),
        ("absent==1; python_version < '3'\nscores==2; python_version > '3'", ["scores==2, here 1.9.1"]),
        ("pre==2.0", ["pre==2.0, here 2.0rc1"]),
        ("pre>=2.0rc1", []),
        ("pre>=1.0", []),
        ("cuda==2.1.0", []),
        ("cuda==2.1.0+cu118", ["cuda==2.1.0+cu118, here 2.1.0+cpu"]),
        ("scores[gpu]", ["absent>=3, not installed here", "cuda<2, here 2.1.0+cpu"]),
        ("scores[other]", []),
        ("scores==1.9.1 --hash=sha256:aa\n-c constraints.txt\n--extra-index-url https://x/y\n# absent", []),
        ("code/absent-1.0-py3-none-any.whl\ngit+https://example.org/absent.git\n./absent\n\n", []),
        ("scores \\\n  ==2.0", ["scores==2.0, here 1.9.1"]),
        ("", []),
    ],
)
def test_differences(install, tmp_path: Path, wanted: str, expected: list[str]) -> None:  # type: ignore[no-untyped-def]
    install("scores", "1.9.1", "numpy", "absent>=3; extra == 'gpu'", "cuda<2; extra == 'gpu'")
    install("pre", "2.0rc1")
    install("cuda", "2.1.0+cpu")
    assert told(tmp_path, wanted) == expected


def test_an_extra_that_names_its_own_package_ends(install, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    install("round", "1.0", "round[gpu]; extra == 'gpu'", "absent; extra == 'gpu'")
    assert told(tmp_path, "round[gpu]") == ["absent, not installed here"]


@pytest.mark.parametrize(
    ("python", "expected"),
    [("3.8.20", [f"python==3.8, here {platform.python_version()}"]), (f"{HERE}.999", []), (f"'{HERE}'", [])],
)
def test_python(tmp_path: Path, python: str, expected: list[str]) -> None:
    assert told(tmp_path, "", python) == expected


def test_a_model_without_files_of_requirements(tmp_path: Path) -> None:
    assert differences(tmp_path) == ()
    assert requirements_of(tmp_path) == []
