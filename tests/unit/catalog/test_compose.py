"""What a definition and the catalog ask for together."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.catalog import load_catalog
from dsvm.catalog.compose import Composition, compose
from dsvm.catalog.environments import EnvironmentPlan
from dsvm.errors import ErrorGroup

TOOL = """\
title = "T"
summary = "S"
homepage = "H"
licence = "L"
group = "G"
start = "t"
example = {{ run = "t", prints = "t" }}
{more}
[environment]
name = "{environment}"
variants.cpu = ["{package}"]
{environment_more}
[[check]]
run = "check.py"
[[break]]
name = "b"
run = "x"
undo = "x"
expect = "x"
"""


def composed(folder: Path, text: str) -> Composition:
    (folder / "dsvm.toml").write_text(f'name = "lab"\n{text}')
    return compose(folder / "dsvm.toml")[1]


def screen(folder: Path, text: str) -> str:
    with pytest.raises(ErrorGroup) as group:
        composed(folder, text)
    return str(group.value).replace(str(folder), "/TMP")


def plan(composition: Composition, name: str) -> EnvironmentPlan:
    return next(plan for plan in composition.environments if plan.name == name)


def add(
    folder: Path,
    name: str,
    package: str,
    *,
    environment: str = "shared",
    more: str = "",
    environment_more: str = "",
) -> None:
    tool = folder / "ours" / name
    tool.mkdir(parents=True)
    (tool / "check.py").touch()
    values = {"package": package, "more": more, "environment_more": environment_more}
    (tool / "tool.toml").write_text(TOOL.format(environment=environment, **values))


OURS = '[catalog]\npaths = ["ours"]\n'


def test_the_starter_is_its_tools_their_packages_and_environments(tmp_path: Path) -> None:
    found = composed(tmp_path, 'packages = ["ffmpeg", "sudo"]\n')
    names = [tool.name for tool in found.tools]
    assert sorted(names) == ["git", "jupyterlab", "python", "r", "vim", "xgboost"]
    assert {"base", "jupyter", "boosting"} <= {plan.name for plan in found.environments}
    assert found.packages[-1] == "ffmpeg"
    assert len(set(found.packages)) == len(found.packages)
    assert {found.base.kernel, "git", "vim", "r-base-core"} <= set(found.packages)
    assert found.folder == tmp_path
    assert [app.name for app in found.apps] == ["jupyterlab"]


def test_a_kernel_gets_pip_and_ipykernel_unless_it_has_them(tmp_path: Path) -> None:
    text = """\
profile = ""
[accelerator]
variants = ["cpu", "nvidia"]
[environments.churn]
requirements = ["polars", "IPyKernel>=6"]
"""
    own = plan(composed(tmp_path, text), "churn")
    wanted = ("polars", "IPyKernel>=6", "pip")
    assert own.requirements == {"cpu": wanted, "nvidia": wanted}
    assert own.kernel
    assert own.own
    assert own.python is None


def test_without_a_profile_there_are_only_the_tools_named(tmp_path: Path) -> None:
    found = composed(tmp_path, 'profile = ""\ntools = ["git"]\n')
    assert [tool.name for tool in found.tools] == ["git"]
    assert found.environments == ()


def test_what_has_a_check_beside_a_changed_tool_is_proven_with_it(tmp_path: Path) -> None:
    found = composed(tmp_path, 'profile = "starter"\ntools = ["chromium"]\n')

    assert found.with_those_beside(["chromium"]) == ("jupyterlab", "chromium")
    assert found.with_those_beside(["git"]) == ("git",)


def test_unknown_names_are_told_with_the_nearest_and_with_all_other_mistakes(
    tmp_path: Path,
) -> None:
    text = """\
base = "debian-14"
profile = "startr"
tools = ["r", "pytorh"]
packages = 3
[environments.own]
requirements = []
[environments.old]
python = "3.9"
requirements = []
[sources]
pipy = "https://mirror.lab/simple"
npm = "mirror"
"""
    shown = screen(tmp_path, text)
    profiles = ", ".join(f"`{name}`" for name in load_catalog().profiles)
    assert shown.startswith(f"""\
error: unknown base `debian-14`
  dsvm.toml:2   base = "debian-14"
hint: did you mean `debian-13`? there are `debian-13`, `debian-12`

error: unknown profile `startr`
  dsvm.toml:3   profile = "startr"
hint: did you mean `starter`? there are {profiles}

error: unknown tool `pytorh`
  dsvm.toml:4   tools = ["r", "pytorh"]
hint: did you mean `pytorch`? `dsvm tools` lists them all

error: `packages` must be a list, not `3`
  dsvm.toml:5   packages = 3
