"""Byte code depends on the wheel and on Python alone, so environments may share it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from dsvm.build.bytecode import wheels
from dsvm.lock.model import LockedEnvironment, PythonPackage

SITE = "lib/python3.13/site-packages"
SOURCE = (
    "import os\nNAMES = frozenset({'a', 'b', 'c'})\ndef f(x):\n    return os.path.join(x, 'a')\n"
)


def environment(*files: str) -> LockedEnvironment:
    packages = tuple(
        PythonPackage(
            name=file.split("-")[0],
            version=file.split("-")[1],
            file=file,
            sha256=f"{number:064x}",
            size=1,
            source="pypi",
        )
        for number, file in enumerate(files)
    )
    return LockedEnvironment(
        name="e",
        variant="cpu",
        python="3.13",
        interpreter=None,
        requirements=(),
        packages=packages,
        source="pypi",
        why="",
    )


def install(tree: Path, wheel: str, *modules: str) -> None:
    """As an installer leaves a wheel: its modules, and a RECORD that lists them."""
    record = tree / SITE / f"{wheel}.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    record.write_text("".join(f"{name},sha256=x,1\n" for name in modules))
    for name in modules:
        (tree / SITE / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / SITE / name).write_text(SOURCE)


def compiled(tree: Path, *groups: tuple[str, ...]) -> Mapping[str, bytes]:
    program = resources.files("dsvm.build").joinpath("compile_shard.py").read_text()
    names = tree / "names"
    names.write_text("\n\n".join("\n".join(group) for group in groups))
    command = [sys.executable, "-S", "-c", program, str(tree), str(names)]
    subprocess.run(command, check=True, env={"PYTHONHASHSEED": "0"})
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()[16:] for path in tree.rglob("*.pyc")
    }


def test_a_module_belongs_to_the_wheel_that_lists_it(tmp_path: Path) -> None:
    install(tmp_path, "My_Tool-1.0", "my_tool/a.py", "my_tool/tests/test_a.py")
    (tmp_path / SITE / "loose.py").write_text(SOURCE)

    [wheel, rest] = wheels(tmp_path, environment("my_tool-1.0-py3-none-any.whl"), "python")

    assert wheel.files == (f"{SITE}/my_tool/a.py",)
    assert (rest.key, rest.files) == (None, (f"{SITE}/loose.py",))


def test_a_module_that_two_wheels_bring_is_shared_with_nobody(tmp_path: Path) -> None:
    install(tmp_path, "one-1", "both/__init__.py", "one.py")
    install(tmp_path, "two-1", "both/__init__.py", "two.py")

    groups = wheels(tmp_path, environment("one-1-any.whl", "two-1-any.whl"), "python")

    assert [group.files for group in groups if group.key is None] == [(f"{SITE}/both/__init__.py",)]


def test_the_key_changes_with_the_wheel_its_modules_and_python(tmp_path: Path) -> None:
    install(tmp_path, "one-1", "one.py")
    known = environment("one-1-any.whl")
    other_wheel = environment("zero-1-any.whl", "one-1-any.whl")

    first = wheels(tmp_path, known, "python")[0].key
    again = wheels(tmp_path, known, "python")[0].key
    keys = [
        wheels(tmp_path, other_wheel, "python")[0].key,
        wheels(tmp_path, known, "another python")[0].key,
    ]
    install(tmp_path, "none-1", "none.py")
    (tmp_path / SITE / "one-1.dist-info/RECORD").write_text("one.py,,\nnone2.py,,\n")
    (tmp_path / SITE / "none2.py").write_text(SOURCE)
    keys.append(wheels(tmp_path, known, "python")[0].key)

    assert first == again
    assert len({first, *keys}) == 4


def test_what_a_process_compiled_before_does_not_change_a_wheels_byte_code(tmp_path: Path) -> None:
    trees = tmp_path / "short", tmp_path / "a much longer place"
    for tree in trees:
        install(tree, "one-1", "one.py", "other.py")
        install(tree, "two-1", "two.py")
    one, two = (f"{SITE}/one.py", f"{SITE}/other.py"), (f"{SITE}/two.py",)

    alone = compiled(trees[0], one)
    after = compiled(trees[1], two, one)

    assert len(alone) == 2
    assert {name: after[name] for name in alone} == alone


def test_byte_code_names_no_environment(tmp_path: Path) -> None:
    install(tmp_path, "one-1", "one.py")

    [code] = compiled(tmp_path, (f"{SITE}/one.py",)).values()

    assert str(tmp_path).encode() not in code
