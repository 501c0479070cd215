"""Tool folders are found, and refused when they prove nothing or cannot work."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from dsvm.catalog import load as load_module
from dsvm.catalog import load_catalog
from dsvm.errors import DsvmError, ErrorGroup

TOOL = """\
title = "Polars"
summary = "Data frames"
homepage = "https://pola.rs"
licence = "MIT"
group = "data"
start = "python"
[example]
run = "python -c 'import polars'"
prints = "ok"
[environment]
name = "frames"
variants.cpu = ["polars"]
[[check]]
run = "check.py"
[[break]]
name = "library gone"
run = "rm x"
undo = "true"
expect = "polars"
"""


@pytest.fixture
def tool(tmp_path: Path) -> Callable[..., Path]:
    """Writes a tool folder; returns the catalog folder around it."""

    def write(
        text: str = TOOL, name: str = "polars", files: tuple[str, ...] = ("check.py",)
    ) -> Path:
        folder = tmp_path / "ours" / name
        folder.mkdir(parents=True)
        (folder / "tool.toml").write_text(text)
        for file in files:
            (folder / file).parent.mkdir(exist_ok=True)
            (folder / file).touch()
        return folder.parent

    return write


def screen(root: Path) -> str:
    with pytest.raises(ErrorGroup) as group:
        load_catalog([root])
    return str(group.value).replace(str(root.parent), "/TMP")


def test_every_tool_of_dsvm_loads() -> None:
    catalog = load_catalog()
    assert {"python", "r", "jupyterlab", "xgboost", "git", "vim", "pytorch"} <= set(catalog.tools)
    assert catalog.profiles["starter"].tools == [
        "python",
        "r",
        "jupyterlab",
        "xgboost",
        "git",
        "vim",
    ]
    assert list(catalog.machine_bases) == ["debian-13", "debian-12"]
    assert catalog.profiles_of("r") == ["starter", "data-science", "deep-learning", "full"]
    assert catalog.profiles_of("pytorch") == ["deep-learning", "full"]


def test_every_tool_has_a_check_that_exists_and_a_way_to_break_it() -> None:
    for tool in load_catalog().tools.values():
        assert all((tool.folder / check.run).is_file() for check in tool.checks)
        assert tool.breaks


def test_a_tool_of_ones_own_is_found_by_its_folder(tool: Callable[..., Path]) -> None:
    found = load_catalog([tool()]).tool("polars")
    assert found.name == "polars"
    assert found.sources == ["pypi"]


def test_an_unknown_tool_is_told_with_the_nearest() -> None:
    with pytest.raises(DsvmError) as wrong:
        load_catalog().tool("pytorh")
    assert str(wrong.value) == (
        "error: unknown tool `pytorh`\nhint: did you mean `pytorch`? `dsvm tools` lists them all"
    )


def test_a_tool_without_a_check_or_a_break_is_refused(tool: Callable[..., Path]) -> None:
    text = TOOL[: TOOL.index("[[check]]")]
    assert (
        screen(tool(text))
        == """\
error: `check` is missing
  polars/tool.toml:1   title = "Polars"
hint: add `[[check]]` with `run = "check.py"`

error: `break` is missing
  polars/tool.toml:1   title = "Polars"
hint: add `[[break]]` with `name = "missing library"`, `run = "mv ..."`, `undo = "mv ..."`, \
`expect = "No module named"`"""
    )


def test_a_check_must_exist_and_a_break_must_say_what_is_expected(
    tool: Callable[..., Path],
) -> None:
    text = TOOL.replace('expect = "polars"\n', "").replace('run = "rm x"', 'run = " "')
    assert (
        screen(tool(text + '[[check]]\nname = "b"\nrun = "b.txt"\n', files=("b.txt",)))
        == """\
error: `break[0].expect` is missing
  polars/tool.toml:15   [[break]]
hint: write it like `expect = "git: command not found"`"""
    )
    text = TOOL.replace('run = "rm x"', 'run = " "') + '[[check]]\nname = "b"\nrun = "b.txt"\n'
    root = tool(text, "other", files=("b.txt",))
    assert """\
error: the check `check.py` does not exist
  other/tool.toml:14   run = "check.py"
hint: write it: /TMP/ours/other/check.py

error: `run` of the break `library gone` is empty
  other/tool.toml:17   run = " "
hint: say what breaks, and what is expected

error: nothing runs the check `b.txt`
  other/tool.toml:22   run = "b.txt"
hint: it must end in one of .py, .R, .sh""" in screen(root)


def test_unknown_keys_and_names_are_told_on_their_lines(tool: Callable[..., Path]) -> None:
    text = TOOL.replace(
        'group = "data"\n', 'group = "data"\nrequires = ["pyton"]\nservice = [{ name = "x" }]\n'
    )
    text = text.replace('run = "check.py"', 'run = "check.py"\nenvironment = "frame"')
    text = text.replace('["polars"]', '["po lars"]')
    assert (
        screen(tool(text))
        == """\
error: unknown tool `pyton`
  polars/tool.toml:6   requires = ["pyton"]
hint: did you mean `python`?

error: the service `x` has no unit
  polars/tool.toml:7   service = [{ name = "x" }]
hint: write it: /TMP/ours/polars/files/x.service

error: `po lars` is no requirement
  polars/tool.toml:14   variants.cpu = ["po lars"]
  cause: Expected semicolon (after name with no version specifier) or end
hint: write it as pip does: `polars`, `lightgbm>=4`, `dask[array]==2025.1.0`

error: unknown environment `frame`
  polars/tool.toml:17   environment = "frame"