hint: write it like `packages = ["ffmpeg"]`

error: Python 3.9 is not offered on `debian-13`
  dsvm.toml:9   python = "3.9"
hint: there is Python `3.13`, `3.11`

error: unknown source `pipy`
  dsvm.toml:12   pipy = "https://mirror.lab/simple"
hint: did you mean `pypi`? there are `pypi`,""")
    assert shown.endswith("""\
error: source `npm` is no address
  dsvm.toml:13   npm = "mirror"
hint: write it like "https://mirror.lab/simple\"""")


def test_an_own_environment_cannot_take_the_name_of_a_tools(tmp_path: Path) -> None:
    text = "[environments.base]\nrequirements = []\n[environments.python3]\nrequirements = []\n"
    assert (
        screen(tmp_path, text)
        == """\
error: environment `base` belongs to the tool `python`
  dsvm.toml:2   [environments.base]
hint: choose another name for it, like `my-base`

error: environment `python3` has a name that Jupyter itself uses
  dsvm.toml:4   [environments.python3]
hint: choose another name for it"""
    )


def test_the_python_a_file_asks_for_is_taken_when_it_is_offered(tmp_path: Path) -> None:
    (tmp_path / "environment.yml").write_text("dependencies: [python=3.11, polars]\n")
    text = 'profile = ""\n[environments.own]\nfile = "environment.yml"\n'
    own = plan(composed(tmp_path, text), "own")
    assert own.python == "3.11"
    assert own.requirements["cpu"] == ("polars", "pip", "ipykernel")

    (tmp_path / "environment.yml").write_text("dependencies: [python=3.8]\n")
    assert (
        screen(tmp_path, text)
        == """\
error: the file of environment `own` wants Python ==3.8.*
  dsvm.toml:4   file = "environment.yml"
hint: there is Python `3.13`, `3.11`"""
    )


def test_constraints_of_a_file_stay_constraints(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text("polars\n-c limits.txt\n")
    (tmp_path / "limits.txt").write_text("numpy<2\n")
    found = composed(tmp_path, '[environments.own]\nfile = "requirements.txt"\n')
    assert plan(found, "own").constraints == ("numpy<2",)


def test_tools_that_name_one_environment_share_it(tmp_path: Path) -> None:
    add(tmp_path, "one", "polars", more='requires = ["two"]\napt = ["zstd"]')
    add(tmp_path, "two", "duckdb", environment_more='variants.nvidia = ["duckdb-gpu"]')
    found = composed(
        tmp_path,
        f'profile = ""\ntools = ["one"]\n{OURS}[accelerator]\nvariants = ["cpu", "nvidia"]\n',
    )
    assert [tool.name for tool in found.tools] == ["two", "one"]
    assert plan(found, "shared").requirements == {
        "cpu": ("duckdb", "polars", "pip", "ipykernel"),
        "nvidia": ("duckdb-gpu", "polars", "pip", "ipykernel"),
    }
    assert plan(found, "shared").asked == {
        "cpu": {"two": ("duckdb",), "one": ("polars",)},
        "nvidia": {"two": ("duckdb-gpu",), "one": ("polars",)},
    }


def test_tools_that_cannot_share_are_told_apart(tmp_path: Path) -> None:
    source = '[[environment.sources]]\nname = "{0}"\nindex = "https://{0}.example/simple"'
    app = '[[app]]\nname = "page"\nport = 8000'
    add(tmp_path, "one", "polars", environment_more=f"{source.format('a')}\n{app}")
    add(tmp_path, "two", "duckdb", environment_more=f"{source.format('b')}\n{app}")
    assert (
        screen(tmp_path, f'profile = ""\ntools = ["one", "two"]\n{OURS}')
        == """\
error: `one` and `two` cannot share the environment `shared`
  cause: they name different sources for its packages
hint: give one of them another environment, or the same `sources`

error: `one` and `two` both have the app `page`
hint: leave one of the two tools out

error: `one` and `two` both have the port `8000`
hint: leave one of the two tools out"""
    )


def test_mistakes_in_ones_own_tools_are_told_with_those_of_the_definition(tmp_path: Path) -> None:
    add(tmp_path, "one", "po lars")
    shown = screen(tmp_path, f'tools = ["gti"]\n{OURS}')
    assert "hint: did you mean `git`?" in shown
    assert "  one/tool.toml:11   variants.cpu = [" in shown


def test_a_folder_of_wheels_is_found_from_the_definition(tmp_path: Path) -> None:
    found = composed(tmp_path, 'profile = ""\n[sources]\nfind-links = "./wheels"\n')
    assert found.sources == {"find-links": str(tmp_path / "wheels")}
