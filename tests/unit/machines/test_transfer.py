"""How words reach a machine, and where copies land: the scripts are run for real, here."""

from __future__ import annotations

import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dsvm.engines.base import SshAddress
from dsvm.errors import DsvmError
from dsvm.machines.ssh import Ssh, runtime_folder
from dsvm.machines.transfer import EXACT, FROM, INTO, get

WORDS = st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))


def ssh(folder: Path) -> Ssh:
    return Ssh("lab", SshAddress("127.0.0.1", 22001), folder / "id", folder / "known_hosts")


@given(WORDS)
def test_words_pass_the_remote_shell_unchanged(words: list[str]) -> None:
    line = ssh(Path("/x")).argv(["printf", "%s\\0", "begin", *words])[-1]

    # sshd runs `$SHELL -c LINE`; the login's shell is bash.
    told = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout

    assert told.decode().split("\0")[:-1] == ["begin", *words]


def test_the_command_line_reads_no_configuration_and_pins_the_key(tmp_path: Path) -> None:
    argv = ssh(tmp_path / "with blank").argv(["true"])

    assert argv[:3] == ["ssh", "-F", "none"]
    assert "StrictHostKeyChecking=yes" in argv
    assert f'UserKnownHostsFile="{tmp_path}/with blank/known_hosts"' in argv
    assert argv[-2:] == ["ds@127.0.0.1", "true"]


def test_the_control_socket_fits_into_a_socket_address(tmp_path: Path) -> None:
    deep = tmp_path / ("deep/" * 40)
    (control,) = [word for word in ssh(deep).argv() if word.startswith("ControlPath=")]

    # OpenSSH binds a temporary name, 17 characters longer, first.
    assert len(control.removeprefix("ControlPath=")) + 17 < 108


def test_the_runtime_folder_is_private() -> None:
    assert runtime_folder().stat().st_mode & 0o077 == 0


def packed(source: Path) -> bytes:
    argv = ["tar", "-c", "-f", "-", "-C", str(source.parent), "--", source.name]
    return subprocess.run(argv, capture_output=True, check=True).stdout


def receive(script: str, source: Path, target: str, home: Path) -> None:
    argv = ["sh", "-c", script, "sh", target, source.name]
    env = {**os.environ, "HOME": str(home)}
    subprocess.run(argv, input=packed(source), check=True, env=env)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "from" / "note books"
    folder.mkdir(parents=True)
    (folder / "a.txt").write_text("new")
    return folder


def test_a_copy_goes_into_a_folder_that_is_there(tmp_path: Path, source: Path) -> None:
    receive(INTO, source, "~", tmp_path)

    assert (tmp_path / "note books" / "a.txt").read_text() == "new"


def test_a_copy_takes_the_name_of_a_target_that_is_not_there(tmp_path: Path, source: Path) -> None:
    receive(INTO, source, "~/x/y", tmp_path)
    receive(INTO, source / "a.txt", "~/z/", tmp_path)

    assert (tmp_path / "x" / "y" / "a.txt").read_text() == "new"
    assert (tmp_path / "z" / "a.txt").read_text() == "new"
    assert not list(tmp_path.rglob(".dsvm-cp*"))


def test_an_exact_copy_is_laid_over_the_folder_that_is_there(tmp_path: Path, source: Path) -> None:
    kept = tmp_path / "notebooks"
    kept.mkdir()
    (kept / "a.txt").write_text("old")
    (kept / "mine.txt").write_text("mine")

    receive(EXACT, source, "~/notebooks", tmp_path)
    receive(EXACT, source / "a.txt", "~/notebooks/b.txt", tmp_path)

    assert (kept / "a.txt").read_text() == "new"
    assert (kept / "mine.txt").read_text() == "mine"
    assert (kept / "b.txt").read_text() == "new"


def test_what_is_fetched_keeps_its_own_name(tmp_path: Path, source: Path) -> None:
    env = {**os.environ, "HOME": str(source.parent)}
    argv = ["sh", "-c", FROM, "sh", "~/note books/", ""]
    sent = subprocess.run(argv, capture_output=True, check=True, env=env).stdout

    listed = subprocess.run(["tar", "-t"], input=sent, capture_output=True, check=True).stdout
    assert listed.decode().splitlines() == ["note books/", "note books/a.txt"]


@dataclass(frozen=True)
class Hostile(Ssh):
    """A machine that answers every command with the output of its own."""

    answer: str = ""

    def open(self) -> None:
        pass

    def argv(self, command: Sequence[str] = (), *, tty: bool = False) -> list[str]:
        return ["sh", "-c", self.answer]


def hostile(tmp_path: Path, script: str) -> Hostile:
    """It sends what the script puts in an empty folder."""
    (tmp_path / "made").mkdir(parents=True)
    answer = f"cd {shlex.quote(str(tmp_path / 'made'))}; {script}; tar -c -f - -- $(ls -A)"
    return Hostile("lab", SshAddress("127.0.0.1", 1), tmp_path, tmp_path, answer=answer)


def test_a_machine_cannot_send_more_than_was_asked_for(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    with pytest.raises(DsvmError, match="sent something else than `work`") as refused:
        get(hostile(tmp_path, "mkdir work; echo evil >.bashrc"), "work", home)

    assert "'.bashrc', 'work'" in (refused.value.cause or "")
    assert list(home.iterdir()) == []


def test_a_machine_cannot_send_a_file_of_another_name(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()

    for asked in ("work", "~", ".", "~/x/../work/"):
        with pytest.raises(DsvmError, match="sent something else"):
            get(hostile(tmp_path / asked.replace("/", "_"), "echo evil >.bashrc"), asked, home)

    assert list(home.iterdir()) == []


@pytest.mark.parametrize("inside", ["mkdir -p work/link; echo evil", "mkdir work; echo evil"])
def test_what_a_machine_sends_is_not_written_through_a_link(tmp_path: Path, inside: str) -> None:
    """Such as one that an earlier copy has brought."""
    precious, home = tmp_path / "precious", tmp_path / "home"
    (home / "work").mkdir(parents=True)
    deep = "-p" in inside
    if deep:
        precious.mkdir()
    else:
        precious.write_text("mine")
    (home / "work" / "link").symlink_to(precious)
    machine = hostile(tmp_path, f"{inside} >work/link{'/keys' * deep}")

    if deep:
        with pytest.raises(DsvmError, match="is a link, the copy a folder"):
            get(machine, "work", home)
        assert list(precious.iterdir()) == []
    else:
        get(machine, "work", home)
        assert precious.read_text() == "mine"
        assert (home / "work" / "link").read_text() == "evil\n"


def test_members_that_would_leave_the_folder_are_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    sent = "tar -c -P -f - --transform 's,^made,../../escaped,' made"
    answer = f"cd {shlex.quote(str(tmp_path))}; echo evil >made; {sent}"
    machine = Hostile("lab", SshAddress("127.0.0.1", 1), tmp_path, tmp_path, answer=answer)

    with pytest.raises(DsvmError):
        get(machine, "work", home)

    assert not list(tmp_path.rglob("escaped"))
    assert list(home.iterdir()) == []