hint: did you mean `frames`?"""
    )


def test_what_a_check_needs_beside_it_is_known_and_one_needs_nothing(
    tool: Callable[..., Path],
) -> None:
    text = TOOL.replace('run = "check.py"', 'run = "check.py"\nbeside = ["vim", "chromum"]')

    assert (
        screen(tool(text))
        == """\
error: every check needs other tools beside it
  polars/tool.toml:13   [[check]]
hint: add one for machines without them, or name them in `requires`

error: unknown tool `chromum`
  polars/tool.toml:15   beside = ["vim", "chromum"]
hint: did you mean `chromium`?"""
    )


def test_an_app_has_one_origin(tool: Callable[..., Path]) -> None:
    both = TOOL + '[npm]\npackages = { a = "1" }\n[artifact]\nurl = "https://a.example/a.tgz"\n'

    assert (
        screen(tool(both))
        == """\
error: it has both `[npm]` and `[artifact]`, and one folder for its files
  polars/tool.toml:22   [artifact]
hint: make two tools of it; one may `requires` the other"""
    )


def test_misspelt_keys_are_told_with_the_nearest(tool: Callable[..., Path]) -> None:
    text = TOOL.replace("summary", "sumary").replace("licence = ", 'name = "x"\nlicence = ')
    assert (
        screen(tool(text))
        == """\
error: `summary` is missing
  polars/tool.toml:1   title = "Polars"
hint: write it like `summary = "Gradient-boosted trees"`

error: unknown key `sumary`
  polars/tool.toml:2   sumary = "Data frames"
hint: did you mean `summary`?

error: unknown key `name`
  polars/tool.toml:4   name = "x"
hint: leave it out"""
    )


def test_folders_that_hide_others_or_have_bad_names_are_refused(
    tool: Callable[..., Path],
) -> None:
    tool(name="git")
    shown = screen(tool(name="My_Tool"))
    assert "error: `My_Tool` is no name for a tool's folder" in shown
    assert "error: there are two tools `git`" in shown
    assert "hint: rename one of the folders; a tool never hides another" in shown


def test_a_catalog_folder_without_tools_is_refused(tool: Callable[..., Path]) -> None:
    root = tool()
    assert "names the folder around the tool folders" in screen(root / "polars")


def test_broken_toml_in_a_tool_is_told_with_its_line(tool: Callable[..., Path]) -> None:
    assert "  polars/tool.toml:1   title =" in screen(tool("title = \n"))


def test_a_file_and_a_kernels_program_must_have_a_text(tool: Callable[..., Path]) -> None:
    more = (
        '[[file]]\npath = "/etc/gone.conf"\n'
        '[[kernel]]\nname = "k"\ndisplay_name = "K"\nlanguage = "k"\nargv = ["k"]\n'
        'program = "gone.py"\n'
    )

    shown = screen(tool(TOOL + more))

    assert "error: the file `/etc/gone.conf` has no text" in shown
    assert "error: the file `gone.py` has no text" in shown
    assert "/polars/files/gone.py" in shown


def test_another_base_runs_its_python_where_the_libc_is_newer() -> None:
    catalog = load_catalog()
    assert catalog.pythons(catalog.bases["debian-13"]) == ["3.13", "3.11"]
    assert catalog.pythons(catalog.bases["debian-12"]) == ["3.11"]


SERVICE = """\
[[service]]
name = "lake"
"""


def test_a_service_of_the_first_use_says_where_it_is_reached(tool: Callable[..., Path]) -> None:
    text = TOOL + SERVICE + 'backend = "127.0.0.1:15000"\n'

    shown = screen(tool(text, files=("check.py", "files/lake.service", "files/pond.socket")))

    assert (
        shown
        == """\
error: no service has the socket `pond.socket`
  polars/tool.toml:1   title = "Polars"
hint: add `socket = true` to the service `pond`

error: nothing says where the service `lake` is reached
  polars/tool.toml:21   name = "lake"
hint: add `listen = ["127.0.0.1:PORT"]`, or an app of its name"""
    )


def test_a_service_has_its_own_socket_or_a_proxy_not_both(tool: Callable[..., Path]) -> None:
    text = TOOL + SERVICE + 'socket = true\nbackend = "/run/lake"\nlisten = ["127.0.0.1:1"]\n'

    shown = screen(tool(text, files=("check.py", "files/lake.service")))

    assert "error: the socket of `lake` has no unit" in shown
    assert "error: the service `lake` has a `socket` of its own and takes no proxy" in shown


def test_what_a_proxy_is_told_needs_one(tool: Callable[..., Path]) -> None:
    text = TOOL + SERVICE + 'listen = ["127.0.0.1:1"]\n'

    shown = screen(tool(text, files=("check.py", "files/lake.service")))

    assert "error: the service `lake` has no `backend`, where it listens itself" in shown


def test_a_unit_of_an_os_package_needs_no_text(tool: Callable[..., Path]) -> None:
    text = TOOL + SERVICE + 'of_os = true\nbackend = "/run/lake"\nlisten = ["127.0.0.1:77"]\n'

    (service,) = load_catalog([tool(text)]).tool("polars").services

    assert (service.door, service.all_ports) == ("lake-first-use", {77})


def test_every_profile_begins_with_the_starter() -> None:
    path = Path(load_module.__file__).with_name("profiles.toml")
    said = tomllib.loads(path.read_text())

    larger = [set(one["tools"]) for one in said.values() if not one.get("every")]
    assert all(set(said["starter"]["tools"]) <= tools for tools in larger)


def test_full_is_every_tool_of_dsvm_and_none_of_ones_own(tool: Callable[..., Path]) -> None:
    ours = load_catalog()

    assert load_catalog([tool()]).profiles["full"].tools == sorted(ours.tools)
