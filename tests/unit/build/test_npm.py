"""npm packages as a tree."""

from __future__ import annotations

from pathlib import Path

import pytest

from dsvm.build import native, npm
from dsvm.errors import DsvmError


def test_commands_of_npm_packages_are_linked(tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "@scope" / "tool"
    package.mkdir(parents=True)
    (package / "cli.js").write_text("#!/usr/bin/env node")
    npm._link_commands(package, {"tool": "./cli.js"})

    link = tmp_path / "node_modules/.bin/tool"
    assert link.readlink() == Path("../@scope/tool/cli.js")
    assert link.stat().st_mode & 0o111


@pytest.mark.parametrize(
    "commands", [{"tool": "../../../precious"}, {"../../../precious": "cli.js"}, {"/x": "cli.js"}]
)
def test_commands_of_npm_packages_reach_nothing_outside(
    tmp_path: Path, commands: dict[str, str]
) -> None:
    package = tmp_path / "node_modules" / "@lab" / "tool"
    package.mkdir(parents=True)
    (package / "cli.js").write_text("#!/usr/bin/env node")
    precious = tmp_path / "precious"
    precious.touch(mode=0o600)

    with pytest.raises(DsvmError, match="outside its folder"):
        npm._link_commands(package, commands)

    assert precious.is_file()
    assert precious.stat().st_mode & 0o777 == 0o600


def test_what_the_machine_has_no_use_for_goes(tmp_path: Path) -> None:
    for name in ("bin/linux/rg", "bin/win32/rg.exe", "bin/darwin/rg", "notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    npm._remove(tmp_path, ["bin/[dw]*", "*.txt"], "editor")

    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")] == []
    assert (tmp_path / "bin/linux/rg").exists()
    with pytest.raises(DsvmError, match="nothing at `bin/win32`"):
        npm._remove(tmp_path, ["bin/win32"], "editor")


def test_links_stand_where_an_install_script_would_have_made_them(tmp_path: Path) -> None:
    npm._link(tmp_path, {"lib/node": "../bin/node"})

    assert (tmp_path / "lib/node").readlink() == Path("../bin/node")
    with pytest.raises(DsvmError, match="outside its folder"):
        npm._link(tmp_path, {"../node": "x"})


def test_only_the_modules_of_a_compilation_stay(tmp_path: Path) -> None:
    made = tmp_path / "build" / "Release"
    (made / "obj.target").mkdir(parents=True)
    for name in ("pty.node", "obj.target/pty.o", "../Makefile", "../config.gypi"):
        (made / name).touch()

    assert native._keep_modules(tmp_path) == ["pty.node"]
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["build", "Release", "pty.node"]


def test_a_compilation_that_made_nothing_is_no_success(tmp_path: Path) -> None:
    (tmp_path / "build" / "Release").mkdir(parents=True)

    with pytest.raises(DsvmError, match="nothing was compiled"):
        native._keep_modules(tmp_path)
